import os
from types import SimpleNamespace

import h5py
import numpy as np
import pytest

from stagea_mpi.graph.features import EDGE_FEATURES, NODE_FEATURES
from stagea_mpi.graph.interface_graph import Edges, GraphArrays
from stagea_mpi.graph.timing import STAGES
from stagea_mpi.mpi import files
from stagea_mpi.mpi.teams import SerialComm
from stagea_mpi.storage import packed_writer
from stagea_mpi.storage.packed_reader import PackedFile
from stagea_mpi.storage.packed_writer import ModelRecord, PackedWriter
from stagea_mpi.storage.schema import COLUMNS, POINTERS, root_attributes

pytestmark = pytest.mark.mpi
WIDTHS = {"model/name": 8, "model/source": 12}


def made_record(index: int) -> ModelRecord:
    """A record of random numbers; every third model has failed."""
    random = np.random.default_rng(index)
    n, e, i = 5 + index, 3 * index, index % 4

    def made(features, rows):
        return {f.name: random.integers(0, 200, (rows, *f.row)).astype(f.dtype) for f in features}

    graph = GraphArrays(
        **made(NODE_FEATURES, n), interface=Edges(**made(EDGE_FEATURES, e)), internal=Edges(**made(EDGE_FEATURES, i))
    )
    failed = index % 3 == 2
    return ModelRecord(
        index,
        f"m{index}",
        "f.pdb",
        "0" * 64,
        n,
        0,
        (0.0,) * len(STAGES),
        None if failed else graph,
        "no_interface" if failed else None,
    )


def contents(path) -> dict[str, np.ndarray]:
    with h5py.File(path) as file:
        return {name: file[name][()] for name in [c.path for c in COLUMNS] + list(POINTERS.values())}


def share_of(comm, first: int, stop: int) -> list[ModelRecord]:
    """This rank's part of the models of a round."""
    cut = [first + (stop - first) * r // comm.size for r in range(comm.size + 1)]
    return [made_record(k) for k in range(cut[comm.rank], cut[comm.rank + 1])]


def write(path, comm, rounds: list[list[ModelRecord]]) -> None:
    writer = PackedWriter(str(path), comm, {"schema": "test"}, WIDTHS, len(rounds))
    for records in rounds:
        writer.append(records)
    writer.close()


@pytest.mark.parametrize("empty_rank", [0, -1])
def test_a_rank_without_models_takes_part_in_every_write(comm, shared_tmp_path, empty_rank):
    busy = [rank for rank in range(comm.size) if comm.size == 1 or rank != empty_rank % comm.size]
    shares = {rank: list(range(10 * i // len(busy), 10 * (i + 1) // len(busy))) for i, rank in enumerate(busy)}
    write(shared_tmp_path / "all.h5", comm, [[made_record(k) for k in shares.get(comm.rank, [])]])
    if comm.rank == 0:
        write(shared_tmp_path / "one.h5", SerialComm(), [[made_record(k) for k in range(10)]])
        together, alone = contents(shared_tmp_path / "all.h5"), contents(shared_tmp_path / "one.h5")
        assert all(np.array_equal(together[name], alone[name]) for name in alone)


@pytest.mark.parametrize("nodes", ["one node", "a node a rank"])
def test_of_each_node_but_the_first_one_rank_flushes_what_was_written_there(comm, shared_tmp_path, monkeypatch, nodes):
    path, flushed = shared_tmp_path / "flushed.h5", []
    monkeypatch.setattr(os, "fsync", lambda handle: flushed.append(os.fstat(handle).st_ino))
    if nodes == "a node a rank":  # as ranks in containers are
        monkeypatch.setattr(os, "readlink", lambda path: f"mnt:[{comm.rank}]")
    write(path, comm, [[made_record(comm.rank)]])
    others = nodes == "a node a rank" and comm.rank > 0
    assert flushed == ([os.stat(path).st_ino] if others else [])


def test_several_rounds_give_what_one_round_gives(comm, shared_tmp_path):
    rounds_of_models = [share_of(comm, 0, 4), share_of(comm, 4, 5), share_of(comm, 5, 11)]
    write(shared_tmp_path / "rounds.h5", comm, rounds_of_models)
    write(shared_tmp_path / "once.h5", comm, [share_of(comm, 0, 11)])
    comm.barrier()
    rounds, once = contents(shared_tmp_path / "rounds.h5"), contents(shared_tmp_path / "once.h5")
    assert all(np.array_equal(rounds[name], once[name]) for name in once)


#: Of each round its first model, and the one after its last. Of a single model some ranks have none; of 150 there are
#: more rows than a chunk has.
ROUNDS = {
    "one": [(0, 11)],
    "several": [(0, 4), (4, 5), (5, 11)],
    "a failure alone": [(2, 3)],
    "none": [(0, 0)],
    "many": [(0, 60), (60, 61), (61, 150)],
}


@pytest.mark.parametrize("rounds", ROUNDS.values(), ids=ROUNDS)
def test_what_the_first_rank_gathers_has_the_bytes_of_what_all_write_together(
    rounds, comm, shared_tmp_path, monkeypatch
):
    shares = [share_of(comm, *models) for models in rounds]
    write(shared_tmp_path / "together.h5", comm, shares)
    monkeypatch.setattr(files.h5py, "get_config", lambda: SimpleNamespace(mpi=False))
    monkeypatch.delattr(packed_writer, "open_together")
    write(shared_tmp_path / "gathered.h5", comm, shares)
    comm.barrier()
    assert (shared_tmp_path / "gathered.h5").read_bytes() == (shared_tmp_path / "together.h5").read_bytes()


def test_a_shard_of_failures_alone_is_written_and_read(comm, shared_tmp_path):
    records = [made_record(2)] if comm.rank == 0 else []
    path = shared_tmp_path / "failed.h5"
    writer = PackedWriter(str(path), comm, root_attributes("v", "s", "i"), WIDTHS, 1)
    writer.append(records)
    writer.close()
    comm.barrier()
    with PackedFile(path) as packed:
        packed.check()
        assert packed.statuses == ["no_interface"]
        assert list(packed.graphs()) == []
