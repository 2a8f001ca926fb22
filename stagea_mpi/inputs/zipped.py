"""Members of a zip archive: which it has, and the content of one, unpacked in memory."""

import functools
import io
import os
import stat
import struct
import zipfile
from pathlib import PurePosixPath
from typing import BinaryIO, cast

from ..errors import ModelError
from .compression import inflated
from .unpacking import MAX_MODEL_BYTES, check_member_size, open_regular, read_up_to

_IS_ENCRYPTED = 0x1
#: The header before a member: its signature, and the lengths of its name and of what follows that.
_LOCAL_HEADER = struct.Struct("<4s22xHH")
#: Bytes that packing may add to what cannot be packed, and more.
_MOST_ADDED = 2**20
#: What a damaged list of members makes `zipfile` raise: names that are no UTF-8, versions that there are not.
_DAMAGE = (zipfile.BadZipFile, NotImplementedError, ValueError, EOFError, struct.error, LookupError)


def zip_members(path: str) -> list[zipfile.ZipInfo]:
    """Members of an archive that are no folders, in their order in the file.

    Raises
    ------
    ModelError
        ``unreadable``.
    """
    with open_regular(path) as file:
        try:
            with zipfile.ZipFile(file) as archive:
                members = [member for member in archive.infolist() if not member.is_dir()]
        except _DAMAGE as error:
            raise ModelError(
                "unreadable", f"{path}: the zip archive is damaged or cut short ({error}); its list of members is at "
                "its end", "read",
            ) from error  # fmt: skip
    return sorted(members, key=lambda member: member.header_offset)


def check_member(member: zipfile.ZipInfo, where: str) -> None:
    """Refuses a member that is no file to read.

    Raises
    ------
    ModelError
        ``unsafe_member``, ``too_large`` or ``unreadable``.
    """
    name = member.filename.replace("\\", "/")
    if name.startswith("/") or ".." in PurePosixPath(name).parts:
        raise ModelError("unsafe_member", f"{where}: leads out of the archive", "read")
    mode = member.external_attr >> 16
    if stat.S_IFMT(mode) not in (0, stat.S_IFREG):
        raise ModelError("unsafe_member", f"{where}: is a link or a special file; archive the file itself", "read")
    if member.flag_bits & _IS_ENCRYPTED:
        raise ModelError("unreadable", f"{where}: is encrypted; make the archive without a password", "read")
    check_member_size(member.file_size, where)


def read_zip_member(path: str, header: int, where: str, most: int = MAX_MODEL_BYTES) -> bytes:
    """Content of the member whose header is at a byte of the archive; its checksum is checked.

    At most so many bytes of it.

    Raises
    ------
    ModelError
        ``too_large``.
    """
    return _open_archive(path, os.stat(path).st_mtime_ns).content(header, where, most)


def open_zip_member(path: str, header: int) -> BinaryIO:
    """Content of the member whose header is at a byte of the archive, to be read in order or from its beginning again.

    Its checksum is checked at its end.
    """
    return _open_archive(path, os.stat(path).st_mtime_ns).open(header)


def deflated_member(file: BinaryIO, member: zipfile.ZipInfo) -> bytearray | None:
    """Content of a member, unpacked at once: in half the time that `zipfile` takes; None where that is not to be done.

    Raises
    ------
    zlib.error, zipfile.BadZipFile
        It is damaged.
    """
    is_deflated = member.compress_type == zipfile.ZIP_DEFLATED and not member.flag_bits & _IS_ENCRYPTED
    if not is_deflated or member.compress_size > member.file_size + _MOST_ADDED:
        return None
    file.seek(member.header_offset)
    header = file.read(_LOCAL_HEADER.size)
    if len(header) < _LOCAL_HEADER.size or not header.startswith(b"PK\x03\x04"):
        raise zipfile.BadZipFile("a member's header is not where the archive says")
    _, n_name, n_extra = _LOCAL_HEADER.unpack(header)
    file.seek(n_name + n_extra, os.SEEK_CUR)
    return inflated(file.read(member.compress_size), member.file_size, member.CRC)


class _Archive:
    """An archive whose list of members has been read."""

    def __init__(self, path: str):
        self._file = open_regular(path)
        self._archive = zipfile.ZipFile(self._file)
        self._members = {member.header_offset: member for member in self._archive.infolist()}

    def content(self, header: int, where: str, most: int) -> bytes:
        member = self._member(header)
        check_member_size(member.file_size, where, most)
        if (content := deflated_member(self._file, member)) is not None:
            return bytes(content)
        with self._archive.open(member) as file:
            found = read_up_to(file, most + 1)
        check_member_size(len(found), where, most)
        return found

    def open(self, header: int) -> BinaryIO:
        member = self._member(header)
        if member.file_size <= MAX_MODEL_BYTES and (content := deflated_member(self._file, member)) is not None:
            return io.BytesIO(content)
        return cast(BinaryIO, self._archive.open(member))

    def _member(self, header: int) -> zipfile.ZipInfo:
        if header not in self._members:
            raise ValueError(f"has no member at byte {header}; it has changed since it was listed")
        return self._members[header]


@functools.lru_cache(maxsize=1)
def _open_archive(path: str, mtime_ns: int) -> _Archive:
    """A rank reads models of one file after the other. (By `mtime_ns`, a file that was replaced is begun anew.)"""
    return _Archive(path)
