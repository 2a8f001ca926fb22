"""Zip archives that are a program's output: whose, what is predicted in them, and which hold nothing of their own."""

import logging
import os
import zipfile
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from ..errors import ModelError
from .formats import is_archive_name
from .layouts import candidates, kept, place_of, recognised
from .model_names import stem
from .zipped import zip_members

log = logging.getLogger(__name__)

_PIECE = 2**20


@dataclass(frozen=True)
class ProgramArchive:
    """What is known of an archive by its list of members.

    Attributes
    ----------
    path : str
    layouts : tuple of str
        The programs whose output it is.
    models : tuple of (str, int, int)
        Name, bytes when unpacked, and CRC-32 of each member that is a model.
    targets : frozenset of (str, str)
        What is predicted, and the folder in the archive in which its models lie.
    """

    path: str
    layouts: tuple[str, ...]
    models: tuple[tuple[str, int, int], ...]
    targets: frozenset[tuple[str, str]]


def program_archive(path: str, setting: str, *, is_asked_for: bool) -> ProgramArchive | None:
    """An archive whose members are the output of a program that may be, None for another one.

    Parameters
    ----------
    path : str
    setting : str
        `stage_a.layout`.
    is_asked_for : bool
        Whether it counts in any case. Of another one that cannot be read, or that holds archives, a warning tells,
        since all that may be in it is missed.
    """
    try:
        members = zip_members(path)
    except (ModelError, OSError) as error:
        said = str(error) if isinstance(error, ModelError) else f"{path}: {error.strerror or error}"
        if not is_asked_for:
            log.warning("%s; what is in it is left out", said)
        return None
    layouts = tuple(name for name in recognised(m.filename for m in members) if name in candidates(setting))
    placed = {}
    for member in members:
        place = place_of(member.filename, stem(path), layouts)
        if place is not None:
            placed[member.filename] = place
    if not placed:
        inner = next((member.filename for member in members if is_archive_name(member.filename)), None)
        if inner is not None and not is_asked_for:
            log.warning("%s: holds archives (%s), which are not looked into; unpack it", path, inner)
        return None
    counts = kept(placed, stem(path), layouts)
    models = [member for member in members if member.filename in placed and counts(member.filename)]
    places = (placed[member.filename] for member in models)
    return ProgramArchive(
        path, layouts, tuple(sorted(map(_described, models))), frozenset((p.target, p.folder) for p in places)
    )


def _described(member: zipfile.ZipInfo) -> tuple[str, int, int]:
    return member.filename, member.file_size, member.CRC


def copies(archives: Iterable[ProgramArchive], is_model: Callable[[str], bool]) -> set[str]:
    """Paths of archives all whose models are there once more.

    They lie unpacked beside it, or in a folder of its name there, and are the same to the byte; or another archive in
    its folder has the same, as one that was downloaded twice.

    Parameters
    ----------
    archives : iterable of ProgramArchive
    is_model : callable
        Whether a file, by its path, is a model of a program.
    """
    found: set[str] = set()
    first: dict[tuple, str] = {}
    # The shorter name is the older one: a second download is called "name (1).zip".
    for archive in sorted(archives, key=lambda archive: (len(archive.path), archive.path)):
        folder = os.path.dirname(archive.path)
        is_again = first.setdefault((folder, archive.models), archive.path) != archive.path
        if is_again or any(
            all(_is_same(f"{where}/{name}", size, crc, is_model) for name, size, crc in archive.models)
            for where in (folder, os.path.join(folder, stem(archive.path)))
        ):
            found.add(archive.path)
    return found


def _is_same(path: str, size: int, crc: int, is_model: Callable[[str], bool]) -> bool:
    if ".." in path.split("/") or not is_model(path):
        return False
    try:
        if os.stat(path).st_size != size:
            return False
        own = 0
        with open(path, "rb") as file:
            while piece := file.read(_PIECE):
                own = zlib.crc32(piece, own)
    except OSError:
        return False
    return own == crc
