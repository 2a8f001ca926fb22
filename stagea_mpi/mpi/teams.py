"""The communicator of a run, with a stand-in for one rank alone, and its division into teams.

All code below takes the communicator as an argument and uses the few calls that `Communicator` declares.
"""

import os
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from .. import system
from ..errors import LaunchError
from .communicator import Communicator
from .limits import start_limit
from .resources import first_problem, ranks_here, shared_apart, where_shared

#: What a node lacks is reported by its first rank; by the others, if they have not been ended, so much later (s).
_LATER_S = 3.0

#: What launchers tell their processes: the size of the world where they say it, else only that there is one.
_WORLD_SIZES = ("OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "MV2_COMM_WORLD_SIZE")
_WORLD_RANKS = ("OMPI_COMM_WORLD_RANK", "PMIX_RANK", "PMI_RANK", "SLURM_PROCID")
_LAUNCHED = (
    "PMI_RANK",
    "PMIX_RANK",
    "PMIX_NAMESPACE",
    "PALS_RANKID",
    "ALPS_APP_PE",
    "FLUX_TASK_RANK",
    "MPI_LOCALNRANKS",
)


class SerialComm:
    """A communicator of one rank, for a machine without MPI; it has the calls of mpi4py's that this package uses."""

    rank = 0
    size = 1

    def barrier(self) -> None:
        pass

    def bcast(self, value: Any, root: int = 0) -> Any:
        return value

    def gather(self, value: Any, root: int = 0) -> list[Any]:
        return [value]

    def allgather(self, value: Any) -> list[Any]:
        return [value]

    def alltoall(self, values: Sequence[Any]) -> list[Any]:
        return list(values)

    def Split(self, color: int = 0, key: int = 0) -> "SerialComm":
        return self

    def Abort(self, code: int = 1) -> NoReturn:
        os._exit(code)


def connect() -> Communicator:
    """The communicator of all ranks of this launch.

    Returns
    -------
    comm : mpi4py.MPI.Intracomm or SerialComm
        `SerialComm` where no launcher has started this process; MPI is then not even loaded.

    Raises
    ------
    LaunchError
        MPI cannot be loaded, or the launcher started more ranks than this process sees: every one would take itself for
        the only one.
    """
    expected, variable = _expected_size()
    if expected is None:
        return SerialComm()
    try:
        import mpi4py

        # Starting Open MPI under the wrong launcher ends the process with a page of text.
        # It is asked for its name first.
        mpi4py.rc.initialize, mpi4py.rc.finalize = False, True
        # For file pointers that ranks share, which nobody uses here, Open MPI would make and remove a file beside
        # each file that it opens, on every rank.
        os.environ.setdefault("OMPI_MCA_sharedfp", "^lockedfile")
        from mpi4py import MPI
    except (ImportError, RuntimeError) as error:
        if expected == 1:
            return SerialComm()
        raise LaunchError(
            f"{variable} says that a launcher started this process, but MPI cannot be loaded ({error}); "
            "activate the environment that has mpi4py and its MPI library"
        ) from error
    library = MPI.Get_library_version().split(",")[0].split("\n")[0]
    if not MPI.Is_initialized():
        if library.startswith("Open MPI") and _lacks_pmix(os.environ):
            if expected == 1:
                return SerialComm()
            advice = (
                "Start with `srun --mpi=pmix` (in run.yaml, stage_a.srun_mpi: pmix); where `srun --mpi=list` has no "
                "pmix, use mpiexec (stage_a.use_srun_bind: 0)"
            )
            if "PMI_FD" not in os.environ:
                raise LaunchError(
                    f"srun started {expected} ranks without PMIx (--mpi=none, or the cluster's default), which "
                    f"{library} needs to make them one world. {advice}"
                )
            if is_first_process():  # some are built for pmi2; those that are not end here, with a page of their own
                print(f"stagea_mpi: {library} under --mpi=pmi2. If it ends here: {advice}", file=sys.stderr, flush=True)
        problem = first_problem(os.environ, library, ranks_here(os.environ, min(expected or 2, 2)))
        if problem is not None:
            if expected == 1:
                return SerialComm()
            raise _short_of(problem)
        with start_limit("starting MPI", "The launcher's output may tell, or the node's log.", is_first_process()):
            MPI.Init_thread()
            apart = shared_apart(MPI.COMM_WORLD.allgather(where_shared(os.environ)))
        if apart is not None:
            raise LaunchError(apart)
    comm = MPI.COMM_WORLD
    if comm.size == 1 and expected > 1:
        raise LaunchError(
            f"{variable} says that {expected} ranks were started, but this process is alone in its world: the "
            "launcher and "
            f"{library} do not match. Under srun try another --mpi type (`srun --mpi=list`; Open MPI wants pmix, MPICH "
            "pmi2; in run.yaml, stage_a.srun_mpi), or start with the mpiexec that belongs to the MPI library"
        )
    return comm


def launched_by() -> str:
    """The variable by which a launcher tells this process that it is one of its ranks; empty without a launcher."""
    return _expected_size()[1]


def is_first_process() -> bool:
    """Whether the launcher calls this process the first; also where its processes do not find together."""
    return _launched_rank() == "0"


def _launched_rank() -> str:
    """The number that the launcher has given this process."""
    return next((os.environ[name] for name in _WORLD_RANKS if name in os.environ), "0")


def _short_of(problem: str) -> LaunchError:
    """The error of a rank whose node has not what MPI needs, which no other rank may see."""
    if not is_first_process():
        time.sleep(_LATER_S)
    error = LaunchError(f"rank {_launched_rank()} on {os.uname().nodename}: MPI is not started: {problem}")
    error.is_local = True
    return error


def _lacks_pmix(environ: Mapping[str, str]) -> bool:
    """Whether srun started this process with another --mpi type than pmix."""
    return _is_step_task() and "PMIX_NAMESPACE" not in environ and "OMPI_COMM_WORLD_SIZE" not in environ


def _expected_size() -> tuple[int | None, str]:
    """How many ranks the launcher says it started (0: it does not say), and the variable; None without a launcher."""
    for variable in _WORLD_SIZES:
        if os.environ.get(variable, "").isdigit():
            return int(os.environ[variable]), variable
    # The batch script itself has SLURM_NTASKS, too, but runs once; srun's own processes are tasks of a numbered step.
    if os.environ.get("SLURM_STEP_NUM_TASKS", "").isdigit() and _is_step_task():
        return int(os.environ["SLURM_STEP_NUM_TASKS"]), "SLURM_STEP_NUM_TASKS"
    for variable in _LAUNCHED:
        if variable in os.environ:
            return 0, variable
    return None, ""


def _is_step_task() -> bool:
    step = os.environ.get("SLURM_STEP_ID", os.environ.get("SLURM_STEPID", ""))
    return step.isdigit() and int(step) < 2**31


def node_names(comm: Communicator) -> list[str]:
    """The node of each rank, by rank; collective."""
    # Slurm's name of a node where there is one: several of its nodes may live on one host.
    return comm.allgather(os.environ.get("SLURMD_NODENAME") or os.uname().nodename)


def first_ranks_of_nodes(comm: Communicator) -> list[int]:
    """Of each node its first rank, which looks at a file system for the others there; collective, equal on all ranks.

    Ranks of a node that see other mounts, as in containers of their own, count as ranks of other nodes.
    """
    places = comm.allgather((os.uname().nodename, system.namespace("mnt")))
    first: dict[tuple[str, str], int] = {}
    for rank, place in enumerate(places):
        first.setdefault(place, rank)
    return list(first.values())


def split_into_teams(comm: Communicator, team: str | int | Sequence[int]) -> tuple[Communicator, int, int]:
    """Divides the ranks into teams; collective.

    Parameters
    ----------
    comm : communicator
    team : "node", "world", int or sequence of int
        Ranks of one node together, all together, or so many together (consecutive ones); or by rank the number of its
        team, equal on all ranks.

    Returns
    -------
    team_comm : communicator
        The caller's team.
    index, count : int
        Number of the caller's team, and how many there are.
    """
    if team == "node":
        nodes = node_names(comm)
        names = list(dict.fromkeys(nodes))
        colors = [names.index(name) for name in nodes]
    elif isinstance(team, str | int):
        width = comm.size if team == "world" else min(int(team), comm.size)
        colors = [rank // width for rank in range(comm.size)]
    else:
        colors = list(team)
    with start_limit("dividing the ranks into teams", "See what the ranks have logged.", comm.rank == 0):
        own = comm.Split(colors[comm.rank], comm.rank)
    return own, colors[comm.rank], max(colors) + 1
