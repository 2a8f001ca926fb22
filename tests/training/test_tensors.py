"""Tensors of a data set against those that PyTorch Geometric itself makes. Where PyTorch is not installed (it is no
dependency, and has gigabytes), what it would be given is tested as arrays in test_dataset.py.
"""

import numpy as np
import pytest

from stagea_mpi import GraphDataset, Run

torch = pytest.importorskip("torch")
geometric = pytest.importorskip("torch_geometric.data")
loaders = pytest.importorskip("torch_geometric.loader")


@pytest.fixture
def dataset(two_rank_run) -> GraphDataset:
    return GraphDataset(two_rank_run, "contact_area")


def is_equal(one, other) -> bool:
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(is_equal(one[key], other[key]) for key in one)
    if isinstance(one, torch.Tensor):
        return one.dtype == other.dtype and torch.equal(one, other)
    return one == other


def test_a_graph_is_what_to_pyg_makes_of_it_and_its_target(dataset, two_rank_run):
    run = Run(two_rank_run)
    for data in dataset:
        assert data.validate()
        found = data.to_dict()
        assert found.pop("y").tolist() == [pytest.approx(run.models.contact_area[data.name], rel=1e-6)]
        assert is_equal(found, run[data.name].to_pyg().to_dict())


def test_a_batch_is_the_one_that_pytorch_geometric_joins(dataset):
    places = [5, 0, 3]
    found, expected = dataset.batch(places), geometric.Batch.from_data_list([dataset[place] for place in places])
    assert isinstance(found, geometric.Batch)
    assert found.validate()
    assert is_equal(found.to_dict(), expected.to_dict())
    assert found.num_graphs == len(found) == 3
    assert found.num_nodes == expected.num_nodes
    for one, other in zip(found.to_data_list(), expected.to_data_list(), strict=True):
        assert is_equal(one.to_dict(), other.to_dict())
    assert is_equal(found[1].to_dict(), dataset[0].to_dict())


@pytest.mark.parametrize(("workers", "context"), [(0, None), (2, "fork"), (2, "spawn")])
@pytest.mark.parametrize("is_own", [True, False])
def test_loaders_give_each_graph_once_an_epoch_with_any_workers(dataset, workers, context, is_own):
    options = {"batch_size": 4, "shuffle": True, "num_workers": workers, "multiprocessing_context": context}
    loader = dataset.loader(**options) if is_own else loaders.DataLoader(dataset, **options)
    assert len(loader) == 2
    for _ in range(2):
        batches = list(loader)
        assert [batch.num_graphs for batch in batches] == [4, 2]
        assert sorted(name for batch in batches for name in batch.name) == sorted(dataset.names)
        for batch in batches:
            expected = geometric.Batch.from_data_list([dataset[dataset.names.index(name)] for name in batch.name])
            assert is_equal(batch.to_dict(), expected.to_dict())
            assert is_equal(batch.to_data_list()[1].to_dict(), expected.to_data_list()[1].to_dict())


def test_a_loader_of_one_s_own_takes_the_sampler(dataset):
    sampler = dataset.sampler(seed=3)
    orders = []
    for epoch in (0, 1, 0):
        sampler.set_epoch(epoch)
        orders.append([name for batch in loaders.DataLoader(dataset, 2, sampler=sampler) for name in batch.name])
    assert orders[0] == orders[2]
    assert [sorted(order) for order in orders] == [sorted(dataset.names)] * 3


@pytest.mark.parametrize("format", ["torch", "numpy"])
@pytest.mark.parametrize("workers", [0, 1])
def test_without_pytorch_geometric_a_batch_is_a_dict(two_rank_run, monkeypatch, format, workers):
    monkeypatch.setitem(__import__("sys").modules, "torch_geometric", None)
    monkeypatch.setitem(__import__("sys").modules, "torch_geometric.data", None)
    dataset = GraphDataset(two_rank_run, "contact_area", format=format)
    expected = GraphDataset(two_rank_run, "contact_area", format="numpy").batch(range(6))
    (batch,) = dataset.loader(batch_size=6, num_workers=workers)
    kind = torch.Tensor if format == "torch" else np.ndarray
    assert batch.keys() == expected.keys()
    for key, value in expected.items():
        if key != "name":
            assert isinstance(batch[key], kind)
        assert np.array_equal(batch[key], value)


def test_a_graph_without_internal_edges_has_a_form_as_well(dataset, two_rank_run):
    from dataclasses import replace

    graph = Run(two_rank_run)[dataset.names[0]]
    none = replace(graph.internal, **{name: values[:0] for name, values in vars(graph.internal).items()})
    data = replace(graph, internal=none).to_pyg()
    assert data.internal_edge_attr.shape == (0, dataset[0].edge_attr.shape[1])
    assert data.internal_edge_index.shape == (2, 0)
