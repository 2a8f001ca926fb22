"""What MPI takes from a node before a run can start: room for shared memory and for the launcher's files.

MPI libraries notice too late, or on one rank alone, that it is not there: the others then wait for ever, or the process
ends by SIGBUS or with a page of text. Each rank looks for itself, since each may see another file system.
"""

import errno
import os
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from .. import system
from ..system import SHM

#: Set to 0 by a user who knows better, it leaves the look at these resources out.
CHECKS_VARIABLE = "STAGEA_START_CHECKS"

_MIB = 2**20
#: Bytes of a rank's segment of shared memory: Open MPI's `btl_vader_segment_size`, 4 MiB and a header. For other
#: libraries, which take about as much, it is an estimate.
_SEGMENT = 4 * _MIB + 2**12
#: Bytes for the window of a counter, or a semaphore: a few pages each.
_SMALL = 2**16
#: Bytes that PMIx adds to the session folder while MPI starts: a segment of 4 MiB for what ranks tell each other.
_SESSION = 5 * _MIB
#: Open MPI's components that make windows among the ranks of a node, each with a folder of its own.
_WINDOWS = ("sm", "rdma")


@dataclass
class Need:
    """What a folder has to give.

    Attributes
    ----------
    folder : str
    n_bytes : int
    purpose : str
    settings : list of str
        What to set to go without the folder.
    """

    folder: str
    n_bytes: int
    purpose: str
    settings: list[str]


def first_problem(environ: Mapping[str, str], library: str, n_local: int) -> str | None:
    """The first resource of this node that would not do, with what to set; None where all is well.

    Parameters
    ----------
    environ : mapping
    library : str
        What the MPI library calls itself, with its version.
    n_local : int
        Ranks on this node.
    """
    if environ.get(CHECKS_VARIABLE) == "0":
        return None
    for need in needs(environ, library, n_local):
        problem = folder_problem(need.folder, need.n_bytes)
        if problem is not None:
            return (
                f"{need.folder} {problem}. {need.purpose}. Mend that, or set {' '.join(need.settings)} for all ranks "
                f"({CHECKS_VARIABLE}=0 starts without this check)"
            )
    return None


def needs(environ: Mapping[str, str], library: str, n_local: int) -> list[Need]:
    """What an MPI library will take on this node, each folder once."""
    if not library.startswith("Open MPI"):
        if n_local < 2 or SHM is None:
            return []
        purpose = f"{library} keeps the shared memory of this node's {n_local} ranks there"
        return [Need(SHM, n_local * _SEGMENT, purpose, ["MPIR_CVAR_NOLOCAL=1 (Intel MPI: I_MPI_FABRICS=ofi)"])]
    found = _shared_memory(environ, library, n_local) if n_local > 1 else []
    base = "OMPI_MCA_orte_tmpdir_base" if _major(library) < 5 else "PRTE_MCA_prte_tmpdir_base"
    purpose = f"{library} keeps the session's files there"
    return [*found, Need(session_folder(environ), _SESSION, purpose, [f"TMPDIR=FOLDER or {base}=FOLDER"])]


def window_problem(environ: Mapping[str, str], library: str) -> str | None:
    """Why Open MPI could not make a small window here now; others report it to all ranks when asked for one.

    Open MPI's first rank makes the window's shared memory, and the others wait for it when there is no room.
    """
    if not library.startswith("Open MPI"):
        return None
    for name in _WINDOWS:
        folder = environ.get(f"OMPI_MCA_osc_{name}_backing_directory", _shared_folder(environ))
        problem = folder_problem(folder, _SMALL) if _uses(environ, "osc", name) else None
        if problem is not None:
            return f"{folder} {problem}"
    return None


def _shared_folder(environ: Mapping[str, str]) -> str:
    """Where Open MPI has its shared memory unless it is told where: /dev/shm if that may be written."""
    return SHM if SHM is not None and os.access(SHM, os.W_OK) else session_folder(environ)


def _shared_memory(environ: Mapping[str, str], library: str, n_local: int) -> list[Need]:
    transport = "vader" if _major(library) < 5 else "sm"
    sizes = {}
    if _uses(environ, "btl", transport):
        segment = environ.get(f"OMPI_MCA_btl_{transport}_segment_size", "")
        sizes[f"btl_{transport}"] = n_local * (int(segment) if segment.isdigit() else _SEGMENT)
    sizes |= {f"osc_{name}": _SMALL for name in _WINDOWS if _uses(environ, "osc", name)}
    found: dict[str, Need] = {}
    purpose = f"{library} keeps the shared memory of this node's {n_local} ranks there"
    for component, n_bytes in sizes.items():
        variable = f"OMPI_MCA_{component}_backing_directory"
        need = found.setdefault(environ.get(variable, _shared_folder(environ)), Need("", 0, purpose, []))
        need.n_bytes += n_bytes
        need.settings.append(f"{variable}=FOLDER")
    # The semaphores of files that ranks open together cannot lie elsewhere.
    if SHM is not None and _uses(environ, "io", "ompio") and _uses(environ, "sharedfp", "sm"):
        found.setdefault(SHM, Need("", 0, f"{library} keeps semaphores of parallel files there", [])).n_bytes += _SMALL
        found[SHM].settings.append("OMPI_MCA_io=romio321")
    return [Need(folder, need.n_bytes, need.purpose, need.settings) for folder, need in found.items()]


