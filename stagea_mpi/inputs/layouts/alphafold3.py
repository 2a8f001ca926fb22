"""AlphaFold 3: folders of the program, and archives of its server.

The program writes each sample into a folder of its own, and the best one once more beside these folders. (Its samples
are often deleted: then that copy is the model.)
"""

import csv
import functools
import math
import re
from collections.abc import Callable, Iterable
from typing import NamedTuple

from . import pae
from .beside import Beside
from .layout import Layout, Place, Scores
from .placing import Forms, Seen, parted
from .reading import ScoreFiles

_FOLDER = re.compile(r"seed-(\d{1,18})_sample-(\d{1,18})")
_SAMPLE = re.compile(r"(.+)_seed-(\d{1,18})_sample-(\d{1,18})_model")
_SERVER = re.compile(r"fold_(.+)_model_(\d{1,18})")
#: What the program puts behind a job's name where its folder is there already.
_DATE = re.compile(r"_\d{8}_\d{6}")
#: Folders of the server's archives with structures that are no models.
_INPUTS = frozenset({"templates", "msas"})
#: Boltz, which calls its models as the server does, has them in folders of this name.
_OF_BOLTZ = "predictions"
_READ_PAE = functools.partial(pae.from_json, has_tokens=True)
_NAMES = {name: name for name in ("ptm", "iptm", "ranking_score")}


class _Model(NamedTuple):
    """What a path says of a model: the job by the file's name, how many folders the job's is above the file's own."""

    job: str
    seed: int | None
    sample: int | None
    is_server: bool = False
    is_best: bool = False
    n_above: int = 0


def _model(folders: list[str], stem: str) -> _Model | None:
    last = folders[-1] if folders else ""
    if last.startswith("seed-") and (folder := _FOLDER.fullmatch(last)):
        behind = f"_{last}_model"
        if stem != "model" and not stem.endswith(behind):
            return None
        return _Model(stem[: -len(behind)], int(folder[1]), int(folder[2]), n_above=1)
    if last in _INPUTS:
        return None
    if stem.endswith("_model"):
        if found := _SAMPLE.fullmatch(stem):
            return _Model(found[1], int(found[2]), int(found[3]))
        return _Model(stem.removesuffix("_model"), None, None, is_best=True)
    found = _SERVER.fullmatch(stem)
    if found is None or folders[-2:] == [_OF_BOLTZ, f"fold_{found[1]}"]:
        return None
    return _Model(found[1], None, int(found[2]), is_server=True)


def _place(path: str, root: str) -> Place | None:
    folders, stem = parted(f"{root}/{path}")
    model = _model(folders, stem)
    if model is None:
        return None
    if model.is_server:
        return Place(LAYOUT.name, model.job, stem, None, model.sample, "/".join(folders[1:]))
    around = folders[: len(folders) - model.n_above]
    folder = around[-1] if around else root
    # A folder of samples is one job's, whatever the job was called; files beside each other may be of many.
    is_run_again = (
        len(folder) > len(model.job)
        and folder.startswith(model.job)
        and _DATE.fullmatch(folder, len(model.job)) is not None
    )
    is_named = not model.job or (model.n_above and len(around) > 1 and not is_run_again)
    target = folder if is_named else model.job
    name = folder if is_run_again else target
    behind = "model" if model.is_best else f"seed-{model.seed}_sample-{model.sample}"
    lies_in = [*around[1:-1], model.job] if is_run_again and len(around) > 1 else around[1:]
    return Place(LAYOUT.name, target, f"{name}_{behind}", model.seed, model.sample, "/".join(lies_in))


def _kept(paths: Iterable[str]) -> Callable[[str], bool]:
    """The best sample's copy counts where its job has no samples."""
    forms, sampled = Forms(), Seen()
    for path in paths:
        forms.add(path)
        folders, stem = parted(path)
        model = _model(folders, stem)
        if model is not None and not model.is_best:
            # Samples in folders of their own belong to the best one above these, whatever it is called.
            sampled.add("/".join(folders[:-1]) if model.n_above else ("/".join(folders), model.job))

    def counts(path: str) -> bool:
        folders, stem = parted(path)
        model = _model(folders, stem)
        if model is not None and model.is_best:
            folder = "/".join(folders)
            if folder in sampled or (folder, model.job) in sampled:
                return False
        return forms.is_first(path)

    return counts


def _scores(beside: Beside, path: str) -> Scores:
    files = ScoreFiles(beside, path)
    folders, stem = parted(path)
    base, behind, detailed = stem.removesuffix("model"), "", "confidences"
    if found := _SERVER.fullmatch(stem):
        base, behind, detailed = f"fold_{found[1]}_", f"_{found[2]}", "full_data"
    summary = files.json(f"{base}summary_confidences{behind}.json").required()
    listed = None if "ranking_score" in summary.content else _listed_score(files, folders, stem)
    values = summary.numbers(_NAMES, expected=list(_NAMES)[: 3 if listed is None else 2])
    if listed is not None:
        values["ranking_score"] = listed
    pair_iptm, chains = summary.pairs("chain_pair_iptm")
    names = summary.content.get("chain_ids")
    if pair_iptm is not None and isinstance(names, list) and len(set(map(str, names))) == len(names) == len(pair_iptm):
        chains = tuple(map(str, names))
    errors = files.pae(f"{base}{detailed}{behind}.json", _READ_PAE)
    return files.scores(values, pair_iptm=pair_iptm, pair_chains=chains, pae=errors)


def _listed_score(files: ScoreFiles, folders: list[str], stem: str) -> float | None:
    """A model's score by the job's table; the best one's is the highest."""
    model = _model(folders, stem)
    if model is None or model.is_server:
        return None
    above = "../" * model.n_above
    for name in (f"{model.job}_ranking_scores.csv", "ranking_scores.csv"):
        table = files.table(f"{above}{name}", _parse_ranking)
        if not table.is_missing:
            best = max(table.content.values(), default=None)
            score: float | None = best if model.is_best else table.content.get((model.seed, model.sample))
            return score
    return None


def _parse_ranking(content: bytes) -> dict[tuple[int, int], float]:
    """Scores by seed and sample."""
    rows = csv.reader(content.decode("utf-8-sig").splitlines())
    header = next(rows, [])
    if header != ["seed", "sample", "ranking_score"]:
        raise ValueError(f"begins with {','.join(header)[:80]!r}, expected seed,sample,ranking_score")
    scores = {(int(seed), int(sample)): float(score) for seed, sample, score in filter(None, rows)}
    return {place: score for place, score in scores.items() if math.isfinite(score)}


LAYOUT = Layout(
    name="alphafold3",
    program="AlphaFold 3",
    words=("_sample-", "summary_confidences", "ranking_scores.csv", "_full_data_", "_job_request.json"),
    evidence=re.compile(
        r"(?:^|/)seed-\d+_sample-\d+/|summary_confidences(?:_\d+)?\.json|(?:^|[/_])ranking_scores\.csv$"
        r"|(?:^|/)fold_[^/]+_(?:full_data_\d+|job_request)\.json"
    ),
    place=_place,
    scores=_scores,
    kept=_kept,
    has_plddt=True,
)
