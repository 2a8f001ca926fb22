"""Arguments that a worker process gets once and keeps, instead of with each call."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

#: How many are kept; the one that came first gives way.
MOST_KEPT = 32


@dataclass(frozen=True)
class Lasting:
    """An argument that is sent once.

    Attributes
    ----------
    key : str
        Differs where the value does.
    value : object
        To be pickled.
    """

    key: str
    value: Any


@dataclass(frozen=True)
class _Known:
    """Stands for a lasting argument that the other side has."""

    key: str


class Kept:
    """What one side has sent, or the other one has got: both do the same, and so know of each other."""

    def __init__(self) -> None:
        self._values: dict[str, Any] = {}

    def sent(self, args: Sequence[Any]) -> list[Any]:
        """Arguments as they are sent, without the values that are there already."""
        there = [_Known(arg.key) if isinstance(arg, Lasting) and arg.key in self._values else arg for arg in args]
        for arg in args:
            if isinstance(arg, Lasting):
                self._keep(arg.key, None)
        return there

    def taken(self, args: Sequence[Any]) -> list[Any]:
        """Arguments as the function gets them, of those that were sent."""
        values = [self._values[arg.key] if isinstance(arg, _Known) else arg for arg in args]
        values = [arg.value if isinstance(arg, Lasting) else arg for arg in values]
        for arg in args:
            if isinstance(arg, Lasting):
                self._keep(arg.key, arg.value)
        return values

    def _keep(self, key: str, value: Any) -> None:
        self._values.setdefault(key, value)
        if len(self._values) > MOST_KEPT:
            del self._values[next(iter(self._values))]
