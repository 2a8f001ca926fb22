"""Files that lie beside a model: in its folder and those around it, or in its archive."""

import abc
import contextlib
import functools
import io
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any, BinaryIO, Generic, Protocol, TypeVar

from ..compression import Readable
from ..tarred import Extent, open_tar_member, read_tar_member, tar_extents
from ..unpacking import MAX_MODEL_BYTES, open_unpacked, read_up_to, read_whole, unpacked, unpacked_stream
from ..zipped import open_zip_member, read_zip_member, zip_members

#: The largest file of aligned errors: 10,000 tokens in JSON. Larger ones cost a model its scores by them.
MAX_PAE_BYTES = 2**30
#: The largest file that tells of many models.
MAX_TABLE_BYTES = 2**28


class Beside(Protocol):
    """Files by their paths below the input folder (or the members of an archive), with / between their parts."""

    def read(self, path: str, most: int = MAX_MODEL_BYTES) -> bytes:
        """Content of a file, unpacked where it is compressed: `most` bytes of it.

        Raises
        ------
        OSError
            FileNotFoundError where there is none.
        ModelError
            It is damaged or too large.
        """
        ...

    def open(self, path: str) -> AbstractContextManager[Readable]:
        """The same of a file that is too large to be held, to be read in order.

        Raises
        ------
        OSError
            FileNotFoundError where there is none.
        """
        ...

    def names(self, folder: str) -> frozenset[str]:
        """Names of the files and folders in a folder (empty: the topmost); none where there is no such folder."""
        ...

    def parsed(self, path: str, parse: Callable[[bytes], Any]) -> Any:
        """What a function makes of a file's content; kept, since one file may speak of many models.

        Raises
        ------
        OSError, ModelError
            As `read`, and whatever `parse` raises.
        """
        ...


class FolderBeside:
    """Files below a folder.

    Parameters
    ----------
    root : str
    """

    def __init__(self, root: str):
        self._root = root

    def read(self, path: str, most: int = MAX_MODEL_BYTES) -> bytes:
        return read_whole(os.path.join(self._root, path), most)

    def open(self, path: str) -> AbstractContextManager[Readable]:
        return open_unpacked(os.path.join(self._root, path))

    def names(self, folder: str) -> frozenset[str]:
        whole = os.path.join(self._root, folder)
        try:
            return _names_in(whole, os.stat(whole).st_mtime_ns)
        except OSError:
            return frozenset()

    def parsed(self, path: str, parse: Callable[[bytes], Any]) -> Any:
        whole = os.path.join(self._root, path)
        return _parsed(whole, os.stat(whole).st_mtime_ns, parse)


Member = TypeVar("Member")


class _ArchiveBeside(abc.ABC, Generic[Member]):
    """Members of an archive, each at a place of its own.

    Parameters
    ----------
    archive : str
        Its path.
    """

    def __init__(self, archive: str):
        self._archive = archive

    def read(self, path: str, most: int = MAX_MODEL_BYTES) -> bytes:
        where = f"{self._archive}: {path}"
        return unpacked(self._content(self._member(path), where, most), where, most)

    @contextlib.contextmanager
    def open(self, path: str) -> Iterator[Readable]:
        with self._opened(self._member(path)) as file:
            yield unpacked_stream(file)

    def names(self, folder: str) -> frozenset[str]:
        return _names_within(*self._version()).get(folder, frozenset())

    def parsed(self, path: str, parse: Callable[[bytes], Any]) -> Any:
        return _parsed_member(*self._version(), path, parse)

    @abc.abstractmethod
    def all_members(self) -> dict[str, Member]:
        """The places of all members by their paths, read anew."""

    @abc.abstractmethod
    def _content(self, member: Member, where: str, most: int) -> bytes: ...

    @abc.abstractmethod
    def _opened(self, member: Member) -> BinaryIO: ...

    def _version(self) -> tuple[Callable[[str], "_ArchiveBeside[Any]"], str, int]:
        return type(self), self._archive, os.stat(self._archive).st_mtime_ns

    def _member(self, path: str) -> Member:
        member: Member | None = _members_of(*self._version()).get(path)
        if member is None:
            raise FileNotFoundError(2, "no such member", f"{self._archive}: {path}")
        return member


