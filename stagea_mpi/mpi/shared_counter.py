"""Work shared out among ranks without a master: a counter that all ranks of a communicator advance."""

import functools
import logging
import os
from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING

import numpy as np

from .communicator import Communicator, as_mpi
from .limits import start_limit
from .resources import window_problem

if TYPE_CHECKING:
    from mpi4py import MPI

log = logging.getLogger(__name__)


class SharedCounter:
    """A number that ranks take from, each value once, by MPI one-sided communication.

    A context manager; making and leaving it is collective. `close` ends the work for all: later takers get None.

    Between nodes not every network has one-sided communication (Open MPI 4 over plain TCP has none). There each node
    has a counter of its own, in shared memory, and gets every so many values: work is then shared out as it goes within
    a node and beforehand between nodes, and `close` ends it on the caller's node alone. Where a node's shared memory
    does not do either, each of its ranks gets every so many values, and `close` is for the caller alone.

    Parameters
    ----------
    comm : communicator
    n : int
        Values 0 … n − 1 are given out.
    """

    def __init__(self, comm: Communicator, n: int):
        self._comm = comm
        self._values: Sequence[int] = range(n)
        self._window: MPI.Win | None = None
        self._node: MPI.Intracomm | None = None
        self._local = 0
        if comm.size > 1:
            import mpi4py.MPI

            self._mpi = mpi4py.MPI
            world = as_mpi(comm)
            self._window = self._open(world)
            if self._window is None:
                node = self._node = as_mpi(world.Split_type(self._mpi.COMM_TYPE_SHARED, comm.rank))
                self._window = self._open(node) if node.size > 1 else None
                ranks = {comm.rank} if self._window is None else set(node.allgather(comm.rank))
                self._values = [value for value in range(n) if value % comm.size in ranks]

    def take(self) -> int | None:
        """The next value, or None when all are taken or someone has closed the counter."""
        place = self._fetch_and_add(1)
        return self._values[place] if place < len(self._values) else None

    def taken(self) -> int:
        """How many values have been taken (between nodes that count apart: on the caller's node)."""
        return min(self._fetch_and_add(0), len(self._values))

    def close(self) -> None:
        """Lets no rank take another value."""
        self._fetch_and_add(1 << 40)

    def _open(self, comm: "MPI.Intracomm") -> "MPI.Win | None":
        """A window with the number in it; None where MPI has no way to make one among these ranks."""
        # The last rank holds the number, since rank 0 has other duties between two takes.
        self._root = comm.size - 1
        own = np.dtype(np.int64).itemsize if comm.rank == self._root else 0
        window, problem = None, None
        with start_limit("making the counter of models", _ADVICE, comm.rank == 0):
            # Where Open MPI's first rank finds no room for the window, the others would wait for it.
            problems = comm.allgather(window_problem(os.environ, self._mpi.Get_library_version()))
            if not any(problems):
                try:
                    window = self._mpi.Win.Allocate(own, np.dtype(np.int64).itemsize, comm=comm)
                except self._mpi.Exception as error:
                    problem = error.Get_error_string()
                problems = comm.allgather(problem)
            if any(problems):
                _log_once(comm.rank, next(filter(None, problems)))
                return None
            if comm.rank == self._root and window is not None:
                # By MPI's own means, as mpi4py.util.sync.Counter does: what is stored past them need not be seen.
                window.Lock(self._root, self._mpi.LOCK_SHARED)
                window.Accumulate(np.zeros(1, dtype=np.int64), self._root, op=self._mpi.REPLACE)
                window.Unlock(self._root)
            comm.barrier()
        return window

    def _fetch_and_add(self, step: int) -> int:
        if self._window is None:
            self._local += step
            return self._local - step
        before, add = np.zeros(1, dtype=np.int64), np.full(1, step, dtype=np.int64)
        self._window.Lock(self._root, self._mpi.LOCK_SHARED)
        self._window.Fetch_and_op(add, before, self._root, op=self._mpi.SUM)
        self._window.Unlock(self._root)
        return int(before[0])

    def __enter__(self) -> "SharedCounter":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # Freeing is collective: a rank that leaves on an error must not wait for the others here.
        if kind is not None:
            return
        self._comm.barrier()
        if self._window is not None:
            self._window.Free()
        if self._node is not None:
            self._node.Free()


_ADVICE = "See whether the shared memory of all nodes has room (df /dev/shm, OMPI_MCA_osc_sm_backing_directory)."


@functools.cache
def _log_once(rank: int, problem: str) -> None:
    if rank == 0:
        log.info("no counter for all ranks (%s): models are shared out beforehand", problem)
