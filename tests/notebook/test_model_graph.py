"""The graph that Python's users get: tables, pictures, its file."""

import sys
from dataclasses import replace

import h5py
import matplotlib.pyplot as plt
import numpy as np
import pytest
from shipped import fab, three_poses

from stagea_mpi.errors import ConfigError, LaunchError, RunFolderError, StorageError
from stagea_mpi.graph.clustering import cluster_two_depths
from stagea_mpi.notebook import graph_plots
from stagea_mpi.notebook.model_graph import InterfaceGraph
from stagea_mpi.storage.deeprank_writer import write_graphs
from stagea_mpi.storage.packed_reader import PackedFile


@pytest.fixture(scope="module")
def graph() -> InterfaceGraph:
    return InterfaceGraph.of(fab().graph, "7DAA_model")


def lack_matplotlib(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.axes", None)
    monkeypatch.delitem(sys.modules, graph_plots.__name__)


def test_its_name_is_that_of_one_class_alone(graph):
    assert repr(graph).startswith("InterfaceGraph('7DAA_model': ")
    assert type(fab().graph).__name__ == "GraphArrays"


def test_it_equals_the_arrays_that_it_has(graph):
    assert graph == fab().graph
    assert fab().graph == graph


def test_clusters_are_those_of_a_run_and_the_graph_without_them_stays(graph):
    clustered = graph.cluster()
    expected = cluster_two_depths(len(graph), graph.internal.nodes)
    assert all(map(np.array_equal, clustered.clusters, expected))
    assert graph.clusters is None
    assert (clustered.name, type(clustered)) == (graph.name, InterfaceGraph)


def test_tables_have_readable_columns(graph):
    nodes = graph.nodes()
    assert nodes.columns.tolist() == [
        "side", "residue_number", "residue", "atom", "region", "x", "y", "z", "bsa", "number", "imgt", "cluster",
    ]  # fmt: skip
    assert set(nodes["cluster"]) == {-1}
    assert set(graph.cluster().nodes()["cluster"]) == set(graph.cluster().clusters[0].tolist())
    assert graph.edges().columns.tolist() == ["antibody", "antigen", "dist", "elec", "vdw", "voro_area"]
    assert graph.edges(internal=True).columns.tolist() == ["first", "second", "dist", "elec", "vdw", "voro_area"]
    sides = nodes["side"].to_numpy()
    assert set(sides[graph.edges()["antibody"]]) == {"antibody"}
    assert set(sides[graph.edges()["antigen"]]) == {"antigen"}


@pytest.mark.parametrize("is_clustered", [False, True])
def test_a_saved_graph_is_loaded_again(graph, is_clustered, tmp_path):
    graph = graph.cluster() if is_clustered else graph
    graph.save(tmp_path / "graph.h5")
    loaded = InterfaceGraph.load(tmp_path / "graph.h5")
    assert loaded == graph
    assert loaded.name == graph.name
    assert (loaded.clusters is not None) == is_clustered
    assert all(map(np.array_equal, loaded.clusters or (), graph.clusters or ()))
    assert [path.name for path in tmp_path.iterdir()] == ["graph.h5"]


def test_a_saved_graph_is_a_packed_file(graph, tmp_path):
    graph.save(str(tmp_path / "graph.h5"))
    with PackedFile(tmp_path / "graph.h5") as packed:
        packed.check()
        assert (packed.names, packed.statuses) == (["7DAA_model"], ["ok"])
    with h5py.File(tmp_path / "graph.h5") as file:
        assert np.array_equal(file["edge/vdw"], graph.interface.vdw)


def test_a_graph_without_a_name_is_saved_as_well(tmp_path):
    InterfaceGraph.of(fab().graph).save(tmp_path / "graph.h5")
    assert InterfaceGraph.load(tmp_path / "graph.h5") == fab().graph


def test_saving_replaces_a_file_that_is_there(graph, tmp_path):
    replace(graph, name="earlier").save(tmp_path / "graph.h5")
    graph.save(tmp_path / "graph.h5")
    assert InterfaceGraph.load(tmp_path / "graph.h5").name == "7DAA_model"


def test_of_a_shards_file_a_model_is_chosen(two_rank_run):
    (path,) = two_rank_run.glob("shards/shard_000000/packed.h5")
    with PackedFile(path) as packed:
        ok = [name for name, status in zip(packed.names, packed.statuses, strict=True) if status == "ok"]
        graph = packed.graph(packed.names.index(ok[1]))
    assert InterfaceGraph.load(path, ok[1]) == graph
    with pytest.raises(ConfigError, match=f"expected the name of one graph as model=; there are {ok[0]}, {ok[1]}"):
        InterfaceGraph.load(path)
    with pytest.raises(ConfigError, match="no graph is called pose_9; there are"):
        InterfaceGraph.load(path, "pose_9")


def test_a_file_that_is_none_and_a_folder_that_is_none_are_told(graph, tmp_path):
    with pytest.raises(RunFolderError, match=r"graph\.h5: is missing"):
        InterfaceGraph.load(tmp_path / "graph.h5")
    with pytest.raises(StorageError, match="No such file or directory"):
        graph.save(tmp_path / "folder" / "graph.h5")


@pytest.mark.parametrize("content", [b"HEADER", b"", "graphs.h5"])
def test_another_file_is_said_to_be_none_of_ours(content, graph, tmp_path):
    path = tmp_path / "other.h5"
    if content == "graphs.h5":
        write_graphs(str(path), [("7DAA_model", graph, None)])
        what = "is an HDF5 file without the attribute schema, as graphs.h5 is one"
    else:
        path.write_bytes(content)
        what = "is no HDF5 file"
    for read in (InterfaceGraph.load, PackedFile):
        with pytest.raises(
            RunFolderError, match=rf"other\.h5: {what}; expected a shard's packed\.h5 or a saved graph"
        ) as error:
            read(path)
        assert "remove" not in str(error.value)


def test_as_a_cells_last_line_it_is_a_picture(graph):
    content, described = graph._repr_mimebundle_()
    assert content["image/png"]
    assert content["text/plain"] == repr(graph)
    assert described["image/png"]["alt"] == "interface of 7DAA_model from its side"


def test_without_matplotlib_it_is_a_line_of_text(graph, monkeypatch):
    lack_matplotlib(monkeypatch)
    assert graph._repr_mimebundle_() == ({"text/plain": repr(graph)}, {})
    with pytest.raises(LaunchError, match="matplotlib is not installed; `pip install matplotlib pandas`"):
        graph.plot()


def test_without_pandas_it_is_said_what_to_install(graph, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    for table in (graph.nodes, graph.edges, graph.contact_map):
        with pytest.raises(LaunchError, match="pandas is not installed; `pip install pandas` installs it"):
            table()


def test_it_is_drawn_on_given_axes(graph):
    figure, axes = plt.subplots()
    assert graph.plot(axes) is figure
    assert axes.get_xlabel() == "along the interface (Å)"
    assert sum(len(points.get_offsets()) for points in axes.collections[1:]) == len(graph)
    plt.close(figure)


def test_seen_from_the_side_the_antibody_is_above(graph):
    axes = graph.plot().axes[0]
    height = {points.get_label(): points.get_offsets()[:, 1].mean() for points in axes.collections[1:]}
    antigen = height.pop("AG")
    assert all(antibody > antigen for antibody in height.values())


@pytest.mark.parametrize(
    ("draw", "shape"),
    [
        (graph_plots.side_view, (1, 1)),
        (graph_plots.contact_map, (1, 1)),
        (graph_plots.feature_distributions, (2, 3)),
        (graph_plots.clusters, (1, 2)),
    ],
)
def test_pictures_are_drawn_on_given_axes(graph, draw, shape):
    figure, axes = plt.subplots(*shape)
    assert draw(graph.cluster(), axes) is figure
    assert all(axis.has_data() for axis in np.ravel(axes))
    assert isinstance(draw(graph.cluster()), graph_plots.Figure)
    plt.close(figure)


def test_axes_of_another_number_or_kind_are_refused(graph):
    figure, axes = plt.subplots(1, 2)
    with pytest.raises(ConfigError, match="expected 6 axes to draw on, found 2"):
        graph_plots.feature_distributions(graph, axes)
    with pytest.raises(ConfigError, match="expected axes with projection='3d'"):
        graph_plots.interface_3d(graph, axes[0])
    plt.close(figure)


def test_in_space_it_is_drawn_on_axes_of_space():
    figure = plt.figure()
    axes = figure.add_subplot(projection="3d")
    assert graph_plots.interface_3d(three_poses()[0].graph, axes) is figure
    plt.close(figure)


def test_graphs_that_share_arrays_cannot_change_each_other(graph):
    before = fab().graph.interface.dist.copy()
    clustered = graph.cluster()
    for array in (graph.position, graph.interface.dist, clustered.interface.dist, *clustered.clusters):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0
    assert np.array_equal(clustered.interface.dist, before)
    assert fab().graph.interface.dist.flags.writeable  # those that it was made of are their owner's


@pytest.mark.parametrize("is_clustered", [False, True])
def test_no_changed_bit_of_a_saved_graph_goes_unseen(graph, is_clustered, tmp_path):
    graph = graph.cluster() if is_clustered else graph
    path = tmp_path / "graph.h5"
    graph.save(path)
    content = path.read_bytes()
    end = content.index(b"\nstagea_mpi: SHA-256")
    for at in (*range(0, end, 97), end - 1):  # those of the first 2000 bytes have ended the process in HDF5
        changed = bytearray(content)
        changed[at] ^= 1 << at % 8
        path.write_bytes(changed)
        with pytest.raises(RunFolderError, match=r"graph\.h5: its SHA-256 is not .* write it anew"):
            InterfaceGraph.load(path)


def test_a_changed_checksum_is_seen_and_a_file_without_one_is_read_unchecked(graph, tmp_path):
    path = tmp_path / "graph.h5"
    graph.save(path)
    content = path.read_bytes()
    path.write_bytes(content[:-2] + (b"0" if content[-2:-1] != b"0" else b"1") + b"\n")
    with pytest.raises(RunFolderError, match="its SHA-256 is not"):
        InterfaceGraph.load(path)
    path.write_bytes(content[: content.index(b"\nstagea_mpi: SHA-256")])  # as it was saved before
    assert InterfaceGraph.load(path) == graph


def test_a_saved_graph_cut_off_is_told_with_what_to_do(graph, tmp_path):
    path = tmp_path / "graph.h5"
    graph.save(path)
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(RunFolderError, match=r"graph\.h5: cannot be opened .* \(or save the graph\) again"):
        InterfaceGraph.load(path)
