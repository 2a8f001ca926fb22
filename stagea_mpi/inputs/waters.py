"""Takes the waters of a solvated model out of its text: no graph needs them, and reading a hundred thousand costs most.

Few of them stay; they go when the atoms are arrays.
"""

import re

import numpy as np

from ..structure.residues import WATER_NAMES
from .atom_site import ATOM_SITE_LOOP

#: Lines of waters from which on it pays.
_MANY = 1000
#: Bytes of a row of atoms in mmCIF.
_LEAST_ROW = 40
# Places of a line of PDB, counted from 0. (The fourth letter of TIP3 stands where a chain's first may.)
_NAME, _NAME_END = 17, 20
_UPPER_CASE = np.uint64(0xDFDFDFDF)

_NAMES = tuple(sorted(name.encode() for name in WATER_NAMES))
#: Names as the integers of their first three letters.
_PDB_NAMES = np.array(sorted({int.from_bytes(name[:3], "little") for name in _NAMES if len(name) > 2}), dtype=np.uint64)
#: Records on the atom before them.
_ATTACHED = np.array([int.from_bytes(name, "little") for name in (b"ANIS", b"SIGA", b"SIGU")], dtype=np.uint64)

_COMP_IDS = (b"_atom_site.auth_comp_id", b"_atom_site.label_comp_id")
_QUOTES = np.frombuffer(b"'\"", dtype=np.uint8)
_LOOP_END = re.compile(rb"^(?:#|_|loop_|data_)", re.MULTILINE | re.IGNORECASE)


def are_waters(content: bytes, starts: np.ndarray) -> np.ndarray:
    """Which atom lines of a PDB text are of waters, by their names."""
    data = np.frombuffer(content, dtype=np.uint8)
    return np.isin(_integers(data, starts + _NAME, _NAME_END - _NAME), _PDB_NAMES)


def without_waters_in_pdb(content: bytes, starts: np.ndarray, lengths: np.ndarray, is_water: np.ndarray) -> bytes:
    """A PDB text without its waters, where they are many; then without what is said of displacements, too.

    Parameters
    ----------
    content : bytes
    starts, lengths : ndarray of int, shape=(n,)
        Of the atom lines.
    is_water : ndarray of bool, shape=(n,)
        `are_waters`.
    """
    data = np.frombuffer(content, dtype=np.uint8)
    if np.count_nonzero(is_water) < _MANY:
        return content
    breaks = np.flatnonzero(data == ord("\n"))
    lines = np.concatenate([[0], breaks + 1])
    lines = lines[lines < len(data) - 4]
    attached = lines[np.isin(_integers(data, lines, 4) & _UPPER_CASE, _ATTACHED)]
    ends = np.append(breaks + 1, len(data))
    first = np.concatenate([starts[is_water], attached])
    behind = [np.minimum(starts + lengths + 1, len(data))[is_water], ends[np.searchsorted(breaks, attached)]]
    return _without(data, first, np.concatenate(behind))


def without_waters_in_mmcif(content: bytes) -> bytes:
    """An mmCIF text without its waters, where they are many, each on a line of its own."""
    head = ATOM_SITE_LOOP.search(content) if len(content) > _MANY * _LEAST_ROW else None
    if head is None:
        return content
    tags = head[1].lower().split()
    column = next((tags.index(tag) for tag in _COMP_IDS if tag in tags), None)
    if column is None:
        return content
    end = _LOOP_END.search(content, head.end())
    stop = end.start() if end else len(content)
    data = np.frombuffer(content[head.end() : stop], dtype=np.uint8)
    if len(data) < _MANY * _LEAST_ROW:
        return content
    first, behind, names = _rows(data, column, len(tags))
    is_water = np.zeros(len(names), dtype=bool)
    for width in (3, 4):
        wanted = [int.from_bytes(name, "little") for name in _NAMES if len(name) == width]
        is_name = np.isin(_integers(data, names, width), np.array(wanted, dtype=np.uint64))
        is_water |= is_name & ((data[names + width] <= ord(" ")) | np.isin(data[names + width], _QUOTES))
    if np.count_nonzero(is_water) < _MANY:
        return content
    return content[: head.end()] + _without(data, first[is_water], behind[is_water]) + content[stop:]


def _rows(data: np.ndarray, column: int, n_columns: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Lines that are a row each: their first bytes, the bytes behind, and where one column's value begins.

    As many words as columns are one value each: with a blank in a quoted value there are more.
    """
    is_blank = np.isin(data, np.frombuffer(b" \t\r\n", dtype=np.uint8))
    is_token = ~is_blank
    is_token[1:] &= is_blank[:-1]
    tokens = np.flatnonzero(is_token)
    behind = np.append(np.flatnonzero(data == ord("\n")) + 1, len(data))
    first = np.concatenate([[0], behind[:-1]])
    first_token = np.searchsorted(tokens, first)
    is_row = np.diff(np.append(first_token, len(tokens))) == n_columns
    is_row &= data[np.minimum(first, len(data) - 1)] != ord(";")  # a text of several lines
    names = tokens[first_token[is_row] + column]
    names = names + np.isin(data[names], _QUOTES)
    is_row[np.flatnonzero(is_row)[names > len(data) - 5]] = False
    return first[is_row], behind[is_row], names[names <= len(data) - 5]


def _without(data: np.ndarray, first: np.ndarray, behind: np.ndarray) -> bytes:
    """Bytes outside of some ranges, which do not overlap."""
    step = np.zeros(len(data) + 1, dtype=np.int8)
    step[first] += 1
    step[behind] -= 1
    return data[np.add.accumulate(step, dtype=np.int8)[:-1] == 0].tobytes()


def _integers(data: np.ndarray, starts: np.ndarray, width: int) -> np.ndarray:
    """Characters from each start on as one integer."""
    result = np.zeros(len(starts), dtype=np.uint64)
    for place in range(width):
        result |= data[starts + place].astype(np.uint64) << np.uint64(8 * place)
    return result
