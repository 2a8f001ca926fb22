"""Where a run stands, read from its folder alone: it works while jobs run, from any node, and when all is over."""

import datetime
import json
import os
import socket
import sys
import time
from dataclasses import asdict, dataclass
from typing import Any

from ..config.values import duration
from ..errors import RunFolderError
from ..rundir.folders import RunFolder
from ..rundir.shard_meta import ShardMeta
from ..rundir.shard_state import Holder, Published, ShardState
from ..rundir.sharding import read_params
from .queue import is_gone
from .submissions import Submissions

#: Seconds between two looks of `--watch`.
WATCH_EVERY_S = 2.0
#: More shards than this are not listed one by one, but for those that something happens to.
MOST_ROWS = 40

#: What can be said of a shard, in the order in which it comes about.
STATES = ("waiting", "reading", "graphs", "finishing", "graphs done", "done", "stopped", "gone", "failed")
#: Of shards that nobody is at, and of which there are graphs.
_STATE_OF = {
    Published.UNFINISHED: "gone",  # killed between packed.h5 and the markers: the next start finishes it
    Published.TOO_MANY_FAILED: "failed",
    Published.GRAPHS: "graphs done",
    Published.DONE: "done",
}


@dataclass
class ShardStatus:
    """One shard.

    Attributes
    ----------
    shard : str
    state : str
        One of `STATES`. ``reading``, ``graphs`` and ``finishing`` are at work; ``gone`` was, but its job is no more;
        ``failed`` has more failed models than allowed; ``graphs done`` is still to be clustered.
    n_models, done, failed : int
        While graphs are built, ``done`` are those taken up by all ranks, ``failed`` those of the first rank.
    rate : float
        Models a second; of a finished shard over its whole time.
    left_s : float or None
        Seconds to go, where something is at work.
    job_id, node : str
    last_sign_s : float or None
        Seconds since the last heartbeat.
    without_graphs : bool
        Whether it was finished without graphs.h5, which was not to be written.
    """

    shard: str
    state: str
    n_models: int = 0
    done: int = 0
    failed: int = 0
    rate: float = 0.0
    left_s: float | None = None
    job_id: str = ""
    node: str = ""
    last_sign_s: float | None = None
    without_graphs: bool = False


def show(run_root: str, *, watch: bool = False, as_json: bool = False, every_shard: bool = False) -> int:
    """Prints where a run stands; with `watch`, again and again until nothing more will happen."""
    folder = RunFolder(os.path.abspath(run_root))
    while True:
        status = read_status(folder)
        text = json.dumps(status, indent=1) if as_json else table(status, every_shard)
        if watch and sys.stdout.isatty():
            print("\033[H\033[J", end="")  # to the top left, and clear
        print(text, flush=True)
        total = status["total"]
        if not watch or total["shards"].get("done", 0) == status["n_shards"]:
            return 0
        time.sleep(WATCH_EVERY_S)


def read_status(folder: RunFolder) -> dict[str, Any]:
    """Shards, their sum and the submitted jobs of a run.

    Returns
    -------
    status : dict
        ``run_root``, ``n_shards``, ``shards`` (fields of `ShardStatus`), ``total`` and ``jobs``.

    Raises
    ------
    RunFolderError
        The folder is not that of a run.
    """
    params = read_params(folder)
    if params is None:
        raise RunFolderError(
            f"{folder.root}: is not the folder of a run: {folder.params} is missing; name the run_root of a run"
        )
    ended: dict[str, bool] = {}
    shards = [_shard_status(ShardState(folder.shard(index)), ended) for index in range(params["n_shards"])]
    return {
        "run_root": str(folder.root),
        "n_shards": params["n_shards"],
        "total": _total(shards, params["n_files"]),
        "jobs": Submissions(folder).latest,
        "shards": [asdict(shard) for shard in shards],
    }


def _shard_status(shard: ShardState, ended: dict[str, bool]) -> ShardStatus:
    progress, name = shard.progress, shard.shard.name
    if shard.holder is not None:
        return _at_work(shard, shard.holder, ended)
    if shard.meta is not None and shard.shard.packed.exists():
        return _published(shard, shard.meta)
    if progress is None:
        return ShardStatus(name, "waiting")
    state = "stopped" if progress["stage"] == "stopped" else "gone"
    return ShardStatus(name, state, progress["n_models"], 0, 0, **_who(progress))


def _at_work(shard: ShardState, held: Holder, ended: dict[str, bool]) -> ShardStatus:
    progress, (holder, silence, alive) = shard.work, held
    job_id = progress.get("job_id") or holder.get("job_id", "")
    if alive and holder.get("host") != socket.gethostname():
        # The pid says nothing here. Where Slurm can be asked, it knows before the silence has become long.
        if job_id not in ended:
            ended[job_id] = is_gone(job_id) is True
        alive = not ended[job_id]
    found = ShardStatus(shard.shard.name, progress["stage"] if alive else "gone", progress.get("n_models", 0))
    found.job_id, found.node = job_id, progress.get("node") or holder.get("host", "")
    found.last_sign_s = round(silence, 1)
    found.done, found.failed = progress.get("taken", 0), progress.get("failed", 0)
    if progress["stage"] == "finishing":
        found.done = found.n_models
    elif alive and found.done:
        found.rate = found.done / max(_seconds_between(progress["started"], progress["updated"]), 1e-3)
        found.left_s = round((found.n_models - found.done) / found.rate, 1)
        found.rate = round(found.rate, 3)
    return found


