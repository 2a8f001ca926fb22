"""What a run starts to be observed: a log of events on every rank, and one sampler a node."""

import contextlib
import logging
import os
import resource
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter, time
from typing import Any

import psutil

from ..config.run_config import RunConfig
from ..mpi.child_process import Child
from . import file_names
from .events import EventLog

log = logging.getLogger(__name__)

#: Seconds that the sampler may take for its last row.
_SAMPLER_END_S = 30.0

#: What Slurm says that was asked for, noted with the start of each rank.
_SLURM = (
    "SLURM_JOB_ID", "SLURM_ARRAY_JOB_ID", "SLURM_ARRAY_TASK_ID", "SLURM_NTASKS", "SLURM_CPUS_PER_TASK",
    "SLURM_JOB_NUM_NODES",
    "SLURM_MEM_PER_NODE", "SLURM_MEM_PER_CPU", "SLURM_JOB_PARTITION",
)  # fmt: skip


@contextlib.contextmanager
def recording(comm, run_root: Path, config: RunConfig, **who: Any) -> Iterator[EventLog]:
    """Records a run for as long as the block lasts; entering is collective, leaving is not.

    Parameters
    ----------
    comm : communicator
        All ranks.
    run_root : Path
    config : RunConfig
    **who
        More about this rank for its line `start`, such as its team.
    """
    launch = comm.bcast(uuid.uuid4().hex[:12] if comm.rank == 0 else None)
    here = file_names.node(), os.getpid()
    ranks = comm.allgather(here)
    pids = [pid for node, pid in ranks if node == here[0]]
    events = EventLog(_folder(run_root / "telemetry") / file_names.events_name(comm.rank))
    samples = os.getpid() == pids[0] and config.collect_metrics
    sampler = _start_sampler(_folder(run_root / "compute_metrics"), config.metrics_interval, pids) if samples else None
    started = perf_counter() - (time() - psutil.Process().create_time())
    events.note("start", started, 0.0, launch=launch, rank=comm.rank, **who, **_identity(comm, config))
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
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        events.shard = None
        events.note("end", perf_counter(), 0.0, outcome, max_rss_mib=peak)
        events.close()


def _identity(comm, config: RunConfig) -> dict[str, Any]:
    return {
        "size": comm.size,
        "host": os.uname().nodename,
        "node": file_names.node(),
        "job": file_names.job(),
        "task": file_names.task(),
        "cpus": sorted(os.sched_getaffinity(0)),
        "phase": config.phase,
        "metrics_interval": config.metrics_interval if config.collect_metrics else None,
        "slurm": {name: os.environ[name] for name in _SLURM if os.environ.get(name)} or None,
    }


def _folder(path: Path) -> Path:
    with contextlib.suppress(OSError):  # the log that cannot be opened in it says so
        path.mkdir(parents=True, exist_ok=True)
    return path


def _start_sampler(folder: Path, interval: float, pids: list[int]) -> subprocess.Popen | None:
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
            env=_environment(),
        )
    except OSError as error:
        log.warning("the sampler cannot be started (%s); the run goes on without samples", error)
        return None


def _environment() -> dict[str, str]:
    """This one's, with the package found where this process has found it."""
    package = str(Path(__file__).resolve().parents[2])
    path = os.environ.get("PYTHONPATH")
    return {**os.environ, "PYTHONPATH": f"{package}{os.pathsep}{path}" if path else package}


def _end_sampler(sampler: subprocess.Popen) -> None:
    """Closes its input, upon which it ends; says so where it had ended before, or does not."""
    early = sampler.poll()
    with contextlib.suppress(BrokenPipeError):
        sampler.stdin.close()
    try:
        sampler.wait(_SAMPLER_END_S)
    except subprocess.TimeoutExpired:
        sampler.kill()
        sampler.wait()
        log.warning("the sampler did not end within %.0f s and was killed", _SAMPLER_END_S)
    message = sampler.stderr.read().decode(errors="replace").strip()
    sampler.stderr.close()
    if early is not None or message:
        log.warning("the sampler ended with exit code %s: %s", sampler.returncode, message[-500:] or "(no message)")
