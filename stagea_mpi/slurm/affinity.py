"""What ranks may use of a node, against what was asked for; and what a log should say before anything runs."""

import logging
import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from .. import system
from ..errors import AffinityError
from ..mpi.communicator import Communicator
from ..scheduler import this_job

log = logging.getLogger(__name__)

_VARIABLES = (
    "SLURM_JOB_ID",
    "SLURM_RESTART_COUNT",
    "SLURM_NTASKS",
    "SLURM_CPUS_PER_TASK",
    "SLURM_CPU_BIND",
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
)


@dataclass(frozen=True)
class RankCpus:
    """CPUs of one rank.

    Attributes
    ----------
    rank : int
    node : str
        Slurm's name of the node, else the host's.
    cpus : tuple of int
        The effective set.
    asked : int
        How many were asked for.
    """

    rank: int
    node: str
    cpus: tuple[int, ...]
    asked: int


def measure(rank: int, cores_per_rank: int, environ: Mapping[str, str] = os.environ) -> RankCpus:
    """CPUs of this process; asked for are SLURM_CPUS_PER_TASK, without Slurm `cores_per_rank`."""
    stated = environ.get("SLURM_CPUS_PER_TASK", "")
    asked = int(stated) if stated.isdigit() else cores_per_rank
    return RankCpus(rank, this_job(environ).node, tuple(system.usable_cpus()), asked)


def shortages(ranks: list[RankCpus]) -> list[str]:
    """Ranks with fewer CPUs than asked, and nodes whose ranks share too few; a phrase each."""
    found = [
        f"rank {r.rank} on {r.node} has {len(r.cpus)} CPU{'s' * (len(r.cpus) != 1)} ({cpu_ranges(r.cpus)}), asked "
        f"were {r.asked}"
        for r in ranks
        if len(r.cpus) < r.asked
    ]
    for node in dict.fromkeys(r.node for r in ranks):
        there = [r for r in ranks if r.node == node]
        union, asked = {cpu for r in there for cpu in r.cpus}, sum(r.asked for r in there)
        if len(union) < asked and all(len(r.cpus) >= r.asked for r in there):
            shared = cpu_ranges(sorted(union))
            found.append(f"the {len(there)} ranks on {node} share the CPUs {shared}, asked were {asked} in all")
    return found


def check_affinity(comm: Communicator, cores_per_rank: int, strict: bool) -> None:
    """Logs the CPUs of every rank; collective.

    Raises
    ------
    AffinityError
        On all ranks, when `strict` and some have fewer than were asked for.
    """
    ranks = comm.allgather(measure(comm.rank, cores_per_rank))
    for r in ranks:
        log.info("rank %d on %s: CPUs %s (%d), asked %d", r.rank, r.node, cpu_ranges(r.cpus), len(r.cpus), r.asked)
    short = shortages(ranks)
    if not short:
        return
    told = "; ".join(short[:3]) + (f"; and {len(short) - 3} more" if len(short) > 3 else "")
    if not strict:
        if comm.rank == 0:
            log.warning("fewer CPUs than asked for: %s", told)
        return
    error = AffinityError(
        f"strict_affinity: {told}. Start with srun --cpus-per-task=N --cpu-bind=cores and without --overcommit, ask "
        "for fewer ranks or cores_per_rank, or set stage_a.strict_affinity to 0"
    )
    error.raised_on = comm.size
    raise error


def log_diagnostics(comm: Communicator, phase: str) -> None:
    """Logs what one wants to know when a job went wrong; collective."""
    hosts = comm.allgather(this_job().node)
    if comm.rank != 0:
        return
    log.info("phase %s on %d rank%s", phase, comm.size, "s" * (comm.size != 1))
    log.info("nodes %s", ", ".join(f"{node} ({hosts.count(node)})" for node in dict.fromkeys(hosts)))
    log.info("MPI %s; HDF5 %s", _mpi_library(comm), _hdf5())
    for gap in system.gaps():
        log.info("this system has %s", gap)
    log.info(" ".join(f"{name}={os.environ.get(name, '(unset)')}" for name in _VARIABLES))


def _mpi_library(comm: Communicator) -> str:
    if type(comm).__module__.split(".")[0] != "mpi4py":
        return "not loaded (one rank without a launcher)"
    from mpi4py import MPI

    return MPI.Get_library_version().strip("\0").splitlines()[0].split(", ")[0]


def _hdf5() -> str:
    import h5py

    return f"{h5py.version.hdf5_version} ({'parallel' if h5py.get_config().mpi else 'serial'}, h5py {h5py.__version__})"


def cpu_ranges(cpus: Collection[int]) -> str:
    """0-3,8 for 0 1 2 3 8."""
    starts = [n for n in cpus if n - 1 not in cpus]
    ends = [n for n in cpus if n + 1 not in cpus]
    return ",".join(str(a) if a == b else f"{a}-{b}" for a, b in zip(starts, ends, strict=True))
