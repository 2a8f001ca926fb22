"""Names of models: the key of a model everywhere downstream, so one name stands for one model in the whole run.

A file's only model takes the file's stem. What a container holds brings names of its own (a REMARK line of an
ensemble, a Quiver tag, an archive's member), which two files may share, and the shards of a run do not see each
other's files. So it is decided once, when the run is split into shards, which containers may use such names as they
are; all others put their file's name first. In the output folder of a known program (`layouts`) its layout says what a
file's model is called.
"""

import itertools
import os
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import ConfigError
from .formats import is_archive_name, without_format
from .layouts import NOWHERE, Place, candidates, place_of

#: Between a file's name and what is inside; longer where another file's name would continue this one in the same way.
_SEPARATOR = "__"
#: Names that are looked at together.
_AT_ONCE = 1000


@dataclass(frozen=True)
class FileNames:
    """What the models of one file are called.

    Attributes
    ----------
    base : str
        The name of the file's only model.
    inner_prefix : str
        Goes before a name that stands in the file.
    serial_prefix : str
        Goes before a model's number where the file gives it no name.
    place : Place
        Where the file stands in the output of a program; in other folders its `target` alone is known.
    below : int
        Characters of the file's path before its path below the input folder.
    layouts : tuple of str
        What an archive's members may be the output of.
    folder : str
        Of an archive, see `archive_folder`.
    shared_targets : frozenset of str
        Of an archive, the targets in it that are several ones of one name.
    """

    base: str
    inner_prefix: str
    serial_prefix: str
    place: Place = NOWHERE
    below: int = 0
    layouts: tuple[str, ...] = ()
    folder: str = ""
    shared_targets: frozenset[str] = frozenset()

    @classmethod
    def of_stem(cls, base: str) -> "FileNames":
        """Names of a file that is alone in its run."""
        return cls(base, "", f"{base}_model_")

    def inner(self, name: str) -> str:
        return self.inner_prefix + model_name(name)

    def serial(self, number: int) -> str:
        return f"{self.serial_prefix}{number}"

    def placed(self, place: Place) -> Place:
        """A member's place in its archive as one in the run."""
        return _told_apart(replace(place, folder=_joined(self.folder, place.folder)), self.shared_targets)


def _joined(*folders: str) -> str:
    return "/".join(filter(None, folders))


def _told_apart(place: Place, shared_targets: frozenset[str]) -> Place:
    target = place.target_by_folder if place.target in shared_targets else place.target
    target = target if target.isprintable() else model_name(target)
    return place if target == place.target else replace(place, target=target)


def stem(path: str | Path) -> str:
    """The file's name without a compression's suffix (.gz) and without the format's suffix.

    >>> stem("poses/pose.1.pdb.gz")
    'pose.1'
    """
    path = os.fspath(path)
    return without_format(path[path.rfind("/") + 1 :])


def archive_folder(path: str, root: str | Path) -> str:
    """Where an archive's members lie: its path below the input folder without its ending.

    >>> archive_folder("in/a/jobs.zip", "in")
    'a/jobs'
    """
    below = _below(path, os.fspath(root))
    return _joined(below.rpartition("/")[0], stem(below))


def model_name(text: str) -> str:
    """A name as HDF5, tables and file systems take it: no slash, no control character, no broken UTF-8, not empty.

    >>> model_name("a/b\\tc"), model_name(".."), model_name("")
    ('a_b_c', '__', '_')
    """
    if not text.isprintable() or "/" in text:
        text = "".join(_printable(character) for character in text)
    return text if text.strip(". ") else "_" * max(len(text), 1)


def _printable(character: str) -> str:
    if 0xDC80 <= ord(character) <= 0xDCFF:  # a byte that is not UTF-8, as Python holds it in file names
        return f"%{ord(character) - 0xDC00:02X}"
    return character if character.isprintable() and character != "/" else "_"


