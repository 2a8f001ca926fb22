"""AlphaFold 2 and AlphaFold-Multimer: a folder for each target; its models unrelaxed, relaxed, and again by rank."""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable

from ...errors import listed
from . import pae
from .beside import Beside
from .layout import Layout, Place, Scores
from .placing import Forms, parted
from .reading import ScoreFile, ScoreFiles

_RANKED = re.compile(r"ranked_(\d{1,4})")
_MODEL = re.compile(r"(un)?relaxed_(model_(\d)(?:_multimer(?:_v\d+)?)?(?:_ptm)?(?:_pred_(\d{1,6}))?)")
#: What the program ranks by: of complexes 0.8 ipTM + 0.2 pTM, else the mean pLDDT.
_RANKED_BY = ("iptm+ptm", "plddts")


def _place(path: str, root: str) -> Place | None:
    folders, stem = parted(f"{root}/{path}")
    target, folder = folders[-1], "/".join(folders[1:])
    if found := _RANKED.fullmatch(stem):
        return Place(LAYOUT.name, target, f"{target}_{stem}", None, int(found[1]), folder)
    if found := _MODEL.fullmatch(stem):
        # The program counts predictions of one network, each from a seed of its own, which it does not keep.
        seed = int(found[4]) if found[4] else None
        return Place(LAYOUT.name, target, f"{target}_{found[2]}", seed, int(found[3]), folder)
    return None


def _kept(paths: Iterable[str]) -> Callable[[str], bool]:
    """Of a folder's models the ranked ones count, which the relaxed and unrelaxed ones stand behind.

    These count, relaxed ones first, where there are more of them: then ranked ones have been deleted, and which ones
    are left paths do not tell.
    """
    forms = Forms(is_pdb=True)
    bits: dict[str, int] = {}
    # By folder, as bits, the ranked, the relaxed and the unrelaxed ones.
    found: defaultdict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
    for path in paths:
        forms.add(path)
        folder, kind, model = _kind(path)
        found[folder][kind] |= 1 << bits.setdefault(model, len(bits))

    def counts(path: str) -> bool:
        folder, kind, model = _kind(path)
        ranked, relaxed, unrelaxed = found[folder]
        are_ranked_kept = ranked.bit_count() >= (relaxed | unrelaxed).bit_count()
        if are_ranked_kept != (kind == 0) or (kind == 2 and relaxed >> bits[model] & 1):
            return False
        return forms.is_first(path)

    return counts


def _kind(path: str) -> tuple[str, int, str]:
    folders, stem = parted(path)
    if found := _MODEL.fullmatch(stem):
        return "/".join(folders), 2 if found[1] else 1, found[2]
    return "/".join(folders), 0, stem


def _scores(beside: Beside, path: str) -> Scores:
    files = ScoreFiles(beside, path)
    _, kind, model = _kind(path)
    ranking = files.json("ranking_debug.json", is_shared=True).required()
    if kind == 0:
        model = _model_of_rank(ranking, int(model.removeprefix("ranked_")), files.problems)
    if not model:
        return files.scores({})
    key = next((key for key in _RANKED_BY if key in ranking.content), None)
    values = ranking.inner(key).only(model).numbers({model: "ranking_score"}) if key else {}
    if not key and not files.problems:
        files.problems.append(f"{ranking.path}: found {listed(ranking.content)}, expected {' or '.join(_RANKED_BY)}")
    relaxation = files.json("relax_metrics.json", is_shared=True)
    if model in relaxation.content:
        values |= relaxation.inner(model).numbers({})
    # Versions before 2.3.2 keep errors in pickles alone.
    has_errors = any(name.startswith("pae_model_") for name in beside.names(path.rpartition("/")[0]))
    errors = files.pae(f"pae_{model}.json", pae.from_json, is_optional=not has_errors)
    return files.scores(values, pae=errors)


def _model_of_rank(ranking: ScoreFile, rank: int, problems: list[str]) -> str:
    """The model that is the ranked one; empty where the file does not tell."""
    order = ranking.content.get("order")
    if isinstance(order, list) and rank < len(order):
        return str(order[rank])
    if not problems:  # it could be read
        n_models = len(order) if isinstance(order, list) else 0
        problems.append(f"{ranking.path}: order: found {n_models} models, expected one of rank {rank}")
    return ""


LAYOUT = Layout(
    name="alphafold_multimer",
    program="AlphaFold-Multimer",
    words=("ranking_debug.json", "ranked_0.", "result_model_", "relaxed_model_"),
    evidence=re.compile(
        r"(?:^|/)(?:ranking_debug\.json$|ranked_0\.(?:pdb|cif)"
        r"|result_model_\d(?:_multimer(?:_v\d+)?)?(?:_ptm)?(?:_pred_\d+)?\.pkl"
        r"|(?:un)?relaxed_model_\d(?:_multimer(?:_v\d+)?)?(?:_ptm)?(?:_pred_\d+)?\.(?:pdb|cif))"
    ),
    place=_place,
    scores=_scores,
    kept=_kept,
    has_plddt=True,
)
