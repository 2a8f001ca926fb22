"""Which row of a table holds for a model: rows name models, files, or patterns of these."""

import fnmatch
import os
import re
from collections.abc import Sequence, Set

from .containers import ModelRef
from .model_names import stem


def names_of(ref: ModelRef) -> frozenset[str]:
    """All that a table may call a model: its name, its file with or without folder and ending, its archive's member."""
    inside = ref.member or ref.path
    return frozenset(
        (ref.name, ref.path, os.path.basename(ref.path), stem(ref.path), os.path.basename(inside), stem(inside))
    )


class NamePatterns:
    """Names and patterns (``*``, ``?``, ``[…]``), of which the first that fits counts.

    Parameters
    ----------
    rows : sequence of str
        Empty ones fit nothing.
    """

    def __init__(self, rows: Sequence[str]):
        self._exact: dict[str, int] = {}
        self._patterns: list[tuple[int, re.Pattern]] = []
        for row, name in enumerate(rows):
            if name:
                self._exact.setdefault(name, row)
            if any(character in name for character in "*?["):
                self._patterns.append((row, re.compile(fnmatch.translate(name))))

    def first(self, names: Set[str]) -> int | None:
        """The first row that fits one of the names."""
        found = min((self._exact[name] for name in names if name in self._exact), default=None)
        for row, pattern in self._patterns:
            if found is not None and row > found:
                break
            if any(pattern.fullmatch(name) for name in names):
                return row
        return found