def base_name(path: str, root: str | Path, ambiguous: Iterable[str], layouts: tuple[str, ...] = ()) -> str:
    """What a file's models are named after.

    Parameters
    ----------
    path : str
    root : path
        The input folder.
    ambiguous : collection of str
        Names that several files share. Their files are named by the path below the input folder, with __ for /, and
        by the whole path with the format's suffix where this is in `ambiguous`, too (``a.pdb`` beside ``a.cif``).
    layouts : tuple of str
        What the input folder is the output of: a file that has a place there has that one's name, and any other one its
        stem.
    """
    own = stem(path)
    place = place_in(path, root, layouts) if layouts else None
    name = model_name(own if place is None else place.name)
    if name not in ambiguous:
        return name
    below = _below(path, os.fspath(root))
    ending = len(path) - path.rfind("/") - 1 - len(own)
    name = model_name(below[: len(below) - ending].replace("/", "__"))
    return name if f"{name}{_TWICE}" not in ambiguous else model_name(below.replace("/", "__"))


def place_in(path: str, root: str | Path, layouts: Iterable[str]) -> Place | None:
    """Where a file stands in the output of one of some programs, None where it has no place there."""
    root = os.fspath(root)
    return place_of(_below(path, root), os.path.basename(os.path.normpath(root)), layouts)


def _below(path: str, root: str) -> str:
    within = root if root.endswith("/") else f"{root}/"
    # What discovery has found begins with the folder as it is written; a million relative paths take ten seconds.
    return path[len(within) :] if path.startswith(within) else os.path.relpath(path, root)


#: Marks, in the list of ambiguous names, one that several files have even with their folder. No stem has it.
_TWICE = "/"


def name_files(files: Collection[str], root: str | Path, layouts: tuple[str, ...] = ()) -> tuple[list[str], np.ndarray]:
    """Names that several files of a run would share (see `base_name`), and the hashes of all base names, sorted.

    A million files cost little memory here: only the hashes of their names are kept.

    Raises
    ------
    ConfigError
        Two files would have one name whatever is put before it.
    """
    root = os.fspath(root)
    names: set[str] = set()

    def repeated() -> tuple[set[str], np.ndarray]:
        return _repeated(lambda: (base_name(path, root, names, layouts) for path in files))

    own, hashes = repeated()
    if not own:
        return [], hashes
    names |= own
    with_folder, hashes = repeated()
    if with_folder:
        names |= {f"{name}{_TWICE}" for name in with_folder}
        clashes, hashes = repeated()
        if clashes:
            name = min(clashes)
            one, other = [path for path in files if base_name(path, root, names, layouts) == name][:2]
            raise ConfigError(
                f"{one} and {other} would both be the model {name}; rename one, or keep one out by stage_a.glob"
            )
    return sorted(names), hashes


def _repeated(names: Callable[[], Iterable[str]]) -> tuple[set[str], np.ndarray]:
    """Names that come more than once, and the hashes of all, sorted."""
    ordered = _hashes(names())
    twice = set(np.unique(ordered[1:][ordered[1:] == ordered[:-1]]).tolist())
    if not twice:
        return set(), ordered
    counts = Counter(name for name in names() if hash(name) in twice)
    return {name for name, count in counts.items() if count > 1}, ordered


def _hashes(names: Iterable[str]) -> np.ndarray:
    """Hashes of names, sorted."""
    found = np.fromiter((hash(name) for name in names), dtype=np.int64)
    found.sort()
    return found


def container_names(
    bases: Callable[[], Iterable[str]],
    inner: dict[str, list[str]],
    hashes: np.ndarray | None = None,
    archives: Collection[str] = (),
) -> tuple[list[str], dict[str, str]]:
    """Which containers may use the names inside them as they are, and which need another separator.

    Parameters
    ----------
    bases : callable
        Gives the base names of all files of the run; called a few times. A million of them cost little memory here,
        where few are continued by others.
    inner : dict
        By a container's base name the names inside it; not of containers that have not been read.
    hashes : ndarray of int64, optional
        Of all base names, sorted (`name_files`), where they are known already.
    archives : collection of str
        Base names of archives: all models in these have names of their own, so that none continues the archive's.

    Returns
    -------
    bare : list of str
        Base names of containers whose inner names nothing else in the run can have.
    separators : dict
        By base name what goes between it and an inner name or a serial, where it is not the usual.
    """
    inner_names = Counter(name for names in inner.values() for name in set(names))
    continuing = _continuing(bases, _hashes(bases()) if hashes is None else hashes)
    questions = {prefix for name in (*continuing, *inner_names) for prefix in _prefixes(name)} | inner_names.keys()
    known = {base for base in bases() if base in questions} if questions else set()

    def is_free(name: str, base: str) -> bool:
        others = known - {base} if base in archives else known
        return inner_names[name] == 1 and name not in known and not any(prefix in others for prefix in _prefixes(name))

    bare = [base for base, names in inner.items() if names and all(is_free(name, base) for name in names)]
    return sorted(bare), _separators(continuing, known)


