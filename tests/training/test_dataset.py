"""The data set of a run against graphs.h5, which DeepRank-Ab's own data set reads, opened here with h5py alone."""

import multiprocessing
import shutil

import h5py
import numpy as np
import pandas as pd
import pytest

import stagea_mpi
from stagea_mpi.errors import REASONS, ConfigError, LaunchError, RunFolderError
from stagea_mpi.training import shard_columns
from stagea_mpi.training.dataset import GraphDataset

NODE = ("res_type", "charge", "polarity", "bsa", "atom_type", "region")
EDGE = ("dist", "voro_area", "elec", "vdw", "covalent", "orientation")


def data_set(run_root, target=None, **options) -> GraphDataset:
    return GraphDataset(run_root, target, format="numpy", **options)


@pytest.fixture
def dataset(two_rank_run) -> GraphDataset:
    return data_set(two_rank_run, "contact_area")


def is_equal(one: dict, other: dict) -> bool:
    return one.keys() == other.keys() and all(np.array_equal(one[key], other[key]) for key in one)


def test_a_graph_has_the_numbers_of_stage_b(dataset, stage_b, matrix_of):
    assert dataset.names == [name for name in dataset.names if name in stage_b]
    assert len(dataset) == len(stage_b) == 6
    for graph in dataset:
        group = stage_b[graph["name"]]
        assert np.array_equal(graph["x"], matrix_of(group, "node_data", NODE))
        assert np.array_equal(graph["edge_attr"], matrix_of(group, "edge_data", EDGE))
        assert np.array_equal(graph["internal_edge_attr"], matrix_of(group, "internal_edge_data", EDGE))
        assert np.array_equal(graph["edge_index"].T, group["edge_index"][()])
        assert np.array_equal(graph["internal_edge_index"].T, group["internal_edge_index"][()])
        assert np.allclose(graph["pos"], group["node_data/pos"][()], atol=5e-4)
        for depth in (0, 1):
            assert np.array_equal(graph[f"cluster{depth}"], group[f"clustering/mcl/depth_{depth}"][()])
        assert graph["y"] == pytest.approx(group["edge_data/voro_area"][()].sum() / 2, rel=1e-5)


def test_features_are_chosen_by_their_names_and_stand_in_that_order(two_rank_run, stage_b, matrix_of):
    # Those that DeepRank-Ab's network was trained with, and more.
    nodes, edges = ("atom_type", "polarity", "bsa", "region", "embedding", "chain", "pos"), ("orientation", "vdw")
    dataset = data_set(two_rank_run, node_features=nodes, edge_features=edges, internal_edges=False)
    graph = dataset[3]
    group = stage_b[graph["name"]]
    assert np.array_equal(graph["x"], matrix_of(group, "node_data", nodes))
    assert np.array_equal(graph["edge_attr"], matrix_of(group, "edge_data", edges))
    assert not {"internal_edge_index", "internal_edge_attr", "y"} & graph.keys()
    assert dataset.edge_columns == ("orientation_0", "orientation_1", "orientation_2", "vdw")
    assert len(dataset.node_columns) == graph["x"].shape[1]
    of_region = graph["x"][:, dataset.node_columns.index("region_AG")] == 1
    assert np.array_equal(of_region, group["node_data/chain"][()] == 1)


@pytest.mark.parametrize("names", [("bsa", "mass"), ("bsa", "bsa"), ("b_factor",), ("type",)])
def test_a_feature_that_there_is_not_is_refused_with_those_that_there_are(two_rank_run, names):
    with pytest.raises(ConfigError, match=r"node_features: .*; expected some of .*res_type, charge"):
        data_set(two_rank_run, node_features=names)


