"""The report's panels on what programs say of the models: how their scores are distributed, and each target's best."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from pandas.io.formats.style import Styler

from ..storage.schema import SCORES
from .figures import AS_IS, COLOURS, Missing, picture
from .tables import Telemetry

NO_REFERENCE = "The models have no reference (docs/targets.md says how to state one)."
#: CAPRI's classes, from 0 on.
_CLASSES = ("incorrect", "acceptable", "medium", "high")
NO_SCORES = "The models have no scores of a program that made them (docs/predictors.md says which are read)."
#: Scores that share an axis, and what it says.
_AXES = (
    (("ptm", "iptm", "ranking_score", "pdockq2", "ipsae", "lis"), "score (0 to 1)"),
    (("interface_plddt", "h3_plddt"), "pLDDT (0 to 100)"),
    (("interface_pae",), "PAE (Å)"),
)
#: Targets that the report lists.
_MOST_TARGETS = 20


def score_distributions(run: Telemetry, axes: list[Axes] | None = None) -> Figure | Missing:
    """Each score over all models: median, middle half, and all but the outermost twentieths."""
    known = [name for name in SCORES if run.models[name].notna().any()]
    if not known:
        return Missing(NO_SCORES)
    options = {"width_ratios": [len(names) for names, _ in _AXES]}
    figure, parts = picture("scores of the models, a box for each", 2.8, 1, len(_AXES), given=axes, **options)
    for part, (names, label) in zip(parts, _AXES, strict=True):
        shown = [name for name in names if name in known]
        values = [run.models[name].dropna().to_numpy() for name in shown]
        if values:
            part.boxplot(
                values,
                whis=(5, 95),
                showfliers=False,
                patch_artist=True,
                boxprops={"facecolor": COLOURS["sky"], "linewidth": 0.6},
                medianprops={"color": COLOURS["black"]},
            )
        part.set_xticks(range(1, len(shown) + 1), shown, rotation=30, ha="right", fontsize=8.0, **AS_IS)
        part.set(ylabel=label)
    return figure


def best_of_targets(run: Telemetry) -> Styler | Missing:
    """The best model of each target by its program's ranking, with its other scores."""
    models = run.models[run.models["ranking_score"].notna()]
    if models.empty:
        return Missing("The models have no ranking score.")
    best = models.loc[models.groupby("target")["ranking_score"].idxmax()]
    best = best.nlargest(_MOST_TARGETS, "ranking_score")
    counts = models["target"].value_counts()
    shown = pd.DataFrame({"target": best["target"], "models": best["target"].map(counts), "best": best["model"]})
    known = [name for name in (*SCORES, "dockq") if best[name].notna().any()]
    shown = shown.join(best[known].astype(float))
    return shown.style.format(precision=2, na_rep="").hide(axis="index")


def near_to_references(run: Telemetry) -> Styler | Missing:
    """Of each target how many models are how near to its reference, and its best DockQ."""
    models = run.models[run.models["dockq"].notna()]
    if models.empty:
        return Missing(NO_REFERENCE)
    by_target = models.groupby("target")
    best = by_target["dockq"].max().nlargest(_MOST_TARGETS)
    counts = pd.crosstab(models["target"], models["capri_class"].astype(int)).reindex(columns=range(4), fill_value=0)
    shown = counts.loc[best.index].set_axis(_CLASSES, axis="columns").iloc[:, ::-1]
    shown.insert(0, "models", by_target.size().loc[best.index])
    shown["best DockQ"] = best
    return shown.rename_axis(None, axis="columns").reset_index().style.format(precision=2).hide(axis="index")
