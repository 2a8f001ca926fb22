"""Columns of PDB files: what stands where numbers should be.

gemmi reads text that is no number as 0, and a line shifted by a column as other numbers. Either gives a wrong graph
in silence.
"""

import re

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from ..errors import ModelError
from ..structure.residues import is_amino_acid

# Places of a line, counted from 0.
_ATOM = slice(12, 16)
_RESIDUE = slice(17, 27)
_SITE = slice(20, 27)  # chain, number, insertion code
_CHAIN = slice(20, 22)
_NUMBER = slice(22, 26)
_GAP = range(27, 30)
COORDINATES = slice(30, 54)
_SEGMENT = slice(72, 76)
_ELEMENT = slice(76, 78)

_SPACE, _SIGN, _DIGIT, _DOT, _OTHER = range(5)
_CLASS = np.full(256, _OTHER, dtype=np.uint8)
_CLASS[ord(" ")], _CLASS[ord("-")], _CLASS[ord(".")] = _SPACE, _SIGN, _DOT
_CLASS[ord("0") : ord("9") + 1] = _DIGIT
#: What may stand before the last digit of a number: blanks, a sign, digits.
_LEADS = np.zeros(5**3, dtype=bool)
for _root in ("   ", "  -", "  0", " -0", " 00", "-00", "000"):
    _first, _second, _third = (int(_CLASS[code]) for code in _root.encode())
    _LEADS[(_first * 5 + _second) * 5 + _third] = True

_ANY_COORDINATE = re.compile(rb" *[+-]?(\d+\.?\d*|\.\d+) *")
#: A coordinate, or a number of six digits, that reaches into columns 28-30.
_PART_OF_NUMBER = re.compile(rb"[-+.0-9]")
#: A chain in column 21 and a number of four digits behind it.
_SHIFTED_NUMBER = re.compile(rb"\S\d{4} ")
#: Decimal, or hybrid-36 from 10,000 on.
_ANY_NUMBER = re.compile(rb" *-?\d+ *|[A-Za-z][0-9A-Za-z]{3}")


#: Records of atoms, and the mask by which letters are upper case: gemmi minds no case.
_ATOM_RECORD, _HETATM_RECORD = np.frombuffer(b"ATOMHETA", dtype="<u4").astype(np.uint64)
_UPPER_CASE = np.uint64(0xDFDFDFDF)


def _packed(data: np.ndarray, starts: np.ndarray, width: int) -> np.ndarray:
    """Up to eight characters from each start on as one integer."""
    result = np.zeros(len(starts), dtype=np.uint64)
    for place in range(width):
        result |= data[starts + place].astype(np.uint64) << np.uint64(8 * place)
    return result


def atom_lines(content: bytes) -> tuple[np.ndarray, np.ndarray]:
    """First bytes and lengths of the ATOM and HETATM lines of a PDB text that reach to the coordinates' end.

    Shorter ones gemmi refuses itself.
    """
    data = np.frombuffer(content, dtype=np.uint8)
    breaks = np.flatnonzero(data == ord("\n"))
    starts = np.concatenate([[0], breaks + 1])
    lengths = np.concatenate([breaks, [len(data)]]) - starts
    starts, lengths = (column[lengths >= COORDINATES.stop] for column in (starts, lengths))
    record = _packed(data, starts, 4) & _UPPER_CASE
    is_atom = (record == _ATOM_RECORD) | (record == _HETATM_RECORD)
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
    if not len(starts):
        return
    # Column by column, each contiguous: this is looked at in every model.
    lines = sliding_window_view(data, COORDINATES.stop)[starts, _NUMBER.start :]
    characters = np.ascontiguousarray(lines.T)
    kind = _CLASS[characters[: _GAP.stop - _NUMBER.start]]
    usual = _ends_in_digit(kind[:4]) & are_usual_coordinates(characters[COORDINATES.start - _NUMBER.start :])
    for place in _GAP:
        usual &= kind[place - _NUMBER.start] == _SPACE
    for start in starts[~usual].tolist():
        line = content[start : start + COORDINATES.stop]
        fields = [line[place : place + 8] for place in range(COORDINATES.start, COORDINATES.stop, 8)]
        if _PART_OF_NUMBER.search(line, _GAP.start, _GAP.stop):
            raise _refusal("bad_coordinates", content, start, "blanks in columns 28-30, before the coordinates")
        if not all(_ANY_COORDINATE.fullmatch(field) for field in fields):
            raise _refusal("bad_coordinates", content, start, "three numbers in columns 31-54")
        if not _ANY_NUMBER.fullmatch(line[_NUMBER]):
            raise _refusal("unreadable", content, start, "a residue number in columns 23-26")
        if _SHIFTED_NUMBER.fullmatch(line, _CHAIN.start, _NUMBER.stop):
            raise _refusal("unreadable", content, start, "a chain in column 22 and a residue number in columns 23-26")


