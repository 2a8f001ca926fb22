"""Schedules of many ranks on few cores: stages wait for their measured time instead of computing, all stretched by one
factor: ``python -m benchmarks stretched [--ranks 1 2 8 32 64] [--costs demo | be03b77 | RUN_ROOT]``.

Real MPI ranks go through the package's own schedule (`stretched_rank`). Since those that wait need no core, 64 of them
fit on two; the factor grows with the ranks, so that what cannot be stretched (locks, flushes, MPI, Python between the
stages) weighs little. Beside each run stands the simulation of the same one (`stagea_mpi.pipeline.simulation`), without
start-up as well; times are given as they would be unstretched.
"""

import argparse
import dataclasses
import json
import os
import pickle
import selectors
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any, cast

import numpy as np

from stagea_mpi.config.run_config import load_config
from stagea_mpi.demo.poses import COMPLEXES, write_poses
from stagea_mpi.graph.features import NodeFeatures
from stagea_mpi.graph.interface_graph import Edges, GraphArrays
from stagea_mpi.inputs.model_names import FileNames
from stagea_mpi.mpi.teams import SerialComm
from stagea_mpi.pipeline.compute_model import compute_model
from stagea_mpi.pipeline.inventory import list_shard, with_domains
from stagea_mpi.pipeline.shared_numbering import Numbering
from stagea_mpi.pipeline.simulation import Schedule, StageCosts, simulate
from stagea_mpi.report import tables
from stagea_mpi.report.stage_costs import stage_costs

from .runs import measure
from .stretched_rank import Template

#: What a model shall take of each core's time: so many ranks share a core that their stages take so much longer.
_MODEL_S = 0.0175
#: Runs of few ranks are as long as this, which is long enough to know their rate.
_FEW_S = 60.0
_LIMIT_S = 3600
#: Where files need no disk, whose time cannot be stretched.
_MEMORY = "/dev/shm"
#: Poses that are run to know their costs.
_POSES = 96

#: Of 96 poses of 7DAA at commit be03b77, which had its kernels from other programs, on one rank of the machine on which
#: this benchmark was made. A graph's seconds are quantiles by tenths.
_EARLIER = StageCosts(
    model_s=(0.016, 0.087, 0.148, 0.171, 0.193, 0.217, 0.237, 0.265, 0.303, 0.331, 0.420),
    list_s=0.017, write_s=0.0003, finish_s=0.0136, open_s=0.0011, publish_s=0.0051, finish_shard_s=0.004,
)  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Stretched:
    """One stretched run, its times as they would be unstretched.

    Attributes
    ----------
    ranks, n_models : int
    factor : float
    teams : tuple of int
        Ranks of each.
    build_s : float
        From the first shard that was taken to the last one that was published.
    simulated : Schedule
        The same run.
    """

    ranks: int
    n_models: int
    factor: float
    teams: tuple[int, ...]
    build_s: float
    simulated: Schedule


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--ranks", type=int, nargs="+", default=[1, 2, 8, 32, 64])
    parser.add_argument("--models", type=int, default=20_000, help="of the runs of many ranks (default: %(default)s)")
    parser.add_argument("--shard", type=int, default=100, help="models of a shard (default: %(default)s)")
    parser.add_argument("--costs", default="demo", help="demo (measured first), be03b77, or a run's folder")


def main(options: argparse.Namespace) -> None:
    with tempfile.TemporaryDirectory(dir=_MEMORY if os.access(_MEMORY, os.W_OK) else None) as name:
        folder = Path(name)
        poses = folder / "poses"
        write_poses(poses, COMPLEXES["7DAA"], _POSES if options.costs == "demo" else 1, 2026)
        costs = known_costs(options.costs, poses, folder)
        template = folder / "template.pickle"
        template.write_bytes(pickle.dumps(_template(poses, folder)))
        found = []
        for ranks in options.ranks:
            found.append(stretched(ranks, costs, options.models, options.shard, folder))
            report(found[-1:], costs, header=len(found) == 1)


def known_costs(name: str, poses: Path, folder: Path) -> StageCosts:
    """Costs by the name of an option."""
    if name == "be03b77":
        return _EARLIER
    if name == "demo":
        measure(poses, 1, folder / "demo")
        name = str(folder / "demo" / "run")
    return stage_costs(tables.load(name))


