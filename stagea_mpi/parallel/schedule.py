"""Work shared out among ranks without a master: a counter that all ranks of a communicator advance."""

import numpy as np


class SharedCounter:
    """A number that ranks take from, each value once, by MPI one-sided communication.

    A context manager; making and leaving it is collective. `close` ends the work for all: later takers get None.

    Parameters
    ----------
    comm : communicator
    n : int
        Values 0 … n − 1 are given out.
    """

    def __init__(self, comm, n: int):
        self._comm, self._n = comm, n
        self._window = None
        self._local = 0
        if comm.size > 1:
            from mpi4py import MPI

            self._mpi = MPI
            # The last rank holds the number, since rank 0 has other duties between two takes.
            self._root = comm.size - 1
            own = np.dtype(np.int64).itemsize if comm.rank == self._root else 0
            self._window = MPI.Win.Allocate(own, np.dtype(np.int64).itemsize, comm=comm)
            if comm.rank == self._root:
                np.frombuffer(self._window.tomemory(), dtype=np.int64)[0] = 0
            comm.barrier()

    def take(self) -> int | None:
        """The next value, or None when all are taken or someone has closed the counter."""
        value = self._fetch_and_add(1)
        return value if value < self._n else None

    def taken(self) -> int:
        """How many values have been taken."""
        return min(self._fetch_and_add(0), self._n)

    def close(self) -> None:
        """Lets no rank take another value."""
        self._fetch_and_add(1 << 40)

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

    def __exit__(self, kind, error, traceback) -> None:
        # Freeing is collective: a rank that leaves on an error must not wait for the others here.
        if self._window is not None and kind is None:
            self._comm.barrier()
            self._window.Free()
