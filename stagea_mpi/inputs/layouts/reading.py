"""Score files beside a model: JSON, CSV and npz. What is wrong with one is said, and costs what it would have told.

Nothing is unpickled: what a program keeps in pickles alone is not read.
"""

import functools
import io
import json
import math
import struct
import zipfile
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

import numpy as np

from ...errors import ModelError, listed
from ..compression import DAMAGE
from ..header_scores import score_name
from .beside import MAX_PAE_BYTES, Beside, LastUnpacked
from .layout import Pae, Scores
from .passing_text import without_matrix

#: What damaged files make readers raise. (RecursionError is a RuntimeError, JSONDecodeError a ValueError.)
_FAULTS = (
    OSError, ModelError, ValueError, EOFError, RuntimeError, ArithmeticError, LookupError, MemoryError,
    zipfile.BadZipFile, struct.error, *DAMAGE,
)  # fmt: skip
#: What people compress large files by; a file is looked for as it is first.
_PACKED = ("", ".zst", ".gz")
#: More chains than any complex has whose pairs are listed.
_MOST_CHAINS = 1000
#: More numbers than any program gives of a model.
_MOST_NUMBERS = 200
_NPY_MAGIC = b"\x93NUMPY"


class ScoreFiles:
    """The score files of one model.

    Parameters
    ----------
    beside : Beside
    path : str
        The model's.

    Attributes
    ----------
    problems : list of str
        What could not be read so far, each with its file.
    """

    def __init__(self, beside: Beside, path: str):
        self.problems: list[str] = []
        self._beside, self._folder = LastUnpacked(beside), path.rpartition("/")[0]

    def json(self, name: str, *, without: str = "", is_shared: bool = False) -> "ScoreFile":
        """A file that holds one JSON object.

        Parameters
        ----------
        name : str
            Below the model's folder; ``../`` before it for the one around it.
        without : str
            Key of a large matrix in it, which is passed over.
        is_shared : bool
            Whether other models are told of in it, too: then it is kept.
        """
        return self._file(name, _parse_object, is_shared, without)

    def npz(self, name: str) -> "ScoreFile":
        """An archive of arrays, by their names; arrays of Python's objects are not opened."""
        return self._file(name, _parse_npz)

    def table(self, name: str, parse: Callable[[bytes], Mapping[Any, Any]]) -> "ScoreFile":
        """A file that tells of many models, as a function makes a mapping of it."""
        return self._file(name, parse, is_shared=True)

    def pae(self, name: str, read: Callable[[Beside, str], Pae], *, is_optional: bool = False) -> Pae | None:
        """Predicted aligned errors, by a function of the files and the path of one.

        Where the file `is_optional`, it is no problem that it is not there.
        """
        for packed in _PACKED:
            path = self._path(name + packed)
            try:
                return read(self._beside, path)
            except FileNotFoundError:
                continue
            except _FAULTS as fault:
                self.problems.append(_said(path, fault))
                return None
        if not is_optional:
            self.problems.append(f"{self._path(name)}: is not there; the model has no predicted aligned errors")
        return None

    def scores(self, values: Mapping[str, float], **rest: Any) -> Scores:
        """These values, whatever else there is, and all problems."""
        return Scores(values=values, problems=tuple(self.problems), **rest)

    def _file(
        self, name: str, parse: Callable[[bytes], Mapping[Any, Any]], is_shared: bool = False, without: str = ""
    ) -> "ScoreFile":
        for packed in _PACKED:
            path = self._path(name + packed)
            try:
                if is_shared:
                    return ScoreFile(path, self._beside.parsed(path, parse), self.problems)
                return ScoreFile(path, parse(self._content(path, without)), self.problems)
            except FileNotFoundError:
                continue
            except _FAULTS as fault:
                self.problems.append(_said(path, fault))
                return ScoreFile(path, None, self.problems)
        return ScoreFile(self._path(name), None, self.problems, is_missing=True)

    def _content(self, path: str, without: str) -> bytes:
        if not without:
            return self._beside.read(path)
        with self._beside.open(path) as file:
            return without_matrix(file, path, without)

    def _path(self, name: str) -> str:
        folder = self._folder
        if name.startswith("../"):
            folder, name = folder.rpartition("/")[0], name[3:]
        return f"{folder}/{name}" if folder else name


