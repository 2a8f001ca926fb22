"""The reader for notebooks against the files that Stage B reads, opened here with h5py alone."""

import h5py
import numpy as np
import pytest

from stagea_mpi.errors import LaunchError, RunFolderError
from stagea_mpi.notebook.explore import PYG_EDGE_FEATURES, PYG_NODE_FEATURES, Run


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
    assert list(model.nodes["residue_number"].astype(str)) == identity[:, 1].tolist()
    assert list(model.nodes["residue"]) == identity[:, 2].tolist()
    assert list(model.nodes["atom"]) == identity[:, 4].tolist()
    assert (model.edges[["antibody", "antigen"]].to_numpy() == group["edge_index"][()][::2]).all()
    assert model.nodes["cluster"].tolist() == group["clustering/mcl/depth_0"][()].tolist()


def test_the_contact_map_holds_the_whole_contact_area(run, stage_b):
    model = run[stage_b[0]]
    table = model.contact_map()
    assert np.nansum(table.to_numpy()) == pytest.approx(model.edges["voro_area"].sum(), rel=1e-5)
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
    ):
        columns = [group[f"{prefix}/{column}"][()] for column in names]
        expected = np.concatenate([column.reshape(len(column), -1) for column in columns], axis=1)
        assert np.allclose(values.numpy(), expected, atol=1e-5)
    assert (data.edge_index.numpy().T == group["edge_index"][()]).all()
