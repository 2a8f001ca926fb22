"""RFantibody: designs in Quiver files or PDB, after ProteinMPNN and after RF2.

Scores stand in the models' own texts (`header_scores`).
"""

import re
from collections.abc import Callable, Iterable

from ..formats import ending_of
from .beside import Beside
from .layout import Layout, Place, Scores
from .placing import once_in_pdb, parted
from .tables import target_of

_TRAJECTORY = re.compile(r"_(?:Xt-1|pX0)_traj\.")
_DESIGN = re.compile(r"(?P<prefix>.+?)(?P<steps>(?:_\d+)?(?:_dldesign_\d+)?(?:_best)?)")
_CYCLE = re.compile(r"(.+)_cycle_\d+")


def _place(path: str, root: str) -> Place | None:
    """Trajectories are no models, nor is what RF2 has written of each of its cycles: the best of these is ``_best``."""
    folders, stem = parted(path)
    name = path.rpartition("/")[2]
    ending = ending_of(name)
    if ending.lower().startswith(".qv") and not name.startswith(".") and not _TRAJECTORY.search(name):
        stem = name[: -len(ending)]
        return Place("rfantibody", target_of([*folders, stem], root), stem)
    design = _DESIGN.fullmatch(stem)
    if design is None or not design["steps"] or _CYCLE.fullmatch(stem):
        return None
    return Place("rfantibody", target_of([*folders, design["prefix"]], root), stem)


def _kept_inside(tags: Iterable[str]) -> Callable[[str], bool]:
    """In a Quiver file, too, a cycle does not count where the best one stands beside it."""
    tags = set(tags)

    def counts(tag: str) -> bool:
        cycle = _CYCLE.fullmatch(tag)
        return cycle is None or f"{cycle[1]}_best" not in tags

    return counts


def _scores(beside: Beside, path: str) -> Scores:
    return Scores()


LAYOUT = Layout(
    name="rfantibody",
    program="RFantibody",
    words=(".qv", "_dldesign_"),
    evidence=re.compile(r"\.qv(?:\.\w+)?$|_dldesign_\d+(?:_best|_cycle_\d+)?\.pdb"),
    place=_place,
    scores=_scores,
    kept=once_in_pdb,
    kept_inside=_kept_inside,
)