def test_a_batch_is_its_graphs_behind_each_other(dataset):
    places = [5, 0, 3, 0]  # of both shards
    batch, graphs = dataset.batch(places), [dataset[place] for place in places]
    sizes = [len(graph["pos"]) for graph in graphs]
    assert batch["name"] == [graph["name"] for graph in graphs]
    assert batch["ptr"].tolist() == [0, *np.cumsum(sizes)]
    assert batch["batch"].tolist() == [k for k, size in enumerate(sizes) for _ in range(size)]
    for key in ("x", "pos", "edge_attr", "internal_edge_attr", "cluster0", "cluster1", "y"):
        assert np.array_equal(batch[key], np.concatenate([graph[key] for graph in graphs]))
    for key in ("edge_index", "internal_edge_index"):
        moved = [graph[key] + start for graph, start in zip(graphs, batch["ptr"], strict=False)]
        assert np.array_equal(batch[key], np.concatenate(moved, axis=1))


def test_graphs_may_be_changed_without_changing_what_is_read_next(dataset):
    before = {key: np.copy(value) for key, value in dataset[0].items()}
    for key, value in dataset[0].items():
        if key != "name":
            value[:] = 0
    assert is_equal(dataset[0], before)


@pytest.mark.parametrize("shards_in_memory", [0, 1])
def test_what_memory_does_not_hold_is_the_same(two_rank_run, dataset, shards_in_memory):
    memory = shards_in_memory * max(shard.n_bytes for shard in dataset._columns.shards)
    limited = data_set(two_rank_run, "contact_area", memory=memory)
    for places in ([0, 1, 2, 3, 4, 5], [5, 3, 1, 0], [4]):
        assert is_equal(limited.batch(places), dataset.batch(places))
        assert limited._columns.n_bytes_held <= memory


def test_shards_in_memory_are_not_read_again(dataset, monkeypatch):
    first = dataset.batch(range(6))
    monkeypatch.setattr(shard_columns, "reading", None)  # which would fail
    assert is_equal(dataset.batch(range(6)), first)


def test_places_count_as_a_lists_do(dataset):
    assert dataset[-1]["name"] == dataset.names[5]
    with pytest.raises(IndexError, match="there is no graph 6; the data set has 6"):
        dataset[6]


def test_targets_may_be_given_and_models_without_one_are_left_out_and_counted(two_rank_run):
    names = data_set(two_rank_run).names
    given = pd.Series({names[4]: 0.25, names[1]: 0.75, names[2]: np.nan, "another": 1.0})
    for target in (given, given.to_dict()):
        dataset = data_set(two_rank_run, target)
        assert dataset.names == [names[1], names[4]]
        assert dataset.y.tolist() == [0.75, 0.25]
        assert [graph["y"].tolist() for graph in dataset] == [[0.75], [0.25]]
        assert dataset.n_without_target == 4
        assert "2 graphs, target given (4 models of the run without it)" in repr(dataset)


def test_a_target_that_is_no_column_of_numbers_or_that_no_model_has_is_refused(two_rank_run):
    with pytest.raises(ConfigError, match=r"'source' is no column of numbers.* there are .*contact_area"):
        data_set(two_rank_run, "source")
    with pytest.raises(ConfigError, match="none of the 6 models of .* has a number in the mapping of 1 names"):
        data_set(two_rank_run, {"another": 1.0})
    with pytest.raises(ConfigError, match="expected a number of .*, found 'high'"):
        data_set(two_rank_run, dict.fromkeys(data_set(two_rank_run).names, "high"))


@pytest.mark.parametrize("method", ["spawn", "fork"])
def test_other_processes_read_the_same(dataset, method):
    expected = dataset.batch([2, 5])  # the files have been open, and one shard's columns are in memory
    with multiprocessing.get_context(method).Pool(1) as pool:
        assert is_equal(pool.apply(dataset.batch, ([2, 5],)), expected)


def test_an_epoch_has_each_graph_once_and_its_order_is_known(dataset):
    def epoch(**options) -> list[str]:
        return [name for batch in dataset.batches(4, **options) for name in batch["name"]]

    assert epoch() == dataset.names
    assert sorted(epoch(shuffle=True)) == sorted(dataset.names)
    orders = [epoch(shuffle=True, seed=7, epoch=k) for k in range(5)]
    assert orders == [epoch(shuffle=True, seed=7, epoch=k) for k in range(5)]
    assert len(set(map(tuple, orders))) > 1
    assert len(epoch(drop_last=True)) == 4