def _continuing(bases: Callable[[], Iterable[str]], known: np.ndarray) -> list[str]:
    """Base names that seem to continue another one with a separator or with _model_.

    Many names have such a place, and hardly any another name before it: by their hashes the others are ruled out.
    """
    result: list[str] = []
    several = iter(bases())
    while some := list(itertools.islice(several, _AT_ONCE)):
        asked = [(k, hash(prefix)) for k, name in enumerate(some) if "_" in name for prefix in _prefixes(name)]
        if asked:
            places, hashes = np.array(asked, dtype=np.int64).T
            at = np.minimum(np.searchsorted(known, hashes), len(known) - 1)
            result += [some[k] for k in np.unique(places[known[at] == hashes]).tolist()]
    return result


def _separators(continued: list[str], known: set[str]) -> dict[str, str]:
    """Longer separators for the names that another name continues with a separator or with _model_."""
    result: dict[str, str] = {}
    for base in continued:
        for prefix in _prefixes(base):
            if prefix in known:
                rest = base[len(prefix) :]
                length = max(len(rest) - len(rest.lstrip("_")), len(_SEPARATOR)) + 1
                result[prefix] = max(result.get(prefix, ""), "_" * length, key=len)
    return dict(sorted(result.items()))


def _prefixes(name: str) -> list[str]:
    """What stands before each separator of a name, and before _model_ and a number at its end."""
    found = [name[: match.start()] for match in _SEPARATORS.finditer(name)] if "__" in name else []
    if "_model_" in name and (match := _SERIAL.search(name)):
        found.append(name[: match.start()])
    return [prefix for prefix in found if prefix]


_SEPARATORS, _SERIAL = re.compile(r"(?=__)"), re.compile(r"_model_-?\d+$")


class RunNames:
    """Names of all models of a run, by what was decided when the run was split into shards.

    Parameters
    ----------
    params : dict
        `shards.params`: ``pdb_root``, ``layout``, ``layouts``, ``ambiguous_stems``, ``bare_containers``,
        ``separators``, ``shared_targets``.
    """

    def __init__(self, params: dict[str, Any]):
        self._root = params["pdb_root"]
        self._layouts, self._of_members = tuple(params["layouts"]), candidates(params["layout"])
        self._shared_targets = frozenset(params["shared_targets"])
        self._below = len(self._root if self._root.endswith("/") else f"{self._root}/")
        self._ambiguous = frozenset(params["ambiguous_stems"])
        self._bare = frozenset(params["bare_containers"])
        self._separators = params["separators"]

    def of(self, path: str) -> FileNames:
        """What the models of a file are called, and what is known of them by its path."""
        base = base_name(path, self._root, self._ambiguous, self._layouts)
        separator = self._separators.get(base)
        inner = "" if base in self._bare else base + (separator or _SEPARATOR)
        serial = f"{base}_model_" if separator is None else f"{base}{separator}model_"
        place = place_in(path, self._root, self._layouts) or self._folder_of(path)
        place = _told_apart(place, self._shared_targets if place.layout else frozenset())
        names = FileNames(base, inner, serial, place, self._below, self._of_members)
        if not is_archive_name(path):
            return names
        return replace(names, folder=archive_folder(path, self._root), shared_targets=self._shared_targets)

    def target(self, target: str, folder: str) -> str:
        """What a target in a folder is called in the run."""
        return _told_apart(Place(target=target, folder=folder), self._shared_targets).target

    def _folder_of(self, path: str) -> Place:
        """What is known of a file that no program's layout knows: models in one folder are of one target."""
        *folders, _ = _below(path, self._root).split("/")
        return Place(target="__".join(folders) or os.path.basename(os.path.normpath(self._root)))