def stretched(ranks: int, costs: StageCosts, n_models: int, per_shard: int, folder: Path) -> Stretched:
    """Runs so many models, or fewer on few ranks, on so many ranks; `folder` holds the template."""
    total_s = costs.any_s + costs.finish_s + costs.shard_s / per_shard
    factor = max(1.0, ranks * _MODEL_S / total_s)
    few = int(_FEW_S * ranks / (factor * total_s * per_shard))
    n_shards = min(n_models // per_shard, max(4 * ranks, few))
    here = folder / f"ranks_{ranks}"
    _make_input(here / "input", n_shards, per_shard)
    shutil.copy(folder / "template.pickle", here)
    known = {"factor": factor, "costs": dataclasses.asdict(costs)}
    (here / "stretched.json").write_text(json.dumps(known))
    (here / "run.yaml").write_text(
        f"run_root: {here / 'run'}\npdb_root: {here / 'input'}\nchains: {{heavy: H, light: L, antigen: A}}\n"
        f"stage_a: {{max_per_shard: {per_shard}, min_per_shard: {per_shard}, write_graphs: 0}}\n"
        "collect_metrics: false\n"
    )
    _launch(ranks, here)
    run = tables.load(here / "run")
    events, teams = run.events, run.ranks.groupby("team")["rank"].nunique()
    begun = events.loc[events["stage"] == "prep", "start"].min()
    finish = events[events["stage"] == "finish"]
    build_s = float((finish["start"] + finish["seconds"]).max() - begun) / factor
    sizes = tuple(int(size) for size in teams)
    simulated = simulate(dataclasses.replace(costs, number_s=0.0), [per_shard] * n_shards, sizes)
    return Stretched(ranks, n_shards * per_shard, factor, sizes, build_s, simulated)


def _make_input(folder: Path, n_shards: int, per_shard: int) -> None:
    """Files of one line, named by their shard and their place in it."""
    folder.mkdir(parents=True)
    for shard in range(n_shards):
        for place in range(per_shard):
            (folder / f"pose_{shard:06d}_{place:04d}.pdb").write_text("END\n")


def _launch(ranks: int, folder: Path) -> None:
    launcher = shutil.which("mpiexec.openmpi") or "mpiexec"
    command = [launcher, "-n", str(ranks), "--oversubscribe", "--bind-to", "none"]
    command += [sys.executable, "-m", "benchmarks.stretched_rank", str(folder)]
    root = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"} if os.getuid() == 0 else {}
    environment = {**os.environ, **root, "OMPI_MCA_mpi_yield_when_idle": "1"}
    with MeetingPlace(folder / "meeting"):
        done = subprocess.run(command, capture_output=True, text=True, timeout=_LIMIT_S, env=environment, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")


class MeetingPlace:
    """Where ranks wait for each other without a core: a thread that tells them when all have come. A context manager.

    Parameters
    ----------
    path : Path
        Of its socket. Ranks send lines of their number and the name of a meeting, and get a byte when so many have.
    """

    def __init__(self, path: Path):
        self._server = socket.socket(socket.AF_UNIX)
        self._server.bind(str(path))
        self._server.listen(256)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._server, selectors.EVENT_READ)
        self._ended, self._end = os.pipe()
        self._selector.register(self._ended, selectors.EVENT_READ)
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> "MeetingPlace":
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        os.write(self._end, b".")
        self._thread.join()

    def _serve(self) -> None:
        here: dict[bytes, list[socket.socket]] = {}
        while True:
            for key, _ in self._selector.select():
                if key.fileobj == self._ended:
                    return
                if key.fileobj is self._server:
                    self._selector.register(self._server.accept()[0], selectors.EVENT_READ)
                    continue
                rank = cast("socket.socket", key.fileobj)
                line = rank.recv(4096)  # whole: a rank sends the next one when it has its answer
                if not line:
                    self._selector.unregister(rank)
                    rank.close()
                    continue
                here.setdefault(line, []).append(rank)
                if len(here[line]) == int(line.split()[0]):
                    for waiting in here.pop(line):
                        waiting.sendall(b".")


def _template(poses: Path, folder: Path) -> Template:
    """The first pose, read, numbered and computed; of its graph two nodes are kept."""
    config = folder / "template.yaml"
    config.write_text(f"run_root: {folder / 'none'}\npdb_root: {poses}\nchains: {{heavy: H, light: L, antigen: A}}\n")
    path = str(next(iter(sorted(poses.glob("*.pdb*")))))
    numbering = Numbering(SerialComm())
    entries = list_shard(SerialComm(), [(path, FileNames.of_stem("pose"))], load_config(str(config)).chains, numbering)
    (entry,) = with_domains(entries, numbering)
    result = compute_model(entry, 60.0)
    if result.graph is None:
        raise SystemExit(f"{path}: {result.failure}")
    return Template(entry, dataclasses.replace(result, graph=_of_two_nodes(result.graph)))


def _of_two_nodes(graph: GraphArrays) -> GraphArrays:
    """What of a graph belongs to its first contact."""
    contact = graph.interface.nodes[:1]
    nodes = _rows(NodeFeatures, graph, contact[0])
    interface = _rows(Edges, graph.interface, slice(0, 1)) | {"nodes": np.zeros_like(contact) + [[0, 1]]}
    internal = _rows(Edges, graph.internal, slice(0, 0))
    return GraphArrays(**nodes, interface=Edges(**interface), internal=Edges(**internal))


def _rows(kind: type, part: Any, rows: Any) -> dict[str, Any]:
    return {field.name: getattr(part, field.name)[rows] for field in dataclasses.fields(kind)}


def report(found: list[Stretched], costs: StageCosts, *, header: bool) -> None:
    """Prints speed-up and efficiency against one rank, beside those of the simulation."""
    if header:
        print(
            f"Of a model {costs.any_s * 1e3:.1f} ms are any rank's, {costs.finish_s * 1e3:.1f} ms the first rank's; of "
            f"a shard {costs.shard_s * 1e3:.0f} ms. Times are unstretched, without start-up; efficiency is against "
            "the costs on one rank"
        )
    head = ["ranks", "models", "stretched by", "teams", "build s", "simulated", "ratio", "efficiency", "simulated"]
    rows = [
        (
            str(one.ranks),
            str(one.n_models),
            f"{one.factor:.1f}",
            f"{len(one.teams)} of {min(one.teams)}-{max(one.teams)}",
            f"{one.build_s:.2f}",
            f"{one.simulated.build_s:.2f}",
            f"{one.build_s / one.simulated.build_s:.3f}",
            f"{one.simulated.alone_s / one.build_s / one.ranks:.3f}",
            f"{one.simulated.efficiency:.3f}",
        )
        for one in found
    ]
    widths = "  ".join("{:>12}" for _ in head)
    if header:
        print(widths.format(*head))
    for row in rows:
        print(widths.format(*row), flush=True)
