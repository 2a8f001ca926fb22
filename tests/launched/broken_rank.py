"""The command line with a fault in one rank: ``python -m tests.launched.broken_rank FAULT run run.yaml``.

FAULT is ``KIND WHEN STAGE on RANK`` (raises before write on last), ``dies at file operation N``, ``short limits``,
``no fault``, ``held FOLDER`` (each rank before a model; see `holding.Hold`; a stop signal lets it go, too), or one of
`broken_bench.FAULTS`.
"""

import functools
import itertools
import os
import pickle
import signal
import sys
import time
from pathlib import Path

from stagea_mpi import building, cli, clustering, finishing, hmmscan, pipeline, team
from stagea_mpi.parallel.guard import StopRequest
from stagea_mpi.parallel.teams import connect
from stagea_mpi.store import packed_writer, rundir
from stagea_mpi.workbench import Workbench
from tests.launched import broken_bench

#: Where a run can be broken, in the order in which it gets there: who has the function, and its name.
STAGES = {
    "cut": (pipeline, "ensure_cut"),
    "take": (team.Team, "lead_open"),
    "list": (team, "list_shard"),
    "decide": (team.Team, "lead_decide"),
    "number": (team, "with_domains"),
    "models": (building, "_build_round"),
    "model": (building, "build_model"),
    "exchange": (building, "_contiguous_share"),
    "open": (building, "PackedWriter"),
    "write": (packed_writer.PackedWriter, "append"),
    "columns": (packed_writer, "_columns_of"),  # while the file is open
    "close": (packed_writer.PackedWriter, "close"),
    "publish": (team.Team, "lead_publish_packed"),
    "lists": (team, "write_lists"),
    "cluster": (clustering, "cluster_two_depths"),
    "graphs": (finishing, "write_graphs"),
    "mark": (rundir.ShardFolder, "mark"),
}
#: Those of the team's first rank alone.
LEAD_ONLY = ("cut", "take", "decide", "publish", "lists", "cluster", "graphs", "mark")
#: By which a run's folder changes for good.
_FILE_OPERATIONS = ("fsync", "link", "mkdir", "rename", "replace", "unlink")


def main(stop: StopRequest) -> int:
    break_something(sys.argv[1], connect(), stop)
    code = cli.main(sys.argv[2:], stop)
    stop.ignore()
    return code


class HastyWorkbench(Workbench):
    """A broken one that gives up the call which never returns after two seconds, and all others when a run does."""

    def __init__(self):
        super().__init__("tests.launched.broken_bench")

    def call(self, limit, function, *args):
        hangs = broken_bench.never_returns(pickle.dumps((function, args)))
        return super().call(2.0 if hangs else limit, function, *args)


def break_something(fault: str, comm, stop: StopRequest) -> None:
    words = fault.split()
    if fault in broken_bench.FAULTS:
        os.environ[broken_bench.VARIABLE] = fault
        team.Workbench = HastyWorkbench
    elif words[0] == "held":
        break_at(building, "build_model", "before", lambda: hold(Path(words[1]), stop))
    elif fault == "short limits":
        hmmscan._LIMIT, hmmscan._LIMIT_A_SEQUENCE = 2.0, 0.0
    elif fault == "no fault":
        return
    elif words[0:4] == ["dies", "at", "file", "operation"]:
        numbers, last = itertools.count(1), int(words[4])
        for name in _FILE_OPERATIONS:
            break_at(os, name, "before", lambda: next(numbers) == last and die())
    else:
        kind, when, stage, _, rank = words
        if comm.rank == {"first": 0, "last": comm.size - 1}[rank]:
            break_at(*STAGES[stage], when, KINDS[kind])


def break_at(owner, name: str, when: str, fault) -> None:
    """Lets a fault happen before or after each call of a function."""
    whole = getattr(owner, name)

    @functools.wraps(whole)
    def broken(*args, **options):
        if when == "before":
            fault()
        result = whole(*args, **options)
        if when == "after":
            fault()
        return result

    setattr(owner, name, broken)


def hold(folder: Path, stop: StopRequest) -> None:
    (folder / f"held.{os.getpid()}").touch()
    while not stop and not (folder / "free").exists():
        time.sleep(0.02)


def fail():
    raise RuntimeError("a fault made for the test")


def die():
    os.kill(os.getpid(), signal.SIGKILL)


KINDS = {"raises": fail, "dies": die, "stops": lambda: os.kill(os.getpid(), signal.SIGTERM)}


if __name__ == "__main__":
    sys.exit(main(StopRequest().listen()))
