"""What a run says at its end: how many models are where, what failed, what is odd, where to look."""

import csv
import gzip
from collections import Counter

from ..errors import escape_unprintable
from ..mpi.guard import StopRequest
from ..rundir.folders import RunFolder
from ..storage.packed_reader import reading
from .run import RunSummary


def last_lines(summary: RunSummary, folder: RunFolder, written: str, stop: StopRequest) -> list[str]:
    """The last lines of a run.

    Parameters
    ----------
    summary : RunSummary
    folder : RunFolder
    written : str
        Which files the graphs are in, ``graphs`` or ``packed``.
    stop : StopRequest
    """
    actions = Counter(outcome.action for outcome in summary.outcomes)
    finished = [o for o in summary.outcomes if o.action in ("built", "clustered", "skipped")]
    n_models, n_ok = sum(o.n_models for o in finished), sum(o.n_ok for o in finished)
    lines = [outcome.message for outcome in summary.outcomes if outcome.message]
    done = ", ".join(f"{n} {action}" for action, n in sorted(actions.items()))
    lines.append(
        f"{n_ok} of {n_models} models are in {folder.shards}/*/{written}.h5 "
        f"({len(finished)} of {summary.n_shards} shards; {done})"
    )
    noted = [outcome for outcome in finished if outcome.n_noted]
    if noted:
        lines.append(
            f"warning: chains of {sum(o.n_noted for o in noted)} of {n_ok} models look odd, the first of "
            f"{_first_note(folder, noted[0].shard)}; "
            f"the column `chosen` in {folder.shards}/*/manifest.tsv.gz says what was found"
        )
    unscored = [outcome for outcome in finished if outcome.n_unscored]
    if unscored:
        lines.append(
            f"warning: scores of {sum(o.n_unscored for o in unscored)} of {n_models} models could not be read, the "
            f"first of {_first_problem(folder, unscored[0].shard)}; the column `score_problem` of "
            "stagea_mpi.Run(run_root).models has all. Mended files are read by the same command with --force"
        )
    if n_models > n_ok:
        reasons = _failure_counts(folder, [o.shard for o in finished if o.n_ok < o.n_models])
        listed = ", ".join(f"{n} {reason}" for reason, n in reasons.most_common())
        lines.append(
            f"{n_models - n_ok} models failed ({listed}); each with its reason in {folder.shards}/*/failures.tsv"
        )
    if summary.stopped:
        name = stop.signal.name if stop.signal else "a signal"
        lines.append(f"stopped early by {name}; run the same command again to finish")
    return [escape_unprintable(line) for line in lines]


def _first_note(folder: RunFolder, shard: int) -> str:
    """The first model of a shard with something odd about its chains, and what it is."""
    with gzip.open(folder.shard(shard).manifest, "rt", encoding="utf-8", errors="replace") as lines:
        for row in csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE):
            how, _, notes = row["chosen"].partition("; ")
            if notes:
                return f"{row['mol']}: {notes}"
    return folder.shard(shard).name


def _first_problem(folder: RunFolder, shard: int) -> str:
    """The first model of a shard with a score that could not be read, and why."""
    with reading(folder.shard(shard).packed) as packed:
        for name, problem in zip(packed.names, packed.score_problems, strict=True):
            if problem:
                return f"{name}: {problem}"
    return folder.shard(shard).name


def _failure_counts(folder: RunFolder, shards: list[int]) -> Counter[str]:
    counts: Counter[str] = Counter()
    for index in shards:
        with open(folder.shard(index).failures, encoding="utf-8", errors="replace") as lines:
            next(lines, None)
            counts.update(line.split("\t")[3] for line in lines)
    return counts
