from dataclasses import fields, replace

import h5py
import numpy as np
import pytest
from shipped import fab, nanobody, three_poses

from stagea_mpi.errors import RunFolderError
from stagea_mpi.graph.clustering import cluster_two_depths
from stagea_mpi.graph.interface_graph import Edges, GraphArrays
from stagea_mpi.graph.timing import STAGES
from stagea_mpi.mpi.teams import SerialComm
from stagea_mpi.storage import packed_reader
from stagea_mpi.storage.deeprank_writer import write_graphs
from stagea_mpi.storage.packed_copy import write_clustered
from stagea_mpi.storage.packed_reader import PackedFile
from stagea_mpi.storage.packed_writer import ModelRecord, PackedWriter
from stagea_mpi.storage.schema import COLUMNS, root_attributes

ATTRIBUTES = root_attributes("python 3", "science", "inputs")
#: Reasons of the models without a graph, by index: the first, one in the middle, the last.
FAILED = {0: "unreadable", 3: "no_interface", 6: "timeout"}


@pytest.fixture(scope="module")
def records():
    graphs = iter([fab().graph, nanobody().graph, *(pose.graph for pose in three_poses()[:2])])
    return [
        ModelRecord(
            index=index,
            name=f"größe_{index}",
            source=f"in/model {index}.pdb",
            digest=f"{index:x}" * 64,
            n_atoms=1000 + index,
            rank=0,
            seconds=tuple(index + 0.25 * stage for stage in range(len(STAGES))),
            graph=None if index in FAILED else next(graphs),
            reason=FAILED.get(index),
        )
        for index in range(7)
    ]


def write(path, records, rounds=1):
    widths = {f"model/{name}": max(len(getattr(r, name).encode()) for r in records) for name in ("name", "source")}
    writer = PackedWriter(str(path), SerialComm(), ATTRIBUTES, widths, rounds)
    for share in np.array_split(np.arange(len(records)), rounds):
        writer.append([records[i] for i in share])
    writer.close()
    return path


def clusters_of(records):
    return {r.index: cluster_two_depths(len(r.graph), r.graph.internal.nodes) for r in records if r.graph is not None}


def assert_equal_graphs(ours, theirs):
    for field in fields(GraphArrays):
        if field.name in ("name", "clusters"):  # which stand in columns of their own
            continue
        a, b = getattr(ours, field.name), getattr(theirs, field.name)
        if a is None and b is None:
            continue
        if field.type in (Edges, "Edges"):
            for column in fields(Edges):
                assert_equal_arrays(getattr(a, column.name), getattr(b, column.name))
        else:
            assert_equal_arrays(a, b)


def assert_equal_arrays(ours, theirs):
    assert ours.dtype == theirs.dtype
    assert np.array_equal(ours, theirs)


def columns(path):
    with h5py.File(path) as file:
        found = {}
        file.visititems(lambda name, item: found.update({name: item[()]} if isinstance(item, h5py.Dataset) else {}))
        return found


@pytest.mark.parametrize("rounds", [1, 2, 3, 7])
def test_a_graph_is_read_as_it_was_written(records, tmp_path, rounds):
    with PackedFile(write(tmp_path / "packed.h5", records, rounds)) as packed:
        packed.check()
        found = {index: graph for index, _, graph in packed.graphs()}
    assert list(found) == [1, 2, 4, 5]
    for index, graph in found.items():
        assert_equal_graphs(graph, records[index].graph)


@pytest.mark.parametrize("block_bytes", [1, 150_000, 10**9])
def test_graphs_that_are_read_together_are_those_that_are_read_alone(records, tmp_path, monkeypatch, block_bytes):
    monkeypatch.setattr(packed_reader, "_BLOCK_BYTES", block_bytes)
    with PackedFile(write(tmp_path / "packed.h5", records)) as packed:
        together = {index: graph for index, _, graph in packed.graphs()}
        edges = {index: (n_nodes, pairs) for index, n_nodes, pairs in packed.internal_edges()}
        assert list(together) == list(edges) == [1, 2, 4, 5]
        for index, graph in together.items():
            assert_equal_graphs(graph, packed.graph(index))
            assert edges[index][0] == len(graph)
            assert_equal_arrays(edges[index][1], graph.internal.nodes)


