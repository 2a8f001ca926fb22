"""Runs of the same models on 1, 2, 4 … ranks side by side: speed-up, efficiency, losses, and simulations of other ranks
and more models."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..config.values import duration
from ..pipeline.forecast import file_system_of, nodes_of, team_costs, team_sizes
from ..pipeline.simulation import FileSystem, StageCosts, simulate
from . import measures, tables
from .figures import COLOURS, CYCLE, Missing, legend_above, picture
from .measures import PHASE_ORDER, WORK
from .plots import PHASE_STYLE
from .stage_costs import stage_costs


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


def beside_simulation(roots: Iterable[str | Path]) -> pd.DataFrame:
    """Runs beside simulations of them, with the costs of the run of fewest ranks.

    Parameters
    ----------
    roots : iterable of path
        As for `compare`.

    Returns
    -------
    table : DataFrame
        Index: `ranks`. `build_s`, from the first shard that was taken to the last one that was published;
        `simulated_s`, and `ratio` of the first to the second. For the run of fewest ranks the ratio says how much of
        its time the costs account for.
    """
    runs = {}
    for root in roots:
        run = tables.load(root)
        starts = measures.launches(run)
        last = starts[starts["models"] > 0].tail(1)
        if not last.empty:
            runs[int(last["ranks"].iloc[0])] = run, last["launch"].iloc[0]
    columns = ["ranks", "build_s", "simulated_s", "ratio"]
    rows = []
    for ranks, (run, launch) in sorted(runs.items()):
        costs = stage_costs(runs[min(runs)][0])
        build_s = _build_seconds(run, launch)
        shards = run.models.loc[run.models["launch"] == launch, "shard"].value_counts().tolist()
        teams = run.ranks[run.ranks["launch"] == launch].groupby("team")["rank"].nunique().tolist()
        seconds = simulate(costs, shards, teams).build_s
        rows.append((ranks, build_s, seconds, build_s / seconds))
    return pd.DataFrame(rows, columns=columns).set_index("ranks")


def _build_seconds(run: tables.Telemetry, launch: str) -> float:
    """Seconds from the first shard that a launch took to the last one that it published."""
    events = run.events[run.events["launch"] == launch]
    ends = events["start"] + events["seconds"]
    last = ends[events["stage"].isin(("finish", "publish"))].max()
    return float(last - events.loc[events["stage"] == "prep", "start"].min())


def simulated(
    costs: StageCosts,
    models: int,
    ranks: Iterable[int],
    *,
    models_a_shard: int = 100,
    ranks_a_node: int = 128,
    file_system: FileSystem | None = None,
) -> pd.DataFrame:
    """Simulated runs of so many models, teams chosen as `team: auto` does.

    Parameters
    ----------
    costs : StageCosts
        `stage_costs` of a run.
    models : int
    ranks : iterable of int
    models_a_shard, ranks_a_node : int
    file_system : FileSystem, optional
        By default `forecast.USUAL_FILE_SYSTEM` where there is more than one node.

    Returns
    -------
    table : DataFrame
        Index: `ranks`. `nodes`, `teams`, `wall_s` with start-up, `wall` as text, `core_h`, `speed_up` and `efficiency`
        of the build.
    """
    shards = [models_a_shard] * (models // models_a_shard) + [rest for rest in [models % models_a_shard] if rest]
    rows = []
    for n in ranks:
        nodes = nodes_of(n, ranks_a_node)
        teams = team_sizes(nodes, "auto", len(shards), team_costs(costs, models / len(shards)))
        disk = file_system or file_system_of(len(nodes))
        run = simulate(costs, shards, teams, file_system=disk, n_nodes=len(nodes))
        rows.append(
            {
                "ranks": n, "nodes": len(nodes), "teams": len(teams), "wall_s": run.wall_s,
                "wall": duration(run.wall_s), "core_h": n * run.wall_s / 3600, "speed_up": run.speed_up,
                "efficiency": run.efficiency,
            }
        )  # fmt: skip
    columns = ["ranks", "nodes", "teams", "wall_s", "wall", "core_h", "speed_up", "efficiency"]
    return pd.DataFrame(rows, columns=columns).set_index("ranks")


def simulated_scaling(
    costs: StageCosts,
    models: Iterable[int],
    ranks: Sequence[int],
    axes: Sequence[Axes] | None = None,
    **options: Any,
) -> Figure:
    """Wall time and efficiency over ranks for some numbers of models, simulated; `options` as for `simulated`."""
    figure, (left, right) = picture("simulated wall time and efficiency over ranks", 2.8, 1, 2, given=axes)
    for count, colour, marker in zip(models, CYCLE, "os^vD*", strict=False):
        table = simulated(costs, count, ranks, **options)
        label = f"{count:,} models"
        left.plot(ranks, table["wall_s"] / 60, marker + "-", color=colour, label=label)
        right.plot(ranks, 100 * table["efficiency"], marker + "-", color=colour, label=label)
    left.set(xscale="log", yscale="log", xlabel="ranks", ylabel="wall time (min)")
    right.set(xscale="log", xlabel="ranks", ylabel="efficiency of the build (%)", ylim=(0, 110))
    for side in (left, right):
        side.set_xticks(ranks, [str(n) for n in ranks])
        side.minorticks_off()
    left.legend(frameon=False, fontsize=7.0)
    return figure
