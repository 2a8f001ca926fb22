"""Paths of models in their parts, as layouts read them, and which files are the same model in several forms."""

from array import array
from collections.abc import Callable, Hashable, Iterable

import numpy as np

from ..formats import ending_of

_MMCIF, _PDB = (".cif", ".mmcif"), (".pdb", ".ent", ".pdb1")
_STRUCTURES = _MMCIF + _PDB


def parted(path: str) -> tuple[list[str], str]:
    """The folders of a path, and its file's name without what says its format; this is empty for what is no structure.

    >>> parted("job/seed-1_sample-0/model.cif.zst"), parted("job/data.json")
    ((['job', 'seed-1_sample-0'], 'model'), (['job'], ''))
    """
    folders = path.split("/")
    name = folders.pop()
    ending = ending_of(name)
    # What begins with a point is hidden: notes of file systems that have the names of files.
    is_model = ending.lower().startswith(_STRUCTURES) and not name.startswith(".")
    return folders, name[: -len(ending)] if is_model else ""


class Seen:
    """Things that have been seen, by their hashes: a million take 8 MB."""

    def __init__(self) -> None:
        self._hashes = array("q")
        self._ordered = np.empty(0, dtype=np.int64)

    def add(self, thing: Hashable) -> None:
        self._hashes.append(hash(thing))

    def __contains__(self, thing: Hashable) -> bool:
        if len(self._ordered) != len(self._hashes):
            self._ordered = np.sort(np.array(self._hashes, dtype=np.int64))
        wanted = hash(thing)
        place = int(np.searchsorted(self._ordered, wanted))
        return place < len(self._ordered) and int(self._ordered[place]) == wanted


class Forms:
    """Files of models, of which those that differ in their formats' endings alone are one model.

    The program's own format counts before another one, to which a user has converted it, and an unpacked file before
    the same one packed.

    Parameters
    ----------
    is_pdb : bool
        Whether the program's own is PDB; else it is mmCIF.
    """

    def __init__(self, *, is_pdb: bool = False):
        self._own = _PDB if is_pdb else _MMCIF
        self._seen = Seen()

    def add(self, path: str) -> None:
        self._seen.add(self._form(path))

    def is_first(self, path: str) -> bool:
        """Whether no other file of this model counts before this one."""
        base, level = self._form(path)
        return not any((base, before) in self._seen for before in range(level))

    def _form(self, path: str) -> tuple[str, int]:
        ending = ending_of(path)
        lower = ending.lower()
        return path[: len(path) - len(ending)], 2 * (not lower.startswith(self._own)) + (lower.count(".") > 1)


def once_in_mmcif(paths: Iterable[str]) -> Callable[[str], bool]:
    """`Layout.kept` of a program that writes mmCIF: of a model in several formats, or packed and not, one counts."""
    return _once(paths, Forms())


def once_in_pdb(paths: Iterable[str]) -> Callable[[str], bool]:
    """The same of a program that writes PDB."""
    return _once(paths, Forms(is_pdb=True))


def _once(paths: Iterable[str], forms: Forms) -> Callable[[str], bool]:
    for path in paths:
        forms.add(path)
    return forms.is_first