def are_usual_coordinates(characters: np.ndarray) -> np.ndarray:
    """Whether numbers of eight characters have three decimals, shape=(8 · k, n) to shape=(n,)."""
    fields = characters.reshape(-1, 8, characters.shape[1])
    lead = _CLASS[fields[:, :3]]
    usual = _LEADS[(lead[:, 0] * 5 + lead[:, 1]) * 5 + lead[:, 2]] & (fields[:, 4] == ord("."))
    for place in (3, 5, 6, 7):
        usual &= (fields[:, place] >= ord("0")) & (fields[:, place] <= ord("9"))
    return usual.all(axis=0)


def are_numeric(characters: np.ndarray) -> bool:
    """Whether all characters are such as numbers are written with, or blanks."""
    return bool((_CLASS[characters] != _OTHER).all())


def _ends_in_digit(four: np.ndarray) -> np.ndarray:
    """Whether four characters are a number that ends with the last of them."""
    return (four[3] == _DIGIT) & _LEADS[(four[0] * 5 + four[1]) * 5 + four[2]]


def _refusal(reason: str, content: bytes, start: int, expected: str) -> ModelError:
    number = content.count(b"\n", 0, start) + 1
    line = content[start : start + COORDINATES.stop].decode("latin-1")
    return ModelError(reason, f"line {number} of the model has {line!r}, expected {expected}", "read")


def has_foreign_elements(content: bytes, starts: np.ndarray, lengths: np.ndarray) -> bool:
    """Whether there are digits where elements should be: files from before 1996 have a line number there."""
    data = np.frombuffer(content, dtype=np.uint8)
    long = starts[lengths >= _ELEMENT.stop]
    return any(bool((_CLASS[data[long + place]] == _DIGIT).any()) for place in range(_ELEMENT.start, _ELEMENT.stop))


def are_chains_segments(content: bytes, starts: np.ndarray, lengths: np.ndarray) -> bool:
    """Whether all amino acids (ATOM records) have one chain identifier, or none, and several segment identifiers.

    Where something else stands behind the B factors, as a line's number, it changes within residues.
    """
    data = np.frombuffer(content, dtype=np.uint8)
    segment = _segments(data, starts, lengths)
    if not len(starts) or (segment == segment[0]).all():
        return False
    names, which = np.unique(_packed(data, starts + _RESIDUE.start, 3), return_inverse=True)
    texts = [int(name).to_bytes(8, "little")[:3].decode("latin-1").strip() for name in names]
    is_own = np.array([is_amino_acid(text) for text in texts], dtype=bool)[which]
    is_own &= data[starts] & 0xDF == ord("A")
    own, segment = starts[is_own], segment[is_own]
    chain, residue = _packed(data, own + _CHAIN.start, 2), _packed(data, own + _RESIDUE.start + 2, 8)
    if not len(own) or (chain != chain[0]).any() or (segment == segment[0]).all():
        return False
    return not ((segment[1:] != segment[:-1]) & (residue[1:] == residue[:-1])).any()


