"""Members of a tar archive: where each lies, and the content of one, by its place."""

import io
import tarfile
from pathlib import PurePosixPath
from typing import BinaryIO, NamedTuple

from .compression import DAMAGE
from .unpacking import MAX_MODEL_BYTES, open_unpacked, read_range

#: Bytes of a large member that are read at a time.
_PIECE = 2**20


class Extent(NamedTuple):
    """Where a member lies in an archive's unpacked content: its first byte, and the one behind its last."""

    start: int
    stop: int


def tar_extents(path: str) -> dict[str, Extent]:
    """Extents of the members that are files, by their paths; behind a damage no more are found.

    Raises
    ------
    OSError
    """
    found: dict[str, Extent] = {}
    with open_unpacked(path) as file:
        mode = "r:" if isinstance(file, io.BufferedReader) else "r|"  # members of a plain file are passed by
        try:
            with tarfile.open(  # type: ignore[call-overload]
                fileobj=file, mode=mode, errors="surrogateescape"
            ) as archive:
                for member in archive:
                    archive.members = []  # the archive would keep them all
                    if member.isreg() and not member.issparse():
                        extent = Extent(member.offset_data, member.offset_data + member.size)
                        found[str(PurePosixPath(member.name))] = extent
        except (tarfile.TarError, EOFError, *DAMAGE):
            pass  # the listing of models says so
    return found


def read_tar_member(path: str, extent: Extent, most: int = MAX_MODEL_BYTES) -> bytes:
    """Content of a member, of at most so many bytes.

    Raises
    ------
    ModelError
        ``too_large``.
    ValueError
        The archive has changed.
    """
    return read_range(path, *extent, most)


def open_tar_member(path: str, extent: Extent) -> BinaryIO:
    """Content of a member, to be read in order, or from any byte of it."""
    if extent.stop - extent.start <= MAX_MODEL_BYTES:
        return io.BytesIO(read_tar_member(path, extent))
    return io.BufferedReader(_Range(path, extent), _PIECE)


class _Range(io.RawIOBase):
    """Some bytes of an archive's unpacked content."""

    def __init__(self, path: str, extent: Extent):
        super().__init__()
        self._path, self._extent, self._place = path, extent, extent.start

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        origin = {io.SEEK_SET: self._extent.start, io.SEEK_CUR: self._place, io.SEEK_END: self._extent.stop}[whence]
        self._place = max(self._extent.start, origin + offset)
        return self._place - self._extent.start

    def readinto(self, room: memoryview) -> int:  # type: ignore[override]
        stop = min(self._place + len(room), self._extent.stop)
        content = read_range(self._path, self._place, stop) if stop > self._place else b""
        room[: len(content)] = content
        self._place += len(content)
        return len(content)
