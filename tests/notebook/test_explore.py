"""The reader for notebooks against the files that Stage B reads, opened here with h5py alone."""

from collections.abc import Mapping

import h5py
import numpy as np
import pytest

from stagea_mpi.errors import ConfigError, LaunchError, RunFolderError
from stagea_mpi.notebook.explore import Run
from stagea_mpi.notebook.model_graph import PYG_EDGE_FEATURES, PYG_NODE_FEATURES
from stagea_mpi.storage import packed_reader
from stagea_mpi.storage.packed_reader import PackedFile


@pytest.fixture
def run(two_rank_run) -> Run:
    return Run(two_rank_run)


@pytest.fixture
def stage_b(two_rank_run):
    """A model's name and its group in graphs.h5."""
    with h5py.File(two_rank_run / "shards" / "shard_000000" / "graphs.h5") as file:
        name = next(iter(file))
        yield name, file[name]


def test_the_table_has_a_row_for_each_model(run, stage_b):
    name, group = stage_b
    assert len(run.models) == 7
    assert len(run) == len(list(run)) == 6
    row = run.models.loc[name]
    assert row["n_nodes"] == len(group["nodes"])
    assert row["n_edges"] == len(group["edge_index"]) / 2
    assert row["contact_area"] == pytest.approx(group["edge_data/voro_area"][()].sum() / 2, rel=1e-5)
    assert row["elec"] == pytest.approx(group["edge_data/elec"][()].sum() / 2, rel=1e-5)
    assert row["n_clusters"] == len(group["clustering/mcl/depth_1"])


def test_a_models_nodes_and_edges_are_those_of_stage_b(run, stage_b):
    name, group = stage_b
    model = run[name]
    identity = group["nodes"][()].astype(str)
    assert list(model.nodes()["residue_number"].astype(str)) == identity[:, 1].tolist()
    assert list(model.nodes()["residue"]) == identity[:, 2].tolist()
    assert list(model.nodes()["atom"]) == identity[:, 4].tolist()
    assert (model.edges()[["antibody", "antigen"]].to_numpy() == group["edge_index"][()][::2]).all()
    assert model.nodes()["cluster"].tolist() == group["clustering/mcl/depth_0"][()].tolist()


def test_the_contact_map_holds_the_whole_contact_area(run, stage_b):
    model = run[stage_b[0]]
    table = model.contact_map()
    assert np.nansum(table.to_numpy()) == pytest.approx(model.edges()["voro_area"].sum(), rel=1e-5)
    assert table.notna().sum().sum() == len(model.residue_pairs)


def test_a_model_is_most_like_itself(run):
    table = run.similarity(list(run)[:3])
    assert np.diag(table).tolist() == [1.0] * 3
    assert (table.to_numpy() == table.to_numpy().T).all()


def test_a_name_that_is_no_model_or_has_no_graph_is_told(run):
    with pytest.raises(KeyError, match="near are"):
        run["pose_1"]
    with pytest.raises(KeyError, match="broken has no graph: no_models"):
        run["broken"]


def test_a_folder_without_graphs_is_refused(tmp_path):
    with pytest.raises(RunFolderError, match="no shard is published"):
        Run(tmp_path)


def test_without_pytorch_geometric_it_is_said_what_to_install(run, stage_b, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "torch", None)
    with pytest.raises(LaunchError, match="pip install torch torch_geometric"):
        run[stage_b[0]].to_pyg()


def test_a_model_for_pytorch_geometric_has_the_features_of_stage_b(run, stage_b):
    pytest.importorskip("torch_geometric")
    name, group = stage_b
    data = run[name].to_pyg()
    for values, prefix, names in (
        (data.x, "node_data", PYG_NODE_FEATURES),
        (data.edge_attr, "edge_data", PYG_EDGE_FEATURES),
        (data.internal_edge_attr, "internal_edge_data", PYG_EDGE_FEATURES),
    ):
        columns = [group[f"{prefix}/{column}"][()] for column in names]
        expected = np.concatenate([column.reshape(len(column), -1) for column in columns], axis=1)
        assert np.allclose(values.numpy(), expected, atol=1e-5)
    assert (data.edge_index.numpy().T == group["edge_index"][()]).all()
    assert (data.internal_edge_index.numpy().T == group["internal_edge_index"][()]).all()
    assert (data.cluster0.numpy() == group["clustering/mcl/depth_0"][()]).all()
    assert (data.cluster1.numpy() == group["clustering/mcl/depth_1"][()]).all()
    assert data.validate()
    data.pos[:] = data.x[:] = data.cluster0[:] = 0  # copies, which may be changed
    assert np.ptp(run[name].position) > 0


@pytest.fixture
def opened(monkeypatch) -> list[str]:
    """Shards whose packed.h5 has been opened, one after the other."""
    shards: list[str] = []

    class Counted(PackedFile):
        def __init__(self, path):
            super().__init__(path)
            shards.append(path.parent.name)

    monkeypatch.setattr(packed_reader, "PackedFile", Counted)
    return shards


def names_in(root, shard: int) -> list[str]:
    with h5py.File(root / "shards" / f"shard_{shard:06d}" / "graphs.h5") as file:
        return list(file)


