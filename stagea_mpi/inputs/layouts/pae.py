"""Predicted aligned errors from the files in which programs write them: of a large matrix, what an interface needs.

In each, a row is an aligned token, and the columns are the errors of the others.
"""

import functools
import io
import json
import re
import struct
import zipfile
import zlib
from typing import Any

import numpy as np

from ...errors import ModelError, listed
from ...kernels import compiled
from .beside import MAX_PAE_BYTES, Beside
from .layout import Pae

#: Keys of the matrix in JSON: AlphaFold 3, its server and ColabFold; AlphaFold 2 and the AlphaFold database.
_KEYS = (b"pae", b"predicted_aligned_error")
#: Keys of the tokens' chains and residue numbers (AlphaFold 3).
_CHAINS, _NUMBERS = b"token_chain_ids", b"token_res_ids"

#: The header before a member of a zip archive: its signature, and the lengths of its name and of what follows that.
_LOCAL_HEADER = struct.Struct("<4s22xHH")
_IS_ENCRYPTED = 0x1
#: Bytes that are unpacked at a time; what comes of them stays in a processor's cache.
_PIECE = 2**15
#: Bytes in which the header of an array ends.
_MOST_HEADER = 4096

_MATRIX = re.compile(rb"\s*\[\s*\[")
_ANY_KEY = re.compile(rb'"(\w{1,40})"\s*:')


def from_json(beside: Beside, path: str) -> Pae:
    """Errors in JSON: AlphaFold 3's ``confidences.json``, its server's ``full_data``, AlphaFold 2's and ColabFold's.

    Tokens have chains and residue numbers where the file has `token_chain_ids` and `token_res_ids`. Numbers are parsed
    when they are read, and those of other tokens than the two sides' never are.

    Parameters
    ----------
    beside : Beside
    path : str

    Raises
    ------
    OSError
        FileNotFoundError where there is no such file.
    ModelError
        ``too_large``, or, here or when errors are read, ``unreadable``: there is no matrix of n rows and columns, a
        number is none, or is not finite. (``null`` and ``NaN`` are NaN.)
    """
    content, where = beside.read(path, MAX_PAE_BYTES), path
    start, key = next(((s, key) for key in _KEYS if (s := compiled.json_key(content, key, 0)) >= 0), (-1, b""))
    if start < 0:
        found = listed(dict.fromkeys(name.decode() for name in _ANY_KEY.findall(content[:100_000])))
        raise _unreadable(where, f"no key {' or '.join(name.decode() for name in _KEYS)}; its first keys: {found}")
    if _MATRIX.match(content, start) is None:
        found = content[start : start + 20].strip().decode(errors="replace")
        raise _unreadable(where, f"{key.decode()} begins with {found}, expected a list of lists of numbers")
    if content[-1000:].rstrip()[-1:] not in (b"}", b"]"):
        raise _unreadable(where, "is cut short: it ends within a list or object")
    chains, numbers = (_token_list(content, name, start, where) for name in (_CHAINS, _NUMBERS))
    if chains is None or numbers is None:
        n = content.count(b",", start, max(content.find(b"]", start), start)) + 1
        return Pae(functools.partial(_read_json, content, start, n, f"{where}: {key.decode()}"), n)
    if len(chains) != len(numbers) or not chains:
        raise _unreadable(where, f"{len(chains)} token_chain_ids and {len(numbers)} token_res_ids, expected as many")
    try:
        chain = np.array([name.encode() for name in chains])
        number = np.array(numbers, dtype=np.int64)
    except (AttributeError, TypeError, ValueError, OverflowError) as error:
        raise _unreadable(where, f"token_chain_ids are no names, or token_res_ids no whole numbers: {error}") from error
    n = len(chains)
    return Pae(functools.partial(_read_json, content, start, n, f"{where}: {key.decode()}"), n, chain, number)


def _token_list(content: bytes, key: bytes, start: int, where: str) -> list[Any] | None:
    """A list by its key, which mostly stands behind the matrix."""
    place = compiled.json_key(content, key, start)
    if place < 0:
        place = compiled.json_key(content[:start], key, 0)
    if place < 0:
        return None
    try:
        found = json.loads(content[place : content.find(b"]", place) + 1])
    except ValueError as error:
        raise _unreadable(where, f"{key.decode()}: {error}") from error
    if not isinstance(found, list):
        raise _unreadable(where, f"{key.decode()} is a {type(found).__name__}, expected a list")
    return found


