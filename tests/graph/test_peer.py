"""Our graphs against the numbers that DeepRank-Ab 1.0.2 itself gave for the same models (tests/data/SOURCES.md)."""

import gzip
from pathlib import Path

import h5py
import numpy as np
import pytest
from peer_comparison import differences
from shipped import fab, nanobody, three_poses

from stagea_mpi.graph.clustering import cluster_two_depths
from stagea_mpi.storage.deeprank_writer import write_graphs

DATA = Path(__file__).parents[1] / "data"


@pytest.fixture(scope="module")
def peer_file(tmp_path_factory):
    folder = tmp_path_factory.mktemp("peer")

    def unpacked(name):
        path = folder / f"{name}.h5"
        path.write_bytes(gzip.decompress((DATA / f"peer_{name}.h5.gz").read_bytes()))
        return path

    return unpacked


@pytest.fixture
def copy_with(peer_file, tmp_path):
    """The peer's file of 7DAA with one change made to its model."""

    def changed(change):
        path = tmp_path / "changed.h5"
        path.write_bytes(peer_file("7DAA_model").read_bytes())
        with h5py.File(path, "r+") as file:
            change(file["7DAA_model"])
        return differences(path, peer_file("7DAA_model"))

    return changed


def write_clustered(path, models):
    clustered = ((m.name, m.graph, cluster_two_depths(len(m.graph), m.graph.internal.nodes)) for m in models)
    write_graphs(str(path), clustered)
    return path


def replace(group, name, values):
    del group[name]
    group[name] = values


def layout(group):
    """Path → dtype and shape of every dataset below a group; None for a group."""
    found = {}
    group.visititems(
        lambda name, item: found.update({name: (item.dtype, item.shape) if isinstance(item, h5py.Dataset) else None})
    )
    return found


def test_the_fab_graph_is_the_peers(peer_file, tmp_path):
    assert differences(write_clustered(tmp_path / "ours.h5", [fab()]), peer_file("7DAA_model")) == []


def test_the_nanobody_graph_on_four_antigen_chains_is_the_peers(peer_file, tmp_path):
    assert differences(write_clustered(tmp_path / "ours.h5", [nanobody()]), peer_file("7CFN")) == []


def test_the_graphs_of_an_ensemble_are_the_peers_and_have_its_names(peer_file, tmp_path):
    assert differences(write_clustered(tmp_path / "ours.h5", three_poses()), peer_file("poses")) == []


def test_every_dataset_has_the_peers_name_dtype_and_shape(peer_file, tmp_path):
    ours_path = write_clustered(tmp_path / "ours.h5", [fab()])
    with h5py.File(ours_path) as ours, h5py.File(peer_file("7DAA_model")) as theirs:
        assert layout(ours) == layout(theirs)


def test_nodes_stand_in_the_peers_order(peer_file):
    with h5py.File(peer_file("7DAA_model")) as theirs:
        assert fab().graph.serial.tolist() == theirs["7DAA_model/nodes"][:, 3].astype(int).tolist()


def test_equal_files_do_not_differ(copy_with):
    assert copy_with(lambda model: None) == []


@pytest.mark.parametrize(
    ("feature", "change"),
    [
        ("node_data/bsa", 2e-3),
        ("node_data/charge", 1e-3),
        ("node_data/region", 1.0),
        ("edge_data/voro_area", 1e-3),
        ("edge_data/elec", 1e-2),
        ("internal_edge_data/orientation", 1e-4),
    ],
)
def test_a_changed_value_is_a_difference(copy_with, feature, change):
    def nudge(model):
        values = model[feature][()]
        values.reshape(len(values), -1)[17, 0] += change
        model[feature][...] = values

    (difference,) = copy_with(nudge)
    assert difference.startswith(f"7DAA_model: {feature}: 1 of")


def test_a_missing_feature_is_a_difference(copy_with):
    assert copy_with(lambda model: model.__delitem__("edge_data/vdw")) == ["7DAA_model: edge_data/vdw: only theirs"]


def test_a_missing_model_is_a_difference(peer_file, tmp_path):
    with h5py.File(tmp_path / "empty.h5", "w"):
        pass
    assert differences(tmp_path / "empty.h5", peer_file("7DAA_model")) == ["7DAA_model: only theirs"]


def test_another_atom_is_a_difference(copy_with):
    def rename(model):
        model["nodes"][3, 4] = b"CZ"

    (difference,) = copy_with(rename)
    assert difference.startswith("7DAA_model: nodes: 1 only ours, 1 only theirs")


@pytest.mark.parametrize(
    ("index", "features"), [("edge_index", "edge_data"), ("internal_edge_index", "internal_edge_data")]
)
def test_a_missing_edge_is_a_difference(copy_with, index, features):
    def drop(model):
        for name in (index, *(f"{features}/{feature}" for feature in model[features])):
            replace(model, name, model[name][2:])

    (difference,) = copy_with(drop)
    assert difference.startswith(f"7DAA_model: {index}: 0 only ours, 2 only theirs")


@pytest.mark.parametrize("depth", [0, 1])
def test_merged_clusters_are_a_difference(copy_with, depth):
    def merge(model):
        labels = model[f"clustering/mcl/depth_{depth}"][()]
        model[f"clustering/mcl/depth_{depth}"][...] = np.where(labels == labels.max(), labels.min(), labels)

    (difference,) = copy_with(merge)
    assert difference.startswith(f"7DAA_model: clustering/mcl/depth_{depth}: ")


def test_other_labels_of_the_same_clusters_are_no_difference(copy_with):
    def relabel(model):
        for depth in (0, 1):
            labels = model[f"clustering/mcl/depth_{depth}"]
            if depth == 1:  # the depth-0 clusters stand in the order of their labels
                labels[...] = 7 - labels[()]
            else:
                labels[...] = 3 * labels[()] + 5

    assert copy_with(relabel) == []


def test_another_order_of_nodes_and_edges_is_no_difference(copy_with):
    def shuffle(model):
        rng = np.random.default_rng(1)
        nodes = rng.permutation(len(model["nodes"]))
        place = np.argsort(nodes)
        for name in ("nodes", "clustering/mcl/depth_0", *(f"node_data/{feature}" for feature in model["node_data"])):
            model[name][...] = model[name][()][nodes]
        for index, features in (("edge_index", "edge_data"), ("internal_edge_index", "internal_edge_data")):
            model[index][...] = place[model[index][()]]
            edges = rng.permutation(len(model[index]))
            for name in (index, *(f"{features}/{feature}" for feature in model[features])):
                model[name][...] = model[name][()][edges]

    assert copy_with(shuffle) == []
