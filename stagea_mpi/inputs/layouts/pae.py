"""Predicted aligned errors from the files in which programs write them: of a large matrix, what an interface needs.

In each, a row is an aligned token, and the columns are the errors of the others.
"""

import contextlib
import functools
import io
import os
import re
import zipfile
from collections.abc import Callable, Iterable, Iterator
from typing import BinaryIO, cast

import numpy as np

from ...errors import ModelError, listed
from ...kernels import compiled
from ..compression import Readable, is_seekable
from ..unpacking import read_up_to, readable
from ..zipped import deflated_member
from .beside import MAX_PAE_BYTES, Beside
from .layout import Pae
from .passing_text import PassingText

#: Keys of the matrix in JSON: AlphaFold 3, its server and ColabFold; AlphaFold 2 and the AlphaFold database.
_KEYS = (b"pae", b"predicted_aligned_error")
#: Keys of the tokens' chains and residue numbers (AlphaFold 3).
_TOKEN_KEYS = _CHAINS, _NUMBERS = b"token_chain_ids", b"token_res_ids"
#: Bytes at a file's end in which these are, of 5,000 tokens, and in which its end shows.
_MOST_TOKENS, _END = 2**17, 2000
_ANY_KEY = re.compile(rb'"(\w{1,40})"\s*:')

#: An array of up to so many bytes is held, of a larger one some rows.
_MOST_HELD, _PIECE = 2**26, 2**20
#: Bytes in which the header of an array ends.
_MOST_HEADER = 4096


def from_json(beside: Beside, path: str, *, has_tokens: bool = False) -> Pae:
    """Errors in JSON: AlphaFold 3's ``confidences.json``, its server's ``full_data``, AlphaFold 2's and ColabFold's.

    The file passes by in pieces; numbers are parsed when they are read, and those of other tokens than the two sides'
    never are.

    Parameters
    ----------
    beside : Beside
    path : str
    has_tokens : bool
        Whether it may have `token_chain_ids` and `token_res_ids`: then tokens have chains and residue numbers.

    Raises
    ------
    OSError
        FileNotFoundError where there is no such file.
    ModelError
        ``too_large``, or, here or when errors are read, ``unreadable``: there is no matrix of n rows and columns, a
        number is none, or is not finite. (``null`` and ``NaN`` are NaN.)
    """
    with beside.open(path) as file, readable(path):
        _check_end(file)
        tokens = _tokens_at_end(file) if has_tokens else None
        # In files of AlphaFold 3 another matrix stands before, of which no number is shorter than a digit and a comma.
        text = PassingText(file, path, 0 if tokens is None else 2 * len(tokens[0]) ** 2)
        key = text.find(*_KEYS)
        if not key and tokens is not None:
            text = PassingText(file, path)
            key = text.find(*_KEYS)
        if not key:
            raise ValueError(f"no key {' or '.join(k.decode() for k in _KEYS)}; its first keys: {_first_keys(file)}")
        if not text.begins_matrix():
            stands = bytes(text.text[text.place : text.place + 20]).strip().decode(errors="replace")
            raise ValueError(f"{key.decode()} begins with {stands}, expected a list of lists of numbers")
        start, n = text.offset, text.to_bracket().count(b",") + 1
    if has_tokens and tokens is None:
        with beside.open(path) as file, readable(path):
            tokens = _tokens_of(PassingText(file, path))
    read = functools.partial(_read_json, beside, path, key.decode(), start)
    if tokens is None:
        return Pae(functools.partial(read, n), n, path)
    chain, number = tokens
    return Pae(functools.partial(read, len(chain)), len(chain), path, chain, number)


def _first_keys(file: Readable) -> str:
    if not is_seekable(file):
        return "not looked for"
    cast(BinaryIO, file).seek(0)
    return listed(dict.fromkeys(name.decode() for name in _ANY_KEY.findall(file.read(100_000))))


def _check_end(file: Readable) -> None:
    if is_seekable(file) and _end_of(file, _END).rstrip()[-1:] not in (b"}", b"]", b""):
        raise ValueError("is cut short: it ends within a list or object")


def _end_of(file: Readable, n_bytes: int) -> bytes:
    seekable = cast(BinaryIO, file)
    size = seekable.seek(0, os.SEEK_END)
    seekable.seek(max(0, size - n_bytes))
    return seekable.read()


def _tokens_at_end(file: Readable) -> tuple[np.ndarray, np.ndarray] | None:
    """Chains and residue numbers of tokens, where they are the last in a file and its end is at hand."""
    content = _end_of(file, _MOST_TOKENS) if is_seekable(file) else b""
    begin = min(content.find(b'"%b"' % key) for key in _TOKEN_KEYS)
    return _tokens_in(content[begin:]) if begin >= 0 else None


@functools.lru_cache(maxsize=16)
def _tokens_in(content: bytes) -> tuple[np.ndarray, np.ndarray] | None:
    """Of the samples of one target all are the same, and they are the same arrays then."""
    return _tokens_of(PassingText(io.BytesIO(content), ""))


def _tokens_of(text: PassingText) -> tuple[np.ndarray, np.ndarray] | None:
    lists = text.lists_by(*_TOKEN_KEYS)
    if len(lists) < len(_TOKEN_KEYS):
        return None
    chains, numbers = (lists[key] for key in _TOKEN_KEYS)
    if len(chains) != len(numbers) or not chains:
        raise ValueError(f"{len(chains)} token_chain_ids and {len(numbers)} token_res_ids, expected as many")
    try:
        return np.array([name.encode() for name in chains]), np.array(numbers, dtype=np.int64)
    except (AttributeError, TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"token_chain_ids are no names, or token_res_ids no whole numbers: {error}") from error


