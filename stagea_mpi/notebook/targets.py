"""Models beside what is known of them: how DockQ is distributed, what goes with it, how soon a ranking finds a hit, and
which contacts of the known complex a model has. `ax`, or `axes` where several are drawn on, are the caller's to draw
on instead.
"""

from collections.abc import Sequence
from math import comb

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure

from ..errors import ConfigError, listed
from ..graph.interface_graph import GraphArrays
from ..report.figures import AS_IS, COLOURS, CYCLE, Missing, legend_above, picture, title
from .model_table import QUALITY_FLAGS

#: DockQ from which a model is acceptable, of medium and of high quality (Basu & Wallner, PLoS ONE 11 (2016) e0161879).
ACCEPTABLE, MEDIUM, HIGH = 0.23, 0.49, 0.80
NO_TARGETS = "The models have not been compared with a known complex (`reference:` in run.yaml, or `score-reference`)."
#: What is known of a pair of residues: in neither, in the reference alone, in the model alone, in both.
_KINDS = ("", "reference alone", "model alone", "both")
_KIND_COLOURS = ListedColormap(["#FFFFFF", COLOURS["sky"], COLOURS["orange"], COLOURS["black"]])


def success_rate(
    models: pd.DataFrame, by: str, *, ascending: bool = False, threshold: float = ACCEPTABLE
) -> pd.DataFrame:
    """How soon a ranking finds a hit, target by target.

    Parameters
    ----------
    models : DataFrame
        As `Run.models`, with `target` and `dockq`; models without a DockQ do not count.
    by : str
        The column that ranks; models without a value in it come last.
    ascending : bool
        Whether a low value is the better one.
    threshold : float
        DockQ from which a model is a hit.

    Returns
    -------
    table : DataFrame
        Index: `best`, how many of each target's best models are looked at, up to as many as the target with most has.
        `success`, the share of targets with a hit among them; `hits`, the share of them that are hits, averaged over
        targets; `chance`, the success of an order that knows nothing (hypergeometric).

    Raises
    ------
    ConfigError
        There is no such column.
    """
    if by not in models.columns:
        numbers = models.select_dtypes("number").columns
        raise ConfigError(f"by: no column {by} in the models; there are {listed(numbers)}")
    known = models[models["dockq"].notna()]
    if known.empty:
        raise ConfigError("success_rate: no model has a DockQ; compare the run with a known complex first")
    ordered = known.sort_values(by, ascending=ascending, na_position="last", kind="stable")
    targets = [(own["dockq"] >= threshold).to_numpy() for _, own in ordered.groupby("target", sort=True)]
    best = np.arange(1, max(map(len, targets)) + 1)
    found = np.array([np.minimum.accumulate(~_padded(hits, len(best))) == 0 for hits in targets])
    counts = np.array([_padded(np.cumsum(hits), len(best), hits.sum()) for hits in targets])
    shares = counts / np.array([np.minimum(best, len(hits)) for hits in targets])
    chance = np.array([[_chance(hits, n) for n in best.tolist()] for hits in targets])
    return pd.DataFrame(
        {"success": found.mean(axis=0), "hits": shares.mean(axis=0), "chance": chance.mean(axis=0)},
        index=pd.Index(best, name="best"),
    )


def _padded(values: np.ndarray, length: int, last: float = 0) -> np.ndarray:
    return np.concatenate([values, np.full(length - len(values), last, dtype=values.dtype)])


def _chance(hits: np.ndarray, n: int) -> float:
    """That at least one of n models, drawn at random, is a hit."""
    n = min(n, len(hits))
    return 1.0 - comb(len(hits) - int(hits.sum()), n) / comb(len(hits), n)


def dockq_distribution(models: pd.DataFrame, ax: Axes | None = None) -> Figure | Missing:
    """How many models have which DockQ, with the bounds of CAPRI's classes."""
    if "dockq" not in models or models["dockq"].isna().all():
        return Missing(NO_TARGETS)
    figure, axes = picture("distribution of DockQ", 2.6, given=ax)
    axes.hist(models["dockq"].dropna(), bins=np.linspace(0.0, 1.0, 41), color=COLOURS["blue"])
    for bound, name in ((ACCEPTABLE, "acceptable"), (MEDIUM, "medium"), (HIGH, "high")):
        axes.axvline(bound, color=COLOURS["black"], linewidth=0.8, linestyle=":")
        axes.annotate(name, (bound, 1.0), (3, -2), xycoords=("data", "axes fraction"), textcoords="offset points",
                      va="top", fontsize=8)  # fmt: skip
    axes.set(xlabel="DockQ", ylabel="models", xlim=(0.0, 1.0))
    return figure


