"""Graphs as PyTorch and PyTorch Geometric have them. Both are imported when they are asked for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Protocol

import numpy as np

from ..errors import ConfigError, LaunchError
from .arrays import GraphBatch

FORMATS = ("pyg", "torch", "numpy")


def check(format: str) -> None:
    """Raises an error where a format is not known, or what it needs not installed.

    Raises
    ------
    ConfigError, LaunchError
    """
    if format not in FORMATS:
        raise ConfigError(f"format: expected one of {', '.join(FORMATS)}, found {format!r}")
    if format != "numpy":
        torch_module()
    if format == "pyg":
        _geometric()


def torch_module() -> Any:
    """PyTorch.

    Raises
    ------
    LaunchError
        It is not installed.
    """
    try:
        import torch.utils.data
    except ImportError as error:
        raise LaunchError(
            f'{error.name} is not installed; `pip install torch` installs it, and GraphDataset(…, format="numpy") with '
            "`batches` needs none"
        ) from error
    return torch


def _geometric() -> Any:
    """`torch_geometric.data`."""
    torch_module()
    try:
        import torch_geometric.data
    except ImportError as error:
        raise LaunchError(
            f'{error.name} is not installed; `pip install torch_geometric` installs it, or ask for format="torch" or '
            'format="numpy"'
        ) from error
    return torch_geometric.data


def graphs_of(graphs: GraphBatch, format: str) -> list[Any]:
    """Each graph in a format of `FORMATS`."""
    separated = graphs.separated()
    if format == "numpy":
        return separated
    found = [_as_tensors(graph) for graph in separated]
    if format == "torch":
        return found
    data = _geometric()
    sizes = graphs.n_nodes.tolist()
    return [data.Data(num_nodes=n_nodes, **graph) for n_nodes, graph in zip(sizes, found, strict=True)]


def batch_of(graphs: GraphBatch, format: str) -> Any:
    """All graphs as one, in a format of `FORMATS`.

    The `Batch` is the one that PyTorch Geometric makes of a list of graphs, which takes it longer than all else
    of the loading: the arrays are joined already.
    """
    joined = graphs.joined() | {"name": graphs.names}
    if format == "numpy":
        return joined
    tensors = _as_tensors(joined)
    if format == "torch":
        return tensors
    torch, data = torch_module(), _geometric()
    batch = data.Batch(_base_cls=data.Data)
    batch.stores_as(data.Data())
    store = batch._store
    for key, value in tensors.items():
        store[key] = value
    n_graphs = len(graphs.names)
    store._num_nodes, store.num_nodes = graphs.n_nodes.tolist(), int(graphs.n_nodes.sum())
    # As many tensors as there are different ones: each costs a worker a file that it shares.
    of_lengths = {
        id(rows): torch.from_numpy(np.concatenate([[0], np.cumsum(rows)])) for rows in graphs.lengths.values()
    }
    zeros = torch.zeros(n_graphs, dtype=torch.int64)
    batch._num_graphs = n_graphs
    batch._slice_dict = {key: of_lengths[id(rows)] for key, rows in graphs.lengths.items()}
    batch._inc_dict = {key: tensors["ptr"][:-1] if key.endswith("edge_index") else zeros for key in graphs.lengths}
    batch._slice_dict["name"], batch._inc_dict["name"] = torch.arange(n_graphs + 1), None
    return batch


def _as_tensors(arrays: dict[str, Any]) -> dict[str, Any]:
    from_numpy = torch_module().from_numpy
    return {key: from_numpy(value) if isinstance(value, np.ndarray) else value for key, value in arrays.items()}


class HasBatches(Protocol):
    """A data set with batches."""

    def __len__(self) -> int: ...

    def batch(self, places: Sequence[int]) -> Any: ...


def loader_of(dataset: HasBatches, batches: Iterable[list[int]], num_workers: int, options: dict[str, Any]) -> Any:
    """A DataLoader of ready batches."""
    if num_workers:
        options = {"persistent_workers": True, **options}
    return torch_module().utils.data.DataLoader(
        _BatchesOf(dataset), batch_size=None, sampler=batches, collate_fn=_as_it_is, num_workers=num_workers, **options
    )


class _BatchesOf:
    """The batch of a list of places, as an item."""

    def __init__(self, dataset: HasBatches):
        self.dataset = dataset

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, places: list[int]) -> Any:
        return self.dataset.batch(places)


def _as_it_is(batch: Any) -> Any:
    return batch
