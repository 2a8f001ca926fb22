"""Models in one text: a single structure, an ensemble in PDB or mmCIF, a Quiver file.

Models of a text are found by their byte offsets, without parsing atoms, so that ranks can share a large ensemble.
"""

import hashlib
import re
from dataclasses import dataclass
from pathlib import PurePosixPath

import numpy as np

from ..errors import ModelError
from .compression import Readable
from .formats import HEAD_BYTES, expected, text_format_of, without_mark
from .mmcif import model_numbers
from .model_names import FileNames, model_name, stem
from .recognition import foreign_format, foreign_text
from .unpacking import MAX_MODEL_BYTES, check_size

_BLOCK = 4 * 2**20
#: Lines by which models are told apart, and what names them.
_MARK = re.compile(
    rb"^(?:MODEL\b[^\r\n]*|ENDMDL|END(?=[ \t\r]*$)|QV_TAG[ \t][^\r\n]*|"
    rb"REMARK[^\r\n]*\bMODEL[ \t]+\d+[ \t]+FROM[ \t]+\S+)",
    re.MULTILINE,
)
#: By a line's first byte whether it may be one of these.
_BEGINS = np.isin(np.arange(256), np.frombuffer(b"MEQR", dtype=np.uint8))
_ATOM = re.compile(rb"^(?:ATOM|HETATM)", re.MULTILINE)
_CHAIN = re.compile(rb"^(?:ATOM..|HETATM).{14}(..)", re.MULTILINE)


class HashedStream:
    """A stream that is hashed as it is read, and whose first bytes can be seen beforehand; see `without_mark`.

    Parameters
    ----------
    file : Readable
    keep : int
        What has been read is kept as long as it has no more bytes than these.
    """

    def __init__(self, file: Readable, keep: int = 0):
        self._file, self._hash, self._head, self._is_new = file, hashlib.sha256(), b"", True
        self._kept: list[bytes] = []
        self._room = keep

    def peek(self) -> bytes:
        """The first `HEAD_BYTES`, or fewer; before anything else is read."""
        self._head = self._head or self._file.read(HEAD_BYTES)
        return without_mark(self._head)

    def read(self, size: int) -> bytes:
        """Fewer bytes than asked for only at the end."""
        data, self._head = self._head[:size], self._head[size:]
        if len(data) < size:
            data += self._file.read(size - len(data))
        self._hash.update(data)
        if self._is_new:
            data, self._is_new = without_mark(data), False
        self._room -= len(data)
        if self._room >= 0:
            self._kept.append(data)
        else:
            self._kept.clear()
        return data

    @property
    def kept(self) -> bytes | None:
        """What has been read, where it was to be kept and is not too much."""
        return b"".join(self._kept) if self._room >= 0 else None

    def digest(self, to_the_end: bool = True) -> str:
        """SHA-256 of the whole stream, or of what has been read."""
        while to_the_end and self.read(_BLOCK):
            pass
        return self._hash.hexdigest()


@dataclass(frozen=True)
class Span:
    """A model in a text: its name or its number there, where it has one, and its bytes; 0, 0 for all of the text."""

    name: str | None = None
    serial: int | None = None
    start: int = 0
    stop: int = 0

    def named(self, names: FileNames) -> str:
        """The model's name in the run."""
        if self.name is not None:
            return names.inner(self.name)
        return names.base if self.serial is None else names.serial(self.serial)


def find_models(source: HashedStream, path: str) -> list[Span]:
    """Models of a PDB, mmCIF or Quiver text.

    Parameters
    ----------
    source : HashedStream
        At its beginning; read to its end.
    path : str
        For messages, and for its ending.

    Raises
    ------
    ModelError
        ``unreadable`` for what is no structure, ``no_models`` or ``too_large``.
    """
    head = source.peek()
    foreign = foreign_format(head)
    if foreign is not None:
        raise _foreign(path, foreign)
    spans: list[Span] = text_format_of(path, head).list_with(source, path, head)
    return spans


def models_of_mmcif(source: HashedStream, path: str, head: bytes) -> list[Span]:
    """Models by their numbers."""
    content = source.read(MAX_MODEL_BYTES + 1)
    check_size(len(content), path)
    try:
        return _numbered_in_mmcif(content)
    except ModelError as failure:
        raise ModelError(failure.reason, f"{path}: {failure}", failure.stage) from failure
    except (ValueError, RuntimeError):  # gemmi says where, which helps only where it is mmCIF indeed
        foreign = foreign_text(head)
        if foreign in (None, "mmCIF"):
            raise
        raise _foreign(path, foreign) from None


def models_of_quiver(source: HashedStream, path: str, head: bytes) -> list[Span]:
    """Models by their tags."""
    text = _scan_atoms(source, path, head)
    return _tagged(text) or [_whole(text, path)]


def models_of_pdb(source: HashedStream, path: str, head: bytes) -> list[Span]:
    """Models by the lines that tell them apart."""
    text = _scan_atoms(source, path, head)
    spans = _numbered(text) or _ended(text)
    return spans if len(spans) > 1 else [_whole(text, path)]


def _scan_atoms(source: HashedStream, path: str, head: bytes) -> "_Text":
    """What is known of a text in lines of atoms; refuses one without any."""
    text = _scan(source, path)
    if text.has_atoms:
        return text
    foreign = foreign_text(head)
    if foreign is not None:
        raise _foreign(path, foreign)
    what = "the file is empty" if not text.size else f"no ATOM or HETATM line in {text.size} bytes"
    raise ModelError("no_models", f"{path}: {what}", "read")


