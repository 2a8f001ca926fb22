"""Numbers made from a run's tables: where the ranks' time went, how even the load was, what more models would take."""

import heapq
import math
from collections.abc import Iterable

import numpy as np
import pandas as pd

from .tables import PHASES, Telemetry

#: Phases in the order in which a shard goes through them, and what no event accounts for.
PHASE_ORDER = (*dict.fromkeys(PHASES.values()), "unaccounted")
#: Phases in which a rank does what a single rank would have to do, too.
WORK = ("listing", "numbering", "graphs", "clustering", "publishing")


def launches(run: Telemetry) -> pd.DataFrame:
    """A row for each start of the program.

    Returns
    -------
    table : DataFrame
        `launch`, `job`, `task`, `phase`, `nodes`, `ranks`, `started` and `ended` (s since 1970), `wall_s`, `outcome`
        (of its ranks the worst; "no end noted" where one has none), `models` that it computed.
    """
    rows = []
    models = run.models["launch"].value_counts()
    for launch, ranks in run.ranks.groupby("launch", sort=False):
        outcomes = [text for text in ranks["outcome"].dropna().unique() if text != "ok"]
        ended = "ok" if ranks["outcome"].notna().all() and len(ranks) >= ranks["size"].max() else "no end noted"
        rows.append(
            {
                "launch": launch,
                "job": ranks["job"].iloc[0],
                "task": ranks["task"].iloc[0],
                "phase": ranks["phase"].iloc[0],
                "nodes": ranks["node"].nunique(),
                "ranks": int(ranks["size"].max()),
                "teams": int(ranks["teams"].max()),
                "started": ranks["started"].min(),
                "ended": ranks["ended"].max(),
                "wall_s": ranks["ended"].max() - ranks["started"].min(),
                "outcome": ", ".join(outcomes) or ended,
                "models": int(models.get(launch, 0)),
            }
        )
    columns = "launch job task phase nodes ranks teams started ended wall_s outcome models".split()
    return pd.DataFrame(rows, columns=columns).sort_values("started", ignore_index=True)


def rank_seconds(run: Telemetry) -> pd.DataFrame:
    """Seconds of each process by phase.

    Returns
    -------
    table : DataFrame
        Columns `process`, `launch`, `rank`, `node`, one for each of `PHASE_ORDER`, and `wall_s`, which is their sum: a
        launch lasts for all its ranks until its last one has ended.
    """
    walls = launches(run).set_index("launch")["wall_s"]
    table = run.ranks[["process", "launch", "rank", "node"]].assign(wall_s=run.ranks["launch"].map(walls))
    spent = _work(run).pivot_table(index="process", columns="phase", values="own_s", aggfunc="sum")
    spent = spent.reindex(index=table["process"], columns=PHASE_ORDER[:-1]).fillna(0.0)
    table = table.join(spent, on="process")
    table["unaccounted"] = np.maximum(table["wall_s"] - spent.sum(axis=1).to_numpy(), 0.0)
    return table


def _work(run: Telemetry) -> pd.DataFrame:
    """Events and the stages of models: `process`, `stage`, `phase`, `own_s`."""
    columns = ["process", "stage", "phase", "own_s"]
    parts = [part[columns] for part in (run.events, run.stages) if len(part)]
    return pd.concat(parts) if parts else run.events[columns]


def efficiency(run: Telemetry) -> float:
    """Share of the ranks' time that was work (0 to 1); NaN without events."""
    seconds = rank_seconds(run)
    total = seconds["wall_s"].sum()
    return float(seconds[list(WORK)].to_numpy().sum() / total) if total > 0 else math.nan


def phase_shares(run: Telemetry) -> pd.Series:
    """Share of the ranks' time by phase (0 to 1), in the order of `PHASE_ORDER`."""
    seconds = rank_seconds(run)
    return seconds[list(PHASE_ORDER)].sum() / seconds["wall_s"].sum()


def stage_seconds(run: Telemetry) -> pd.Series:
    """Seconds of all ranks together by stage, largest first; without waiting and start-up."""
    events = _work(run)
    events = events[~events["phase"].isin(("waiting", "start-up")) & events["phase"].notna()]
    return events.groupby("stage")["own_s"].sum().sort_values(ascending=False)


def waits(run: Telemetry) -> pd.Series:
    """Seconds of all ranks together spent on waiting, by what for (`on`), largest first."""
    events = run.events[run.events["phase"] == "waiting"]
    return events.groupby("on")["own_s"].sum().sort_values(ascending=False)


