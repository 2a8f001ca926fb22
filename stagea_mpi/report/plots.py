"""What ranks and models have done, as the report's figures.

Each function draws one thing from a run's tables and returns the figure, or says what is missing. `ax`, or `axes` where
several are drawn on, are the caller's to draw on instead.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import AutoLocator, MaxNLocator

from ..graph.timing import STAGES
from . import measures
from .built_models import GAP_S, united
from .figures import AS_IS, COLOURS, CYCLE, Missing, legend_above, picture, title
from .measures import PHASE_ORDER
from .tables import PHASES, Telemetry

#: Colour and hatch of each phase; hatches keep apart in grey what is no work.
PHASE_STYLE = {
    "start-up": (COLOURS["light"], "///"),
    "listing": (COLOURS["sky"], ""),
    "numbering": (COLOURS["purple"], ""),
    "graphs": (COLOURS["blue"], ""),
    "writing": (COLOURS["orange"], ""),
    "clustering": (COLOURS["green"], ""),
    "publishing": (COLOURS["yellow"], ""),
    "waiting": (COLOURS["vermilion"], "xxx"),
    "unaccounted": ("#FFFFFF", "..."),
}
#: More ranks than these are drawn, but not named one by one.
_MOST_NAMED = 40
#: More events than these are drawn as shares of so many pieces of the time.
_MOST_BARS = 20_000
_BINS = 600
#: More points of a line than these cannot be told apart.
_MOST_POINTS = 5000

NO_EVENTS = "No events were noted (`telemetry/` is empty or missing), so this cannot be drawn."


def rank_timeline(run: Telemetry, ax: Axes | None = None) -> Figure | Missing:
    """Rank × time: what each rank did when."""
    columns = ["process", "phase", "start", "seconds"]
    spans = pd.concat([run.events.loc[run.events["phase"].notna(), columns], run.stretches[columns]])
    if spans.empty:
        return Missing(NO_EVENTS)
    order = _order_of_processes(run)
    start, lanes = run.ranks["started"].min(), len(order)
    spans = spans.assign(
        lane=np.array([order[process][0] for process in range(lanes)])[spans["process"].to_numpy(dtype=np.int64)],
        begin=spans["start"] - start,
        end=spans["start"] - start + spans["seconds"],
    )
    figure, axes = picture("phases of each rank over time", min(9.0, 1.6 + 0.28 * lanes), given=ax)
    what = "time since the first start (s)"
    if len(spans) <= _MOST_BARS:
        for phase, part in spans.groupby("phase"):
            _bars(axes, part, str(phase))
    else:
        _shares_of_bins(axes, spans, lanes)
        what += f"; bars are stacked by their shares of every {spans['end'].max() / _BINS:.3g} s"
    axes.set(xlabel=what, ylim=(lanes - 0.4, -0.6), xlim=(0, None))
    if lanes <= _MOST_NAMED:
        axes.set_yticks(range(lanes), [label for _, label in sorted(order.values())])
    else:
        axes.set_ylabel(f"{lanes} ranks")
    _phase_legend(axes, set(spans["phase"]))
    return figure


def _order_of_processes(run: Telemetry) -> dict[int, tuple[int, str]]:
    """Lane and name of each process: by start, then by rank."""
    ranks = run.ranks.assign(first=run.ranks.groupby("launch")["started"].transform("min"))
    ranks = ranks.sort_values(["first", "launch", "rank"])
    several = ranks["launch"].nunique() > 1
    number = {launch: i + 1 for i, launch in enumerate(ranks["launch"].unique())}
    labels = [
        f"start {number[launch]}, rank {rank}" if several else f"rank {rank}"
        for launch, rank in zip(ranks["launch"], ranks["rank"], strict=True)
    ]
    return {process: (lane, label) for lane, (process, label) in enumerate(zip(ranks["process"], labels, strict=True))}


def _bars(axes: Axes, spans: pd.DataFrame, phase: str) -> None:
    """One lane's bars a rank; events that touch each other become one bar, so that many models stay readable."""
    spans = spans.sort_values(["lane", "begin"])
    lane, begin = spans["lane"].to_numpy(), spans["begin"].to_numpy()
    first, end = united(lane, begin, spans["end"].to_numpy(), GAP_S)
    for of in np.unique(lane):
        bars = [(a, b - a) for a, b in zip(begin[first[lane[first] == of]], end[lane[first] == of], strict=True)]
        axes.broken_barh(bars, (of - 0.4, 0.8), **_style(phase))


