"""RFdiffusion: designs in PDB, each beside a .trb file, and those of RFdiffusion3 in mmCIF, each beside its metrics."""

import json
import re

from .beside import Beside
from .layout import Layout, Place, Scores
from .score_files import PDB, ScoreTable, joined, numbers_of, parsed_or_said, parts_of, target_of

_DESIGN = re.compile(rf"(?P<name>(?P<prefix>[^/]+)_(?P<number>\d+)){PDB}")
_DESIGN_3 = re.compile(r"(?P<name>(?P<prefix>[^/]+?)(?:_(?P<batch>\d+))?_model_(?P<number>\d+))\.cif(?:\.gz)?")
_TRAJECTORY = re.compile(r"(?:^|/)traj/|_(?:Xt-1|pX0)_traj\.|_(?:denoised|noisy)_model_\d+\.")


def _place(path: str, root: str) -> Place | None:
    """A .trb file is a pickle, which could be any program: nothing opens it."""
    folder, name = parts_of(path)
    found = _DESIGN_3.fullmatch(name) or _DESIGN.fullmatch(name)
    if found is None or _TRAJECTORY.search(path):
        return None
    target = target_of(joined(folder, found["prefix"]), root)
    in_batches = "batch" in found.groupdict() and found["batch"] is not None
    return Place("rfdiffusion", target, found["name"], sample=None if in_batches else int(found["number"]))


def _metrics(content: bytes) -> ScoreTable:
    said = json.loads(content)
    if not isinstance(said, dict) or not isinstance(said.get("metrics", {}), dict):
        raise ValueError("is not what RFdiffusion3 writes: an object with its metrics was expected")
    # What is no number are residues and their values, one name for each residue.
    return ScoreTable({"metrics": numbers_of(said.get("metrics", {}))})


def _scores(beside: Beside, path: str) -> Scores:
    folder, name = parts_of(path)
    found = _DESIGN_3.fullmatch(name)
    if found is None:
        return Scores()
    problems: list[str] = []
    table = parsed_or_said(beside, joined(folder, f"{found['name']}.json"), _metrics, problems)
    return Scores(table.rows["metrics"] if table else {}, problems=tuple(problems))


LAYOUT = Layout(
    name="rfdiffusion",
    program="RFdiffusion",
    words=(".trb", "_model_"),
    # Without its batch, a model of RFdiffusion3 is called as those of others are.
    evidence=re.compile(r"\.trb$|(?:^|/)[^/]+_\d+_model_\d+\.cif\.gz$"),
    place=_place,
    scores=_scores,
)
