"""What a run has noted, read into tables; works on a run that is under way, was killed, or noted nothing.

Times are seconds since 1970 (`start`, `time`) or durations in seconds (`seconds`, `*_s`). A value that was not noted
is NaN.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..config.paths import given
from ..errors import RunFolderError
from ..graph.timing import STAGES
from ..rundir.folders import RunFolder
from ..telemetry import file_names, sampler
from .built_models import BuiltModels
from .event_files import EventTables, read_event_files
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
    "process", "launch", "rank", "node", "stage", "phase", "shard", "start", "seconds", "own_s", "bytes", "outcome",
    "on", "wait_s", "models", "processed", "written", "errors", "rate", "held",
)  # fmt: skip
_STAGES = ("process", "stage", "phase", "own_s")
_STRETCHES = ("process", "start", "seconds", "phase")


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
        A row for each event but the models. `own_s` is its time without that of events inside it.
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
    stages : DataFrame
        A row for each process and stage of its models (`graph.timing.STAGES`); `own_s` is the time of all of them.
    stretches : DataFrame
        A row for each stretch of time in which a process built one model right after the other.
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
    stages: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=_STAGES))
    stretches: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=_STRETCHES))

    @property
    def has_events(self) -> bool:
        return bool(len(self.events) or len(self.stages))


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
    found = read_event_files(folder.root / "telemetry")
    ranks, built = _ranks(found), BuiltModels.of(found.models)
    events = _events(found, ranks)
    stages = _own_seconds(events, built, len(ranks))
    unread = found.unread
    del found  # a million names are not kept twice
    shards, published, failures = read_shards(folder)
    metrics = folder.root / "compute_metrics"
    processes = _processes(metrics, ranks)
    return Telemetry(
        root=folder.root,
        config=folder.read_config(),
        ranks=ranks,
        events=events,
        stages=stages,
        stretches=built.stretches().assign(phase="graphs"),
        models=_models(built, published, ranks),
        samples=_samples(metrics, processes),
        processes=processes,
        cores=_csv_tables(metrics, "cpu_percore", ()),
        shards=shards,
        failures=_failures(built, failures, shards),
        unread=unread,
    )


def require_run(run_root: str | Path) -> RunFolder:
    """The folder of a run, or RunFolderError where there is none."""
    folder = RunFolder(given(run_root, "run_root"))
    if not folder.params.exists() and not folder.config.exists():
        raise RunFolderError(f"{run_root}: holds no run (no run.yaml and no shard_lists); name the run_root of a run")
    return folder


def _ranks(tables: EventTables) -> pd.DataFrame:
    return pd.DataFrame(tables.processes, columns=list(_RANKS))


def _events(tables: EventTables, ranks: pd.DataFrame) -> pd.DataFrame:
    """Events that are not models; `own_s` is still to come."""
    found = tables.events
    process = np.array(found.process, dtype=np.int64)
    columns: dict[str, Any] = {"process": process}
    columns |= {key: ranks[key].to_numpy()[process] for key in ("launch", "rank", "node")}
    columns |= {key: pd.Series(texts, dtype=object) for key, texts in found.texts.items()}
    columns |= {key: np.array(numbers) for key, numbers in found.numbers.items()}
    events = pd.DataFrame(columns).reindex(columns=list(_EVENTS))
    events["phase"] = events["stage"].map(PHASES)
    return events[events["phase"].notna() | (events["stage"] == "writer")].reset_index(drop=True)


def _own_seconds(events: pd.DataFrame, built: BuiltModels, n_processes: int) -> pd.DataFrame:
    """Sets `own_s` of the events, and gives the table of the models' stages."""
    is_span = (events["stage"] != "writer").to_numpy()
    process, start, seconds = (events[key].to_numpy()[is_span] for key in ("process", "start", "seconds"))
    own = events["seconds"].to_numpy(dtype=float, copy=True)
    own[is_span], of_models = built.own_seconds(process, start, seconds, n_processes)
    events["own_s"] = np.maximum(own, 0.0)
    builder, stage = np.nonzero(of_models)
    table = pd.DataFrame({"process": builder, "stage": np.array(STAGES, dtype=object)[stage]})
    return table.assign(phase="graphs", own_s=of_models[builder, stage])


def _models(built: BuiltModels, published: pd.DataFrame, ranks: pd.DataFrame) -> pd.DataFrame:
    """Models that are published, with what the events add, and models that only events know of."""
    if not len(built):
        return published
    rows, others = built.last(published["shard"].to_numpy(), published["model"].to_numpy())
    total, is_noted = built.total, rows >= 0
    noted = rows[is_noted]
    both = published.drop(columns=["launch", "rank", "node", "start"])
    for key, values in _who(built, ranks).items():
        column = np.full(len(both), np.nan, dtype=values.dtype)
        column[is_noted] = values[noted]
        both[key] = column
    # The packed file books no time on the stage that failed; the events do.
    timed = np.full(len(both), np.nan)
    timed[is_noted] = total[noted]
    both["seconds"] = np.fmax(both["seconds"].to_numpy(dtype=float), timed)
    rest = {key: values[others] for key, values in _who(built, ranks).items()}
    rest |= {"shard": built.shard[others], "model": built.name[others], "status": built.status[others]}
    rest |= {"n_atoms": built.n_atoms[others].astype(float), "seconds": total[others]}
    stages = built.seconds[others]
    rest |= zip(STAGES, np.where(stages > 0.0, stages, np.nan).T, strict=True)
    return concat([both, pd.DataFrame(rest)], MODEL_COLUMNS)


def _who(built: BuiltModels, ranks: pd.DataFrame) -> dict[str, np.ndarray]:
    """Who has built each, and when it began."""
    columns = {key: ranks[key].to_numpy(dtype=object)[built.process] for key in ("launch", "node")}
    return columns | {"rank": ranks["rank"].to_numpy(dtype=float)[built.process], "start": built.start}


def _failures(built: BuiltModels, published: pd.DataFrame, shards: pd.DataFrame) -> pd.DataFrame:
    """Failures that are published, and those that the events know of shards that are not."""
    listed = set(shards.loc[shards["state"].isin((*PUBLISHED, "damaged")), "shard"])
    rows = [
        {"shard": int(built.shard[row]), "model": built.name[row], "stage": stage, "reason": reason}
        for row, (stage, reason) in sorted(built.failed.items())
        if built.shard[row] not in listed
    ]
    failed = pd.DataFrame(rows, columns=["shard", "model", "stage", "reason"])
    return concat([published, failed.drop_duplicates(["shard", "model"], keep="last")], FAILURE_COLUMNS)


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