def _shares_of_bins(axes: Axes, spans: pd.DataFrame, lanes: int) -> None:
    """Of more events than a picture has dots, in each lane the phases' shares of every piece of the time, stacked."""
    edges = np.linspace(0.0, spans["end"].max(), _BINS + 1)
    filled = np.zeros((lanes, _BINS))
    for phase in PHASE_ORDER:
        part = spans[spans["phase"] == phase]
        for lane in np.unique(part["lane"].to_numpy()).tolist():
            begin, end = (part.loc[part["lane"] == lane, key].to_numpy() for key in ("begin", "end"))
            low = filled[lane]
            high = np.minimum(low + np.diff(_covered(begin, end, edges)) / np.diff(edges), 1.0)
            bottom, top = (np.append(side, side[-1]) for side in (lane + 0.4 - 0.8 * low, lane + 0.4 - 0.8 * high))
            axes.fill_between(edges, bottom, top, step="post", **_style(phase))
            filled[lane] = high


def _covered(begin: np.ndarray, end: np.ndarray, until: np.ndarray) -> np.ndarray:
    """Seconds of some intervals before each of some times."""
    begin, end = np.sort(begin), np.sort(end)

    def passed(times: np.ndarray) -> np.ndarray:
        n = np.searchsorted(times, until)
        return n * until - np.append(0.0, np.cumsum(times))[n]

    return passed(begin) - passed(end)


def _style(phase: str) -> dict[str, Any]:
    colour, hatch = PHASE_STYLE[phase]
    return {"facecolor": colour, "edgecolor": COLOURS["black"], "linewidth": 0.0, "hatch": hatch}


def _phase_legend(axes: Axes, present: set[str]) -> None:
    for phase in PHASE_ORDER:
        if phase in present:
            colour, hatch = PHASE_STYLE[phase]
            axes.bar(0, 0, facecolor=colour, hatch=hatch, edgecolor=COLOURS["black"], linewidth=0.0, label=phase)
    legend_above(axes, 5)


def time_by_stage(run: Telemetry, axes: Sequence[Axes] | None = None) -> Figure | Missing:
    """Share of the ranks' time by phase, and seconds by stage of the work."""
    if not run.has_events:
        return Missing(NO_EVENTS)
    shares, stages = measures.phase_shares(run), measures.stage_seconds(run)
    shares = shares[shares > 0.0005]
    figure, (left, right) = picture(
        "share of time by phase and by stage", 1.2 + 0.24 * max(len(shares), len(stages)), 1, 2, given=axes
    )
    for place, (phase, share) in enumerate(shares.items()):
        colour, hatch = PHASE_STYLE[str(phase)]
        left.barh(place, 100 * share, facecolor=colour, hatch=hatch, edgecolor=COLOURS["black"], linewidth=0.5)
        left.annotate(f" {share:.1%}", (100 * share, place), va="center", fontsize=8)
    left.set_yticks(range(len(shares)), shares.index)
    title(left, "all time of all ranks")
    left.set(xlabel="share (%)", ylim=(len(shares) - 0.4, -0.6))
    left.set_xlim(0, 118 * shares.max())
    right.barh(stages.index, stages, color=[PHASE_STYLE[PHASES[stage]][0] for stage in stages.index])
    for place, seconds in enumerate(stages):
        right.annotate(f" {seconds:.3g} s", (seconds, place), va="center", fontsize=8)
    title(right, "work by stage, all ranks together")
    right.set(xlabel="time (s)", ylim=(len(stages) - 0.4, -0.6))
    right.set_xlim(0, 1.2 * stages.max())
    return figure


def load_balance(run: Telemetry, ax: Axes | None = None) -> Figure | Missing:
    """Each rank's work and waiting as shares of the run."""
    if not run.has_events:
        return Missing(NO_EVENTS)
    order = _order_of_processes(run)
    table = measures.rank_seconds(run).set_index("process").loc[list(order)]
    figure, axes = picture("work and waiting of each rank", 2.6, given=ax)
    bottom, places = np.zeros(len(table)), np.arange(len(table))
    for phase in PHASE_ORDER:
        colour, hatch = PHASE_STYLE[phase]
        height = 100 * (table[phase] / table["wall_s"]).to_numpy()
        if height.max() > 0.05:
            axes.bar(
                places,
                height,
                0.9,
                bottom,
                color=colour,
                hatch=hatch,
                edgecolor=COLOURS["black"],
                linewidth=0.2,
                label=phase,
            )
        bottom += height
    axes.set(ylabel="share of the run (%)", ylim=(0, 100), xlim=(-0.6, max(len(table) - 0.4, 3.6)))
    if len(table) <= 16:
        axes.set_xticks(places, [order[process][1].replace(", ", "\n") for process in table.index])
    else:
        axes.set_xlabel(f"{len(table)} ranks, by start and rank")
    legend_above(axes, 5)
    return figure


