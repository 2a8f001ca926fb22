"""A new HDF5 file that ranks write: opened by all of them together, or by the first alone."""

import contextlib
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import h5py

from ..errors import StorageError
from ..system import SHM
from .communicator import Communicator, as_mpi
from .guard import raise_on_any_rank
from .limits import start_limit
from .resources import folder_problem
from .teams import first_ranks_of_nodes

if TYPE_CHECKING:
    from mpi4py import MPI

#: Seconds that a rank whose opening has failed waits for the others to find the same.
_WAIT_S = 10.0
#: What a new file needs at least (bytes).
_ROOM = 2**12
#: Bytes of a path that all MPI-IO libraries take.
_LONGEST_NAME = 250


def writes_together(comm: Communicator) -> bool:
    """Whether these ranks can write a file together: the h5py of each is built with MPI; collective.

    Parameters
    ----------
    comm : communicator
        A team.
    """
    return comm.size > 1 and all(comm.allgather(bool(h5py.get_config().mpi)))


def open_on_first(path: str, comm: Communicator) -> h5py.File | None:
    """Makes a file that the first rank alone writes; collective. None on the others.

    Raises
    ------
    StorageError
        On all ranks.
    """
    file, error = None, None
    if comm.rank == 0:
        problem = folder_problem(Path(path).parent, _ROOM)
        try:
            if problem is None:
                file = h5py.File(path, "w")
        except OSError as found:
            problem = f"takes no file of HDF5's ({' '.join(str(found).split())})"
        error = StorageError(f"{path}: {_here(comm)}: its folder {problem}") if problem else None
    raise_on_any_rank(comm, error)
    return file


def open_together(path: str, comm: Communicator) -> h5py.File:
    """Makes a file that all ranks of a communicator write; collective.

    Raises
    ------
    StorageError
        On all ranks where none could open it. Where only some could, those wait, in MPI or for the end: the caller has
        to abort them.
    """
    what = f"opening {path} on all ranks"
    advice = "See whether its file system can be written on all nodes and has locks, and df /dev/shm."
    with start_limit(what, advice, comm.rank == 0), _plain_name(path) as name:
        looks = comm.rank in first_ranks_of_nodes(comm)
        problem = folder_problem(Path(path).parent, _ROOM) if looks else None
        raise_on_any_rank(comm, StorageError(f"{path}: {_here(comm)}: its folder {problem}") if problem else None)
        # A rank that has failed must not be heard where the others are still about the file.
        apart, file, error = as_mpi(comm).Dup(), None, None
        try:
            file = h5py.File(name, "w", driver="mpio", comm=comm)
        except OSError as found:
            error = StorageError(f"{path}: {_here(comm)}: {_cause(found)}")
        if error is not None and not _all_arrive(apart):
            raise error
        if error is None:
            apart.Ibarrier().Wait()
        errors = apart.allgather(error)
        if all(errors):
            raise_on_any_rank(comm, error)
        if error is not None:
            raise error
        if any(errors):
            apart.barrier()  # until a rank without the file has aborted: closing it would wait for that rank
        apart.Free()
    return file


def close_together(file: h5py.File, path: str, comm: Communicator) -> None:
    """Closes a file that all ranks have written; collective.

    What other nodes than the first rank's have written of it is on disk then. What the first rank's node has written is
    flushed by whoever gives the file its name: a flush by each rank would have every one of them ask the server.
    """
    file.close()
    nodes = first_ranks_of_nodes(comm)
    if comm.rank in nodes[1:]:
        with open(path, "rb") as own:
            os.fsync(own.fileno())
    if len(nodes) > 1:
        comm.barrier()


def _here(comm: Communicator) -> str:
    return f"rank {comm.rank} on {os.uname().nodename}"


def _cause(error: OSError) -> str:
    """What HDF5 says, and what of the node's resources explains it."""
    problem = folder_problem(SHM, _ROOM) if SHM is not None else None
    written = "the folder" if SHM is None else f"{SHM} and the folder"
    seen = f"{SHM} {problem}, where MPI keeps what ranks share" if problem else f"{written} can be written"
    return (
        f"MPI cannot open it ({' '.join(str(error).split())}); {seen}. Mend that, or set another MPI-IO "
        "(OMPI_MCA_io=romio321 or ompio; OMPI_MCA_sharedfp=individual), or choose a run_root on a file system that has "
        "locks and that all nodes may write"
    )


def _all_arrive(comm: "MPI.Intracomm") -> bool:
    """Whether all ranks come here within a while."""
    arrival, end = comm.Ibarrier(), time.monotonic() + _WAIT_S
    while not arrival.Test():
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True


@contextlib.contextmanager
def _plain_name(path: str) -> Iterator[str]:
    """Another name of the file where MPI-IO would stumble over its path.

    ROMIO takes what stands before a colon for a kind of file system (`ufs:`), and OMPIO copies names into buffers.
    """
    if ":" not in path and len(os.fsencode(path)) <= _LONGEST_NAME:
        yield path
        return
    if not os.path.isdir("/proc/self/fd"):
        with tempfile.TemporaryDirectory() as short:
            link = Path(short, "folder")
            link.symlink_to(Path(path).absolute().parent)
            yield str(link / Path(path).name)
        return
    folder = os.open(Path(path).parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{Path(path).name}"
    finally:
        os.close(folder)