def where_shared(environ: Mapping[str, str]) -> tuple[tuple[str, ...], tuple[int, int]]:
    """The node and folder of this process's shared memory by name, and which folder that is."""
    folder = environ.get("OMPI_MCA_osc_sm_backing_directory", _shared_folder(environ))
    boot = system.boot()
    try:
        state = os.stat(folder)
    except FileNotFoundError:
        return (os.uname().nodename, boot, folder), (0, 0)
    return (os.uname().nodename, boot, folder), (state.st_dev, state.st_ino)


def shared_apart(places: list[tuple[tuple[str, ...], tuple[int, int]]]) -> str | None:
    """What is wrong where ranks of one node have a folder each under the name of their shared memory.

    Parameters
    ----------
    places : list
        `where_shared` of all ranks.
    """
    folders: dict[tuple[str, ...], tuple[int, int]] = {}
    for rank, (name, folder) in enumerate(places):
        if folders.setdefault(name, folder) != folder:
            return (
                f"{name[2]} of rank {rank} on {name[0]} is not that of the other ranks there, as in containers that do "
                "not share it: start all ranks of a node in one container, or share the host's (--ipc=host, "
                "-v /dev/shm:/dev/shm), or set OMPI_MCA_osc_sm_backing_directory to a folder that they share"
            )
    return None


def session_folder(environ: Mapping[str, str]) -> str:
    """Where Open MPI keeps a job's sockets and small files on this node, or the nearest folder above that is there."""
    names: tuple[str, ...] = ("PMIX_SERVER_TMPDIR",) if "OMPI_COMM_WORLD_SIZE" in environ else ()
    names += ("OMPI_MCA_orte_tmpdir_base", "PRTE_MCA_prte_tmpdir_base", "TMPDIR")
    folder = Path(next((environ[name] for name in names if environ.get(name)), "/tmp")).absolute()
    return str(next(path for path in (folder, *folder.parents) if path.is_dir()))


def ranks_here(environ: Mapping[str, str], otherwise: int) -> int:
    """How many ranks the launcher has started on this node, as far as it says so."""
    for name in ("OMPI_COMM_WORLD_LOCAL_SIZE", "MPI_LOCALNRANKS"):
        if environ.get(name, "").isdigit():
            return int(environ[name])
    tasks = re.findall(r"(\d+)(?:\(x(\d+)\))?", environ.get("SLURM_STEP_TASKS_PER_NODE", ""))  # 2(x3),1
    by_node = [int(n) for n, times in tasks for _ in range(int(times or 1))]
    node = environ.get("SLURM_NODEID", "")
    return by_node[int(node)] if node.isdigit() and int(node) < len(by_node) else otherwise


def folder_problem(folder: str | Path, n_bytes: int) -> str | None:
    """What keeps this process from writing so many bytes into a folder; None where nothing does."""
    draft = Path(folder, f".stagea_mpi.{os.getpid()}.{uuid.uuid4().hex}")
    try:
        handle = os.open(draft, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600)
        try:
            os.write(handle, bytes(4096))
            state = os.fstatvfs(handle)
        finally:
            os.close(handle)
            draft.unlink()
    except OSError as error:
        return f"cannot be written: {error.strerror}" + (f" ({room(folder)})" if error.errno == errno.ENOSPC else "")
    free = state.f_bavail * state.f_frsize
    if free >= n_bytes:
        return None
    return f"has {free / _MIB:.2f} MiB free, {n_bytes / _MIB:.2f} MiB are needed"


def room(folder: str | Path) -> str:
    """How much more a folder's file system takes."""
    state = os.statvfs(folder)
    return f"{folder} has {state.f_bavail * state.f_frsize / _MIB:.2f} MiB and {state.f_favail} files free"


def _uses(environ: Mapping[str, str], framework: str, component: str) -> bool:
    """Whether Open MPI may use a component: a list names those it may use or, after ^, those it may not."""
    chosen = environ.get(f"OMPI_MCA_{framework}", "")
    if not chosen:
        return True
    return (component in chosen.lstrip("^").split(",")) != chosen.startswith("^")


def _major(library: str) -> int:
    match = re.search(r"v(\d+)\.", library)
    return int(match[1]) if match else 4


def cgroup_cpus() -> float | None:
    """CPUs' worth of time that the control groups (version 2) around this process allow; None for no limit."""
    try:
        entries = Path("/proc/self/cgroup").read_text().splitlines()
    except OSError:  # no Linux, or a container that does not show it
        return None
    own = Path("/sys/fs/cgroup", *(entry[4:] for entry in entries if entry.startswith("0::")))
    limits = [folder / "cpu.max" for folder in (own, *own.parents) if (folder / "cpu.max").is_file()]
    pairs = [path.read_text().split() for path in limits]
    return min((int(limit) / int(period) for limit, period in pairs if limit != "max"), default=None)
