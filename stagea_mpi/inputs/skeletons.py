"""Poses of one complex, or samples of a target, differ in coordinates and B factors: all else is read once, and kept.

A text's skeleton is all of it that a table of atoms depends on, apart from coordinates and B factors. Where two texts
have the same one, the second model's table is the first one's with coordinates and B factors of its own.
"""

import functools
import hashlib
import re
import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from ..kernels import compiled
from .atom_site import ATOM_SITE_LOOP
from .columns import COORDINATES, are_numeric, are_usual_coordinates, atom_lines

#: Bytes of tables that are kept, those that were asked for last.
MOST_KEPT = 16 * 2**20

_B_FACTOR = slice(60, 66)
_BLANK = ord(" ")
#: Columns of mmCIF's table whose numbers are no part of a skeleton.
_NUMBERS = (b"_atom_site.cartn_x", b"_atom_site.cartn_y", b"_atom_site.cartn_z", b"_atom_site.b_iso_or_equiv")
_DATA_BLOCK = re.compile(rb"^[ \t]*data_", re.MULTILINE | re.IGNORECASE)
#: Å; the reader refuses what is farther from the origin.
_FARTHEST = 1e6
#: Remarks without a number, in which programs write scores and file names. gemmi reads those with a number.
_REMARK = re.compile(rb"^REMARK [^0-9\n]{3}[^\n]*\n?", re.MULTILINE)
#: Behind it gemmi reads nothing.
_END = re.compile(rb"^END[ \t\r]*$.*", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Skeleton:
    """A text without its coordinates and B factors.

    Attributes
    ----------
    key : bytes
        SHA-256 of all that stands in it else.
    xyz : ndarray of float64, shape=(n, 3)
        Coordinates of its atom lines in file order, Å.
    b_factor : ndarray of uint8, shape=(n, 6), or of float32, shape=(n,), or None
        Their B factors, or the characters of these; None where these are among what `key` is made of, since a line ends
        before them or something else than a number stands there.
    has_models : bool
        Whether a text may hold several models, by their numbers.
    """

    key: bytes
    xyz: np.ndarray
    b_factor: np.ndarray | None
    has_models: bool = False

    def digest(self) -> bytes:
        """SHA-256 of the coordinates and B factors."""
        return hashlib.sha256(self.xyz.tobytes() + (b"" if self.b_factor is None else self.b_factor.tobytes())).digest()


def skeleton_of_pdb(content: bytes) -> Skeleton | None:
    """Skeleton of a model in PDB; None where coordinates are not written with three decimals in their columns.

    Remarks without a number do not count either, nor what follows an END behind the atoms.
    """
    if b"\n" not in content:
        content = content.replace(b"\r", b"\n")
    starts, lengths = atom_lines(content)
    if not len(starts):
        return None
    data = np.frombuffer(content, dtype=np.uint8)
    characters = np.ascontiguousarray(sliding_window_view(data, COORDINATES.stop)[starts, COORDINATES].T)
    if not are_usual_coordinates(characters).all():
        return None
    first, stop = int(starts[0]), int(starts[-1] + lengths[-1])
    data = data[first:stop].copy()
    lines = sliding_window_view(data, min(int(lengths.min()), _B_FACTOR.stop), writeable=True)
    rows = starts - first
    lines[rows, COORDINATES] = _BLANK
    b_factor = lines[rows, _B_FACTOR] if lines.shape[1] == _B_FACTOR.stop else None
    if b_factor is not None and are_numeric(b_factor):
        lines[rows, _B_FACTOR] = _BLANK
    else:
        b_factor = None
    key = hashlib.sha256(_REMARK.sub(b"", content[:first]))
    key.update(data.data)
    key.update(_END.sub(b"END", _REMARK.sub(b"", content[stop:])))
    return Skeleton(key.digest(), _numbers(characters), b_factor)


@functools.lru_cache(maxsize=1)  # a text is asked for its models first, and then for their atoms
def skeleton_of_mmcif(content: bytes) -> Skeleton | None:
    """Skeleton of an mmCIF text; None where it is unusual: more than one table of atoms, a row on several lines,
    coordinates or B factors that are no plain decimals.

    Of what stands around the table, of which nothing is read, numbers do not count: scores, dates, names of samples.
    """
    head = ATOM_SITE_LOOP.search(content)
    if head is None:
        return None
    tags = head[1].lower().split()
    columns = [tags.index(name) if tags.count(name) == 1 else -1 for name in _NUMBERS]
    if min(columns) < 0:
        return None
    begin, order = head.end(), np.argsort(columns)
    rest = np.empty(len(content) - begin + 1, dtype=np.uint8)
    number = np.empty((content.count(b"\n", begin) + 1, len(columns)))
    n_rows, n_rest, end = compiled.cif_rows(content, begin, len(tags), np.sort(columns), number, rest)
    if n_rows <= 0:
        return None
    number = number[:n_rows, np.argsort(order)]
    xyz = np.round(number[:, :3], 3)
    if not (np.abs(xyz) < _FARTHEST).all():
        return None
    around = _outline(memoryview(content)[: head.start()]), _outline(memoryview(content)[end:])
    if any(b"_atom_site" in part.lower() for part in around) or len(_DATA_BLOCK.findall(content, 0, head.start())) != 1:
        return None
    key = hashlib.sha256(b"\n".join([*around, *tags, b""]))
    key.update(rest[:n_rest].data)
    return Skeleton(key.digest(), xyz, number[:, 3].astype(np.float32), has_models=True)


def _outline(text: memoryview) -> bytes:
    outline = np.empty(len(text), dtype=np.uint8)
    return outline[: compiled.cif_outline(text, outline)].tobytes()


def _numbers(characters: np.ndarray) -> np.ndarray:
    """Numbers of eight characters with three decimals, shape=(8 · k, n) to shape=(n, k)."""
    fields = characters.reshape(-1, 8, characters.shape[1])
    digits = fields - np.uint8(ord("0"))
    digits[digits > 9] = 0  # blanks, a sign, the point
    thousandths = np.zeros((fields.shape[0], fields.shape[2]), dtype=np.int32)
    for place in (0, 1, 2, 3, 5, 6, 7):
        thousandths *= 10
        thousandths += digits[:, place]
    is_negative = (fields[:, :3] == ord("-")).any(axis=1)
    values = thousandths / 1000.0
    return np.where(is_negative, -values, values).T.copy()  # -0.000 is -0.0, as gemmi has it


def b_factors(characters: np.ndarray) -> np.ndarray:
    """B factors as gemmi reads them, shape=(n, 6) to float32, shape=(n,).

    Parameters
    ----------
    characters : ndarray of uint8, shape=(n, 6), or of float32, shape=(n,)
        Blanks, signs, points and digits, what follows a number in its columns is no part of it; or the B factors.
    """
    if characters.dtype == np.float32:
        return characters
    columns = np.ascontiguousarray(characters.T)
    n = len(characters)
    mantissa, n_decimals = np.zeros(n, dtype=np.int32), np.zeros(n, dtype=np.int8)
    has_begun, has_point, has_digit, is_negative, is_over = np.zeros((5, n), dtype=bool)
    for column in columns:
        digit = column - np.uint8(ord("0"))
        is_digit, is_point, is_sign = digit <= 9, column == ord("."), column == ord("-")
        is_over |= has_begun & ~(is_digit | (is_point & ~has_point))
        counts = is_digit & ~is_over
        mantissa = np.where(counts, 10 * mantissa + digit, mantissa)
        n_decimals += counts & has_point
        has_digit |= counts
        is_negative |= is_sign & ~has_begun
        has_point |= is_point & ~is_over
        has_begun |= column != _BLANK
    values = mantissa / 10.0**n_decimals
    return np.where(is_negative & has_digit, -values, values).astype(np.float32)


def rows_of(skeleton: Skeleton, xyz: np.ndarray) -> np.ndarray | None:
    """The atom line of each atom that was read, by its coordinates; None where these do not tell.

    Parameters
    ----------
    skeleton : Skeleton
    xyz : ndarray of float64, shape=(m, 3)
        Of the table that was made of the whole text.
    """
    lines = _integers(skeleton.xyz)
    in_order = np.sort(lines)
    if (in_order[1:] == in_order[:-1]).any():
        return None
    if np.array_equal(skeleton.xyz, xyz):
        return np.arange(len(xyz))
    order = np.argsort(lines)
    rows = order[np.minimum(np.searchsorted(in_order, _integers(xyz)), len(order) - 1)]
    return rows if np.array_equal(skeleton.xyz[rows], xyz) else None


def _integers(xyz: np.ndarray) -> np.ndarray:
    """One integer for each atom's coordinates; different ones may have the same."""
    x, y, z = np.round(xyz * 1000.0).astype(np.int64).T.view(np.uint64)
    return x * np.uint64(0x9E3779B97F4A7C15) + y * np.uint64(0xC2B2AE3D27D4EB4F) + z * np.uint64(0x165667B19E3779F9)


class Memory:
    """Values by key, as many as fit into `MOST_KEPT` bytes; those that were asked for last stay."""

    def __init__(self) -> None:
        self._kept: OrderedDict[Any, tuple[Any, int]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Any) -> Any:
        """The value, or None."""
        with self._lock:
            if key not in self._kept:
                return None
            self._kept.move_to_end(key)
            return self._kept[key][0]

    def put(self, key: Any, value: Any, n_bytes: int) -> None:
        """Keeps a value that takes so many bytes."""
        with self._lock:
            self._kept[key] = value, n_bytes
            while self._kept and sum(size for _, size in self._kept.values()) > MOST_KEPT:
                self._kept.popitem(last=False)
