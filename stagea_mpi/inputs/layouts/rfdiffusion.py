"""RFdiffusion: designs in PDB, each beside a .trb file, and those of RFdiffusion3 in mmCIF, each beside its metrics."""

import re

from ...errors import listed
from ..formats import ending_of
from .beside import Beside
from .layout import NOWHERE, Layout, Place, Scores
from .placing import once_in_mmcif, parted
from .reading import ScoreFiles
from .tables import numbers_of, target_of

_DESIGN = re.compile(r"(?P<prefix>.+)_(?P<number>\d{1,18})")
_DESIGN_3 = re.compile(r"(?P<prefix>.+?)(?P<batch>_\d+)?_model_(?P<number>\d{1,18})")
_OF_RFANTIBODY = re.compile(r"_dldesign_\d+|_cycle_\d+$")
_TRAJECTORY = re.compile(r"(?:^|/)traj/|_(?:Xt-1|pX0)_traj\.|_(?:denoised|noisy)_model_\d+\.")


def _place(path: str, root: str) -> Place | None:
    """A .trb file is a pickle, which could be any program: nothing opens it."""
    folders, stem = parted(path)
    found = _DESIGN_3.fullmatch(stem) or (None if _is_mmcif(path) else _DESIGN.fullmatch(stem))
    if found is None or _OF_RFANTIBODY.search(stem) or _TRAJECTORY.search(path):
        return NOWHERE if _TRAJECTORY.search(path) else None
    # A model's number tells it from others of its batch.
    sample = None if found.groupdict().get("batch") else int(found["number"])
    return Place("rfdiffusion", target_of([*folders, found["prefix"]], root), stem, sample=sample)


def _is_mmcif(path: str) -> bool:
    return ending_of(path).lower().startswith(".cif")


def _scores(beside: Beside, path: str) -> Scores:
    files = ScoreFiles(beside, path)
    _, stem = parted(path)
    if _DESIGN_3.fullmatch(stem) is None:
        return files.scores({})
    said = files.json(f"{stem}.json").required()
    metrics = said.content.get("metrics", {})
    if "metrics" not in said.content and not files.problems:
        files.problems.append(f"{said.path}: has no metrics; found {listed(map(str, said.content))}")
    if not isinstance(metrics, dict):
        files.problems.append(f"{said.path}: metrics: found {type(metrics).__name__}, expected an object of scores")
        metrics = {}
    # What is no number in it are values of residues, one name for each.
    return files.scores(numbers_of(metrics))


LAYOUT = Layout(
    name="rfdiffusion",
    program="RFdiffusion",
    words=(".trb", "_model_"),
    # Without its batch, a model of RFdiffusion3 is called as those of other programs are.
    evidence=re.compile(r"\.trb$|_\d+_model_\d+\.cif\.gz$"),
    place=_place,
    scores=_scores,
    # A design of RFdiffusion3 may have been converted to PDB, too.
    kept=once_in_mmcif,
)
