"""What a run's numbers mean, in plain sentences, with the line to change where something is to be changed."""

import math
from collections.abc import Iterator

import pandas as pd

from ..config.values import duration, time_limit_seconds
from ..errors import REASONS
from . import measures
from .tables import Telemetry

#: From this share of the ranks' time on, work is as good as it gets.
_GOOD = 0.85
#: A loss below this share of the ranks' time is not worth a sentence.
_SMALL = 0.05
#: Seconds below which a run is too short to judge its settings by.
_SHORT_S = 60.0


class Notes(list):
    """Sentences; shows itself as a list in a notebook."""

    def _repr_markdown_(self) -> str:
        return "\n".join(f"- {sentence}" for sentence in self)


def notes(run: Telemetry) -> Notes:
    """What a reader should know and do, the most important first; never empty."""
    found = Notes([*_outcome(run), *_failures(run)])
    advice = [*_ranks(run), *_losses(run), *_memory(run), *_disk(run), *_time(run), *_writing(run)]
    missing = list(_missing(run))
    if not advice and not missing and not found[1:] and _is_whole(run):
        share = measures.efficiency(run)
        found.append(f"All is well: ranks worked for {share:.0%} of their time. Nothing is to be changed.")
    return Notes([*found, *advice, *missing])


def _is_whole(run: Telemetry) -> bool:
    return bool(run.shards["state"].isin(("done", "graphs")).all())


def _outcome(run: Telemetry) -> Iterator[str]:
    shards, starts = run.shards, measures.launches(run)
    published, n_ok = int(shards["state"].isin(("done", "graphs")).sum()), int((run.models["status"] == "ok").sum())
    shards_known, models_known = _count(len(shards), "shard"), _count(len(run.models), "model")
    counts = f"{published} of {shards_known} published, {n_ok} of {models_known} with a graph"
    if _is_whole(run):
        wall = f", in {duration(starts['wall_s'].sum())}" if len(starts) == 1 else ""
        without = int((shards["state"] == "graphs").sum())
        last = f"; {without} of them without clusters: run `--phase cluster_only`" if without else ""
        lacking = int((shards["graphs_bytes"] == 0).sum())
        last += f"; {lacking} without graphs.h5 (`write_graphs: 0`): `export` writes it" if lacking else ""
        yield f"The run is whole: {counts}{wall}{last}."
    elif len(shards) and not shards["state"].isin(("waiting", "building", "damaged")).any():
        yield f"All shards were computed, but not all are marked as done: {counts}."
    else:
        why = f"its last start ended with: {starts['outcome'].iloc[-1]}" if len(starts) else "no start of it was noted"
        if len(starts) and starts["outcome"].iloc[-1] == "no end noted":
            why = "its last start has noted no end: it was killed, or is still running"
        yield f"The run is not whole: {counts} so far; {why}. The same command, started again, finishes it."


def _count(number: int, what: str) -> str:
    return f"{number} {what}" + "s" * (number != 1)


def _failures(run: Telemetry) -> Iterator[str]:
    failed, n_models = len(run.failures), len(run.models)
    if not failed:
        return
    allowed = run.config.get("stage_a", {}).get("max_failed_fraction", 0.1)
    for reason, count in run.failures["reason"].value_counts().items():
        meaning = REASONS.get(str(reason), "a reason that this version does not know")
        change = ""
        if reason == "timeout":
            limit = run.config.get("stage_a", {}).get("model_timeout_s", 300.0)
            change = f"; if they are to be waited for, set `model_timeout_s: {2 * limit:g}` under `stage_a`"
        yield f"{count} of {n_models} models failed with {reason}: {meaning}{change}."
    unmarked = run.shards[run.shards["state"] == "unmarked"]
    if len(unmarked):
        worst = (unmarked["n_fail"] / unmarked["n_models"]).max()
        yield (
            f"{_count(len(unmarked), 'shard')} not marked as done, since more than `max_failed_fraction: {allowed:g}` "
            "of their models failed: mend the models, or "
            f"set `max_failed_fraction: {math.ceil(100 * worst) / 100:g}` under `stage_a`."
        )