class ScoreFile:
    """What a score file holds.

    Parameters
    ----------
    path : str
    content : mapping or None
        None where it could not be read.
    problems : list of str
        Where what is wrong with it is written to.
    is_missing : bool
        Whether it is not there, which is no problem yet.
    """

    def __init__(self, path: str, content: Mapping[Any, Any] | None, problems: list[str], *, is_missing: bool = False):
        self.path, self.is_missing = path, is_missing
        self.content: Mapping[Any, Any] = {} if content is None else content
        self._problems, self._is_read = problems, content is not None

    def required(self, what: str = "scores") -> "ScoreFile":
        """Itself; where it is missing, this is a problem."""
        if self.is_missing:
            self._problems.append(f"{self.path}: is not there; the model has no {what}")
        return self

    def inner(self, key: str) -> "ScoreFile":
        """An object within it, by its key."""
        found = self.content.get(key)
        if found is not None and not isinstance(found, dict):
            self._problems.append(
                f"{self.path}: {key}: found {_shortly(found)}, expected an object of names and scores"
            )
            found = None
        return ScoreFile(f"{self.path}: {key}", found, self._problems)

    def only(self, key: str) -> "ScoreFile":
        """Itself with what it has of one model."""
        if self._is_read and key not in self.content:
            self._problems.append(f"{self.path}: has no {key}; found {listed(map(str, self.content))}")
        found = {key: self.content[key]} if key in self.content else None
        return ScoreFile(self.path, found, self._problems)

    def numbers(
        self, names: Mapping[str, str], expected: Iterable[str] = (), without: Collection[str] = ()
    ) -> dict[str, float]:
        """All numbers in it that are finite; true and false are 1 and 0.

        Null and NaN are how programs write that there is no such score: these are left out.

        Parameters
        ----------
        names : mapping of str to str
            From keys to what they are called in `Scores.values`; others are ``score_<key>``.
        expected : iterable of str
            Keys that are to be there.
        without : collection of str
            Keys of what is no score.
        """
        found: dict[str, float] = {}
        for key, value in self.content.items():
            if isinstance(value, np.ndarray) and value.size == 1:
                value = value.item()
            elif isinstance(value, list) and len(value) == 1 and key in names:  # of a batch of one
                value = value[0]
            if key in without:
                continue
            if isinstance(value, int | float):
                number = _finite(value)
                if number is not None and len(found) < _MOST_NUMBERS:
                    found[names.get(key) or score_name(key)] = number
                elif number is None and key in names and value == value:  # not NaN
                    self._problems.append(f"{self.path}: {key}: found {_shortly(value)}, expected a finite number")
            elif key in names and value is not None:
                self._problems.append(f"{self.path}: {key}: found {_shortly(value)}, expected a number")
        if self._is_read:
            for key in expected:
                if key not in self.content:
                    self._problems.append(f"{self.path}: has no {key}; found {listed(map(str, self.content))}")
        return found

    def pairs(self, key: str) -> tuple[np.ndarray | None, tuple[str, ...]]:
        """A matrix of numbers of pairs of chains, NaN where there is none; and the chains, where it names them."""
        value = self.content.get(key)
        if value is None:
            return None, ()
        try:
            return _square(value)
        except (ValueError, TypeError) as error:
            self._problems.append(f"{self.path}: {key}: found {error}, expected a number for each pair of chains")
            return None, ()


def _finite(value: float) -> float | None:
    try:
        number = float(value)
    except OverflowError:  # an int of more than 308 digits
        return None
    return number if math.isfinite(number) else None


