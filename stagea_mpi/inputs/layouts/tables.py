"""Tables in which docking programs tell of many models, and names of what was docked."""

from collections.abc import Iterable, Mapping
from typing import Any

from ..header_scores import finite, score_name
from .reading import ScoreFile, ScoreFiles

#: A model's scores, or what is wrong with its line.
Row = dict[str, float] | str


def target_of(folders: Iterable[str], root: str) -> str:
    """What is docked in a folder: its path in one word, or the name of the topmost one.

    >>> target_of(["7CFN", "run1"], "input"), target_of([], "input")
    ('7CFN__run1', 'input')
    """
    return "__".join(folders) or root


def numbers_of(said: Mapping[str, Any] | Iterable[tuple[str, Any]], prefix: str = "") -> dict[str, float]:
    """What is a finite number among named values, under ``score_<prefix><name>``."""
    pairs = said.items() if isinstance(said, Mapping) else said
    found = ((name, finite(value)) for name, value in pairs)
    return {score_name(prefix + name): value for name, value in found if value is not None}


def row_of(files: ScoreFiles, table: ScoreFile, key: str, *, is_optional: bool = False) -> dict[str, float]:
    """A model's scores in a table; none, and a problem more, where its line is missing or damaged.

    Parameters
    ----------
    files : ScoreFiles
        Of the model.
    table : ScoreFile
        A `Row` by key; without any it has been said that it could not be read.
    key : str
    is_optional : bool
        Whether a table need not tell of all models. A damaged line in it may still have been this one's.
    """
    row = table.content.get(key)
    if isinstance(row, dict):
        return row
    if row is None and table.content:
        damaged = (row for row in table.content.values() if isinstance(row, str))
        row = next(damaged, None) if is_optional else f"has no line for {key}"
    if row is not None:
        files.problems.append(f"{table.path}: {row}; the model has no scores by it")
    return {}