def _ranks(run: Telemetry) -> Iterator[str]:
    """Ranks against the CPUs that they were given."""
    for node, ranks in run.ranks.drop_duplicates("launch", keep="last").groupby("node"):
        launch = run.ranks[run.ranks["launch"] == ranks["launch"].iloc[-1]]
        here = launch[launch["node"] == node]
        cpus = {cpu for listed in here["cpus"] for cpu in listed}
        if len(here) > len(cpus):
            yield (
                f"{_count(len(here), 'rank')} shared {_count(len(cpus), 'CPU')} on {node}: "
                f"start as many ranks as there are CPUs (`--ntasks={len(cpus)}`, or `mpiexec -n {len(cpus)}`)."
            )
        elif len(here) <= len(cpus) / 2:
            yield (
                f"{_count(len(here), 'rank')} ran on {len(cpus)} CPUs of {node}, the others were idle: "
                f"start one for each CPU (`--ntasks-per-node={len(cpus)}`, or `mpiexec -n {len(cpus)}`)."
            )


def _losses(run: Telemetry) -> Iterator[str]:
    """Where the ranks' time went that was not work, the largest loss first."""
    share = measures.efficiency(run)
    if not math.isfinite(share) or share >= _GOOD:
        return
    seconds, starts = measures.rank_seconds(run), measures.launches(run)
    total = seconds["wall_s"].sum()
    waiting = measures.waits(run) / total
    losses = {f"wait {on}": float(value) for on, value in waiting.items()}
    losses |= {phase: float(seconds[phase].sum() / total) for phase in ("start-up", "writing", "unaccounted")}
    head = f"CPU efficiency {share:.0%}"
    for kind, loss in sorted(losses.items(), key=lambda item: -item[1]):
        if loss < _SMALL:
            continue
        sentence = _loss(kind, loss, run, seconds, int(starts["ranks"].max()))
        if sentence:
            yield f"{head}: {sentence}" if head else sentence[0].upper() + sentence[1:]
            head = ""
    if head:
        yield f"{head}, without one large loss: see the share of time by stage below."


def _loss(kind: str, loss: float, run: Telemetry, seconds: pd.DataFrame, ranks: int) -> str:
    if kind == "wait slowest":
        return _tail(run, seconds, ranks)
    if kind in ("wait lead", "wait end"):
        width = ranks // int(run.ranks["teams"].max())
        return (
            f"ranks waited {loss:.0%} of the run while the first rank of their team clustered and published; "
            f"set `split_mode: true` under `stage_a` (clusters in an array of their own)"
            + (f", or `team: {width // 2}` (smaller teams)." if width >= 4 else ".")
        )
    if kind == "wait teams":
        largest = int(run.shards["n_inputs"].max())
        return (
            f"ranks waited {loss:.0%} of the run for the last shards of other teams; smaller shards are shared out "
            f"more evenly: `max_per_shard: {max(1, largest // 2)}` under `stage_a`."
        )
    if kind == "wait annotate":
        return (
            f"ranks waited {loss:.0%} of the run for others that number sequences; "
            "set `anarci_parallel_batches: 2` under `stage_a`."
        )
    if kind == "start-up":
        took = f"start-up of Python and MPI took {loss:.0%} of the ranks' time"
        if float(measures.launches(run)["wall_s"].sum()) < _SHORT_S:
            tenfold = loss / (loss + 10 * (1 - loss))
            return f"{took}; ten times the models would bring it to {tenfold:.0%}, so nothing is to be changed."
        return f"{took}; give a job more to do: a larger `max_per_shard` under `stage_a`, or fewer jobs."
    if kind == "writing":
        return (
            f"collective writes took {loss:.0%} of the ranks' time; larger ones cost less: raise `max_per_shard` and "
            "`graph_result_queue_maxsize` under `stage_a`, or put `run_root` on a faster file system."
        )
    return (
        f"{loss:.0%} of the ranks' time is in no event: the machine was busy with something else, or a rank was killed."
    )