def _square(value: Any) -> tuple[np.ndarray, tuple[str, ...]]:
    chains: tuple[str, ...] = ()
    if isinstance(value, dict):
        chains = tuple(value)
        if all(chain.isdecimal() for chain in chains):  # numbers of chains, in the order of the file
            chains = tuple(sorted(chains, key=int))
        value = [[value[one].get(other) for other in chains] if isinstance(value[one], dict) else value[one]
                 for one in chains]  # fmt: skip
    n_rows = len(value)
    if n_rows > _MOST_CHAINS:
        raise ValueError(f"{n_rows} rows")
    try:
        matrix = np.array(value, dtype=np.float64)
    except (ValueError, TypeError) as error:
        raise ValueError(f"rows that are no numbers, or of several lengths ({error})") from error
    if matrix.ndim == 3 and len(matrix) == 1:  # of a batch of one
        matrix = matrix[0]
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or not matrix.size:
        raise ValueError(f"an array of shape {matrix.shape}")
    return matrix, () if all(chain.isdecimal() for chain in chains) else chains


def _parse_object(content: bytes) -> dict[str, Any]:
    if not content.strip():
        raise ValueError("is empty")
    try:
        found = json.loads(content)
    except RecursionError:
        raise ValueError("is no JSON of a program (it nests too deeply)") from None
    except ValueError as error:
        raise ValueError(f"is no JSON, or cut short ({error})") from error
    if not isinstance(found, dict):
        raise ValueError(f"holds {_shortly(found)}, expected an object of names and scores")
    return found


def _parse_npz(content: bytes) -> dict[str, np.ndarray]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = archive.infolist()
        n_bytes = sum(member.file_size for member in members)
        if n_bytes > MAX_PAE_BYTES:
            raise ValueError(f"holds {n_bytes} bytes, expected at most {MAX_PAE_BYTES}")
        return {member.filename.removesuffix(".npy"): _array(archive.read(member)) for member in members}


def _array(content: bytes) -> np.ndarray:
    """The array of a .npy file."""
    size = {1: 2, 2: 4}.get(content[6]) if content[:6] == _NPY_MAGIC and len(content) > 12 else None
    if size is None:
        raise ValueError("holds what is no array of NumPy's format 1 or 2")
    end = 8 + size + int.from_bytes(content[8 : 8 + size], "little")
    shape, is_fortran, dtype = _described(content[:end])
    if dtype.hasobject:
        raise ValueError("holds Python's objects, which are not opened")
    expected = math.prod(shape) * dtype.itemsize
    if len(content) - end != expected:
        raise ValueError(f"holds an array of {len(content) - end} bytes, expected {expected} for shape {shape}")
    return np.frombuffer(content, dtype, offset=end).reshape(shape, order="F" if is_fortran else "C")


@functools.lru_cache(maxsize=64)
def _described(header: bytes) -> tuple[tuple[int, ...], bool, np.dtype]:
    """Shape, order and type by an array's header; parsing one takes 40 µs, and those of all models are the same."""
    read = np.lib.format.read_array_header_1_0 if header[6] == 1 else np.lib.format.read_array_header_2_0
    return read(io.BytesIO(header[8:]))


def _said(path: str, fault: Exception) -> str:
    if isinstance(fault, ModelError):
        return str(fault)  # it names the file
    if isinstance(fault, OSError) and fault.strerror:
        return f"{path}: {fault.strerror}"
    message = " ".join(str(fault).split())[:300] or type(fault).__name__
    if isinstance(fault, zipfile.BadZipFile):
        message = f"is no npz archive, or cut short ({message})"
    return f"{path}: {message}"


def _shortly(value: Any) -> str:
    if isinstance(value, list | dict):
        return f"{'a list' if isinstance(value, list) else 'an object'} of {len(value)}"
    if isinstance(value, np.ndarray):
        return f"an array of shape {value.shape}"
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:60]}…"