def throughput(run: Telemetry, axes: Sequence[Axes] | None = None) -> Figure | Missing:
    """Models per second over time, and how many were done when."""
    done = measures.completions(run)
    if done.empty:
        return Missing(NO_EVENTS if not run.has_events else "No model was computed while events were noted.")
    figure, (upper, lower) = picture(
        "models per second, and models done, over time", 3.6, 2, 1, sharex=True, given=axes
    )
    edges = np.linspace(0.0, done["time"].max() * 1.0001, min(60, max(6, len(done) // 5)) + 1)
    counts, _ = np.histogram(done["time"], edges)
    upper.stairs(counts / np.diff(edges), edges, fill=True, color=COLOURS["blue"])
    upper.axhline(measures.rate(run), color=COLOURS["vermilion"], linestyle="--", linewidth=1.2)
    upper.set_ylabel("models/s")
    title(upper, f"bars: models per second; line: {measures.rate(run):.3g} models/s while graphs were built")
    shown = np.unique(np.linspace(0, len(done) - 1, min(len(done), _MOST_POINTS)).astype(int))
    lower.step(done["time"].iloc[shown], done["done"].iloc[shown], where="post", color=COLOURS["blue"])
    lower.set(ylabel="models done", xlabel="time since the first start (s)", ylim=(0, None), xlim=(0, None))
    return figure


def collective_writes(run: Telemetry, axes: Sequence[Axes] | None = None) -> Figure | Missing:
    """Each collective write: its rate, and how long a rank waited for it."""
    writes = measures.writes(run)
    if writes.empty:
        return Missing(NO_EVENTS if not run.has_events else "No collective write was noted: no shard came as far.")
    figure, (left, right) = picture("rate of collective writes, and the wait for them", 2.6, 1, 2, given=axes)
    size, edge = writes["bytes"] / 1e6, COLOURS["black"]
    left.scatter(size, writes["mb_per_s"], s=24, color=COLOURS["orange"], edgecolor=edge, linewidth=0.5)
    left.set(xlabel="size of the write (MB)", ylabel="rate (MB/s)")
    n_writes = "1 write" if len(writes) == 1 else f"{len(writes)} writes"
    title(left, f"{n_writes}, {writes['bytes'].sum() / 1e6:.3g} MB in {writes['seconds'].sum():.2g} s")
    right.scatter(1e3 * writes["seconds"], 1e3 * writes["wait_s"], s=24, marker="s", color=COLOURS["vermilion"])
    right.set(xlabel="duration of the write (ms)", ylabel="longest wait of a rank (ms)")
    title(right, "wait before each write")
    for side, across, up in (
        (left, size, writes["mb_per_s"]),
        (right, 1e3 * writes["seconds"], 1e3 * writes["wait_s"]),
    ):
        side.set(xlim=(0, 1.1 * across.max() or 1.0), ylim=(0, 1.1 * up.max() or 1.0))
        side.xaxis.set_major_locator(MaxNLocator(5))
    return figure


def slowest_models(run: Telemetry, most: int = 15, ax: Axes | None = None) -> Figure | Missing:
    """The models that took longest, by stage."""
    models = run.models[run.models["seconds"] > 0].nlargest(most, "seconds")
    if models.empty:
        return Missing("No model was computed yet.")
    figure, axes = picture("the models that took longest", 1.1 + 0.22 * len(models), given=ax)
    left, places = np.zeros(len(models)), np.arange(len(models))
    hatches = ("", "///", "", "...", "xxx")
    for stage, colour, hatch in zip(STAGES, CYCLE, hatches, strict=False):
        seconds = models[stage].fillna(0.0).to_numpy()
        axes.barh(places, seconds, left=left, color=colour, hatch=hatch, edgecolor="white", linewidth=0.0, label=stage)
        left += seconds
    axes.axvline(run.models["seconds"].median(), color=COLOURS["black"], linestyle=":", label="median of all models")
    axes.set_yticks(places, [_shortened(name) for name in models["model"]], **AS_IS)
    axes.set(xlabel="time (s)", ylim=(len(models) - 0.4, -0.6))
    legend_above(axes, 3)
    return figure


def failures_by_reason(run: Telemetry, ax: Axes | None = None) -> Figure | Missing:
    """How many models failed for which reason."""
    counts = run.failures["reason"].value_counts()
    if counts.empty:
        return Missing("No model failed." if len(run.models) else "No model is known yet.")
    figure, axes = picture("failed models by reason", 0.9 + 0.3 * len(counts), given=ax)
    axes.barh(counts.index, counts, color=COLOURS["vermilion"], height=0.6)
    for place, count in enumerate(counts):
        axes.annotate(f" {count}", (count, place), va="center")
    axes.set(xlabel=f"models, of {len(run.models)}", xlim=(0, 1.12 * counts.max()), ylim=(len(counts) - 0.4, -0.6))
    whole_numbers = AutoLocator()
    whole_numbers.set_params(integer=True)
    axes.xaxis.set_major_locator(whole_numbers)
    return figure


def _shortened(name: str, most: int = 36) -> str:
    return name if len(name) <= most else f"{name[: most // 2 - 1]}…{name[-most // 2 :]}"
