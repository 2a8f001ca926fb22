"""JSON texts of which one piece at a time is held: a thousand residues have matrices of megabytes in them."""

import io
import json
import re
from collections.abc import Iterable
from typing import Any, BinaryIO, cast

from ...errors import ModelError
from ...kernels import compiled
from ..compression import Readable, is_seekable
from .beside import MAX_PAE_BYTES

#: Bytes that are read at a time; what is done with them finds them in a processor's cache.
_PIECE = 2**17
#: Bytes of a list without an end that are held: a row of 16,000 tokens has less than a tenth.
_MOST_LEFT = 2**23
#: Bytes that a key has with its quotes, and what stands between it and its colon.
_LONGEST_KEY = 256
_MATRIX = re.compile(rb"\s*\[\s*\[")
#: Bytes that show whether a matrix begins.
_BEGINNING = 256


class PassingText:
    """A JSON text as it passes by.

    Parameters
    ----------
    file : Readable
    path : str
        For messages.
    start : int
        The byte where it is to begin.

    Attributes
    ----------
    text : memoryview
        The piece that is held, with what is left of the one before.
    place : int
        The byte in it that comes next; what is before may be forgotten.
    is_whole : bool
        Whether the text ends with this piece.
    """

    def __init__(self, file: Readable, path: str, start: int = 0):
        self._file, self._path, self._begin = file, path, start
        self._room = bytearray(2 * _PIECE)
        self.text, self.place, self.is_whole = memoryview(b""), 0, False
        if is_seekable(file):
            cast(BinaryIO, file).seek(start)
        else:
            for n_left in range(start, 0, -_PIECE):
                file.read(min(n_left, _PIECE))

    @property
    def offset(self) -> int:
        """The byte of the whole text that comes next."""
        return self._begin + self.place

    def more(self) -> None:
        """Reads on, and forgets what has been read.

        Raises
        ------
        ModelError
            ``too_large``: it is over `MAX_PAE_BYTES`.
        ValueError
            A list has no end.
        """
        if self.offset > MAX_PAE_BYTES:
            raise ModelError("too_large", f"{self._path}: is over {MAX_PAE_BYTES // 2**20} MB", "read")
        left = bytes(self.text[self.place :])
        if len(left) > _MOST_LEFT:
            raise ValueError(f"has a list without an end within {_MOST_LEFT // 2**20} MB")
        if len(left) + _PIECE > len(self._room):  # a row that is longer than a piece
            self._room = bytearray(2 * len(left) + _PIECE)
        stop, self.is_whole = self._filled(left)
        self._begin += self.place
        self.text, self.place = memoryview(self._room)[:stop], 0

    def _filled(self, left: bytes) -> tuple[int, bool]:
        """Where what is left and the next piece behind it end in the room, and whether that is the last one."""
        begin = len(left)
        self._room[:begin] = left
        room = memoryview(self._room)[begin : begin + _PIECE]
        if isinstance(self._file, io.BufferedIOBase):
            n_read = self._file.readinto(room)
        else:
            content = self._file.read(_PIECE)
            n_read = len(content)
            room[:n_read] = content
        return begin + n_read, n_read < _PIECE

    def index(self, part: bytes) -> int:
        """Where in the piece that is held some bytes stand that come next; -1 where they do not."""
        return self._room.find(part, self.place, len(self.text))

    def find(self, *keys: bytes) -> bytes:
        """The first of some keys from here on: the text goes on behind its colon. Empty, at its end, without any."""
        while True:
            behind = self._behind(keys) if self.index(b'"') >= 0 else {}
            if behind:
                key = min(behind, key=behind.__getitem__)
                self.place = behind[key]
                return key
            if self.is_whole:
                self.place = len(self.text)
                return b""
            self.place = max(self.place, len(self.text) - _LONGEST_KEY)
            self.more()

    def _behind(self, keys: Iterable[bytes]) -> dict[bytes, int]:
        return {key: place for key in keys if (place := compiled.json_key(self.text, key, self.place)) >= 0}

    def begins_matrix(self) -> bool:
        """Whether a list of lists comes next."""
        while len(self.text) - self.place < _BEGINNING and not self.is_whole:
            self.more()
        return _MATRIX.match(self.text, self.place) is not None

    def to_bracket(self) -> bytes:
        """What comes next, to the first bracket that ends a list, with it; all where there is none. Is not passed."""
        while (end := self.index(b"]")) < 0 and not self.is_whole:
            self.more()
        return bytes(self.text[self.place : end + 1 if end >= 0 else None])

    def lists_by(self, *keys: bytes) -> dict[bytes, list[Any]]:
        """Lists of no lists, by those of some keys that are there from here on.

        Raises
        ------
        ValueError
            What stands there is no such list.
        """
        found: dict[bytes, list[Any]] = {}
        while len(found) < len(keys) and (key := self.find(*(key for key in keys if key not in found))):
            try:
                value = json.loads(self.to_bracket())
            except ValueError as error:
                raise ValueError(f"{key.decode()}: {error}") from error
            if not isinstance(value, list):
                raise ValueError(f"{key.decode()} is a {type(value).__name__}, expected a list")
            found[key] = value
        return found

    def pass_matrix(self) -> None:
        """Passes a matrix that comes next, or all that is left where it has no end."""
        while (end := compiled.json_matrix_end(self.text, self.place)) < 0 and not self.is_whole:
            last = self._room.rfind(b"]", self.place, len(self.text))  # what follows it may not be there yet
            self.place = last if last >= 0 else len(self.text)
            self.more()
        self.place = end if end >= 0 else len(self.text)


def without_matrix(file: Readable, path: str, key: str) -> bytes:
    """A JSON text with null for a matrix: parsing that of a thousand residues takes 0.1 s, and finding its end 1 ms.

    Parameters
    ----------
    file : Readable
    path : str
        For messages.
    key : str
        The matrix'.
    """
    text, rest = PassingText(file, path), []

    def keep(stop: int) -> None:
        rest.append(bytes(text.text[text.place : stop]))
        text.place = stop

    while (behind := compiled.json_key(text.text, key.encode(), text.place)) < 0 and not text.is_whole:
        keep(max(text.place, len(text.text) - _LONGEST_KEY))
        text.more()
    if behind >= 0:
        keep(behind)
        if text.begins_matrix():
            text.pass_matrix()
            rest.append(b" null")
    while not text.is_whole:
        keep(len(text.text))
        text.more()
    keep(len(text.text))
    return b"".join(rest)