def test_no_more_is_read_at_once_than_a_block_has(records, tmp_path, monkeypatch):
    monkeypatch.setattr(packed_reader, "_BLOCK_BYTES", 1)
    with PackedFile(write(tmp_path / "packed.h5", records)) as packed:
        assert [len(graph.position.base) for _, _, graph in packed.graphs()] == [
            len(record.graph) for record in records if record.graph is not None
        ]


@pytest.mark.parametrize("rounds", [2, 7])
def test_several_rounds_give_the_columns_of_one(records, tmp_path, rounds):
    one, several = columns(write(tmp_path / "one.h5", records)), columns(write(tmp_path / "more.h5", records, rounds))
    assert sorted(one) == sorted(several)
    for name, values in one.items():
        assert_equal_arrays(several[name], values)


def test_what_is_known_of_a_model_is_kept_also_where_it_has_no_graph(records, tmp_path):
    with PackedFile(write(tmp_path / "packed.h5", records)) as packed:
        assert packed.names == [record.name for record in records]
        assert packed.statuses == [FAILED.get(index, "ok") for index in range(7)]
        assert packed.column("model/source").tolist() == [record.source.encode() for record in records]
        assert packed.column("model/digest").tolist() == [record.digest.encode() for record in records]
        assert packed.column("model/n_atoms").tolist() == [record.n_atoms for record in records]
        assert packed.column("model/seconds").tolist() == [list(record.seconds) for record in records]


def test_a_shard_without_any_graph_is_written_and_read(records, tmp_path):
    with PackedFile(write(tmp_path / "packed.h5", [records[0], records[3]])) as packed:
        packed.check()
        assert packed.statuses == ["unreadable", "no_interface"]
        assert list(packed.graphs()) == []


def test_the_columns_are_those_of_the_table_and_no_more_for_more_models(records, tmp_path):
    few, many = columns(write(tmp_path / "few.h5", records[:2])), columns(write(tmp_path / "many.h5", records))
    pointers = {"model/node_ptr", "model/edge_ptr", "model/internal_edge_ptr"}
    assert set(few) == set(many) == {column.path for column in COLUMNS} | pointers
    for column in COLUMNS:
        assert many[column.path].shape[1:] == column.row
        assert column.dtype == "S" or many[column.path].dtype == np.dtype(column.dtype)


def test_units_and_versions_stand_in_the_file(records, tmp_path):
    with h5py.File(write(tmp_path / "packed.h5", records)) as file:
        assert file["edge/dist"].attrs["unit"].decode() == "Å"
        assert file["edge/elec"].attrs["unit"].decode() == "kcal/mol"
        assert {key: value.decode() for key, value in file.attrs.items()} == ATTRIBUTES


def test_clusters_are_added_and_nothing_else_changes(records, tmp_path):
    clusters = clusters_of(records)
    with PackedFile(write(tmp_path / "packed.h5", records, rounds=3)) as packed:
        assert not packed.is_clustered
        write_clustered(packed, tmp_path / "clustered.h5", clusters)
    with PackedFile(tmp_path / "clustered.h5") as packed:
        packed.check()
        assert packed.is_clustered
        assert packed.attributes == ATTRIBUTES
        for index, expected in clusters.items():
            for ours, theirs in zip(packed.clusters(index), expected, strict=True):
                assert_equal_arrays(ours, theirs)
    before, after = columns(tmp_path / "packed.h5"), columns(tmp_path / "clustered.h5")
    assert set(after) - set(before) == {"cluster/depth_0", "cluster/depth_1", "model/depth_1_ptr"}
    for name, values in before.items():
        assert_equal_arrays(after[name], values)