def _tail(run: Telemetry, seconds: pd.DataFrame, ranks: int) -> str:
    """The sentence on ranks that waited for the last models of a shard."""
    worst = seconds.iloc[int((seconds["waiting"] / seconds["wall_s"]).argmax())]
    built = run.models[run.models["start"].notna()]
    largest = built.iloc[int(built["seconds"].argmax())]
    useful = measures.useful_ranks(run, ranks)
    per_shard = len(built) / max(1, built["shard"].nunique())
    sentence = (
        f"rank {worst['rank']:.0f} waited {worst['waiting'] / worst['wall_s']:.0%} of the run for the last models of a "
        f"shard (the longest, {largest['model']}, took {duration(largest['seconds'])})"
    )
    if per_shard < 8 * ranks and built["shard"].nunique() > 1:
        return f"{sentence}; make shards of at least 8 models a rank: `min_per_shard: {8 * ranks}` under `stage_a`."
    if useful < ranks:
        return f"{sentence}; ask for `--ntasks={useful}` (`cores: {useful}` under `stage_a`)."
    return f"{sentence}; more models in a shard make it even: raise `max_per_shard` under `stage_a`."


def _memory(run: Telemetry) -> Iterator[str]:
    asked = run.config.get("stage_a", {}).get("mem_gb")
    peak = run.samples["ranks_rss_mib"].max() / 1024.0 if len(run.samples) else math.nan
    if not asked or not math.isfinite(peak) or not _under_slurm(run):
        return
    held = f"Memory: the ranks of a node held at most {peak:.1f} of {asked:g} GiB"
    if peak > 0.9 * asked:
        yield f"{held}; ask for `mem_gb: {math.ceil(1.5 * peak)}`."
    elif 4 * peak < asked:
        yield f"{held}; `mem_gb: {math.ceil(2 * peak)}` would do."


def _disk(run: Telemetry) -> Iterator[str]:
    waiting = run.samples["cpu_iowait_pct"].quantile(0.95) if len(run.samples) else math.nan
    if waiting >= 10.0:
        yield (
            f"CPUs waited for the disk (iowait {waiting:.0f} % at times): "
            "put `pdb_root` and `run_root` on a faster file system."
        )


def _time(run: Telemetry) -> Iterator[str]:
    """The time limit that a job asked for against what it took."""
    starts, limit = measures.launches(run), time_limit_seconds(run.config.get("stage_a", {}).get("time") or "")
    if not _under_slurm(run) or not math.isfinite(limit) or starts.empty:
        return
    longest = starts["wall_s"].max()
    wanted = max(600.0, math.ceil(2 * longest / 600.0) * 600.0)
    if longest > 0.8 * limit or 6 * longest < limit and wanted < limit:
        yield (
            f"The longest job took {duration(longest)} of the {duration(limit)} that it may take; ask for "
            f'`time: "{int(wanted // 3600):02d}:{int(wanted // 60 % 60):02d}:00"` under `stage_a`.'
        )


def _writing(run: Telemetry) -> Iterator[str]:
    rounds = measures.writes(run)["round"]
    if len(rounds) and rounds.max() >= 3:
        size = run.config.get("stage_a", {}).get("graph_result_queue_maxsize", 100)
        yield (
            f"A shard was written in up to {int(rounds.max()) + 1} rounds, with a wait for all ranks before each: "
            f"if memory allows, set `graph_result_queue_maxsize: {size * (int(rounds.max()) + 1)}` under `stage_a`."
        )


def _under_slurm(run: Telemetry) -> bool:
    return bool(run.ranks["slurm"].notna().any())


def _missing(run: Telemetry) -> Iterator[str]:
    """What was not noted, so that what is not drawn is not taken for zero."""
    if run.ranks.empty:
        yield "No events: the folder `telemetry/` is empty or missing, so nothing is known of ranks, phases and writes."
    elif run.ranks["outcome"].isna().any():
        unknown = int(run.ranks["outcome"].isna().sum())
        yield f"{unknown} of {len(run.ranks)} ranks noted no end; their events reach up to a second before it."
    absent = measures.launches(run)["ranks"].sum() - len(run.ranks)
    if absent > 0:
        yield f"{absent} ranks left no events: their files are missing under `telemetry/`."
    if run.unread > len(run.ranks):
        yield f"{run.unread} lines of the events cannot be read and are not counted."
    if run.samples.empty:
        off = run.config.get("collect_metrics") is False
        why = (
            "`collect_metrics: false` is set"
            if off
            else "the run was shorter than `metrics_interval`, or they were removed"
        )
        yield f"No samples of CPU, memory, disk and network: {why}; `collect_metrics: true` collects them."
        return
    for name, columns in {"disk": "disk_read_MBps", "network": "net_rx_MBps"}.items():
        if run.samples[columns].isna().all():
            yield f"No {name} counters could be read on this machine; that is a gap, not zero traffic."
