"""Bytes of input files, whole or a range, unpacked where they are compressed, but never to disk nor beyond a model."""

import contextlib
import functools
import io
import os
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from typing import BinaryIO

from ..errors import ModelError
from .compression import DAMAGE, MAGIC_BYTES, Codec, Readable, StreamCodec, StreamRanges, codec_of, unpacked_stream

#: The largest text of one model: 400,000 atoms in PDB. Reading it must leave a rank below its memory.
MAX_MODEL_BYTES = 32 * 2**20

_CHUNK = 64 * 1024
_MAX_OUTPUT = 2**20
#: Places from which a gzipped file can be unpacked again, each of about 50 kB.
_MAX_CHECKPOINTS = 128


@contextlib.contextmanager
def readable(path: str) -> Iterator[None]:
    """Turns what a damaged file makes the readers raise into a failure of its models."""
    try:
        yield
    except (RuntimeError, ValueError, EOFError, OSError, ArithmeticError, LookupError) as error:
        raise _unreadable(path, error) from error
    except (*DAMAGE, tarfile.TarError, zipfile.BadZipFile, struct.error) as error:
        raise _unreadable(path, error) from error


def _unreadable(path: str, error: Exception) -> ModelError:
    message = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return ModelError("unreadable", f"{path}: {' '.join(message.split())[:300]}", "read")


def open_regular(path: str) -> BinaryIO:
    """Opens a file for reading; refuses what would block or never end (pipes, devices)."""
    mode = os.stat(path).st_mode
    if not stat.S_ISREG(mode):
        raise OSError("is not a regular file")
    return open(path, "rb")


@contextlib.contextmanager
def open_unpacked(path: str) -> Iterator[Readable]:
    """A file's unpacked content as a stream; checksums are checked where it is read to its end."""
    with open_regular(path) as file:
        yield unpacked_stream(file)


def read_whole(path: str, most: int = MAX_MODEL_BYTES) -> bytes:
    """A file's unpacked content, of at most so many bytes.

    Raises
    ------
    ModelError
        ``too_large``.
    """
    with open_unpacked(path) as file:
        content = read_up_to(file, most + 1)
    check_size(len(content), path, most)
    return content


def read_up_to(file: Readable, n_bytes: int) -> bytes:
    """So many bytes of a content, or all where it has fewer.

    Room is made for what there is, not for what may be: the system hands out 32 MB as new pages each time, less comes
    from what the process has freed before.
    """
    most = os.fstat(file.fileno()).st_size + 1 if isinstance(file, io.BufferedReader) else MAX_MODEL_BYTES + 1
    parts, asked = [b""], 0
    while n_bytes > 0 and len(parts[-1]) == asked:
        asked = min(n_bytes, most)
        parts.append(file.read(asked))
        n_bytes -= len(parts[-1])
    return parts[1] if len(parts) == 2 else b"".join(parts)


def read_range(path: str, start: int, stop: int, most: int = MAX_MODEL_BYTES) -> bytes:
    """Bytes `start` to `stop` of a file's unpacked content, at most so many."""
    check_size(stop - start, path, most)
    with open_regular(path) as file:
        codec = codec_of(file.read(MAGIC_BYTES))
        if codec is None:
            file.seek(start)
            content = file.read(stop - start)
        else:
            content = _ranges(path, os.fstat(file.fileno()).st_mtime_ns, codec).read(start, stop)
    if len(content) != stop - start:
        raise ValueError(
            f"ends after {start + len(content)} bytes of {stop} expected; it has changed since it was listed"
        )
    return content


def unpacked(content: bytes, path: str, most: int = MAX_MODEL_BYTES) -> bytes:
    """The content itself, or what it is when it is compressed (a member of an archive)."""
    if codec_of(content[:MAGIC_BYTES]) is None:
        return content
    result = read_up_to(unpacked_stream(io.BytesIO(content)), most + 1)
    check_member_size(len(result), path, most)
    return result


def check_size(n_bytes: int, path: str, most: int = MAX_MODEL_BYTES) -> None:
    """Refuses a model whose text would take a rank's memory, and with a limit of its own another file."""
    if n_bytes > most:
        what = "a model's text is" if most == MAX_MODEL_BYTES else "is"
        advice = "; keep the chains of one complex" if most == MAX_MODEL_BYTES else ""
        raise ModelError("too_large", f"{path}: {what} over {most // 2**20} MB{advice}", "read")


def check_member_size(n_bytes: int, path: str, most: int = MAX_MODEL_BYTES) -> None:
    """Refuses a compressed member of an archive, which is unpacked whole, where that would take a rank's memory."""
    if n_bytes > most:
        advice = "; take an ensemble of that size out of the archive" if most == MAX_MODEL_BYTES else ""
        raise ModelError("too_large", f"{path}: is over {most // 2**20} MB when unpacked{advice}", "read")


class GzipRanges:
    """Random access to a gzipped file: the decoder's state is kept at some places, and unpacking starts at the nearest.

    Parameters
    ----------
    path : str
    """

    def __init__(self, path: str):
        self._path = path
        self._spacing = _MAX_OUTPUT
        self._checkpoints: list[tuple[int, int, zlib._Decompress]] = [(0, 0, zlib.decompressobj(wbits=31))]

    def read(self, start: int, stop: int) -> bytes:
        """Unpacked bytes `start` to `stop`; fewer where the file ends before."""
        place, offset, decoder = next(c for c in reversed(self._checkpoints) if c[0] <= start)
        decoder, parts = decoder.copy(), []
        with open(self._path, "rb") as file:
            file.seek(offset)
            while place < stop:
                packed = decoder.unconsumed_tail or file.read(_CHUNK)
                if not packed:
                    break
                data = decoder.decompress(packed, _MAX_OUTPUT)
                if decoder.eof:  # several gzip streams may follow each other in one file
                    file.seek(-len(decoder.unused_data), os.SEEK_CUR)
                    decoder = zlib.decompressobj(wbits=31)
                if place + len(data) > start:
                    parts.append(data[max(start - place, 0) : stop - place])
                place += len(data)
                if not decoder.unconsumed_tail:
                    self._keep(place, file.tell(), decoder)
        return b"".join(parts)

    def _keep(self, place: int, offset: int, decoder: "zlib._Decompress") -> None:
        if place < self._checkpoints[-1][0] + self._spacing:
            return
        self._checkpoints.append((place, offset, decoder.copy()))
        if len(self._checkpoints) > _MAX_CHECKPOINTS:
            self._checkpoints = self._checkpoints[::2]
            self._spacing *= 2


@functools.lru_cache(maxsize=1)
def _ranges(path: str, mtime_ns: int, codec: Codec) -> GzipRanges | StreamRanges:
    """A rank reads models of one file after the other. (By `mtime_ns`, a file that was replaced is begun anew.)"""
    return StreamRanges(path, codec) if isinstance(codec, StreamCodec) else GzipRanges(path)
