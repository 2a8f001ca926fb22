"""Runs of the same models on 1, 2, 4 … ranks side by side: speed-up, efficiency, losses, and the time for more
models."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..config.values import duration
from . import measures, tables
from .figures import COLOURS, CYCLE, Missing, legend_above, picture, title
from .measures import PHASE_ORDER, WORK
from .plots import PHASE_STYLE


def compare(roots: Iterable[str | Path]) -> pd.DataFrame:
    """A row for each run, by ranks.

    Parameters
    ----------
    roots : iterable of path
        Finished runs of the same models, each in one start.

    Returns
    -------
    table : DataFrame
        Index: `ranks`. `models`, `wall_s`, `rate` (models/s while graphs were built), `speed_up` of the whole run and
        `efficiency` against the run of fewest ranks, and rank-seconds by phase (`PHASE_ORDER`).
    """
    rows = []
    for root in roots:
        run = tables.load(root)
        seconds, starts = measures.rank_seconds(run), measures.launches(run)
        last = starts[starts["models"] > 0].tail(1)
        if last.empty:
            continue
        seconds = seconds[seconds["launch"] == last["launch"].iloc[0]]
        spent = seconds[list(PHASE_ORDER)].sum().to_dict()
        row = {
            "ranks": int(last["ranks"].iloc[0]),
            "models": int(last["models"].iloc[0]),
            "wall_s": last["wall_s"].iloc[0],
        }
        rows.append(row | {"rate": measures.rate(run)} | spent)
    table = (
        pd.DataFrame(rows, columns=["ranks", "models", "wall_s", "rate", *PHASE_ORDER]).set_index("ranks").sort_index()
    )
    if table.empty:
        return table.assign(speed_up=np.nan, efficiency=np.nan)
    base = table.iloc[0]
    speed_up = (base["wall_s"] / base["models"]) / (table["wall_s"] / table["models"]) * table.index[0]
    return table.assign(speed_up=speed_up, efficiency=speed_up / table.index)


def speed_up(table: pd.DataFrame, axes: Sequence[Axes] | None = None) -> Figure | Missing:
    """Speed-up and efficiency over ranks, beside what would be perfect."""
    if table.empty:
        return Missing("No run with events is there to compare.")
    figure, (left, right) = picture("speed-up and efficiency over ranks", 2.8, 1, 2, given=axes)
    ranks = table.index.to_numpy()
    build = table["rate"] / table["rate"].iloc[0] * ranks[0]
    left.plot(ranks, ranks, ":", color=COLOURS["black"], label="perfect")
    left.plot(ranks, build, "s--", color=COLOURS["orange"], label="graphs only")
    left.plot(ranks, table["speed_up"], "o-", color=COLOURS["blue"], label="whole run")
    left.set(xlabel="ranks", ylabel="speed-up", xticks=ranks, xlim=(0, None), ylim=(0, None))
    right.plot(ranks, 100 * build / ranks, "s--", color=COLOURS["orange"], label="graphs only")
    right.plot(ranks, 100 * table["efficiency"], "o-", color=COLOURS["blue"], label="whole run")
    right.set(xlabel="ranks", ylabel="efficiency (%)", xticks=ranks, xlim=(0, None), ylim=(0, 110))
    for side in (left, right):
        legend_above(side, 3)
    return figure


def losses(table: pd.DataFrame, ax: Axes | None = None) -> Figure | Missing:
    """Where the ranks' time goes, by number of ranks: work would stay as it is, what grows is loss."""
    if table.empty:
        return Missing("No run with events is there to compare.")
    figure, axes = picture("rank-seconds a model by phase and number of ranks", 2.8, given=ax)
    places, bottom = np.arange(len(table)), np.zeros(len(table))
    for phase in (*WORK, *(phase for phase in PHASE_ORDER if phase not in WORK)):
        colour, hatch = PHASE_STYLE[phase]
        height = (table[phase] / table["models"]).to_numpy()
        axes.bar(
            places,
            height,
            0.7,
            bottom,
            color=colour,
            hatch=hatch,
            edgecolor=COLOURS["black"],
            linewidth=0.3,
            label=phase,
        )
        bottom += height
    axes.set_xticks(places, table.index)
    axes.set(xlabel="ranks", ylabel="rank-seconds a model", xlim=(-0.6, max(2.6, len(table) - 0.4)))
    legend_above(axes, 5)
    return figure


def predict(table: pd.DataFrame, models: int, ranks: Iterable[int]) -> pd.DataFrame:
    """Wall time for so many models.

    Start-up is paid once; what else the ranks do a model (their rank-seconds) is taken from the measured run that is
    nearest in ranks. Beyond the ranks that were measured this is an extrapolation, and said so in `measured`.

    Returns
    -------
    table : DataFrame
        Index: `ranks`. `wall_s`, `wall`, `core_h`, `measured`.
    """
    rows = []
    for n in ranks:
        row = table.iloc[int(np.abs(np.log(table.index / n)).argmin())]
        fixed = row["start-up"] / row.name
        each = (row[list(PHASE_ORDER)].sum() - row["start-up"]) / row["models"]
        wall = fixed + each * models / n
        measured = table.index.min() <= n <= table.index.max()
        rows.append(
            {
                "ranks": n,
                "wall_s": wall,
                "wall": duration(wall),
                "core_h": n * wall / 3600,
                "measured": measured,
            }
        )
    return pd.DataFrame(rows, columns=["ranks", "wall_s", "wall", "core_h", "measured"]).set_index("ranks")


def predicted_time(
    table: pd.DataFrame, models: Iterable[int], ranks: Iterable[int], ax: Axes | None = None
) -> Figure | Missing:
    """Predicted wall time over ranks for some numbers of models."""
    if table.empty:
        return Missing("No run with events is there to predict from.")
    figure, axes = picture("predicted wall time over ranks", 2.8, given=ax)
    ranks = list(ranks)
    for count, colour, marker in zip(models, CYCLE, "os^vD*", strict=False):
        axes.plot(
            ranks, predict(table, count, ranks)["wall_s"] / 3600, marker + "-", color=colour, label=f"{count:,} models"
        )
    axes.axvspan(table.index.max(), max(*ranks, table.index.max()), color=COLOURS["light"], alpha=0.4, linewidth=0)
    title(axes, "grey: more ranks than were measured")
    axes.set(xscale="log", yscale="log", xlabel="ranks", ylabel="wall time (h)")
    axes.set_xticks(ranks, [str(n) for n in ranks])
    axes.minorticks_off()
    axes.legend(frameon=False, fontsize=8.0)
    return figure
