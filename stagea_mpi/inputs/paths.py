"""Paths of many files in the room of their characters: a million strings of Python would take a hundred MB and more."""

from array import array
from collections.abc import Iterator, Sequence
from typing import Any, overload

#: Paths that are unpacked at once.
_AT_ONCE = 1000
#: What no name of a file can hold.
_END = b"\0"


class Paths(Sequence[str]):
    """Paths of files below one folder, in the order in which they are added.

    Parameters
    ----------
    root : str
        The folder; what is added is appended to it as it is.
    """

    def __init__(self, root: str):
        self.root = root
        self._text = bytearray()
        self._ends = array("q", [0])

    def add(self, below: str) -> None:
        """Adds a path by what comes behind the root."""
        self._text += below.encode("utf-8", "surrogateescape") + _END
        self._ends.append(len(self._text))

    def __len__(self) -> int:
        return len(self._ends) - 1

    @overload
    def __getitem__(self, index: int) -> str: ...

    @overload
    def __getitem__(self, index: slice) -> list[str]: ...

    def __getitem__(self, index: int | slice) -> str | list[str]:
        if isinstance(index, slice):
            first, stop, step = index.indices(len(self))
            return self._between(first, stop) if step == 1 else [self[k] for k in range(first, stop, step)]
        place = range(len(self))[index]
        return self._between(place, place + 1)[0]

    def __iter__(self) -> Iterator[str]:
        for first in range(0, len(self), _AT_ONCE):
            yield from self[first : first + _AT_ONCE]

    def __eq__(self, other: Any) -> bool:
        if not isinstance(other, Sequence):
            return NotImplemented
        return len(self) == len(other) and all(one == two for one, two in zip(self, other, strict=True))

    __hash__ = None  # type: ignore[assignment]  # it grows

    def _between(self, first: int, stop: int) -> list[str]:
        text = self._text[self._ends[first] : self._ends[max(first, stop)]]
        return [self.root + below for below in text.decode("utf-8", "surrogateescape").split(_END.decode())[:-1]]