def _segments(data: np.ndarray, starts: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Segment identifiers as integers; lines may end before."""
    segment = np.zeros(len(starts), dtype=np.uint64)
    for place in range(_SEGMENT.start, _SEGMENT.stop):
        character = data[np.minimum(starts + place, len(data) - 1)]
        character = np.where((lengths > place) & (character > ord(" ")), character, np.uint8(ord(" ")))
        segment = segment << np.uint64(8) | character.astype(np.uint64)
    return segment


def split_repeated(content: bytes, starts: np.ndarray, by_segment: bool = False) -> list[bytes]:
    """The text in pieces in none of which a residue's number occurs again behind other residues of its chain.

    gemmi takes residues of one number and name for one. Where the second has atoms that the first one lacks
    (hydrogens behind all other atoms, say), it is indeed the same, and its lines are put beside the first one's. With
    the same atoms again it is another residue, and stands in another piece.

    Parameters
    ----------
    content : bytes
    starts : ndarray of int, shape=(n,)
        First bytes of the atom lines.
    by_segment : bool
        Whether chains are told apart by their segments.

    Returns
    -------
    pieces : list of bytes
        The text itself where no number occurs again; else atom lines alone.
    """
    runs = _runs_of_sites(content, starts, by_segment)
    if runs is None:
        return [content]
    lines = [content[start : content.find(b"\n", start) + 1 or len(content)] for start in starts.tolist()]
    groups: list[list[int]] = []
    keys: list[set[bytes]] = []
    seen: dict[bytes, tuple[int, set[bytes]]] = {}
    for first, stop in zip(runs, [*runs[1:], len(lines)], strict=True):
        atoms: dict[bytes, set[bytes]] = {}
        for line in lines[first:stop]:
            residue = line[_RESIDUE] + (line[_SEGMENT] if by_segment else b"")
            atoms.setdefault(residue, set()).add(line[_ATOM])
        if all(residue in seen and not names & seen[residue][1] for residue, names in atoms.items()):
            groups[seen[next(iter(atoms))][0]] += range(first, stop)
            for residue, names in atoms.items():
                seen[residue][1].update(names)
        else:
            seen |= {residue: (len(groups), names) for residue, names in atoms.items()}
            groups.append(list(range(first, stop)))
            keys.append(set(atoms))
    pieces: list[list[bytes]] = [[]]
    in_piece: set[bytes] = set()
    for group, residues in zip(groups, keys, strict=True):
        if in_piece & residues:
            pieces.append([])
            in_piece = set()
        in_piece |= residues
        pieces[-1] += [lines[k].rstrip(b"\r\n") + b"\n" for k in group]
    return [b"".join(piece) for piece in pieces]


def _runs_of_sites(content: bytes, starts: np.ndarray, by_segment: bool) -> list[int] | None:
    """Lines at which another chain, residue name, number or insertion code begins; None where none comes back."""
    data = np.frombuffer(content, dtype=np.uint8)
    site = _packed(data, starts + _SITE.start, _SITE.stop - _SITE.start)
    # Of two residues that a tool has given one number, the second one may have the name of the first or the third.
    name = _packed(data, starts + _RESIDUE.start, _SITE.start - _RESIDUE.start)
    site = site * np.uint64(0x9E3779B97F4A7C15) + name * np.uint64(0xC2B2AE3D27D4EB4F)
    if by_segment:
        breaks = np.append(np.flatnonzero(data == ord("\n")), len(data))
        lengths = breaks[np.searchsorted(breaks, starts)] - starts
        site += _segments(data, starts, lengths) * np.uint64(0x165667B19E3779F9)
    is_first = np.ones(len(site), dtype=bool)
    is_first[1:] = site[1:] != site[:-1]
    return None if len(np.unique(site[is_first])) == is_first.sum() else np.flatnonzero(is_first).tolist()