def writes(run: Telemetry) -> pd.DataFrame:
    """A row for each collective write.

    Returns
    -------
    table : DataFrame
        `launch`, `shard`, `round`, `ranks`, `models`, `bytes` of all ranks, `seconds` of the slowest rank, `mb_per_s`
        (10⁶ bytes), `wait_s`: the longest that a rank waited for it.
    """
    events = run.events[(run.events["stage"] == "write") & run.events["bytes"].notna()].sort_values("start")
    events = events.assign(round=events.groupby(["process", "shard"]).cumcount())
    table = events.groupby(["launch", "shard", "round"], as_index=False, sort=False).agg(
        ranks=("rank", "nunique"),
        models=("models", "sum"),
        bytes=("bytes", "sum"),
        seconds=("seconds", "max"),
        wait_s=("wait_s", "max"),
        start=("start", "min"),
    )
    return table.assign(mb_per_s=table["bytes"] / 1e6 / table["seconds"])


def completions(run: Telemetry) -> pd.DataFrame:
    """Models by the time of their end: `time` (s since the first start), `done` so far, `launch`."""
    models = run.models[run.models["start"].notna()]
    start = run.ranks["started"].min()
    table = pd.DataFrame({"time": models["start"] + models["seconds"] - start, "launch": models["launch"]})
    table = table.sort_values("time", ignore_index=True)
    return table.assign(done=np.arange(1, len(table) + 1))


def rate(run: Telemetry) -> float:
    """Models a second while models were computed: models by the time from the first one's start to the last one's
    end."""
    models = run.models[run.models["start"].notna()]
    spans = (
        models.assign(end=models["start"] + models["seconds"])
        .groupby("launch")
        .agg(a=("start", "min"), b=("end", "max"))
    )
    seconds = (spans["b"] - spans["a"]).sum()
    return len(models) / seconds if seconds > 0 else math.nan


def prediction(run: Telemetry, factors: Iterable[float] = (1, 10, 100)) -> pd.DataFrame:
    """Wall time for so many times the models, on as many ranks, at the same efficiency.

    A start of the program costs its start-up once; the rest grows with the models. An unfinished run is extrapolated
    to the models that it was to compute.

    Returns
    -------
    table : DataFrame
        `factor`, `models`, `ranks`, `wall_s`, `core_h` (ranks × hours); no rows where nothing was computed under
        events.
    """
    seconds, starts = rank_seconds(run), launches(run)
    computed = int((run.models["start"].notna()).sum())
    if not computed:
        return pd.DataFrame(columns=["factor", "models", "ranks", "wall_s", "core_h"])
    useful = starts["models"].gt(0) | starts["phase"].eq("cluster_only")
    seconds = seconds[seconds["launch"].isin(starts.loc[useful, "launch"])]
    each = float((seconds["wall_s"] - seconds["start-up"]).sum() / computed)
    fixed = float(seconds["start-up"].mean())
    ranks = int(starts.loc[useful, "ranks"].max())
    models = max(len(run.models), int(run.shards["n_inputs"].sum()))
    table = pd.DataFrame({"factor": list(factors)})
    table["models"] = (table["factor"] * models).round().astype(int)
    table["ranks"] = ranks
    table["wall_s"] = fixed + each * table["models"] / ranks
    table["core_h"] = ranks * table["wall_s"] / 3600.0
    return table


def makespan(seconds: Iterable[float], ranks: int) -> float:
    """Time until so many ranks have done some models, each rank taking the next one when it is free."""
    free = [0.0] * ranks
    for duration in seconds:
        heapq.heapreplace(free, free[0] + duration)
    return max(free)


def useful_ranks(run: Telemetry, ranks: int, share: float = 0.9) -> int:
    """The most ranks that would have been busy for such a share of the time that graphs were built, as measured
    here."""
    built = _built(run).sort_values("start")
    shards = [part.tolist() for _, part in built.groupby(["launch", "shard"])["seconds"]]
    work = sum(map(sum, shards))
    low, high = 1, ranks
    while low < high:
        middle = (low + high + 1) // 2
        busy = work / (middle * sum(makespan(shard, middle) for shard in shards))
        low, high = (middle, high) if busy >= share else (low, middle - 1)
    return low


def _built(run: Telemetry) -> pd.DataFrame:
    return run.models[run.models["start"].notna()]
