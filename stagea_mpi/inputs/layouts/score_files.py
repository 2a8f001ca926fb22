"""Score files of docking programs: how one is read, and what is said where it cannot be."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ...errors import ModelError
from ..header_scores import finite, score_name
from ..unpacking import readable
from .beside import Beside

#: How the name of a model in PDB ends.
PDB = r"\.(?:pdb|ent)(?:\.(?:gz|zst|bz2|xz))?"
PACKED = re.compile(r"\.(?:gz|zst|bz2|xz)$")


@dataclass(frozen=True)
class ScoreTable:
    """What one file says of many models.

    Attributes
    ----------
    rows : dict of str to dict of str to float
        By whatever the file names a model.
    damage : str
        What in it could not be read; empty where all could.
    """

    rows: dict[str, dict[str, float]] = field(default_factory=dict)
    damage: str = ""


def parts_of(path: str) -> tuple[str, str]:
    """The folder of a path (empty: the topmost) and the name in it."""
    folder, _, name = path.rpartition("/")
    return folder, name


def joined(folder: str, name: str) -> str:
    """The path of a name in a folder, which may be the topmost."""
    return f"{folder}/{name}" if folder else name


def target_of(folder: str, root: str) -> str:
    """What is docked in a folder: its path in one word, or the name of the topmost one.

    >>> target_of("7CFN/run1", "input"), target_of("", "input")
    ('7CFN__run1', 'input')
    """
    return folder.replace("/", "__") or root


def parsed_or_said(
    beside: Beside, path: str, parse: Callable[[bytes], ScoreTable], problems: list[str]
) -> ScoreTable | None:
    """What a score file says; None, and a problem more, where it is missing or damaged.

    Parameters
    ----------
    beside : Beside
    path : str
    parse : callable
        Raises ValueError or LookupError for what is no such file.
    problems : list of str
        Gets what could not be read.
    """
    try:
        with readable(path):
            try:
                table: ScoreTable = beside.parsed(path, parse)
            except FileNotFoundError:
                problems.append(f"{path}: is missing; its scores are left out")
                return None
    except ModelError as error:
        message = str(error)
        problems.append(f"{message if path in message else f'{path}: {message}'}; its scores are left out")
        return None
    return table


def row_or_said(table: ScoreTable | None, key: str, path: str, problems: list[str]) -> dict[str, float]:
    """A model's scores in a table that should have all models; empty, and a problem more, where it has not.

    Parameters
    ----------
    table : ScoreTable or None
        None where it has been said that there is none.
    key : str
    path : str
        Of the file.
    problems : list of str
    """
    if table is None:
        return {}
    if key not in table.rows:
        problems.append(f"{path}: {table.damage or f'has no line for {key}'}; its scores are left out")
    return table.rows.get(key, {})


def numbers_of(said: Mapping[str, Any] | Iterable[tuple[str, Any]], prefix: str = "") -> dict[str, float]:
    """What is a finite number among named values, under ``score_<prefix><name>``."""
    pairs = said.items() if isinstance(said, Mapping) else said
    found = ((name, finite(value)) for name, value in pairs)
    return {score_name(prefix + name): value for name, value in found if value is not None}
