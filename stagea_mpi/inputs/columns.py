"""Columns of PDB files: what stands where numbers should be.

gemmi reads text that is no number as 0, and a line shifted by a column as other numbers. Either gives a wrong graph
in silence.
"""

import re

import numpy as np

from ..errors import ModelError

# Places of a line, counted from 0.
_ATOM_AND_LOCATION = slice(12, 17)
_RESIDUE = slice(17, 27)
_SITE = slice(20, 27)  # chain, number, insertion code
_CHAIN = slice(20, 22)
_NUMBER = slice(22, 26)
_COORDINATES = slice(30, 54)
_SEGMENT = slice(72, 76)
_ELEMENT = slice(76, 78)

_SPACE, _SIGN, _DIGIT, _DOT, _OTHER = range(5)
_CLASS = np.full(256, _OTHER, dtype=np.uint8)
_CLASS[ord(" ")], _CLASS[ord("-")], _CLASS[ord(".")] = _SPACE, _SIGN, _DOT
_CLASS[ord("0") : ord("9") + 1] = _DIGIT
#: What may stand before the last digit of a number: blanks, a sign, digits.
_LEADS = np.zeros((5, 5, 5), dtype=bool)
for _lead in ("   ", "  -", "  0", " -0", " 00", "-00", "000"):
    _LEADS[tuple(_CLASS[list(_lead.encode())])] = True

_ANY_COORDINATE = re.compile(rb" *[+-]?(\d+\.?\d*|\.\d+) *")
#: Decimal, or hybrid-36 from 10,000 on.
_ANY_NUMBER = re.compile(rb" *-?\d+ *|[A-Za-z][0-9A-Za-z]{3}")


def atom_lines(content: bytes) -> tuple[np.ndarray, np.ndarray]:
    """First bytes and lengths of the ATOM and HETATM lines of a PDB text that reach to the coordinates' end.

    Shorter ones gemmi refuses itself.
    """
    data = np.frombuffer(content, dtype=np.uint8)
    breaks = np.flatnonzero(data == ord("\n"))
    starts = np.concatenate([[0], breaks + 1])
    lengths = np.concatenate([breaks, [len(data)]]) - starts
    starts, lengths = (column[lengths >= _COORDINATES.stop] for column in (starts, lengths))
    first = data[starts[:, None] + np.arange(4)] & 0xDF  # upper case, as gemmi reads the record's name
    is_atom = (first == list(b"ATOM")).all(axis=1) | (first == list(b"HETA")).all(axis=1)
    return starts[is_atom], lengths[is_atom]


def check_columns(content: bytes, starts: np.ndarray) -> None:
    """Refuses atom lines with something else than numbers for residue number and coordinates.

    Parameters
    ----------
    content : bytes
    starts : ndarray of int, shape=(n,)
        First bytes of the atom lines.

    Raises
    ------
    ModelError
        ``bad_coordinates`` or ``unreadable``, with the line.
    """
    data = np.frombuffer(content, dtype=np.uint8)
    kind = _CLASS[data[starts[:, None] + np.arange(_NUMBER.start, _COORDINATES.stop)]]
    number, coordinates = kind[:, :4], kind[:, 8:].reshape(-1, 3, 8)
    usual = _ends_in_digit(number) & (
        _ends_in_digit(coordinates[..., :4])
        & (coordinates[..., 4] == _DOT)
        & (coordinates[..., 5:] == _DIGIT).all(axis=2)
    ).all(axis=1)
    for start in starts[~usual].tolist():
        line = content[start : start + _COORDINATES.stop]
        fields = [line[place : place + 8] for place in range(_COORDINATES.start, _COORDINATES.stop, 8)]
        if not all(_ANY_COORDINATE.fullmatch(field) for field in fields):
            raise _refusal("bad_coordinates", content, start, "three numbers in columns 31-54")
        if not _ANY_NUMBER.fullmatch(line[_NUMBER]):
            raise _refusal("unreadable", content, start, "a residue number in columns 23-26")


def _ends_in_digit(four: np.ndarray) -> np.ndarray:
    return (four[..., 3] == _DIGIT) & _LEADS[four[..., 0], four[..., 1], four[..., 2]]


def _refusal(reason: str, content: bytes, start: int, expected: str) -> ModelError:
    number = content.count(b"\n", 0, start) + 1
    line = content[start : start + _COORDINATES.stop].decode("latin-1")
    return ModelError(reason, f"line {number} of the model has {line!r}, expected {expected}", "read")


def has_foreign_elements(content: bytes, starts: np.ndarray, lengths: np.ndarray) -> bool:
    """Whether there are digits where elements should be: files from before 1996 have a line number there."""
    data = np.frombuffer(content, dtype=np.uint8)
    long = starts[lengths >= _ELEMENT.stop]
    return bool((_CLASS[data[long[:, None] + np.arange(_ELEMENT.start, _ELEMENT.stop)]] == _DIGIT).any())


def are_chains_segments(content: bytes, starts: np.ndarray, lengths: np.ndarray) -> bool:
    """Whether all chain identifiers are blank, and there are several segment identifiers instead."""
    data = np.frombuffer(content, dtype=np.uint8)
    if not len(starts) or (data[starts[:, None] + np.arange(_CHAIN.start, _CHAIN.stop)] != ord(" ")).any():
        return False
    if (lengths < _SEGMENT.stop).any():
        return False
    segments = data[starts[:, None] + np.arange(_SEGMENT.start, _SEGMENT.stop)]
    return bool((segments != segments[0]).any())


def repeated_residues(content: bytes, starts: np.ndarray, by_segment: bool = False) -> list[int]:
    """Where residues begin that have the number of an earlier one of their chain, as first bytes of lines.

    gemmi takes the two for one residue, and it should where the second has the atoms that the first one lacks (hydrogens
    behind all other atoms, say). With the same atoms again, it is another residue.

    Parameters
    ----------
    content : bytes
    starts : ndarray of int, shape=(n,)
        First bytes of the atom lines.
    by_segment : bool
        Whether chains are told apart by their segments.
    """
    if not len(starts):
        return []
    data = np.frombuffer(content, dtype=np.uint8)
    columns = [*range(_SITE.start, _SITE.stop), *(range(_SEGMENT.start, _SEGMENT.stop) if by_segment else ())]
    site = data[starts[:, None] + np.array(columns)]
    runs = np.flatnonzero(np.concatenate([[True], (site[1:] != site[:-1]).any(axis=1)]))
    if len({row.tobytes() for row in site[runs]}) == len(runs):
        return []
    found: list[int] = []
    seen: dict[bytes, set[bytes]] = {}
    for first, stop in zip(runs.tolist(), [*runs[1:].tolist(), len(starts)], strict=True):
        atoms: dict[bytes, set[bytes]] = {}
        for start in starts[first:stop].tolist():
            residue = content[start + _RESIDUE.start : start + _RESIDUE.stop]
            if by_segment:
                residue += content[start + _SEGMENT.start : start + _SEGMENT.stop]
            atoms.setdefault(residue, set()).add(
                content[start + _ATOM_AND_LOCATION.start : start + _ATOM_AND_LOCATION.stop]
            )
        if any(names & seen.get(residue, set()) for residue, names in atoms.items()):
            found.append(int(starts[first]))
            seen = {}
        for residue, names in atoms.items():
            seen.setdefault(residue, set()).update(names)
    return found