@pytest.mark.parametrize("size", [0, -1, 2.0, True])
def test_a_batch_has_a_whole_number_of_graphs(dataset, size):
    with pytest.raises(ConfigError, match="batch_size: expected a whole number from 1 on"):
        dataset.batches(size)


def test_parts_have_no_antigen_in_common_and_are_scaled_by_the_training_set(write_antigens, stage_b, matrix_of):
    names = list(stage_b)
    run_root = write_antigens(dict(zip(names, ("KAA", "KAA", "KAA", "KCC", "KCC", "KDD"), strict=True)))
    dataset = data_set(run_root, "contact_area", normalise="standard")
    assert dataset.groups("antigen").tolist() == [0, 0, 0, 1, 1, 2]
    parts = train, valid, test = dataset.split((0.5, 0.3, 0.2))
    assert [part.names for part in parts] == [names[:3], names[3:5], names[5:]]
    assert [graph["name"] for graph in valid] == names[3:5]

    bsa = np.concatenate([stage_b[name]["node_data/bsa"][:, 0] for name in names[:3]])
    vdw = np.concatenate([stage_b[name]["edge_data/vdw"][()] for name in names[:3]])
    columns = train.node_columns.index("bsa"), train.edge_columns.index("vdw")
    for part in parts:
        for graph in part:
            group = stage_b[graph["name"]]
            found = graph["x"][:, columns[0]], graph["edge_attr"][:, columns[1]]
            assert found[0] == pytest.approx((group["node_data/bsa"][:, 0] - bsa.mean()) / bsa.std(), abs=1e-4)
            assert found[1] == pytest.approx((group["edge_data/vdw"][()] - vdw.mean()) / vdw.std(), abs=1e-4)
            one_hot = [k for k, name in enumerate(train.node_columns) if name not in ("bsa", "charge")]
            assert np.array_equal(graph["x"][:, one_hot], matrix_of(group, "node_data", NODE)[:, one_hot])
            covalent = train.edge_columns.index("covalent")
            assert np.array_equal(graph["edge_attr"][:, covalent], group["edge_data/covalent"][()])
    assert test.normalisation is train.normalisation
    again = data_set(run_root, "contact_area", normalise=train.normalisation)
    assert is_equal(again[5], test[0])


def test_deeprank_ab_s_own_normalisation_is_that_of_its_data_set(two_rank_run, stage_b):
    # DataSet.py of DeepRank-Ab 1.0.2: np.tanh(-x / 2 + 2) + 1, and scikit-learn's RobustScaler.
    dataset = data_set(two_rank_run, normalise="deeprank-ab")
    elec = np.concatenate([group["edge_data/elec"][()] for group in stage_b.values()])
    low, middle, high = np.percentile(elec, (25, 50, 75))
    for graph in dataset:
        group = stage_b[graph["name"]]
        for prefix in ("", "internal_"):
            found = dict(zip(dataset.edge_columns, graph[f"{prefix}edge_attr"].T, strict=True))
            data = group[f"{prefix}edge_data"]
            assert found["dist"] == pytest.approx(np.tanh(-data["dist"][()] / 2 + 2) + 1, abs=1e-6)
            assert found["elec"] == pytest.approx((data["elec"][()] - middle) / (high - low), rel=1e-5)
            assert np.array_equal(found["vdw"], data["vdw"][()].astype(np.float32))