def _read_json(
    content: bytes, start: int, n: int, where: str, first: np.ndarray, second: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    forward, backward = _room(len(first), len(second)), _room(len(second), len(first))
    rows, columns = (np.ascontiguousarray(tokens, dtype=np.int64) for tokens in (first, second))
    try:
        compiled.json_matrix_blocks(content, start, n, rows, columns, forward, backward)
    except ValueError as error:
        raise _unreadable(where, str(error)) from error
    return forward, backward


def _room(n_rows: int, n_columns: int) -> np.ndarray:
    return np.empty((n_rows, n_columns), dtype=np.float32)


def from_npz(beside: Beside, path: str, key: str = "pae") -> Pae:
    """Errors in NumPy's archive (Boltz, and whoever saves them with `numpy.savez`).

    Parameters
    ----------
    beside : Beside
    path : str
    key : str
        Of the array, shape=(n, n) or (1, n, n), float.

    Raises
    ------
    OSError
        FileNotFoundError where there is no such file.
    ModelError
        ``unreadable`` or ``too_large``.
    """
    content, where = beside.read(path, MAX_PAE_BYTES), path
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            names = archive.namelist()
            if f"{key}.npy" not in names:
                raise _unreadable(where, f"no array {key}; there are {listed(n.removesuffix('.npy') for n in names)}")
            member = archive.getinfo(f"{key}.npy")
            if member.file_size > MAX_PAE_BYTES:
                raise ModelError("too_large", f"{where}: {key} is over {MAX_PAE_BYTES // 2**20} MB", "read")
            is_deflated = member.compress_type == zipfile.ZIP_DEFLATED and not member.flag_bits & _IS_ENCRYPTED
            array = _npy_array(_inflated(content, member) if is_deflated else archive.read(member))
    except (
        zipfile.BadZipFile, zlib.error, struct.error, ValueError, EOFError, OSError, RuntimeError, NotImplementedError,
    ) as error:  # fmt: skip
        raise _unreadable(where, f"{key}: {error}") from error
    shape = array.shape
    while array.ndim > 2 and len(array) == 1:
        array = array[0]
    if array.dtype.kind != "f" or array.ndim != 2 or array.shape[0] != array.shape[1] or not array.size:
        raise _unreadable(where, f"{key} has the shape {shape} and type {array.dtype}, expected a square of floats")
    return Pae(functools.partial(_read_array, array, f"{where}: {key}"), len(array))


def _inflated(content: bytes, member: zipfile.ZipInfo) -> bytearray:
    """A member's content, piece by piece into its place: two thirds of the time that `zipfile` takes."""
    start = member.header_offset + _LOCAL_HEADER.size
    signature, n_name, n_extra = _LOCAL_HEADER.unpack_from(content, member.header_offset)
    if signature != b"PK\x03\x04":
        raise zipfile.BadZipFile("a member's header is not where the archive says")
    packed = memoryview(content)[start + n_name + n_extra :][: member.compress_size]
    room, decoder, end = bytearray(member.file_size), zlib.decompressobj(wbits=-15), 0
    for place in range(0, len(packed), _PIECE):
        piece: bytes | memoryview = packed[place : place + _PIECE]
        while piece:
            found = decoder.decompress(piece, 2 * _PIECE)
            if end + len(found) > len(room):
                raise zipfile.BadZipFile(f"holds more than the {len(room)} bytes that the archive says")
            room[end : end + len(found)] = found
            end += len(found)
            piece = decoder.unconsumed_tail
    if end != len(room) or not decoder.eof or zlib.crc32(room) != member.CRC:
        raise zipfile.BadZipFile(f"is damaged: {end} bytes of {len(room)}, or a checksum that is not theirs")
    return room


def _npy_array(content: bytes | bytearray) -> np.ndarray:
    """The array of a .npy file; not copied."""
    file = io.BytesIO(content[:_MOST_HEADER])
    version = np.lib.format.read_magic(file)
    read_header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, is_fortran, dtype = read_header(file)
    if dtype.hasobject:
        raise ValueError("is an array of Python's objects")
    count = int(np.prod(shape, dtype=np.int64))
    return np.frombuffer(content, dtype, count, file.tell()).reshape(shape, order="F" if is_fortran else "C")


def _read_array(array: np.ndarray, where: str, first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    with np.errstate(over="ignore"):
        ours, theirs = _places(first), _places(second)
        blocks = array[ours][:, theirs].astype(np.float32), array[theirs][:, ours].astype(np.float32)
    for block in blocks:
        if np.isinf(block).any():
            raise _unreadable(where, f"has {block[np.isinf(block)][0]}, expected finite numbers")
    return blocks


def _places(tokens: np.ndarray) -> slice | np.ndarray:
    """Tokens as a slice where they follow each other, since NumPy takes a slice ten times as fast."""
    if len(tokens) and tokens[-1] - tokens[0] + 1 == len(tokens):
        return slice(int(tokens[0]), int(tokens[-1]) + 1)
    return tokens


def _unreadable(where: str, found: str) -> ModelError:
    return ModelError("unreadable", f"{where}: {found}", "read")
