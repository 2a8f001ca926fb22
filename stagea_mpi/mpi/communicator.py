"""What this package asks of a communicator: mpi4py's calls that `teams.SerialComm` has, too."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NoReturn, Protocol, cast

if TYPE_CHECKING:
    from mpi4py import MPI


class Communicator(Protocol):
    """Ranks that work together; all calls but `Abort` are collective.

    Attributes
    ----------
    rank, size : int
        The caller's number among them, and how many there are.
    """

    @property
    def rank(self) -> int: ...

    @property
    def size(self) -> int: ...

    def barrier(self) -> None:
        """Returns when all have come here."""
        ...

    def bcast(self, value: Any, /, root: int = 0) -> Any:
        """The value that `root` has."""
        ...

    def gather(self, value: Any, /, root: int = 0) -> list[Any] | None:
        """The values of all, by rank, on `root`; None on the others."""
        ...

    def allgather(self, value: Any, /) -> list[Any]:
        """The values of all, by rank."""
        ...

    def alltoall(self, values: Sequence[Any], /) -> list[Any]:
        """What each has for this rank, when each brings one value for every rank."""
        ...

    def Split(self, color: int = 0, key: int = 0) -> "Communicator":
        """Those of the caller's colour, in the order of their keys."""
        ...

    def Abort(self, code: int, /) -> NoReturn:
        """Ends the processes of all at once; not collective."""
        ...


def as_mpi(comm: Communicator) -> "MPI.Intracomm":
    """The same as mpi4py's own, for what only that has: a communicator of several ranks is always one."""
    return cast("MPI.Intracomm", comm)
