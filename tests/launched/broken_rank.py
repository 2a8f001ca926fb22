"""The command line with a fault in one rank: ``python -m tests.launched.broken_rank FAULT run run.yaml``.

FAULT is ``KIND WHEN STAGE on RANK`` (raises before write on last), ``dies at file operation N``, ``no fault``,
``noted FOLDER`` (each rank notes there to which stages it comes), ``held FOLDER`` (each rank before a model; see
`holding.Hold`; a stop signal lets it go, too), or one of `broken_worker.FAULTS`.
"""

import functools
import itertools
import os
import pickle
import signal
import sys
import time
from pathlib import Path

from stagea_mpi import cli
from stagea_mpi.mpi.guard import StopRequest
from stagea_mpi.mpi.teams import connect
from stagea_mpi.mpi.worker import WorkerProcess
from stagea_mpi.pipeline import beside, build_shard, finish_shard, run, shard
from stagea_mpi.pipeline.build_shard import GraphBuilder
from stagea_mpi.pipeline.shard import Shard
from stagea_mpi.rundir import folders
from stagea_mpi.storage import packed_writer
from tests.launched import broken_worker

#: Where a run can be broken, in the order in which it gets there: who has the function, and its name.
STAGES = {
    "split": (run, "ensure_shard_plan"),
    "take": (Shard, "root_open"),
    "list": (Shard, "inventory"),
    "decide": (Shard, "root_decide"),
    "number": (Shard, "number"),
    "models": (GraphBuilder, "build_round"),
    "model": (build_shard, "build_model"),
    "exchange": (build_shard, "_contiguous_share"),
    "open": (build_shard, "PackedWriter"),
    "write": (packed_writer.PackedWriter, "append"),
    "columns": (packed_writer, "_columns_of"),  # while the file is open
    "close": (packed_writer.PackedWriter, "close"),
    "publish": (Shard, "root_publish"),
    "lists": (shard, "lists_of"),
    "cluster": (finish_shard, "cluster_two_depths"),
    "graphs": (finish_shard, "write_graphs"),
    "mark": (folders.ShardFolder, "marks"),
}
#: Those of the team's first rank alone.
ROOT_ONLY = ("split", "take", "decide", "publish", "lists", "cluster", "graphs", "mark")
#: By which a run's folder changes for good.
_FILE_OPERATIONS = ("fsync", "link", "mkdir", "rename", "replace", "unlink")


def main(stop: StopRequest) -> int:
    break_something(sys.argv[1], connect(), stop)
    code = cli.main(sys.argv[2:], stop)
    stop.ignore()
    return code


class HastyWorker(WorkerProcess):
    """A broken one that gives up the call which never returns after two seconds, and all others when a run does."""

    def __init__(self, imports=()):
        super().__init__(imports, "tests.launched.broken_worker")

    def fork_off(self):
        self.set_up()  # with its own module

    def call(self, limit, function, *args):
        hangs = broken_worker.never_returns(pickle.dumps((function, args)))
        return super().call(2.0 if hangs else limit, function, *args)


def break_something(fault: str, comm, stop: StopRequest) -> None:
    words = fault.split()
    if fault in broken_worker.FAULTS:
        os.environ[broken_worker.VARIABLE] = fault
        beside.WorkerProcess = HastyWorker
    elif words[0] == "held":
        break_at(build_shard, "build_model", "before", lambda: hold(Path(words[1]), stop))
    elif words[0] == "noted":
        for stage, (owner, name) in STAGES.items():
            break_at(owner, name, "before", functools.partial(note, Path(words[1]) / f"{stage}.{comm.rank}"))
    elif words[0:4] == ["dies", "at", "file", "operation"]:
        numbers, last = itertools.count(1), int(words[4])
        for name in _FILE_OPERATIONS:
            break_at(os, name, "before", lambda: next(numbers) == last and die())
    elif fault != "no fault":
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


def note(path: Path) -> None:
    path.touch()


def hold(folder: Path, stop: StopRequest) -> None:
    (folder / f"held.{os.getpid()}").touch()
    while not stop and not (folder / "free").exists():
        time.sleep(0.02)


def fail():
    raise RuntimeError("a fault made for the test")


def die():
    os.kill(os.getpid(), signal.SIGKILL)


@functools.cache
def ask_to_stop():
    """Once: who asks again later ends the process at once."""
    os.kill(os.getpid(), signal.SIGTERM)


KINDS = {"raises": fail, "dies": die, "stops": ask_to_stop}


if __name__ == "__main__":
    sys.exit(main(StopRequest().listen()))