def test_groups_are_by_sequence_target_or_name(write_antigens, stage_b):
    names = list(stage_b)
    ubiquitin = "MQIFVKTLTGKTITLEVEPSDTIENVKAKIQDKEGIPPDQQRLIFAGKQLEDGRTLSDYNIQKESTLHLVLRLRGG"
    cut = [ubiquitin[k:] for k in range(5)]
    run_root = write_antigens(dict(zip(names, [*cut, "GSHMKKLLPTAAAGLLLLAAQPAMA"], strict=True)))
    dataset = data_set(run_root)
    assert dataset.names == names
    assert dataset.groups("antigen").tolist() == [0, 1, 2, 3, 4, 5]
    assert dataset.groups("antigen", identity=0.9).tolist() == [0, 0, 0, 0, 0, 1]
    assert dataset.groups("antibody").tolist() == [0] * 6  # poses of one complex
    is_odd = [int(name[-1]) % 2 for name in names]
    assert dataset.groups(lambda name: int(name[-1]) % 2).tolist() == [k ^ is_odd[0] for k in is_odd]


def test_groups_are_by_what_was_docked(run_copy):
    paths = sorted((run_copy / "shards").glob("*/packed.h5"))
    expected = []
    for number, path in enumerate(paths):
        with h5py.File(path, "r+") as file:
            statuses = file["model/status"][()]
            del file["model/target"]
            file["model/target"] = np.full(len(statuses), f"complex {number}".encode())
        expected += [number] * int((statuses == 0).sum())
    dataset = data_set(run_copy)
    assert dataset.groups("target").tolist() == expected

    with h5py.File(paths[-1], "r+") as file:
        file["model/target"][:] = b""
    with pytest.raises(ConfigError, match=f"by: {expected.count(1)} of 6 models have no target by the layout"):
        dataset.groups("target")


def test_of_two_models_of_one_name_the_one_with_a_graph_counts(run_copy, dataset):
    path = sorted((run_copy / "shards").glob("*/packed.h5"))[-1]
    with h5py.File(path, "r+") as file:
        names, statuses = file["model/name"][()], file["model/status"][()]
        first, last = np.flatnonzero(statuses == 0)[[0, -1]]
        names[last], statuses[last] = names[first], 1 + list(REASONS).index("duplicate_name")
        file["model/name"][...], file["model/status"][...] = names, statuses
    found = data_set(run_copy, "contact_area")
    assert found.names == dataset.names[:-1]
    assert found.y.tolist() == dataset.y[:-1].tolist()


def test_what_cannot_be_grouped_is_refused(dataset, run_copy):
    with pytest.raises(ConfigError, match="6 models are in 1 groups, which cannot be shared out into 3 parts"):
        dataset.split()
    with pytest.raises(ConfigError, match="by: expected antigen, antibody, target or a function.*found 'epitope'"):
        dataset.groups("epitope")
    with pytest.raises(ConfigError, match="identity: expected a share over 0, up to 1.*found 30"):
        dataset.groups("antigen", identity=30)
    for path in (run_copy / "shards").glob("*/manifest.tsv.gz"):
        path.write_bytes(b"no table")
    with pytest.raises(RunFolderError, match="manifest.tsv.gz: cannot be read"):
        data_set(run_copy).groups()


def test_a_shard_that_was_computed_anew_with_other_models_is_refused(run_copy):
    dataset = data_set(run_copy)
    first, second = sorted((run_copy / "shards").glob("*/packed.h5"))
    shutil.copy(first, second)
    with pytest.raises(RunFolderError, match="models, and had .* when the data set was made; make it anew"):
        dataset.batch(range(6))


def test_without_pytorch_arrays_remain_and_it_is_said_what_to_install(two_rank_run, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "torch", None)
    for format in ("pyg", "torch"):
        with pytest.raises(LaunchError, match='pip install torch.*format="numpy"'):
            stagea_mpi.GraphDataset(two_rank_run, format=format)
    dataset = data_set(two_rank_run)
    assert len(list(dataset.batches(4))) == 2
    with pytest.raises(LaunchError, match="pip install torch"):
        dataset.loader()


def test_a_format_that_there_is_not_is_refused(two_rank_run):
    with pytest.raises(ConfigError, match="format: expected one of pyg, torch, numpy, found 'jax'"):
        stagea_mpi.GraphDataset(two_rank_run, format="jax")