def _published(shard: ShardState, meta: ShardMeta) -> ShardStatus:
    result = meta.result
    rate = round(result.n_models / meta.wall_s, 3) if meta.wall_s else 0.0
    who = {"job_id": meta.job_id or "", "node": meta.node or ""}
    sign = round(time.time() - shard.shard.meta.stat().st_mtime, 1)
    return ShardStatus(
        shard.shard.name, _STATE_OF[shard.published], result.n_models, result.n_ok, result.n_fail, rate, None, **who,
        last_sign_s=sign, without_graphs=meta.is_without_graphs,
    )  # fmt: skip


def _total(shards: list[ShardStatus], n_files: int) -> dict[str, Any]:
    """Sums; models of shards that nobody has read yet are counted as one a file."""
    counts = {state: n for state in STATES if (n := sum(shard.state == state for shard in shards))}
    known = sum(shard.n_models for shard in shards)
    unread = sum(shard.n_models == 0 for shard in shards)
    n_models = known + (round(n_files * unread / len(shards)) if shards else 0)
    done, failed = sum(shard.done for shard in shards), sum(shard.failed for shard in shards)
    rate = sum(shard.rate for shard in shards if shard.left_s is not None)
    to_do = n_models - sum(s.n_models if s.state in ("done", "failed", "graphs done") else s.done for s in shards)
    signs = [shard.last_sign_s for shard in shards if shard.last_sign_s is not None]
    return {
        "shards": counts,
        "n_models": n_models,
        "done": done,
        "failed": failed,
        "rate": round(rate, 3),
        "left_s": round(to_do / rate, 1) if rate else None,
        "last_sign_s": min(signs, default=None),
        "without_graphs": sum(shard.without_graphs for shard in shards),
    }


def table(status: dict[str, Any], every_shard: bool = False) -> str:
    """The status for a person."""
    total, shards = status["total"], status["shards"]
    shown = shards
    if len(shards) > MOST_ROWS and not every_shard:
        shown = [shard for shard in shards if shard["state"] not in ("waiting", "done", "graphs done")]
    head = ("shard", "state", "models", "done", "failed", "rate/s", "left", "job", "node", "heartbeat")
    signs = [duration(s["last_sign_s"]) + " ago" if s["last_sign_s"] is not None else "" for s in shown]
    rows = [
        (s["shard"], s["state"], s["n_models"] or "?", s["done"], s["failed"], f"{s['rate']:.1f}" if s["rate"] else "",
         duration(s["left_s"]) if s["left_s"] is not None else "", s["job_id"], s["node"], sign)
        for s, sign in zip(shown, signs, strict=True)
    ]  # fmt: skip
    counts = ", ".join(f"{n} {state}" for state, n in total["shards"].items())
    silence = total["last_sign_s"]
    ago = "no heartbeat yet" if silence is None else f"last heartbeat {duration(silence)} ago"
    pace = f"{total['rate']:.1f} a second, {duration(total['left_s'])} left, " if total["rate"] else ""
    lines = [f"{status['run_root']}: {status['n_shards']} shards ({counts})"]
    lines.append(f"{total['done']} of {total['n_models']} models done, {total['failed']} failed, {pace}{ago}")
    if status["jobs"]:
        lines.append("submitted: " + ", ".join(f"{job['role']} {job['job_id']}" for job in status["jobs"]))
    if rows:
        lines += ["", *_aligned([head, *rows])]
    if len(shown) < len(shards):
        lines.append(f"({len(shards) - len(shown)} shards that wait or are done are not listed; --all lists them)")
    if total["shards"].get("gone") or total["shards"].get("stopped"):
        lines.append("shards that are gone or stopped are finished by the same command once more (submit, run)")
    if total["without_graphs"]:
        lines.append(
            f"{total['without_graphs']} shards are without graphs.h5, as write_graphs: 0 has it; "
            f"`python -m stagea_mpi export {status['run_root']}` writes it"
        )
    return "\n".join(lines)


def _aligned(rows: list[tuple]) -> list[str]:
    widths = [max(len(str(cell)) for cell in column) for column in zip(*rows, strict=True)]
    return ["  ".join(str(cell).ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _seconds_between(start: str, end: str) -> float:
    return (datetime.datetime.fromisoformat(end) - datetime.datetime.fromisoformat(start)).total_seconds()


def _who(progress: dict[str, Any]) -> dict[str, Any]:
    silence = time.time() - datetime.datetime.fromisoformat(progress["updated"]).timestamp()
    return {"job_id": progress["job_id"], "node": progress["node"], "last_sign_s": round(silence, 1)}