class ZipBeside(_ArchiveBeside[int]):
    """Members of a zip archive, by the byte of their header."""

    def all_members(self) -> dict[str, int]:
        return {member.filename: member.header_offset for member in zip_members(self._archive)}

    def _content(self, member: int, where: str, most: int) -> bytes:
        return read_zip_member(self._archive, member, where, most)

    def _opened(self, member: int) -> BinaryIO:
        return open_zip_member(self._archive, member)


class TarBeside(_ArchiveBeside[Extent]):
    """Members of a tar archive, compressed or not."""

    def all_members(self) -> dict[str, Extent]:
        return tar_extents(self._archive)

    def _content(self, member: Extent, where: str, most: int) -> bytes:
        return read_tar_member(self._archive, member, most)

    def _opened(self, member: Extent) -> BinaryIO:
        return open_tar_member(self._archive, member)


class LastUnpacked:
    """Files, of which the one that was unpacked last is kept: each is opened to see what it holds, and to read it."""

    def __init__(self, beside: Beside):
        self._beside, self.read, self.names, self.parsed = beside, beside.read, beside.names, beside.parsed
        self._path, self._content = "", b""

    @contextlib.contextmanager
    def open(self, path: str) -> Iterator[Readable]:
        if path == self._path:
            yield io.BytesIO(self._content)
            return
        with self._beside.open(path) as file:
            if isinstance(file, io.BufferedReader):  # of a plain file
                yield file
                return
            begin = file.getvalue() if isinstance(file, io.BytesIO) else read_up_to(file, MAX_MODEL_BYTES)
            if len(begin) < MAX_MODEL_BYTES or isinstance(file, io.BytesIO):
                self._path, self._content = path, begin
                yield io.BytesIO(begin)
            else:
                yield _Continued(begin, file)


class _Continued:
    """A content of which the beginning has been read."""

    def __init__(self, begin: bytes, file: Readable):
        self._begin, self._file = io.BytesIO(begin), file

    def read(self, size: int) -> bytes:
        found = self._begin.read(size)
        return found if len(found) == size else found + self._file.read(size - len(found))


# By `mtime_ns`, what was replaced is read anew.


@functools.lru_cache(maxsize=8)
def _names_in(folder: str, mtime_ns: int) -> frozenset[str]:
    return frozenset(os.listdir(folder))


@functools.lru_cache(maxsize=8)
def _parsed(path: str, mtime_ns: int, parse: Callable[[bytes], Any]) -> Any:
    return parse(read_whole(path, MAX_TABLE_BYTES))


@functools.lru_cache(maxsize=8)
def _parsed_member(
    kind: Callable[[str], _ArchiveBeside[Any]], archive: str, mtime_ns: int, path: str, parse: Callable[[bytes], Any]
) -> Any:
    return parse(kind(archive).read(path, MAX_TABLE_BYTES))


@functools.lru_cache(maxsize=1)
def _names_within(kind: Callable[[str], _ArchiveBeside[Any]], archive: str, mtime_ns: int) -> dict[str, frozenset[str]]:
    """By folder; folders that are no members of their own count, too."""
    found: dict[str, set[str]] = {}
    for path in _members_of(kind, archive, mtime_ns):
        folder, _, name = path.rpartition("/")
        while name not in found.setdefault(folder, set()):
            found[folder].add(name)
            if not folder:
                break
            folder, _, name = folder.rpartition("/")
    return {folder: frozenset(names) for folder, names in found.items()}


@functools.lru_cache(maxsize=1)
def _members_of(kind: Callable[[str], _ArchiveBeside[Any]], archive: str, mtime_ns: int) -> dict[str, Any]:
    return kind(archive).all_members()