def _whole(text: "_Text", path: str) -> Span:
    check_size(text.size, path)
    return Span()


def _foreign(path: str, what: str) -> ModelError:
    return ModelError("unreadable", f"{path}: is {what}; expected {expected()}", "read")


#: A line that tells models apart: its first word, first byte, the byte behind the last, and what it says.
_Mark = tuple[str, int, int, bytes]


@dataclass(frozen=True)
class _Text:
    """What is known of a text once it has been read.

    Attributes
    ----------
    marks : list of _Mark
    has_atoms : bool
    size : int
        Bytes.
    content : bytes
        The text itself, empty where it is larger than one model may be.
    """

    marks: list[_Mark]
    has_atoms: bool
    size: int
    content: bytes


def _scan(source: HashedStream, path: str) -> _Text:
    marks: list[_Mark] = []
    kept: list[bytes] = []
    rest = b""
    offset, has_atoms = 0, False
    while more := source.read(_BLOCK):
        block = rest + more
        cut = block.rfind(b"\n") + 1 or len(block)
        whole, rest = block[:cut], block[cut:]
        marks += _marks(whole, offset)
        has_atoms = has_atoms or _ATOM.search(whole) is not None
        offset += cut
        kept = [*kept, whole] if offset <= MAX_MODEL_BYTES else []
        check_size(offset - (marks[-1][1] if marks else 0) - _BLOCK, path)
    marks += _marks(rest, offset)
    has_atoms = has_atoms or _ATOM.search(rest) is not None
    return _Text(marks, has_atoms, offset + len(rest), b"".join([*kept, rest]) if kept or not offset else b"")


def _marks(block: bytes, offset: int) -> list[_Mark]:
    found = []
    for place in _places(block):
        match = _MARK.match(block, place)
        if match is not None:
            words = match[0].split(None, 1)
            said = words[1] if words[1:] else b""
            found.append((words[0].decode(), offset + match.start(), offset + match.end(), said))
    return found


def _places(block: bytes) -> list[int]:
    """Where lines begin that may be marks, by their first letter; looking for the pattern everywhere is slower."""
    data = np.frombuffer(block, dtype=np.uint8)
    starts = np.flatnonzero(data[:-1] == ord("\n")) + 1
    starts = starts[_BEGINS[data[starts]]]
    return [0, *starts.tolist()]


def _tagged(text: _Text) -> list[Span]:
    """Models of a Quiver file: all between a tag and the next."""
    tags = [(start, stop, said) for word, start, stop, said in text.marks if word == "QV_TAG"]
    ends = [start for start, _, _ in tags[1:]] + [text.size]
    return [
        Span(said.decode(errors="surrogateescape").strip(), None, stop, end)
        for (_, stop, said), end in zip(tags, ends, strict=True)
    ]


def _numbered(text: _Text) -> list[Span]:
    """Models of an ensemble."""
    origins = _origins(text.marks)
    starts: list[tuple[int, int, int]] = []
    ends: dict[int, int] = {}
    for word, first, behind, said in text.marks:
        if word == "MODEL":
            digits = said.split()[:1]
            serial = int(digits[0]) if digits and digits[0].lstrip(b"-").isdigit() else len(starts) + 1
            starts.append((serial, first, behind))
        elif word == "ENDMDL" and starts:
            ends.setdefault(len(starts) - 1, first)
    serials = [serial for serial, _, _ in starts]
    if len(set(serials)) < len(serials):  # the same number again: what counts is the order
        serials = list(range(1, len(starts) + 1))
    following = [first for _, first, _ in starts[1:]] + [text.size]
    return [
        Span(origins.get(serial), serial, behind, ends.get(k, following[k]))
        for k, (serial, (_, _, behind)) in enumerate(zip(serials, starts, strict=True))
    ]


def _origins(marks: list[_Mark]) -> dict[int, str]:
    """Names of models by number, from lines ``REMARK … MODEL <n> FROM <path>/<name>.pdb``."""
    found = {}
    for word, _, _, said in marks:
        if word == "REMARK":
            number, origin = said.rsplit(b"MODEL", 1)[1].split(b"FROM", 1)
            found[int(number)] = stem(PurePosixPath(origin.strip().decode(errors="surrogateescape")).name)
    return found


def _ended(text: _Text) -> list[Span]:
    """Models that follow each other after END lines. (With a chain each, they are the parts of one model.)"""
    cuts = [behind for word, _, behind, _ in text.marks if word == "END"]
    if not text.content or not any(_ATOM.search(text.content, cut) for cut in cuts[:1]):
        return []
    bounds = zip([0, *cuts], [*cuts, text.size], strict=True)
    parts = [(first, behind) for first, behind in bounds if _ATOM.search(text.content, first, behind)]
    chains = [set(_CHAIN.findall(text.content, first, behind)) for first, behind in parts]
    if sum(len(names) for names in chains) == len(set().union(*chains)):
        return []
    return [Span(None, k, first, behind) for k, (first, behind) in enumerate(parts, start=1)]


def _numbered_in_mmcif(content: bytes) -> list[Span]:
    numbers = model_numbers(content)
    return [Span(None, number) for number in numbers] if len(numbers) > 1 else [Span()]


def stated_names(head: bytes) -> list[str]:
    """Names that the first lines of an ensemble give to its models."""
    return [model_name(name) for name in _origins(_marks(head, 0)).values()]