def _read_json(
    beside: Beside, path: str, key: str, start: int, n: int, first: np.ndarray, second: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    forward, backward = _room(first, second), _room(second, first)
    rows, columns = (np.ascontiguousarray(tokens, dtype=np.int64) for tokens in (first, second))
    with readable(f"{path}: {key}"), beside.open(path) as file:  # which may be gone meanwhile
        text, row = PassingText(file, path, start), 0
        while row < n:
            text.more()
            row, text.place = compiled.json_matrix_blocks(
                text.text, text.place, text.is_whole, row, n, rows, columns, forward, backward
            )
    return forward, backward


def _room(rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    return np.empty((len(rows), len(columns)), dtype=np.float32)


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
        ``unreadable`` or ``too_large``; of a large array its end may be found damaged when errors are read.
    """
    with _opened(beside, path, key) as (file, archive, member):
        is_held = member.file_size <= _MOST_HELD
        if is_held:
            content = deflated_member(file, member) or archive.read(member)
        else:
            with archive.open(member) as stream:
                content = stream.read(_MOST_HEADER)
        n, dtype, is_fortran, begin = _square_of(content[:_MOST_HEADER], key)
        held = np.frombuffer(content, dtype, n * n, begin).reshape(n, n) if is_held else None
    rows = functools.partial(_passing_rows, beside, path, key, n, dtype, begin) if held is None else lambda: [(0, held)]
    return Pae(functools.partial(_read_rows, rows, is_fortran, f"{path}: {key}"), n, path)


@contextlib.contextmanager
def _opened(beside: Beside, path: str, key: str) -> Iterator[tuple[BinaryIO, zipfile.ZipFile, zipfile.ZipInfo]]:
    """The file, and the array's member in it."""
    with beside.open(path) as content, readable(f"{path}: {key}"):
        file = cast(BinaryIO, content) if is_seekable(content) else io.BytesIO(read_up_to(content, MAX_PAE_BYTES + 1))
        with zipfile.ZipFile(file) as archive:
            names = archive.namelist()
            if f"{key}.npy" not in names:
                found = f"no array {key}; there are {listed(name.removesuffix('.npy') for name in names)}"
                raise ModelError("unreadable", f"{path}: {found}", "read")
            member = archive.getinfo(f"{key}.npy")
            if member.file_size > MAX_PAE_BYTES:
                raise ModelError("too_large", f"{path}: {key} is over {MAX_PAE_BYTES // 2**20} MB", "read")
            yield file, archive, member


def _square_of(header: bytes | bytearray, key: str) -> tuple[int, np.dtype, bool, int]:
    """Rows of a .npy file's matrix, their type, whether it is written by columns, and the byte where it begins."""
    file = io.BytesIO(header)
    version = np.lib.format.read_magic(file)
    read_header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, is_fortran, dtype = read_header(file)
    if dtype.hasobject:
        raise ValueError("is an array of Python's objects")
    square = shape
    while len(square) > 2 and square[0] == 1:
        square = square[1:]
    if dtype.kind != "f" or len(square) != 2 or square[0] != square[1] or not square[0]:
        raise ValueError(f"has the shape {shape} and type {dtype}, expected a square of floats")
    return square[0], dtype, is_fortran, file.tell()


def _passing_rows(
    beside: Beside, path: str, key: str, n: int, dtype: np.dtype, begin: int
) -> Iterator[tuple[int, np.ndarray]]:
    """Some rows of a matrix after the other, each time with the number of the first."""
    with _opened(beside, path, key) as (_, archive, member), archive.open(member) as stream:
        stream.read(begin)
        a_row = n * dtype.itemsize
        n_rows = max(1, _PIECE // a_row)
        for row in range(0, n, n_rows):
            content = stream.read(min(n_rows, n - row) * a_row)
            yield row, np.frombuffer(content, dtype).reshape(-1, n)
        stream.read(1)  # its checksum is checked where it ends


def _read_rows(
    rows: Callable[[], Iterable[tuple[int, np.ndarray]]],
    is_fortran: bool,
    where: str,
    first: np.ndarray,
    second: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    if is_fortran:  # then what is written as rows are columns
        second, first = first, second
    forward, backward = _room(first, second), _room(second, first)
    with np.errstate(over="ignore"), readable(where):
        for begin, some in rows():
            n_read = begin + len(some)
            for aligned, others, block in ((first, second, forward), (second, first, backward)):
                here = slice(*np.searchsorted(aligned, (begin, n_read)))
                block[here] = some[_places(aligned[here] - begin)][:, _places(others)]
        for block in (forward, backward):
            if np.isinf(block).any():
                raise ValueError(f"has {block[np.isinf(block)][0]}, expected finite numbers")
    return (forward.T, backward.T) if is_fortran else (forward, backward)


def _places(tokens: np.ndarray) -> slice | np.ndarray:
    """Tokens as a slice where they follow each other, since NumPy takes a slice ten times as fast."""
    if len(tokens) and tokens[-1] - tokens[0] + 1 == len(tokens):
        return slice(int(tokens[0]), int(tokens[-1]) + 1)
    return tokens
