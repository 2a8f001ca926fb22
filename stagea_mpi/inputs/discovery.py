"""Input files below a folder: found by pattern, without opening any."""

import logging
import os
import re
import stat
from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import ConfigError
from .formats import ending_of
from .paths import Paths

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class InputFiles:
    """Files of a run, in the order of their paths' parts.

    Attributes
    ----------
    paths : Paths
    sizes : ndarray of int64, shape=(n,)
        Bytes on disk.
    """

    paths: Paths
    sizes: np.ndarray

    def __len__(self) -> int:
        return len(self.paths)


def discover(root: str | Path, patterns: Iterable[str]) -> InputFiles:
    """Input files below a folder.

    Parameters
    ----------
    root : path
        The input folder.
    patterns : iterable of str
        Glob patterns relative to it, such as ``**/*.pdb``. Folders that are symbolic links are not entered.

    Returns
    -------
    files : InputFiles
        Each once. A link that leads nowhere is among them, to be reported as a file that cannot be read.

    Raises
    ------
    ConfigError
        The folder is missing, or nothing in it matches, or a name holds a line break.
    """
    root, patterns = str(root), list(patterns)
    if not os.path.isdir(root):
        raise ConfigError(f"pdb_root: {root} is not a folder; set it to the folder with the docking models")
    wanted = re.compile("|".join(f"(?:{_as_regex(pattern)})" for pattern in patterns), re.DOTALL)
    paths, sizes = Paths(os.path.join(root, "")), array("q")
    others: Counter[str] = Counter()
    for below, size in _walk(root, "", wanted.fullmatch, others):
        paths.add(below)
        sizes.append(size)
    if not paths:
        raise ConfigError(f"stage_a.glob: no file below {root} matches {', '.join(patterns)}; {_what_else(others)}")
    broken = next((path for path in paths if "\n" in path or "\r" in path), None)
    if broken is not None:
        raise ConfigError(f"pdb_root: the file name {broken!r} holds a line break; rename it")
    return InputFiles(paths, np.array(sizes, dtype=np.int64))


def _walk(
    folder: str, below: str, is_wanted: Callable[[str], object], others: Counter[str]
) -> Iterator[tuple[str, int]]:
    """Wanted files, their paths below the root and their sizes, folder by folder, names in order.

    Of a folder the names alone are kept, and of the files that are not wanted how they end: there may be a million.
    """
    names, folders = [], set()
    try:
        with os.scandir(folder) as scan:
            for entry in scan:
                name = entry.name
                if entry.is_dir(follow_symlinks=False):
                    folders.add(name)
                elif not is_wanted(below + name):
                    if len(others) < 1000:
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
            yield from _walk(path, f"{below}{name}/", is_wanted, others)
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


def _what_else(others: Counter[str]) -> str:
    readable = sorted({ending for ending in others if ending and ending_of(ending) == ending})
    if readable:
        listed = ", ".join(f'"**/*{ending}"' for ending in readable[:8])
        return f"there are others that can be read: set glob: [{listed}]"
    endings = ", ".join(ending or "(none)" for ending, _ in others.most_common(12))
    return f"there are files with the endings {endings}" if others else "there is no file at all"
