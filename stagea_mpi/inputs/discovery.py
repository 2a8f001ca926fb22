"""Input files below a folder: found by pattern, or as the models that a known program has put there; of these only zip
archives are opened.
"""

import logging
import os
import re
import stat
from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from ..errors import ConfigError, listed
from .formats import ending_of
from .layouts import AUTO, FILES, candidates, kept, layout, place_of
from .model_names import archive_folder
from .paths import Paths
from .program_archives import ProgramArchive, copies, program_archive

log = logging.getLogger(__name__)

#: What counts where neither a pattern nor a program's layout says so.
USUAL_PATTERNS = ("**/*.pdb",)
#: What macOS leaves under the name of each file on disks of others, and in archives.
_NOTES = "._"


@dataclass(frozen=True)
class InputFiles:
    """Files of a run, in the order of their paths' parts.

    Attributes
    ----------
    paths : Paths
    sizes : ndarray of int64, shape=(n,)
        Bytes on disk.
    layouts : tuple of str
        The programs whose output the folder is, by their layouts' names.
    left_out : dict of str to int
        By their endings, how many files could be read and are no models of these programs (copies, templates, or of
        another origin). None are left out where patterns are given.
    """

    paths: Paths
    sizes: np.ndarray
    layouts: tuple[str, ...] = ()
    left_out: dict[str, int] = field(default_factory=dict)
    archives: dict[str, frozenset[tuple[str, str]]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.paths)


def discover(root: str | Path, patterns: Iterable[str] = (), layout: str = AUTO) -> InputFiles:
    """Input files below a folder.

    Parameters
    ----------
    root : str or path
        The input folder.
    patterns : iterable of str
        Glob patterns relative to it, such as ``**/*.pdb``; without any, what counts is what a program's layout calls a
        model, and where no program is recognised, `USUAL_PATTERNS`. Folders that are symbolic links are not entered.
    layout : str
        ``auto``, ``files`` (no layout), or the one that it is.

    Returns
    -------
    files : InputFiles
        Each once. A link that leads nowhere is among them, to be reported as a file that cannot be read.

    Raises
    ------
    ConfigError
        The folder is missing, or nothing in it counts, or a name holds a line break.
    """
    root, patterns = str(root), list(patterns)
    if os.path.isfile(root):
        folder, name = os.path.split(os.path.abspath(root))
        raise ConfigError(f"pdb_root: {root} is a file; set it to {folder}, and stage_a.glob to {name!r}")
    if not os.path.isdir(root):
        raise ConfigError(f"pdb_root: {root} is not a folder; set it to the folder with the docking models")
    is_wanted = _matcher(patterns) if patterns else ending_of
    paths, sizes = Paths(os.path.join(root, "")), array("q")
    others, links = Counter[str](), list[str]()
    signs = _Signs(candidates(FILES if layout == FILES else AUTO))
    for below, size in _walk(root, "", is_wanted, others, links, signs.see):
        paths.add(below)
        sizes.append(size)
    if links:
        said = "%s: folders in it that are links are not entered: %s; link their files, or move them there"
        log.warning(said, root, listed(sorted(links)))
    found = InputFiles(paths, np.array(sizes, dtype=np.int64), signs.layouts if layout == AUTO else candidates(layout))
    archives = _archives(found.paths, layout, are_asked_for=bool(patterns))
    if patterns:
        found = replace(found, archives=_targets(root, archives.values()))
    else:
        of_layouts = _of_layouts(root, found, archives, layout)
        found = _matching(root, found, USUAL_PATTERNS, others) if of_layouts is None else of_layouts
    if not found.paths:
        expected = _expected(patterns, layout)
        others.update(found.left_out)
        what_else = "" if links and not others else _what_else(others)
        there = " and ".join(filter(None, (_of_others(signs.layouts, layout), what_else, _linked(links))))
        raise ConfigError(f"{expected[0]}: no file below {root} {expected[1]}; {there}")
    broken = next((path for path in found.paths if "\n" in path or "\r" in path), None)
    if broken is not None:
        raise ConfigError(f"pdb_root: the file name {broken!r} holds a line break; rename it")
    return found


