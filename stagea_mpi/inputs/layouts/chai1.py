"""Chai-1: a folder for each target, or several for as many runs of its trunk, which begin from seeds of their own."""

import re

from .beside import Beside
from .layout import Layout, Place, Scores
from .placing import once_in_mmcif, parted
from .reading import ScoreFiles

#: By number of the sample; the server's, in the order of their scores.
_MODEL = re.compile(r"pred\.(model_idx|rank)_(\d{1,18})")
_TRUNK = re.compile(r"trunk_(\d{1,18})")
_NAMES = {"aggregate_score": "ranking_score", "ptm": "ptm", "iptm": "iptm"}
#: What its program hands to np.savez to no avail: older NumPy writes it as an array.
_NO_SCORES = ("allow_pickle",)


def _place(path: str, root: str) -> Place | None:
    folders, stem = parted(f"{root}/{path}")
    found = _MODEL.fullmatch(stem)
    if found is None:
        return None
    trunk = _TRUNK.fullmatch(folders[-1]) if len(folders) > 1 else None
    if trunk:
        folders.pop()
    target = folders[-1]
    name = f"{target}{f'_{trunk[0]}' if trunk else ''}_{found[1]}_{found[2]}"
    return Place(LAYOUT.name, target, name, int(trunk[1]) if trunk else None, int(found[2]), "/".join(folders[1:]))


def _scores(beside: Beside, path: str) -> Scores:
    files = ScoreFiles(beside, path)
    name = parted(path)[1].replace("pred.", "scores.", 1)
    scores = files.npz(f"{name}.npz")
    if scores.is_missing and ".rank_" in name:  # the server's
        scores = files.json(f"{name}.json")
    values = scores.required().numbers(_NAMES, expected=_NAMES, without=_NO_SCORES)
    pair_iptm, _ = scores.pairs("per_chain_pair_iptm")
    return files.scores(values, pair_iptm=pair_iptm)


LAYOUT = Layout(
    name="chai1",
    program="Chai-1",
    words=("pred.", "scores."),
    evidence=re.compile(
        r"(?:^|/)(?:pred\.(?:model_idx|rank)_\d+\.(?:cif|pdb)|scores\.(?:model_idx|rank)_\d+\.(?:npz|json))"
    ),
    place=_place,
    scores=_scores,
    kept=once_in_mmcif,
    has_plddt=True,
)
