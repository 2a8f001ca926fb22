"""Boltz-1 and Boltz-2: below ``predictions`` a folder for each target, its models by rank."""

import re

from . import pae
from .beside import Beside
from .layout import Layout, Place, Scores
from .placing import once_in_mmcif, parted
from .reading import ScoreFiles

_MODEL = re.compile(r"(.+)_model_(\d{1,18})")
#: Folders of a run with what the models were made from.
_INPUTS = frozenset({"processed", "msa", "templates", "msas"})
#: What is there of a target's affinity, one number or those of an ensemble's two models, too.
_AFFINITY = ("affinity_pred_value", "affinity_probability_binary")
_NAMES = {"confidence_score": "ranking_score", "ptm": "ptm", "iptm": "iptm"}


def _place(path: str, root: str) -> Place | None:
    folders, stem = parted(path)
    found = _MODEL.fullmatch(stem)
    if found is None or _INPUTS.intersection(_behind(folders, "predictions")):
        return None
    return Place(LAYOUT.name, found[1], stem, None, int(found[2]), "/".join(folders))


def _behind(folders: list[str], name: str) -> list[str]:
    """What comes behind the last folder of a name; all, where there is none."""
    # A user may well keep runs with alignments in a folder called msa.
    return folders[len(folders) - folders[::-1].index(name) :] if name in folders else folders


def _scores(beside: Beside, path: str) -> Scores:
    files = ScoreFiles(beside, path)
    folder, stem = path.rpartition("/")[0], parted(path)[1]
    summary = files.json(f"confidence_{stem}.json").required()
    values = summary.numbers(_NAMES, expected=_NAMES)
    pair_iptm, _ = summary.pairs("pair_chains_iptm")
    others = beside.names(folder)
    # It is predicted for the best model, whose structure is kept for that; errors are written when they are asked for.
    target = stem.removesuffix("_model_0")
    affinity = f"affinity_{target}.json"
    if target != stem and (affinity in others or f"pre_affinity_{target}.npz" in others):
        said = files.json(affinity).required("affinity")
        values |= said.numbers({name: f"score_{name}" for name in _AFFINITY}, expected=_AFFINITY)
    has_errors = any(name.startswith("pae_") for name in others)
    errors = files.pae(f"pae_{stem}.npz", pae.from_npz, is_optional=not has_errors)
    return files.scores(values, pair_iptm=pair_iptm, pae=errors)


LAYOUT = Layout(
    name="boltz",
    program="Boltz",
    words=("_model_", "boltz_results_"),
    evidence=re.compile(
        r"(?:^|/)boltz_results_[^/]+/predictions/|(?:^|/)confidence_[^/]+_model_\d+\.json"
        r"|(?:^|/)(?:pae|pde|plddt)_[^/]+_model_\d+\.npz|(?:^|/)predictions/([^/]+)/\1_model_\d+\.cif"
    ),
    place=_place,
    scores=_scores,
    kept=once_in_mmcif,
    has_plddt=True,
)
