"""Output folders of structure predictors and docking programs, each a module that holds what is to be known of one."""

import functools
import importlib
from collections.abc import Callable, Iterable

from .layout import NOWHERE, Layout, Place, all_count, shared_targets

#: Layouts, each the name of a module, in the order in which they are asked whose a file is; last come those whose
#: models have names that others' may have, too.
NAMES = (
    "alphafold3", "alphafold_multimer", "colabfold", "chai1", "haddock3", "lightdock", "zdock", "cluspro", "boltz",
    "rfdiffusion", "rfantibody",
)  # fmt: skip
#: Names in run.yaml that are no layout: whatever is recognised, and files without a layout.
AUTO, FILES = "auto", "files"

__all__ = [
    "AUTO",
    "FILES",
    "NAMES",
    "NOWHERE",
    "Layout",
    "Place",
    "candidates",
    "kept",
    "layout",
    "place_of",
    "recognised",
    "shared_targets",
]


def candidates(setting: str) -> tuple[str, ...]:
    """Layouts that files may be of by what `stage_a.layout` says: any, none, or the one."""
    return {AUTO: NAMES, FILES: ()}.get(setting, (setting,))


@functools.cache
def layout(name: str) -> Layout:
    """A layout by its name; its module is loaded when it is asked for."""
    found: Layout = importlib.import_module(f".{name}", __package__).LAYOUT
    return found


def recognised(paths: Iterable[str]) -> tuple[str, ...]:
    """Layouts of which some of the paths are evidence."""
    # One loop over all words takes a quarter of the time that asking each layout does, and a run has a million paths.
    found: set[str] = set()
    unseen = [(word, each) for each in map(layout, NAMES) for word in each.words]
    for path in paths:
        for word, each in unseen:
            if word in path and each.name not in found and each.is_evidence(path):
                found.add(each.name)
    return tuple(name for name in NAMES if name in found)


def place_of(path: str, root: str, names: Iterable[str]) -> Place | None:
    """A model's place by its path below a folder, in the first of the layouts that has one for it.

    Parameters
    ----------
    path : str
        With / between its parts.
    root : str
        Name of the folder.
    names : iterable of str
        Of layouts.
    """
    for name in names:
        place = layout(name).place(path, root)
        if place is not None:
            return None if place is NOWHERE else place
    return None


def kept(paths: Iterable[str], root: str, names: Iterable[str]) -> Callable[[str], bool]:
    """Which of the models that have a place in one of the layouts count: see `Layout.kept`.

    Parameters
    ----------
    paths : iterable of str
        Of all models that have a place.
    root : str
        Name of the folder.
    names : iterable of str
        Of layouts.
    """
    names = list(names)
    choosing = [name for name in names if layout(name).kept is not all_count]
    if not choosing:
        return all_count(paths)
    of_layout: dict[str, list[str]] = {name: [] for name in choosing}
    for path in paths:
        place = place_of(path, root, names)
        if place is not None and place.layout in of_layout:
            of_layout[place.layout].append(path)
    counts = {name: layout(name).kept(found) for name, found in of_layout.items()}

    def is_kept(path: str) -> bool:
        place = place_of(path, root, names)
        return place is None or place.layout not in counts or counts[place.layout](path)

    return is_kept
