"""RFantibody: designs in Quiver files or PDB, after ProteinMPNN and after RF2.

Scores stand in the models' own texts (`header_scores`).
"""

import re

from .beside import Beside
from .layout import Layout, Place, Scores
from .score_files import PDB, parts_of, target_of

_QUIVER = re.compile(r"(?P<name>[^/]+)\.qv(?:\.(?:gz|zst|bz2|xz))?")
_TRAJECTORY = re.compile(r"_(?:Xt-1|pX0)_traj")
_MODEL = re.compile(rf"(?P<name>[^/]+(?:_dldesign_\d+|_best)){PDB}")


def _place(path: str, root: str) -> Place | None:
    """Trajectories are no models, nor what RF2 has written of each of its cycles: the best of these is ``_best``."""
    folder, name = parts_of(path)
    if _TRAJECTORY.search(name):
        return None
    quiver = _QUIVER.fullmatch(name)
    if quiver:
        return Place("rfantibody", target_of(path[: -len(name)] + quiver["name"], root), quiver["name"])
    model = _MODEL.fullmatch(name)
    return Place("rfantibody", target_of(folder, root), model["name"]) if model else None


def _scores(beside: Beside, path: str) -> Scores:
    return Scores()


LAYOUT = Layout(
    name="rfantibody",
    program="RFantibody",
    words=(".qv", "_dldesign_"),
    evidence=re.compile(rf"\.qv(?:\.(?:gz|zst|bz2|xz))?$|_dldesign_\d+(?:_best|_cycle_\d+)?{PDB}$"),
    place=_place,
    scores=_scores,
)