def test_equal_records_give_equal_bytes(records, tmp_path):
    assert write(tmp_path / "one.h5", records).read_bytes() == write(tmp_path / "two.h5", records).read_bytes()


def test_it_takes_a_fifth_of_graphs_h5_at_most(records, tmp_path):
    graphs = [fab().graph, nanobody().graph, *(pose.graph for pose in three_poses())] * 3
    dozen = [replace(records[1], index=i, name=f"pose_{i:04d}", graph=graph) for i, graph in enumerate(graphs[:12])]
    clusters = clusters_of(dozen)
    with PackedFile(write(tmp_path / "packed.h5", dozen)) as packed:
        write_clustered(packed, tmp_path / "clustered.h5", clusters)
    size = write_graphs(str(tmp_path / "graphs.h5"), ((r.name, r.graph, clusters[r.index]) for r in dozen))
    assert (tmp_path / "clustered.h5").stat().st_size <= size / 5


def test_a_missing_file_is_told_with_what_to_do(tmp_path):
    with pytest.raises(RunFolderError, match=r"packed\.h5: cannot be opened .* run the shard .* again"):
        PackedFile(tmp_path / "packed.h5")


def test_a_file_cut_off_is_told_with_what_to_do(records, tmp_path):
    path = write(tmp_path / "packed.h5", records)
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(RunFolderError, match="cannot be opened .* run the shard .* again"):
        PackedFile(path)


def test_another_schema_is_refused(records, tmp_path):
    path = write(tmp_path / "packed.h5", records)
    with h5py.File(path, "r+") as file:
        file.attrs["schema_version"] = np.bytes_(b"99")
    with pytest.raises(RunFolderError, match=r"schema is \('stagea_mpi.packed', '99'\), expected"):
        PackedFile(path)


@pytest.mark.parametrize("pointer", ["node", "edge", "internal_edge"])
def test_pointers_that_do_not_fit_their_columns_are_refused(records, tmp_path, pointer):
    path = write(tmp_path / "packed.h5", records)
    with h5py.File(path, "r+") as file:
        file[f"model/{pointer}_ptr"][-1] += 1
    with PackedFile(path) as packed, pytest.raises(RunFolderError, match=f"model/{pointer}_ptr and the columns"):
        packed.check()


@pytest.mark.skipif(
    h5py.version.version_tuple[:2] < (3, 15), reason="h5py noted another time of filling then, which no value needs"
)
def test_the_bytes_of_the_clustered_file_are_those_that_h5py_writes(records, tmp_path):
    clusters = clusters_of(records)
    with PackedFile(write(tmp_path / "packed.h5", records)) as packed:
        write_clustered(packed, tmp_path / "ours.h5", clusters)
    with (
        h5py.File(tmp_path / "packed.h5") as old,
        h5py.File(tmp_path / "ours.h5") as ours,
        (tmp_path / "theirs.h5").open("w+b") as content,
        h5py.File(content, "w", libver=("v110", "v110")) as new,
    ):
        for key in sorted(old.attrs):
            new.attrs[key] = old.attrs[key]

        def written(path):
            values = ours[path][()]
            chunks = (min(len(values), 16384), *values.shape[1:])
            packing = {"chunks": chunks, "shuffle": True, "compression": "gzip", "compression_opts": 1}
            return new.create_dataset(path, data=values, **(packing if values.nbytes >= 1024 else {}))

        for path in [f"{table}/{name}" for table in ("model", "node", "edge", "internal_edge") for name in old[table]]:
            column = written(path)  # is closed, and so written, after the next one has been made
            column.attrs.update(old[path].attrs)
        for path in ("cluster/depth_0", "cluster/depth_1", "model/depth_1_ptr"):
            written(path)
    assert (tmp_path / "ours.h5").read_bytes() == (tmp_path / "theirs.h5").read_bytes()
