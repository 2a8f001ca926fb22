from dataclasses import replace

import h5py
import numpy as np
import pytest
from shipped import fab, nanobody

from stagea_mpi.graph.clustering import cluster_two_depths
from stagea_mpi.storage.deeprank_writer import SCORE_GROUP, datasets, write_graphs
from stagea_mpi.structure.residues import ATOM_TYPES, REGIONS, RESIDUE_TYPES


@pytest.fixture(scope="module")
def models():
    clustered = cluster_two_depths(len(fab().graph), fab().graph.internal.nodes)
    return [("with clusters", fab().graph, clustered), ("without", nanobody().graph, None)]


@pytest.fixture(scope="module")
def file(models, tmp_path_factory):
    path = tmp_path_factory.mktemp("deeprank") / "graphs.h5"
    write_graphs(str(path), models)
    with h5py.File(path) as opened:
        yield opened


def test_the_top_level_has_one_group_a_model_and_nothing_else(file):
    assert sorted(file) == ["with clusters", "without"]
    assert len(file.attrs) == 0


def test_a_model_has_a_score_group_that_is_empty_and_clusters_only_where_it_was_clustered(file):
    assert len(file["with clusters/score"]) == len(file["without/score"]) == 0
    assert "clustering" in file["with clusters"]
    assert "clustering" not in file["without"]


def test_a_node_is_named_by_chain_number_residue_serial_and_atom(file):
    graph = fab().graph
    for k in (0, 1, len(graph) - 1):
        chain, number, residue, serial, atom = file["with clusters/nodes"][k].tolist()
        assert chain == (b"A", b"B")[graph.chain[k]]
        assert int(number) == graph.residue_number[k]
        assert int(serial) == graph.serial[k]
        assert residue.decode() == RESIDUE_TYPES[graph.residue_type[k]]
        assert atom.decode() == ATOM_TYPES[graph.atom_type[k]]


@pytest.mark.parametrize(
    ("feature", "column", "width"),
    [("res_type", "residue_type", 20), ("atom_type", "atom_type", len(ATOM_TYPES)), ("region", "region", len(REGIONS))],
)
def test_codes_are_one_hot(file, feature, column, width):
    hot = file[f"with clusters/node_data/{feature}"][()]
    assert hot.shape == (len(fab().graph), width)
    assert (hot.sum(axis=1) == 1).all()
    assert hot.argmax(axis=1).tolist() == getattr(fab().graph, column).tolist()


def test_every_edge_is_followed_by_its_reverse_with_the_same_features(file):
    for prefix in ("", "internal_"):
        model = file["with clusters"]
        index, names = model[f"{prefix}edge_index"][()], model[f"{prefix}edges"][()]
        assert np.array_equal(index[1::2], index[::2, ::-1])
        assert np.array_equal(names[1::2], names[::2, ::-1])
        assert np.array_equal(names, model["nodes"][()][index])
        for feature in ("dist", "elec", "vdw", "voro_area", "covalent", "type"):
            values = model[f"{prefix}edge_data/{feature}"][()]
            assert np.array_equal(values[1::2], values[::2])


def test_the_two_directions_of_an_edge_have_orientations_of_their_own(file):
    for edges, group in ((fab().graph.interface, "edge_data"), (fab().graph.internal, "internal_edge_data")):
        stored = file[f"with clusters/{group}/orientation"][()]
        assert np.array_equal(stored[::2], edges.orientation[:, 0])
        assert np.array_equal(stored[1::2], edges.orientation[:, 1])


def test_edges_shorter_than_2_1_angstrom_are_covalent(file):
    covalent, dist = (file[f"with clusters/internal_edge_data/{name}"][()] for name in ("covalent", "dist"))
    assert covalent.tolist() == (dist < 2.1).astype(float).tolist()
    assert 0 < covalent.sum() < len(covalent)


def test_coordinates_have_the_three_decimals_of_the_input(file):
    expected = fab().complex_.xyz[fab().graph.serial - 1]
    assert np.array_equal(file["with clusters/node_data/pos"][()], expected)


def test_labels_are_stored_as_they_are_given(file, models):
    for depth, labels in enumerate(models[0][2]):
        assert file[f"with clusters/clustering/mcl/depth_{depth}"][()].tolist() == labels.tolist()


def test_a_graph_without_internal_edges_is_written(tmp_path):
    graph = fab().graph
    empty = type(graph.internal)(*(getattr(graph.internal, name)[:0] for name in graph.internal.__dataclass_fields__))
    path = tmp_path / "graphs.h5"
    write_graphs(str(path), [("bare", type(graph)(**vars(graph) | {"internal": empty}), None)])
    with h5py.File(path) as opened:
        assert opened["bare/internal_edge_index"].shape == (0, 2)
        assert opened["bare/internal_edges"].shape == (0, 2, 5)
        assert opened["bare/internal_edge_data/orientation"].shape == (0, 3)


def test_texts_are_as_wide_as_the_longest_of_their_own_model(tmp_path):
    shifts = {3: 0, 4: 10**3, 6: 10**5}
    graphs = {width: replace(fab().graph, serial=fab().graph.serial % 1000 + shift) for width, shift in shifts.items()}
    write_graphs(str(tmp_path / "graphs.h5"), [(f"{width}", graph, None) for width, graph in graphs.items()])
    with h5py.File(tmp_path / "graphs.h5") as opened:
        for width, graph in graphs.items():
            for path in ("nodes", "edges", "internal_edges"):
                assert opened[f"{width}/{path}"].dtype == f"S{width}"
            assert opened[f"{width}/nodes"][:, 3].astype(int).tolist() == graph.serial.tolist()


def test_equal_input_gives_equal_bytes(models, tmp_path):
    one, two = tmp_path / "one.h5", tmp_path / "two.h5"
    size = write_graphs(str(one), models)
    write_graphs(str(two), models)
    assert one.read_bytes() == two.read_bytes()
    assert size == one.stat().st_size


def test_the_bytes_are_those_that_h5py_writes(models, tmp_path):
    models = [*models, ("größe_1", replace(nanobody().graph, serial=nanobody().graph.serial + 10**5), None)]
    write_graphs(str(tmp_path / "ours.h5"), models)
    with (tmp_path / "theirs.h5").open("w+b") as content, h5py.File(content, "w") as file:
        for name, graph, clusters in models:
            group = file.create_group(name)
            for path, values in datasets(graph, clusters).items():
                group.create_dataset(path, data=values)
            group.create_group(SCORE_GROUP)
    assert (tmp_path / "ours.h5").read_bytes() == (tmp_path / "theirs.h5").read_bytes()
