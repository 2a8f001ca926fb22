"""ColabFold: the models of many jobs in one folder, each file called by its job, rank, network and seed."""

import re
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from . import pae
from .beside import Beside
from .layout import Layout, Place, Scores
from .placing import Forms, Seen, parted
from .reading import ScoreFiles

#: With a rank since the run has ended, with the network's type and the seed since version 1.5.
_MODEL = re.compile(
    r"(.+)_(un)?relaxed_((?:rank_(\d{1,6})_)?(?:[^/]+?_)?model_(\d{1,3})(?:_ptm|_multimer_v\d)?(?:_seed_(\d{1,18}))?)"
)
_NAMES = {"ptm": "ptm", "iptm": "iptm"}
#: What it ranks complexes by.
_IPTM_SHARE, _PTM_SHARE = 0.8, 0.2


def _model(stem: str) -> re.Match[str] | None:
    found = _MODEL.fullmatch(stem)
    return found if found is not None and (found[4] or found[6]) else None


def _place(path: str, root: str) -> Place | None:
    folders, stem = parted(path)
    found = _model(stem)
    if found is None:
        return None
    job, _, _, rank, model, seed = found.groups()
    name = job + (f"_rank_{rank}" if rank else "") + f"_model_{model}" + (f"_seed_{seed}" if seed else "")
    return Place(LAYOUT.name, job, name, int(seed) if seed else None, int(model), "/".join(folders))


def _kept(paths: Iterable[str]) -> Callable[[str], bool]:
    """Of a relaxed and an unrelaxed model the relaxed one counts."""
    forms, relaxed = Forms(is_pdb=True), Seen()
    for path in paths:
        forms.add(path)
        key, is_relaxed = _key(path)
        if is_relaxed:
            relaxed.add(key)

    def counts(path: str) -> bool:
        key, is_relaxed = _key(path)
        return (is_relaxed or key not in relaxed) and forms.is_first(path)

    return counts


def _key(path: str) -> tuple[tuple[str, ...], bool]:
    folders, stem = parted(path)
    found = _model(stem)
    return (*folders, found[1], found[3]) if found else (path,), found is not None and not found[2]


def _scores(beside: Beside, path: str) -> Scores:
    files = ScoreFiles(beside, path)
    found = _model(parted(path)[1])
    if found is None:
        return Scores()
    job, tag, rank = found[1], found[3], found[4]
    name = f"{job}_scores_{tag}.json"
    scores = files.json(name, without="pae")
    if scores.is_missing and not found[6]:  # before version 1.5
        name = f"{job}_unrelaxed_{tag}_scores.json"
        scores = files.json(name, without="pae")
    values = scores.required().numbers(_NAMES, expected=["ptm"])
    if "iptm" in values and "ptm" in values:
        values["ranking_score"] = _IPTM_SHARE * values["iptm"] + _PTM_SHARE * values["ptm"]
    errors = None
    if "pae" in scores.content:
        errors = files.pae(name, pae.from_json)
    elif rank is not None and int(rank) == 1:  # the best one's are in a file of their own, too
        errors = files.pae(f"{job}_predicted_aligned_error_v1.json", pae.from_json, is_optional=True)
    return files.scores(values, pair_iptm=_pair_iptm(scores.content), pae=errors)


def _pair_iptm(content: Any) -> np.ndarray | None:
    """What ``--calc-extra-ptm`` writes: pairs of chains as "A-B", chains as letters in the order of the file."""
    pairs, chains = content.get("pairwise_iptm"), content.get("per_chain_ptm")
    if not isinstance(pairs, dict) or not isinstance(chains, dict) or not chains:
        return None
    found = np.full((len(chains), len(chains)), np.nan)
    for k, one in enumerate(chains):
        found[k, k] = _number(chains[one])
        for m, other in enumerate(chains):
            if k < m:
                found[k, m] = found[m, k] = _number(pairs.get(f"{one}-{other}"))
    return found


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) else np.nan


LAYOUT = Layout(
    name="colabfold",
    program="ColabFold",
    words=("relaxed_rank_", "_scores_", "_relaxed_", "_unrelaxed_", "_predicted_aligned_error_v1.json"),
    evidence=re.compile(
        r"[^/]_(?:un)?relaxed_rank_\d+_[^/]*model_\d|[^/]_scores_rank_\d+_[^/]*model_\d[^/]*\.json"
        r"|[^/]_(?:(?:un)?relaxed|scores)_[^/]+_model_\d+_seed_\d+\.(?:pdb|json)"
        r"|[^/]_predicted_aligned_error_v1\.json"
    ),
    place=_place,
    scores=_scores,
    kept=_kept,
    has_plddt=True,
)