class _Signs:
    """Which programs' output a folder is, by the paths in it as they come."""

    def __init__(self, names: Iterable[str]):
        self._unseen = {name: layout(name) for name in names}
        words = [re.escape(word) for each in self._unseen.values() for word in each.words]
        self._may_be_one = re.compile("|".join(words) or r"(?!)").search
        self.layouts: tuple[str, ...] = ()

    def see(self, path: str) -> None:
        if self._may_be_one(path) is None:
            return
        for name, each in self._unseen.items():
            if each.is_evidence(path):
                del self._unseen[name]
                self.layouts = tuple(sorted((*self.layouts, name), key=candidates(AUTO).index))
                return


def _archives(paths: Iterable[str], setting: str, *, are_asked_for: bool) -> dict[str, ProgramArchive]:
    """By their paths, the zip archives that are the output of a program."""
    if setting == FILES:
        return {}
    zipped = (path for path in paths if path[-4:].lower() == ".zip")
    found = (program_archive(path, setting, is_asked_for=are_asked_for) for path in zipped)
    return {archive.path: archive for archive in found if archive is not None}


def _targets(root: str, archives: Iterable[ProgramArchive]) -> dict[str, frozenset[tuple[str, str]]]:
    """See `InputFiles.archives`."""

    def within(archive: ProgramArchive, folder: str) -> str:
        return "/".join(filter(None, (archive_folder(archive.path, root), folder)))

    return {a.path: frozenset((target, within(a, folder)) for target, folder in a.targets) for a in archives}


def _of_layouts(root: str, files: InputFiles, archives: dict[str, ProgramArchive], setting: str) -> InputFiles | None:
    """Of all files that could be read those that are models of programs; None where there are none."""
    inside = {name for archive in archives.values() for name in archive.layouts}
    folder, start = os.path.basename(os.path.normpath(root)), len(os.path.join(root, ""))
    names = [name for name in candidates(AUTO) if name in files.layouts or name in inside]
    if not names:
        return None

    def is_model(path: str) -> bool:
        return place_of(path[start:], folder, names) is not None

    unpacked = copies(archives.values(), is_model)
    archives = {path: archive for path, archive in archives.items() if path not in unpacked}
    taken, left_out = _parted(files, start, lambda path: path in archives or is_model(path))
    if not taken.paths and setting == AUTO:
        return None
    is_kept = kept((path[start:] for path in taken.paths if path not in archives), folder, names)
    taken, others = _parted(taken, start, lambda path: path in archives or is_kept(path[start:]))
    targets = _targets(root, archives.values())
    return InputFiles(taken.paths, taken.sizes, tuple(names), dict(left_out + others), targets)


def _matching(root: str, files: InputFiles, patterns: Iterable[str], others: Counter[str]) -> InputFiles:
    is_wanted, start = _matcher(patterns), len(os.path.join(root, ""))
    taken, unwanted = _parted(files, start, lambda path: bool(is_wanted(path[start:])))
    others.update(unwanted)
    return InputFiles(taken.paths, taken.sizes)


def _parted(files: InputFiles, start: int, counts: Callable[[str], bool]) -> tuple[InputFiles, Counter[str]]:
    """The files that count, and the endings of the others."""
    keep, others = np.zeros(len(files), dtype=bool), Counter[str]()
    for k, path in enumerate(files.paths):
        keep[k] = counts(path)
        if not keep[k]:
            others[ending_of(path)] += 1
    if keep.all():
        return files, others
    paths = Paths(files.paths.root)
    for k, path in enumerate(files.paths):
        if keep[k]:
            paths.add(path[start:])
    return InputFiles(paths, files.sizes[keep]), others


def _expected(patterns: list[str], setting: str) -> tuple[str, str]:
    """A key, and what its value calls for."""
    if patterns or setting in (AUTO, FILES):
        return "stage_a.glob", f"matches {', '.join(patterns or USUAL_PATTERNS)}"
    return "stage_a.layout", f"is a model in {layout(setting).program}'s output as {setting} knows it"


