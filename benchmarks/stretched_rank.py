"""One rank of a stretched run: the package's own schedule, in which each stage waits for as long as it would compute.

Teams, counters, rounds, exchanges, collective writes, locks, flushes and markers are real. Reading a file, computing
a graph, and what the first rank does for each model of a shard wait for their time, all stretched by one factor; the
graphs that are written have two nodes.
"""

import json
import pickle
import socket
import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from time import sleep
from typing import Any
from unittest import mock

from mpi4py import MPI

from stagea_mpi.config.run_config import load_config
from stagea_mpi.graph.timing import STAGES
from stagea_mpi.inputs import ModelRef
from stagea_mpi.inputs.containers import FileListing
from stagea_mpi.mpi.guard import StopRequest
from stagea_mpi.mpi.teams import SerialComm
from stagea_mpi.pipeline import shard as shard_module
from stagea_mpi.pipeline.build_shard import GraphBuilder
from stagea_mpi.pipeline.compute_model import ModelResult
from stagea_mpi.pipeline.context import Options
from stagea_mpi.pipeline.inventory import ModelEntry
from stagea_mpi.pipeline.run import run
from stagea_mpi.pipeline.shard import Shard
from stagea_mpi.pipeline.simulation import StageCosts
from stagea_mpi.rundir.shard_meta import ShardMeta


@dataclass(frozen=True)
class Template:
    """What every model of a stretched run is.

    Attributes
    ----------
    entry : ModelEntry
        One that has been read and numbered.
    result : ModelResult
        With a graph of two nodes.
    """

    entry: ModelEntry
    result: ModelResult


class PatientComm(MPI.Intracomm):
    """Ranks that sleep until all have come: here they share cores, and MPI's own waiting would take these from ranks
    that have something to do.
    """

    meeting: socket.socket
    name = "world"
    _met = 0

    def _meet(self) -> None:
        self._met += 1
        self.meeting.sendall(f"{self.size} {self.name}:{self._met}\n".encode())
        if not self.meeting.recv(1):
            raise SystemExit("the benchmark has ended")

    def barrier(self) -> None:
        self._meet()

    def bcast(self, value: Any, root: int = 0) -> Any:
        self._meet()
        return super().bcast(value, root)

    def gather(self, value: Any, root: int = 0) -> list[Any] | None:
        self._meet()
        return super().gather(value, root)

    def allgather(self, value: Any) -> list[Any]:
        self._meet()
        return super().allgather(value)

    def alltoall(self, values: Any) -> list[Any]:
        self._meet()
        return super().alltoall(values)

    def Split(self, color: int = 0, key: int = 0) -> "PatientComm":
        self._meet()
        return self._child(super().Split(color, key), str(color))

    def Dup(self, info: MPI.Info | None = None) -> "PatientComm":
        self._meet()
        return self._child(super().Dup(info), "copy")

    def _child(self, comm: MPI.Intracomm, name: str) -> "PatientComm":
        child = PatientComm(comm)
        child.meeting, child.name = self.meeting, f"{self.name}:{self._met}.{name}"
        return child


class WaitingWorker:
    """Stands in for a rank's worker process: it waits for as long as that would be at work."""

    def __init__(self, costs: StageCosts, factor: float, template: Template):
        self._costs, self._factor, self._template = costs, factor, template

    def set_up(self) -> None:
        pass

    def stop(self) -> None:
        pass

    def call(self, limit: float, function: Callable, *args: Any) -> Any:
        return {"_list_and_describe": self._list, "compute_model": self._compute}[function.__name__](*args)

    def _list(self, path: str, names: Any, *further: Any) -> tuple:
        sleep(self._factor * self._costs.list_s)
        known = ("n_atoms", "sequences", "heavy", "light", "antigen", "checked")
        entry = self._template.entry
        listing = FileListing([ModelRef(path, names.base)], entry.digest)
        return listing, None, ({name: getattr(entry, name) for name in known}, None)

    def _compute(self, entry: ModelEntry, *further: Any) -> ModelResult:
        # Its file is named by its place in its shard.
        seconds = self._factor * self._costs.seconds_of(int(Path(entry.ref.path).stem.rpartition("_")[2]))
        sleep(seconds)
        return replace(self._template.result, seconds=(seconds, *(0.0,) * (len(STAGES) - 1)))


def _taking_longer(owner: Any, name: str, seconds: Callable[..., float], factor: float) -> Any:
    """Has a function take so much longer, by its arguments."""
    original = getattr(owner, name)

    def longer(*args: Any) -> Any:
        result = original(*args)
        sleep(factor * seconds(*args))
        return result

    return mock.patch.object(owner, name, longer)


def _finish_s(costs: StageCosts, meta: ShardMeta) -> float:
    return costs.finish_shard_s + costs.finish_s * meta.result.n_models


def main(folder: Path) -> None:
    options = json.loads((folder / "stretched.json").read_text())
    factor, costs = options["factor"], StageCosts(**{**options["costs"], "model_s": tuple(options["costs"]["model_s"])})
    template = pickle.loads((folder / "template.pickle").read_bytes())
    comm: PatientComm | SerialComm = SerialComm()
    if MPI.COMM_WORLD.size > 1:
        comm = PatientComm(MPI.COMM_WORLD)
        comm.meeting = socket.socket(socket.AF_UNIX)
        comm.meeting.connect(str(folder / "meeting"))
    worker = WaitingWorker(costs, factor, template)
    longer: list[tuple[Any, str, Callable[..., float]]] = [
        (Shard, "root_open", lambda *_: costs.open_s),
        (Shard, "root_publish", lambda *_: costs.publish_s),
        (GraphBuilder, "_write", lambda builder, *args: costs.write_s * len(args[2]) / builder._comm.size),
        (shard_module, "finish_shard", lambda _, meta, *__: _finish_s(costs, meta)),
    ]
    with ExitStack() as patches:
        for owner, name, seconds in longer:
            patches.enter_context(_taking_longer(owner, name, seconds, factor))
        config = load_config(str(folder / "run.yaml"))
        with StopRequest() as stop:
            summary = run(comm, config, Options(), stop, worker)
    if comm.rank == 0 and summary.exit_code:
        raise SystemExit(f"the stretched run ended with {summary.exit_code}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
