"""Graphs as PyTorch and PyTorch Geometric have them. Both are imported when they are asked for."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from ..errors import ConfigError, LaunchError
from .arrays import GraphBatch

FORMATS = ("pyg", "torch", "numpy")
#: Bytes at whose multiples the arrays of a parcel begin, as those of PyTorch's own tensors do.
_ALIGNED = 64


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
    return _batch(graphs.joined(), graphs.lengths, graphs.names, format)


def _batch(joined: dict[str, np.ndarray], lengths: dict[str, np.ndarray], names: list[str], format: str) -> Any:
    """Joined arrays in a format. Of equal `lengths` those that are one array are one tensor."""
    if format == "numpy":
        return joined | {"name": names}
    tensors = _as_tensors(joined | {"name": names})
    if format == "torch":
        return tensors
    torch, data = torch_module(), _geometric()
    batch = data.Batch(_base_cls=data.Data)
    batch.stores_as(data.Data())
    store = batch._store
    for key, value in tensors.items():
        store[key] = value
    n_nodes = lengths["pos"].tolist()
    store._num_nodes, store.num_nodes = n_nodes, sum(n_nodes)
    starts = {id(rows): torch.from_numpy(np.concatenate([[0], np.cumsum(rows)])) for rows in lengths.values()}
    zeros = torch.zeros(len(names), dtype=torch.int64)
    batch._num_graphs = len(names)
    batch._slice_dict = {key: starts[id(rows)] for key, rows in lengths.items()}
    batch._inc_dict = {key: tensors["ptr"][:-1] if key.endswith("edge_index") else zeros for key in lengths}
    batch._slice_dict["name"], batch._inc_dict["name"] = torch.arange(len(names) + 1), None
    return batch


def _as_tensors(arrays: dict[str, Any]) -> dict[str, Any]:
    from_numpy = torch_module().from_numpy
    return {key: from_numpy(value) if isinstance(value, np.ndarray) else value for key, value in arrays.items()}


def loader_of(
    graphs_at: Callable[[list[int]], GraphBatch],
    format: str,
    batches: Iterable[list[int]],
    num_workers: int,
    options: dict[str, Any],
) -> Any:
    """A DataLoader of ready batches.

    Parameters
    ----------
    graphs_at : callable
        From places to their graphs; it is sent to workers.
    format : str
    batches : iterable of list of int
        Places of each batch, with a length.
    num_workers : int
    options : dict
        Others of DataLoader.
    """
    if num_workers:
        options = {"persistent_workers": True, **options}
    items = _Batches(graphs_at, format)
    return torch_module().utils.data.DataLoader(
        items, batch_size=None, sampler=batches, collate_fn=_as_it_is, num_workers=num_workers, **options
    )


def _as_it_is(batch: Any) -> Any:
    return batch


class _Batches:
    """The batch of a list of places, as an item of a data set."""

    def __init__(self, graphs_at: Callable[[list[int]], GraphBatch], format: str):
        self.graphs_at, self.format = graphs_at, format

    def __getitem__(self, places: list[int]) -> Any:
        graphs = self.graphs_at(places)
        if torch_module().utils.data.get_worker_info() is None:
            return batch_of(graphs, self.format)
        return _Parcel(graphs, self.format)


class _Parcel:
    """A batch that leaves its worker as one tensor and is a batch again where it arrives.

    PyTorch gives every tensor that it sends a file in shared memory and a message of its own, which takes longer than
    all else of a batch of graphs.
    """

    def __init__(self, graphs: GraphBatch, format: str):
        self.graphs, self.format = graphs, format

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        joined = self.graphs.joined()
        sizes = [-(-array.nbytes // _ALIGNED) * _ALIGNED for array in joined.values()]
        starts = np.cumsum([0, *sizes]).tolist()
        content = torch_module().empty(starts[-1], dtype=torch_module().uint8)
        layout = []
        for (key, array), start in zip(joined.items(), starts, strict=False):
            layout.append((key, array.dtype.str, array.shape, start))
            _view(content, array.dtype.str, array.shape, start)[...] = array
        return _unpacked, (content, layout, self.graphs.lengths, self.graphs.names, self.format)


def _unpacked(
    content: Any,
    layout: list[tuple[str, str, tuple[int, ...], int]],
    lengths: dict[str, np.ndarray],
    names: list[str],
    format: str,
) -> Any:
    joined = {key: _view(content, dtype, shape, start) for key, dtype, shape, start in layout}
    return _batch(joined, lengths, names, format)


def _view(content: Any, dtype: str, shape: tuple[int, ...], start: int) -> np.ndarray:
    """An array within a tensor of bytes."""
    n_bytes = np.dtype(dtype).itemsize * math.prod(shape)
    return content.numpy()[start : start + n_bytes].view(dtype).reshape(shape)