def _matcher(patterns: Iterable[str]) -> Callable[[str], object]:
    return re.compile("|".join(f"(?:{_as_regex(pattern)})" for pattern in patterns), re.DOTALL).fullmatch


def _walk(
    folder: str,
    below: str,
    is_wanted: Callable[[str], object],
    others: Counter[str],
    links: list[str],
    see: Callable[[str], None],
) -> Iterator[tuple[str, int]]:
    """Wanted files, their paths below the root and their sizes, folder by folder, names in order; all paths are seen.

    Of a folder the names alone are kept, and of the files that are not wanted how they end: there may be a million.
    Folders that are links are told of by their paths.
    """
    names, folders = [], set()
    try:
        with os.scandir(folder) as scan:
            for entry in scan:
                name = entry.name
                if entry.is_dir(follow_symlinks=False):
                    folders.add(name)
                    names.append(name)
                    continue
                if name.startswith(_NOTES):
                    continue
                see(below + name)
                if not is_wanted(below + name):
                    if entry.is_symlink() and entry.is_dir():
                        links.append(below + name)
                    elif len(others) < 1000:
                        others[ending_of(name) or "".join(f".{s}" for s in name.lstrip(".").split(".")[1:][-2:])] += 1
                    continue
                names.append(name)
    except OSError as error:
        log.warning("%s: cannot be listed (%s); what is in it is left out", folder, error.strerror)
        return
    names.sort(reverse=True)
    while names:
        name = names.pop()
        path = os.path.join(folder, name)
        if name in folders:
            yield from _walk(path, f"{below}{name}/", is_wanted, others, links, see)
        elif (size := _size(path)) is not None:
            yield below + name, size


def _size(path: str) -> int | None:
    """Bytes of a file, 0 for a link that leads nowhere, None for what is no file (a pipe, a linked folder)."""
    try:
        found = os.stat(path)
    except OSError:
        return 0
    if stat.S_ISREG(found.st_mode):
        return found.st_size
    log.warning("%s: is no file, and is left out", path)
    return None


def _as_regex(pattern: str) -> str:
    """A glob pattern as a regular expression of the path below the root."""
    parts = []
    for part in pattern.split("/"):
        if part == "**":
            parts.append("(?:[^/]+/)*")
        else:
            parts.append("".join(_wildcards(part)) + "/")
    regex = "".join(parts)
    return regex + "[^/]+" if regex.endswith(")*") else regex.removesuffix("/")


def _wildcards(part: str) -> Iterator[str]:
    for token in re.findall(r"\[!?\]?[^\]]*\]|.", part, re.DOTALL):
        if token == "*":
            yield "[^/]*"
        elif token == "?":
            yield "[^/]"
        elif len(token) > 2 and token.startswith("["):
            inside = token[1:-1].replace("\\", "\\\\")
            yield f"[^{inside[1:]}]" if inside.startswith("!") else f"[{inside}]"
        else:
            yield re.escape(token)


def _of_others(layouts: Iterable[str], setting: str) -> str:
    """Whose output it is, where that is not what was stated."""
    others = [name for name in layouts if name != setting] if setting not in (AUTO, FILES) else []
    programs = " and ".join(layout(name).program for name in others)
    return f"there is output of {programs} (layout: {' or '.join(others)}, or auto)" if others else ""


def _linked(links: list[str]) -> str:
    return f"there are folders that are links, which are not entered: {listed(sorted(links))}" if links else ""


def _what_else(others: Counter[str]) -> str:
    readable = sorted({ending for ending in others if ending and ending_of(ending) == ending})
    if readable:
        listed = ", ".join(f'"**/*{ending}"' for ending in readable[:8])
        return f"there are others that can be read: set glob: [{listed}]"
    endings = ", ".join(ending or "(none)" for ending, _ in others.most_common(12))
    return f"there are files with the endings {endings}" if others else "there is no file at all"
