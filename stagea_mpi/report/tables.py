"""What a run has noted, read into tables; works on a run that is under way, was killed, or noted nothing.

Times are seconds since 1970 (`start`, `time`) or durations in seconds (`seconds`, `*_s`). A value that was not noted
is NaN.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..config.paths import given
from ..errors import RunFolderError
from ..graph.timing import STAGES
from ..rundir.folders import RunFolder
from ..telemetry import file_names, sampler
from .results import FAILURE_COLUMNS, MODEL_COLUMNS, PUBLISHED, concat, read_shards

#: The phase that each stage of an event belongs to, in the order in which a shard goes through them.
PHASES = {
    "startup": "start-up",
    "prep": "listing",
    "list": "listing",
    "annotate": "numbering",
    **dict.fromkeys(STAGES, "graphs"),
    "exchange": "writing",
    "open": "writing",
    "write": "writing",
    "close": "writing",
    "cluster": "clustering",
    "publish": "publishing",
    "finish": "publishing",
    "wait": "waiting",
}

_RANKS = (
    "process", "launch", "rank", "size", "node", "host", "pid", "job", "task", "team", "team_rank", "teams", "phase",
    "cpus",
    "metrics_interval", "slurm", "started", "ended", "outcome", "max_rss_mib",
)  # fmt: skip
_EVENTS = (
    "process", "launch", "rank", "node", "stage", "phase", "shard", "model", "start", "seconds", "own_s", "bytes",
    "outcome",
    "on", "wait_s", "models", "n_atoms", "processed", "written", "errors", "rate", "held",
)  # fmt: skip


@dataclass(frozen=True)
class Telemetry:
    """One run's tables.

    Attributes
    ----------
    root : Path
    config : dict
        run.yaml as resolved, empty where there is none.
    ranks : DataFrame
        A row for each process: who it was, from when to when, and how it ended (`outcome`; NaN where no end was noted).
    events : DataFrame
        A row for each event. `own_s` is its time without that of events inside it.
    models : DataFrame
        A row for each model, published or not; of several attempts the last.
    samples : DataFrame
        A row for each node and moment: the columns of the sampler's files, and the ranks' sums `ranks_cpu_pct`,
        `ranks_rss_mib`.
    processes : DataFrame
        A row for each rank and moment.
    cores : DataFrame
        A row for each node and moment, a column for each CPU (%).
    shards : DataFrame
        A row for each shard; `state` is done, graphs (not clustered), unmarked (too many models failed), building,
        damaged or waiting.
    failures : DataFrame
        A row for each model that failed.
    unread : int
        Lines of the events that could not be read; a kill may leave one for each rank.
    """

    root: Path
    config: dict[str, Any]
    ranks: pd.DataFrame
    events: pd.DataFrame
    models: pd.DataFrame
    samples: pd.DataFrame
    processes: pd.DataFrame
    cores: pd.DataFrame
    shards: pd.DataFrame
    failures: pd.DataFrame
    unread: int = 0


def load(run_root: str | Path) -> Telemetry:
    """Reads a run.

    Parameters
    ----------
    run_root : path

    Raises
    ------
    RunFolderError
        There is no such folder, or no run in it.
    """
    folder = require_run(run_root)
    ranks, events, unread = _events(folder.root / "telemetry")
    shards, published, failures = read_shards(folder)
    metrics = folder.root / "compute_metrics"
    processes = _processes(metrics, ranks)
    return Telemetry(
        root=folder.root,
        config=folder.read_config(),
        ranks=ranks,
        events=events,
        models=_models(events, published),
        samples=_samples(metrics, processes),
        processes=processes,
        cores=_csv_tables(metrics, "cpu_percore", ()),
        shards=shards,
        failures=_failures(events, failures, shards),
        unread=unread,
    )


def require_run(run_root: str | Path) -> RunFolder:
    """The folder of a run, or RunFolderError where there is none."""
    folder = RunFolder(given(run_root, "run_root"))
    if not folder.params.exists() and not folder.config.exists():
        raise RunFolderError(f"{run_root}: holds no run (no run.yaml and no shard_lists); name the run_root of a run")
    return folder


def _events(folder: Path) -> tuple[pd.DataFrame, pd.DataFrame, int]:
    """Processes and events of all files, and how many lines are damaged or of no known process."""
    ranks: list[dict] = []
    rows: list[dict] = []
    unread = 0
    for path in sorted(folder.glob("events_*.jsonl")):
        current: dict[int | None, dict] = {}
        for line in _json_lines(path):
            if line.get("stage") == "start":
                current[line["pid"]] = line | {"process": len(ranks), "started": line["start"], "outcome": np.nan}
                ranks.append(current[line["pid"]])
            rank = current.get(line.get("pid"))
            if rank is None:
                unread += 1
                continue
            if line["stage"] in ("stop", "end"):
                outcome = f"stopped by {line['outcome']}" if line["stage"] == "stop" else line["outcome"]
                rank["outcome"] = outcome if rank["outcome"] is np.nan else rank["outcome"]
                rank["max_rss_mib"] = line.get("max_rss_mib", np.nan)
            rank["ended"] = max(rank.get("ended", 0.0), line["start"] + line["seconds"])
            if line["stage"] in PHASES or line["stage"] == "writer":
                rows.append(line | {key: rank.get(key) for key in ("process", "launch", "rank", "node")})
    events = pd.DataFrame(rows, columns=list(_EVENTS))
    events["phase"] = events["stage"].map(PHASES)
    events["own_s"] = _own_seconds(events)
    return pd.DataFrame(ranks, columns=list(_RANKS)), events, unread


def _json_lines(path: Path) -> Iterator[dict[str, Any]]:
    with open(path, encoding="utf-8", errors="replace") as lines:
        for text in lines:
            if not text.strip():
                continue
            try:
                line = json.loads(text)
                line["stage"], line["start"] + line["seconds"], line["pid"]
            except (ValueError, KeyError, TypeError):
                line = {}
            yield line


def _own_seconds(events: pd.DataFrame) -> pd.Series:
    """Seconds of each event without those of the events inside it."""
    own = events["seconds"].to_numpy(dtype=float, copy=True)
    order = events[events["stage"] != "writer"].sort_values(
        ["process", "start", "seconds"], ascending=[True, True, False]
    )
    open_events: list[tuple[int, float, int]] = []  # process, end, row
    for row, process, start, seconds in zip(
        order.index, order["process"], order["start"], order["seconds"], strict=True
    ):
        while open_events and (open_events[-1][0] != process or start >= open_events[-1][1] - 1e-4):
            open_events.pop()
        if open_events:
            own[open_events[-1][2]] -= seconds
        open_events.append((process, start + seconds, row))
    return pd.Series(np.maximum(own, 0.0), index=events.index)


def _models(events: pd.DataFrame, published: pd.DataFrame) -> pd.DataFrame:
    """Models that are published, with what the events add, and models that only events know of."""
    steps = events[events["stage"].isin(STAGES) & events["model"].notna()]
    if steps.empty:
        return published
    keys = ["shard", "model"]
    attempts = steps.groupby(["process", *keys], sort=False).agg(
        launch=("launch", "first"),
        rank=("rank", "first"),
        node=("node", "first"),
        start=("start", "min"),
        seconds=("seconds", "sum"),
        n_atoms=("n_atoms", "max"),
        status=("outcome", lambda outcomes: next((o for o in outcomes if o != "ok"), "ok")),
    )
    by_stage = steps.pivot_table(index=["process", *keys], columns="stage", values="seconds", aggfunc="sum")
    noted = attempts.join(by_stage.reindex(columns=STAGES)).reset_index().sort_values("start")
    noted = noted.drop_duplicates(keys, keep="last").drop(columns="process")
    if published.empty:
        return noted.reindex(columns=MODEL_COLUMNS).reset_index(drop=True)
    both = published.drop(columns=["launch", "rank", "node", "start"]).merge(
        noted[[*keys, "launch", "rank", "node", "start"]], on=keys, how="left"
    )
    known = pd.MultiIndex.from_frame(published[keys])
    rest = noted[~pd.MultiIndex.from_frame(noted[keys]).isin(known)]
    # The packed file books no time on the stage that failed; the events do.
    timed = noted.set_index(keys)["seconds"].reindex(pd.MultiIndex.from_frame(both[keys])).to_numpy()
    both["seconds"] = np.fmax(both["seconds"].to_numpy(), timed)
    return concat([both, rest], MODEL_COLUMNS)


def _failures(events: pd.DataFrame, published: pd.DataFrame, shards: pd.DataFrame) -> pd.DataFrame:
    """Failures that are published, and those that the events know of shards that are not."""
    listed = set(shards.loc[shards["state"].isin((*PUBLISHED, "damaged")), "shard"])
    failed = events[events["stage"].isin(STAGES) & (events["outcome"] != "ok") & ~events["shard"].isin(listed)]
    failed = failed.drop_duplicates(["shard", "model"], keep="last").rename(columns={"outcome": "reason"})
    return concat([published, failed], FAILURE_COLUMNS)


def _samples(folder: Path, processes: pd.DataFrame) -> pd.DataFrame:
    keys = ["node", "job", "task", "time"]
    table = _csv_tables(folder, "sys_metrics", sampler.SYSTEM)
    for kind, columns in (("disk_io", sampler.DISK), ("net_io", sampler.NETWORK)):
        table = table.merge(_csv_tables(folder, kind, columns), on=keys, how="outer")
    sums = processes.groupby(keys, as_index=False)[["proc_cpu_pct", "proc_rss_mib"]].sum(min_count=1)
    sums = sums.rename(columns={"proc_cpu_pct": "ranks_cpu_pct", "proc_rss_mib": "ranks_rss_mib"})
    return table.merge(sums, on=keys, how="outer").sort_values(["node", "time"], ignore_index=True)


def _processes(folder: Path, ranks: pd.DataFrame) -> pd.DataFrame:
    table = _csv_tables(folder, "proc_metrics", sampler.PROCESS)
    known = ranks[["node", "pid", "job", "task", "rank", "launch"]].assign(node=ranks["node"].map(file_names.plain))
    known = known.astype({"job": str, "task": str}).drop_duplicates(["node", "pid", "job", "task"], keep="last")
    return table.merge(known.astype({"pid": float}), on=["node", "pid", "job", "task"], how="left")


def _csv_tables(folder: Path, kind: str, columns: tuple[str, ...]) -> pd.DataFrame:
    """All nodes' files of one kind, with the node, job and task from their names."""
    tables = []
    for path in sorted(folder.glob(f"{kind}_stageA_*.csv")):
        job, task, node = path.stem.removeprefix(f"{kind}_stageA_").split("_", 2)
        table = pd.read_csv(path, on_bad_lines="skip")
        time = pd.to_datetime(table.pop("timestamp"), utc=True, errors="coerce", format="ISO8601")
        numbers = table.apply(pd.to_numeric, errors="coerce")
        epoch = (time - pd.Timestamp(0, tz="UTC")).dt.total_seconds()
        tables.append(numbers.assign(node=node, job=job, task=task, time=epoch).dropna(subset="time"))
    return concat(tables, ("node", "job", "task", "time", *columns), keep_others=True)
