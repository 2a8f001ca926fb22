"""What a run starts to be observed: a log of events on every rank, and one sampler a node."""

import contextlib
import logging
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter
from typing import Any

from .. import system
from ..mpi.child_process import Child, package_environment, piped
from ..mpi.communicator import Communicator
from ..scheduler import this_job
from . import file_names
from .events import EventLog

log = logging.getLogger(__name__)

#: Seconds that the sampler may take for its last row.
_SAMPLER_END_S = 30.0


@contextlib.contextmanager
def recording(comm: Communicator, run_root: Path, phase: str, interval: float | None, **who: Any) -> Iterator[EventLog]:
    """Records a run for as long as the block lasts; entering is collective, leaving is not.

    Parameters
    ----------
    comm : communicator
        All ranks.
    run_root : Path
    phase : str
        Of the run.
    interval : float or None
        Seconds between two samples of a node; None for none.
    **who
        More about this rank for its line `start`, such as its team.
    """
    telemetry, metrics = run_root / "telemetry", run_root / "compute_metrics"
    if comm.rank == 0:  # for all
        for folder in (telemetry, metrics) if interval is not None else (telemetry,):
            with contextlib.suppress(OSError):  # the log that cannot be opened in it says so
                folder.mkdir(parents=True, exist_ok=True)
    launch = comm.bcast(uuid.uuid4().hex[:12] if comm.rank == 0 else None)
    here = this_job().node, os.getpid()
    ranks = comm.allgather(here)
    pids = [pid for node, pid in ranks if node == here[0]]
    events = EventLog(telemetry / file_names.events_name(comm.rank))
    sampler = None
    if os.getpid() == pids[0] and interval is not None:
        sampler = _start_sampler(metrics, interval, pids)
    started = perf_counter() - (system.age() or 0.0)
    events.note("start", started, 0.0, launch=launch, rank=comm.rank, **who, **_identity(comm, phase, interval))
    events.note("startup", started, perf_counter() - started)
    outcome = "ok"
    try:
        yield events
    except BaseException as error:
        outcome = type(error).__name__
        raise
    finally:
        if sampler is not None:
            _end_sampler(sampler)
        peak = system.peak_memory() // 2**20
        events.shard = None
        events.note("end", perf_counter(), 0.0, outcome, max_rss_mib=peak)
        events.close()


def _identity(comm: Communicator, phase: str, interval: float | None) -> dict[str, Any]:
    return {
        "size": comm.size,
        "host": os.uname().nodename,
        "node": this_job().node,
        "job": file_names.job(),
        "task": file_names.task(),
        "cpus": system.usable_cpus(),
        "phase": phase,
        "metrics_interval": interval,
        "slurm": this_job().asked or None,
    }


def _start_sampler(folder: Path, interval: float, pids: list[int]) -> Child | None:
    command = [
        sys.executable,
        "-m",
        "stagea_mpi.telemetry.sampler",
        str(folder),
        file_names.samples_prefix(),
        str(interval),
    ]
    try:
        return Child(
            [*command, *map(str, pids)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env=package_environment(),
        )
    except OSError as error:
        log.warning("the sampler cannot be started (%s); the run goes on without samples", error)
        return None


def _end_sampler(sampler: Child) -> None:
    """Closes its input, upon which it ends; says so where it had ended before, or does not."""
    early = sampler.poll()
    with contextlib.suppress(BrokenPipeError):
        piped(sampler.stdin).close()
    try:
        sampler.wait(_SAMPLER_END_S)
    except subprocess.TimeoutExpired:
        sampler.kill()
        sampler.wait()
        log.warning("the sampler did not end within %.0f s and was killed", _SAMPLER_END_S)
    message = piped(sampler.stderr).read().decode(errors="replace").strip()
    piped(sampler.stderr).close()
    if early is not None or message:
        log.warning("the sampler ended with exit code %s: %s", sampler.returncode, message[-500:] or "(no message)")
