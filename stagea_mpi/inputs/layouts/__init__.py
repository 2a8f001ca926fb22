"""Output folders of structure predictors and docking programs, each a module that holds what is to be known of one."""

import functools
import importlib
from collections.abc import Iterable

from .layout import NOWHERE, Layout, Place

#: Layouts, each the name of a module, in the order in which they are asked whose a file is.
NAMES = ("alphafold3",)
#: Names in run.yaml that are no layout: whatever is recognised, and files without a layout.
AUTO, FILES = "auto", "files"

__all__ = ["AUTO", "FILES", "NAMES", "NOWHERE", "Layout", "Place", "layout", "place_of", "recognised"]


@functools.cache
def layout(name: str) -> Layout:
    """A layout by its name; its module is loaded when it is asked for."""
    found: Layout = importlib.import_module(f".{name}", __package__).LAYOUT
    return found


def recognised(paths: Iterable[str]) -> tuple[str, ...]:
    """Layouts of which some of the paths are evidence."""
    unseen, found = [layout(name) for name in NAMES], set()
    for path in paths:
        found |= {each.name for each in unseen if each.is_evidence(path)}
        unseen = [each for each in unseen if each.name not in found]
        if not unseen:
            break
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
    found = (layout(name).place(path, root) for name in names)
    return next((place for place in found if place is not None), None)
