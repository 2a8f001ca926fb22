"""`GraphDataset`: the graphs of a run, one by one or in batches, as a network reads them."""

from __future__ import annotations

import copy
import numbers
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np

from ..config.paths import given
from ..errors import ConfigError
from ..notebook.model_graph import PYG_EDGE_FEATURES, PYG_NODE_FEATURES
from ..rundir.folders import RunFolder
from ..storage.schema import B_FACTOR, CLUSTERS
from . import inputs, tensors
from .arrays import GraphBatch, Wanted, graph_batch
from .groups import clusters_by_identity, numbered, shared_out
from .model_index import group_keys, read_index, target_values
from .normalisation import Normalisation, fitted, methods_of
from .sampling import Batches, ShardShuffle
from .shard_columns import ShardColumns

#: Models at once in a pass over all.
_AT_ONCE = 256


class GraphDataset:
    """The graphs of a run with a target, to train networks on. A map-style data set of PyTorch's kind.

    `dataset[k]` is the k-th graph, `dataset.loader()` a `torch.utils.data.DataLoader` of ready batches, and PyTorch
    Geometric's own `DataLoader(dataset)` works as well, with any number of workers, forked or spawned. Files are read
    when graphs are asked for; nothing of them stays open.

    Parameters
    ----------
    run_root : path
        Output folder of a run, also of one that is not finished: the published shards count.
    target : str or mapping, optional
        A column of numbers of `Run.models`, or a number by model (a dict, a pandas Series). Models that have none are
        left out.
    format : str
        What a graph is: ``pyg`` (`torch_geometric.data.Data`, as `InterfaceGraph.to_pyg` makes it), ``torch`` (a dict
        of tensors) or ``numpy`` (a dict of arrays, which needs no PyTorch).
    node_features, edge_features : iterable of str
        What `x` and `edge_attr` are made of, side by side in this order: names of graphs.h5 and `graph.features`.
    normalise : str, mapping or Normalisation
        ``none``; ``standard`` (mean 0, standard deviation 1) or ``robust`` (median 0, quartiles 1 apart) for all
        features with one number a row but those that are 0 or 1 everywhere; ``deeprank-ab``, what DeepRank-Ab's own
        data set does: ``robust`` for ``elec``, tanh(2 - x / 2) + 1 for ``dist``, and nothing else. Or by feature one of
        ``none``, ``standard``, ``robust``, ``nearness`` (that tanh). Or what another data set has found.
    internal_edges : bool
        Whether graphs have the pairs within one chain, too.
    memory : int
        Bytes of columns that a process (each worker is one) holds.

    Raises
    ------
    ConfigError
        A feature, the target or another argument is not known.
    RunFolderError
        No shard is published, or a file cannot be read.
    LaunchError
        pandas, PyTorch or PyTorch Geometric is needed and not installed.
    """

    def __init__(
        self,
        run_root: str | Path,
        target: str | Mapping[str, float] | None = None,
        *,
        format: str = "pyg",
        node_features: Iterable[str] = PYG_NODE_FEATURES,
        edge_features: Iterable[str] = PYG_EDGE_FEATURES,
        normalise: str | Mapping[str, str] | Normalisation = "none",
        internal_edges: bool = True,
        memory: int = 2**30,
    ):
        tensors.check(format)
        folder = RunFolder(given(run_root, "run_root"))
        self.root, self.format, self.memory = folder.root, format, _count(memory, "memory", 0)
        self.target = target if isinstance(target, str) or target is None else "given"
        self._index = read_index(folder)
        nodes = inputs.node_inputs(node_features, self._index.has(f"node/{B_FACTOR.name}"))
        self._wanted = Wanted(nodes, inputs.edge_inputs(edge_features), internal_edges, self._index.has(CLUSTERS[0]))
        pointers = self._wanted.pointers
        self._columns = ShardColumns(self._index.sizes(pointers), pointers, self.memory)
        self._normalise: str | Mapping[str, str] | Normalisation = normalise
        if not isinstance(normalise, Normalisation):
            methods_of(normalise, self._wanted.scalable)  # which refuses what is wrong now, and not in an hour
        self._rows = np.arange(len(self._index.names))
        self._y: np.ndarray | None = None
        if target is not None:
            values = target_values(self.root, self._index, target)
            self._rows = np.flatnonzero(~np.isnan(values))
            self._y = values[self._rows].astype(np.float32)
        #: How many models have a graph and no target.
        self.n_without_target = len(self._index.names) - len(self._rows)

    def __len__(self) -> int:
        return len(self._rows)

    def __repr__(self) -> str:
        target = "no target" if self.target is None else f"target {self.target}"
        rest = f" ({self.n_without_target} models of the run without it)" if self.n_without_target else ""
        return f"GraphDataset({str(self.root)!r}: {len(self)} graphs, {target}{rest}, format {self.format})"

    def __getitem__(self, place: int) -> Any:
        if not -len(self) <= place < len(self):
            raise IndexError(f"there is no graph {place}; the data set has {len(self)}")
        return self.__getitems__([place])[0]

    def __getitems__(self, places: Sequence[int]) -> list[Any]:
        """Several graphs, read together; PyTorch's loaders ask for a batch so."""
        return tensors.graphs_of(self._graphs(places), self.format)

    def batch(self, places: Sequence[int]) -> Any:
        """Some graphs as one, as `torch_geometric.data.Batch.from_data_list` joins them.

        Parameters
        ----------
        places : sequence of int

        Returns
        -------
        batch : torch_geometric.data.Batch or dict
            By `format`. Beside what a graph has, `batch` is the number of each node's graph, and `ptr` where each
            graph's nodes begin.
        """
        return tensors.batch_of(self._graphs(places), self.format)

    def batches(
        self, batch_size: int = 32, shuffle: bool = False, seed: int = 0, epoch: int = 0, drop_last: bool = False
    ) -> Iterator[Any]:
        """One epoch in batches, without PyTorch's loader and without workers.

        Parameters
        ----------
        batch_size : int
        shuffle : bool
            As in `loader`.
        seed, epoch : int
            Which order.
        drop_last : bool
            Whether the last batch is left out where it is smaller.
        """
        order = self._order(batch_size, shuffle, seed, drop_last, epoch)
        return (self.batch(places) for places in order)

    def loader(
        self,
        batch_size: int = 32,
        shuffle: bool = False,
        num_workers: int = 0,
        seed: int = 0,
        drop_last: bool = False,
        **options: Any,
    ) -> Any:
        """A DataLoader of batches that are joined already, each as `batch` makes it.

        Parameters
        ----------
        batch_size : int
        shuffle : bool
            Every epoch in another order. Shards that together take more than `memory` are not mixed: an epoch reads
            each shard once, in an order of its own, and mixes as many as memory holds.
        num_workers : int
            Processes that make batches; they are kept from one epoch to the next.
        seed : int
            Of the orders. `loader.sampler.sampler.set_epoch(k)` goes on with epoch k.
        drop_last : bool
            Whether the last batch is left out where it is smaller.
        **options
            Others of `torch.utils.data.DataLoader`.

        Returns
        -------
        loader : torch.utils.data.DataLoader

        Raises
        ------
        LaunchError
            PyTorch is not installed.
        """
        order = self._order(batch_size, shuffle, seed, drop_last)
        _ = self.normalisation  # found once, and not by each worker
        return tensors.loader_of(self._graphs, self.format, order, num_workers, options)

    def _order(self, batch_size: int, shuffle: bool, seed: int, drop_last: bool, epoch: int = 0) -> Batches:
        sampler = self.sampler(seed) if shuffle else range(len(self))
        if isinstance(sampler, ShardShuffle):
            sampler.set_epoch(epoch)
        return Batches(sampler, _count(batch_size, "batch_size", 1), drop_last)

    def sampler(self, seed: int = 0) -> ShardShuffle:
        """A sampler for loaders of one's own that shuffles as `loader` does.

        Parameters
        ----------
        seed : int

        Returns
        -------
        sampler : ShardShuffle
            Of PyTorch's kind: it has a length and gives places; `set_epoch` as DistributedSampler has it.
        """
        n_bytes = [shard.n_bytes for shard in self._columns.shards]
        return ShardShuffle(self._index.shard[self._rows], n_bytes, self.memory, seed)

    def _graphs(self, places: Sequence[int]) -> GraphBatch:
        chosen = np.asarray(places, dtype=np.int64)
        if not len(chosen):
            raise ConfigError("places: expected at least one graph, found none")
        rows = self._rows[chosen]
        columns, lengths = self._columns.rows(self._index.shard[rows], self._index.place[rows])
        names = [self._index.names[row] for row in rows.tolist()]
        targets = None if self._y is None else self._y[chosen]
        return graph_batch(columns, lengths, self._wanted, self.normalisation, names, targets)

    @property
    def names(self) -> list[str]:
        """Names of the models, in order."""
        return [self._index.names[row] for row in self._rows.tolist()]

    @property
    def y(self) -> np.ndarray | None:
        """The targets, float32, shape=(n,); None without."""
        return None if self._y is None else self._y.copy()

    @property
    def node_columns(self) -> tuple[str, ...]:
        """What each column of `x` is."""
        return inputs.headings(self._wanted.node_features)

    @property
    def edge_columns(self) -> tuple[str, ...]:
        """What each column of `edge_attr` is."""
        return inputs.headings(self._wanted.edge_features)

    @property
    def normalisation(self) -> Normalisation:
        """What is done to features. It is found by a pass over the columns when it is first needed, of these graphs."""
        if not isinstance(self._normalise, Normalisation):
            methods = methods_of(self._normalise, self._wanted.scalable)
            n_bytes = sum(shard.n_bytes["edge/dist"] for shard in self._index.shards)
            self._normalise = fitted(methods, self._values, 2 * n_bytes // 4)
        return self._normalise

    def _values(self, names: Iterable[str]) -> Iterator[dict[str, np.ndarray]]:
        """Values of features as a network would get them unscaled, some models at a time, in the order of the files."""
        rows = np.sort(self._rows)
        for first in range(0, len(rows), _AT_ONCE):
            part = rows[first : first + _AT_ONCE]
            columns, _ = self._columns.rows(self._index.shard[part], self._index.place[part])
            yield self._wanted.values(columns, names)

    def subset(self, places: Sequence[int] | np.ndarray) -> Self:
        """The same data set with some of its graphs.

        Parameters
        ----------
        places : sequence of int, or ndarray of bool, shape=(n,)
        """
        chosen = np.asarray(places)
        part = copy.copy(self)
        part._rows = self._rows[chosen if chosen.dtype == bool else chosen.astype(np.int64)]
        part._y = None if self._y is None else self._y[chosen if chosen.dtype == bool else chosen.astype(np.int64)]
        return part

    def groups(self, by: str | Callable[[str], Hashable] = "antigen", identity: float | None = None) -> np.ndarray:
        """The group of each graph, by which `split` keeps them together.

        Parameters
        ----------
        by : str or callable
            ``antigen`` or ``antibody``: the sequence of the merged chain; ``target``: what was predicted or docked, by
            the layout of the input folder; or a function of a model's name, such as a dict's `__getitem__`.
        identity : float, optional
            0 to 1. Not only equal sequences are a group, but what chains of alike pairs link (single linkage): of those
            that phmmer finds homologous, with equal residues at this share of the shorter one in the best global
            alignment (BLOSUM62, gaps 11 + k, at the ends free).

        Returns
        -------
        groups : ndarray of int, shape=(n,)
            From 0 on.

        Raises
        ------
        ConfigError
            An argument is wrong, or a model has no target.
        RunFolderError
            A manifest, where sequences are, cannot be read.
        """
        is_sequence = isinstance(by, str) and by in ("antigen", "antibody")
        if identity is not None and not (is_sequence and 0 < identity <= 1):
            raise ConfigError(
                f"identity: expected a share over 0, up to 1, with by='antigen' or 'antibody', found {identity!r} with "
                f"by={by!r}"
            )
        keys = group_keys(self._index, self._rows, by)
        return numbered(keys) if identity is None else clusters_by_identity(keys, identity)

    def split(
        self,
        fractions: Sequence[float] = (0.8, 0.1, 0.1),
        by: str | Callable[[str], Hashable] = "antigen",
        identity: float | None = None,
        seed: int = 0,
    ) -> tuple[Self, ...]:
        """Parts such that no group is in two of them. All are normalised as the first one, the training set, says.

        Parameters
        ----------
        fractions : sequence of float
            Shares of the graphs; their sum is 1. They are met as nearly as the sizes of groups allow.
        by, identity
            As in `groups`.
        seed : int
            Decides among groups of equal size: the largest go first, each to the part that lacks most.

        Returns
        -------
        parts : tuple of GraphDataset

        Raises
        ------
        ConfigError
            There are fewer groups than parts, or an argument is wrong.
        RunFolderError
            A manifest, where sequences are, cannot be read.
        """
        parts = tuple(self.subset(places) for places in shared_out(self.groups(by, identity), fractions, seed))
        for part in parts[1:]:
            part._normalise = parts[0].normalisation
        return parts


def _count(value: int, key: str, least: int) -> int:
    if not isinstance(value, numbers.Integral) or isinstance(value, bool) or value < least:
        raise ConfigError(f"{key}: expected a whole number from {least} on, found {value!r}")
    return int(value)