def against_dockq(
    models: pd.DataFrame, columns: Sequence[str] = ("contact_area", "vdw", "elec"), axes: Sequence[Axes] | None = None
) -> Figure | Missing:
    """Columns of `Run.models` against DockQ; models that a flag marks are crosses."""
    if "dockq" not in models or models["dockq"].isna().all():
        return Missing(NO_TARGETS)
    figure, sides = picture("columns against DockQ", 2.8, 1, len(columns), given=axes)
    known = models[models["dockq"].notna()]
    is_flagged = known[[flag for flag in QUALITY_FLAGS if flag in known]].any(axis=1)
    for side, column in zip(np.atleast_1d(sides), columns, strict=True):
        for marked, style in ((False, {"marker": "o"}), (True, {"marker": "x"})):
            part = known[is_flagged == marked]
            side.scatter(part["dockq"], part[column], s=14, color=COLOURS["vermilion" if marked else "blue"],
                         label="flagged" if marked else "not flagged", **style)  # fmt: skip
        if known[column].abs().max() > 1e3:  # atoms that clash have energies of any size
            side.set_yscale("symlog", linthresh=100.0)
        side.set_xlabel("DockQ")
        side.set_ylabel(column, **AS_IS)
    legend_above(np.atleast_1d(sides)[0], 2)
    return figure


def success_curve(
    models: pd.DataFrame, by: Sequence[str], *, ascending: Sequence[str] = (), threshold: float = ACCEPTABLE,
    ax: Axes | None = None,
) -> Figure | Missing:  # fmt: skip
    """How soon some columns find hits: of several targets the share with one among its best N models, beside chance;
    of a single target the share of its best N models that are hits.

    Parameters
    ----------
    models : DataFrame
        As for `success_rate`.
    by : sequence of str
    ascending : sequence of str
        Those of them of which a low value is the better one.
    threshold : float
    ax : Axes, optional
    """
    if "dockq" not in models or models["dockq"].isna().all():
        return Missing(NO_TARGETS)
    figure, axes = picture("success rate among the best models", 2.8, given=ax)
    known = models[models["dockq"].notna()]
    is_one = known["target"].nunique() == 1
    for colour, column in zip(CYCLE, by, strict=False):
        table = success_rate(models, column, ascending=column in ascending, threshold=threshold)
        axes.step(table.index, table["hits" if is_one else "success"], where="mid", color=colour, label=column)
    chance = np.full(len(table), (known["dockq"] >= threshold).mean()) if is_one else table["chance"]
    axes.plot(table.index, chance, color=COLOURS["black"], linestyle=":", label="any order")
    what = "share of them" if is_one else "share of targets"
    axes.set(xlabel="best models of each target", ylabel=f"{what} with DockQ ≥ {threshold:g}", ylim=(0.0, 1.05))
    axes.set_xscale("log")
    legend_above(axes, 4)
    return figure


def contacts_beside(
    reference: GraphArrays, graphs: Sequence[GraphArrays], axes: Sequence[Axes] | None = None
) -> Figure:
    """Contacts of residues in some models and in the known complex: in both, in one of them.

    Parameters
    ----------
    reference : GraphArrays
        Of the known complex. Residues are told by their numbers in the merged chains, so its chains have to be those of
        the models, whole.
    graphs : sequence of GraphArrays
    axes : sequence of Axes, optional
    """
    known = _residue_pairs(reference)
    pairs = [_residue_pairs(graph) for graph in graphs]
    rows, columns = (sorted({pair[k] for found in (known, *pairs) for pair in found}) for k in (0, 1))
    height = min(7.0, 1.6 + 0.06 * len(rows))
    figure, sides = picture("contacts of models beside the known ones", height, 1, len(graphs), given=axes)
    place = {number: k for k, number in enumerate(rows)}, {number: k for k, number in enumerate(columns)}
    for side, graph, found in zip(np.atleast_1d(sides), graphs, pairs, strict=True):
        table = np.zeros((len(rows), len(columns)))
        for pair in known | found:
            table[place[0][pair[0]], place[1][pair[1]]] = (pair in known) + 2 * (pair in found)
        side.imshow(table, cmap=_KIND_COLOURS, vmin=-0.5, vmax=3.5, aspect="auto", interpolation="nearest")
        title(side, f"{graph.name}: {len(known & found)} of {len(known)} contacts")
        side.set(xlabel="antigen's residues", xticks=[], yticks=[])
    first = np.atleast_1d(sides)[0]
    first.set_ylabel("antibody's residues")
    handles = [first.plot([], [], "s", color=_KIND_COLOURS(k), label=_KINDS[k])[0] for k in (1, 2, 3)]
    figure.legend(handles=handles, loc="outside lower center", ncols=3, frameon=False, fontsize=8.0)
    return figure


def _residue_pairs(graph: GraphArrays) -> set[tuple[int, int]]:
    """Numbers of the antibody's and of the antigen's residue of each contact."""
    return {(a, b) for a, b in np.unique(graph.residue_number[graph.interface.nodes], axis=0).tolist()}
