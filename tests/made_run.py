"""A run folder whose shards are written by hand: graphs of real complexes, other scores in each, odd names."""

import json
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
from shipped import fab, nanobody, three_poses

from stagea_mpi.graph.interface_graph import GraphArrays
from stagea_mpi.graph.timing import STAGES
from stagea_mpi.mpi.teams import SerialComm
from stagea_mpi.pipeline.comparison import Comparison
from stagea_mpi.rundir.checksums import checksummed
from stagea_mpi.rundir.folders import RunFolder
from stagea_mpi.storage.packed_copy import write_clustered
from stagea_mpi.storage.packed_reader import PackedFile
from stagea_mpi.storage.packed_writer import ModelRecord, PackedWriter, as_bytes
from stagea_mpi.storage.schema import joined_names, root_attributes

#: The nanobody, whose chains are called so.
ODD = "odd, \"quoted\" 'nanobody'"
CHAIN_NAMES = ("a,b", "\\", "Ω", "A", "x")
#: The only model with B factors.
B_FACTORS = "fab_with_b_factors"
#: Where a model was, with what no table should print.
HOSTILE_SOURCE = "/in\tput/\x1b[31mred\nline.pdb"


def record(index: int, name: str, graph: GraphArrays | None, **more) -> ModelRecord:
    seconds = (0.25,) * len(STAGES)
    known = {"input_chains": "H,L,A", "heavy_type": "H", "light_type": "K", "target": "fab", "dropped_locations": 0}
    source = more.pop("source", f"/input/{name}.pdb")
    return ModelRecord(index, name, source, "0" * 64, 3859, 0, seconds, graph, **known | more)


def records() -> dict[str, list[ModelRecord]]:
    """The models of each kind of shard."""
    poses, odd = [built.graph for built in three_poses()], nanobody().graph
    b_factor = np.linspace(1, 99, len(fab().graph), dtype=np.float32)
    return {
        "poses": [
            record(0, "pose_a", poses[0], scores={"iptm": 0.25, "score_own": -1.5}, seed=2**53 + 1, sample=0),
            record(1, "pose_b", None, reason="no_interface", scores={"iptm": 0.5}),
            record(2, "pose_c", poses[1], seed=7, sample=1, score_problem="PAE: none"),
        ],
        "failed": [
            record(0, "far_away", None, reason="no_interface"),
            record(1, "no_file", None, reason="unreadable", input_chains="", source=HOSTILE_SOURCE),
        ],
        "odd": [
            record(
                0, ODD, odd, input_chains=joined_names(CHAIN_NAMES), light_type="", target="nano,body",
                scores={"score_another": 3.0, "pdockq2": 0.125}, seed=1, sample=4,
                comparison=asdict(Comparison(0.9, 0.8, 0.1, 0.5, 1.5, 3, 0.25)),
            ),
            record(
                1, B_FACTORS, replace(fab().graph, b_factor=b_factor), seed=1, sample=5,
                comparison=asdict(Comparison(0.5, 0.4, 0.6, 2.5, 4.5, 2, 1.25)),
            ),
        ],
        "unknown": [record(0, "pose_z", poses[2], input_chains="")],
        "none": [],
    }  # fmt: skip


def write_run(root: Path, shards=("poses", "failed", "odd"), n_planned: int | None = None) -> Path:
    """A run of some kinds of shards, of which the last one's graphs are clustered."""
    folder = RunFolder(root)
    folder.create()
    for index, kind in enumerate(shards):
        shard, models = folder.shard(index), records()[kind]
        shard.path.mkdir()
        widths = {
            f"model/{column}": max((len(as_bytes(getattr(model, column))) for model in models), default=1)
            for column in ("name", "source", "target", "input_chains")
        }
        plain = shard.path / "plain.h5" if index == len(shards) - 1 else shard.packed
        reference = "0" * 64 if any(model.comparison for model in models) else ""
        attributes = root_attributes("{}", "", "", reference)
        writer = PackedWriter(str(plain), SerialComm(), attributes, widths, rounds=1)
        writer.append(models)
        writer.close()
        if plain != shard.packed:
            with PackedFile(plain) as packed:
                clusters = {k: graph.cluster().clusters for k, _, graph in packed.graphs()}
                write_clustered(packed, shard.packed, clusters)
            plain.unlink()
    if n_planned is not None:
        folder.params.write_text(json.dumps(checksummed({"n_shards": n_planned})), encoding="utf-8")
    return root