def test_a_graph_is_read_from_its_shard_alone(run, two_rank_run, opened):
    (name, *_) = names_in(two_rank_run, 1)
    assert run[name].name == name
    assert opened == ["shard_000001"]


def test_names_are_read_from_lists_alone(run, two_rank_run, opened):
    names = names_in(two_rank_run, 0) + names_in(two_rank_run, 1)
    assert sorted(run) == sorted(run.keys()) == sorted(names)
    assert all(name in run for name in names)
    assert "broken" not in run
    assert len(run) == 6
    assert repr(run).endswith("6 graphs of 7 models in 2 shards")
    assert opened == []


def test_a_run_is_a_mapping_that_is_compared_without_reading_it(run, two_rank_run, opened):
    assert isinstance(run, Mapping)
    assert run == run
    assert run != Run(two_rank_run)
    assert run in {run}
    assert run.get("pose_9") is None
    assert opened == []


def test_a_shard_may_be_named(run, two_rank_run, opened):
    (name, *_) = names_in(two_rank_run, 1)
    assert (1, name) in run
    assert (0, name) not in run
    assert run[1, name] == run[name]
    with pytest.raises(KeyError, match=f"{name} is no model of shard 0"):
        run[0, name]
    with pytest.raises(KeyError, match="shard 7 is not published"):
        run[7, name]
    assert opened == ["shard_000001", "shard_000001", "shard_000000"]


def test_without_lists_the_names_are_those_of_the_graphs(run_copy):
    for path in [*run_copy.glob("shards/*/manifest.tsv.gz"), *run_copy.glob("shards/*/failures.tsv")]:
        path.unlink()
    run = Run(run_copy)
    assert sorted(run) == sorted(names_in(run_copy, 0) + names_in(run_copy, 1))
    with pytest.raises(KeyError, match="broken has no graph: no_models"):
        run["broken"]


def test_no_file_stays_open(run, two_rank_run):
    list(run.values())
    chunks = run.nodes(chunks=1)
    next(chunks)
    assert h5py.h5f.get_obj_count(h5py.h5f.OBJ_ALL, h5py.h5f.OBJ_FILE) == 0


def columns_of(root, kind: str, name: str) -> np.ndarray:
    """A column of packed.h5 through all shards."""
    files = [h5py.File(path) for path in sorted(root.glob("shards/*/packed.h5"))]
    values = np.concatenate([file[f"{kind}/{name}"][()] for file in files])
    for file in files:
        file.close()
    return values


def test_tables_of_a_run_hold_the_columns_of_all_models(run, two_rank_run):
    nodes, contacts, internal = run.nodes(), run.edges(), run.edges(internal=True)
    assert np.array_equal(nodes[["x", "y", "z"]], columns_of(two_rank_run, "node", "position"))
    assert np.array_equal(nodes["cluster"], columns_of(two_rank_run, "cluster", "depth_0"))
    assert np.array_equal(contacts[["antibody", "antigen"]], columns_of(two_rank_run, "edge", "nodes"))
    assert np.array_equal(contacts["vdw"], columns_of(two_rank_run, "edge", "vdw"))
    assert np.array_equal(internal["dist"], columns_of(two_rank_run, "internal_edge", "dist"))
    assert not internal[["elec", "vdw"]].to_numpy().any()


def test_a_models_rows_are_those_of_its_graph(run):
    nodes, contacts = run.nodes(), run.edges()
    for name, graph in run.items():
        of_model = nodes[nodes["model"] == name]
        assert of_model["node"].tolist() == list(range(len(graph)))
        assert of_model.drop(columns=["model", "node"]).reset_index(drop=True).equals(graph.nodes())
        of_model = contacts[contacts["model"] == name]
        assert of_model.drop(columns="model").reset_index(drop=True).equals(graph.edges())


@pytest.mark.parametrize("chunks", [1, 2, 100])
def test_chunks_are_the_table_in_parts_of_so_many_models(run, chunks, opened):
    parts = list(run.nodes(chunks=chunks))
    assert all(part["model"].nunique() <= chunks for part in parts)
    assert sum(len(part) for part in parts) == len(run.nodes())
    assert [name for part in parts for name in part["model"].unique()] == list(run)


def test_chunks_of_no_models_are_refused(run):
    with pytest.raises(ConfigError, match="chunks: expected a number of models, from 1 on, found 0"):
        run.edges(chunks=0)


def test_a_damaged_shard_is_an_error_and_no_missing_model(run_copy):
    packed = next(run_copy.glob("shards/shard_000000/packed.h5"))
    content = bytearray(packed.read_bytes())
    content[100:160] = b"\xff" * 60
    packed.write_bytes(content)
    (run_copy / "shards" / "shard_x").mkdir()
    (run_copy / "shards" / "shard_x" / "packed.h5").touch()
    damaged = Run(run_copy)
    name = next(iter(damaged))
    for read in (lambda: damaged[name], lambda: damaged.get(name), lambda: damaged.models, damaged.nodes):
        with pytest.raises(RunFolderError, match="packed.h5"):
            read()
