"""Columns of some models, made the arrays of their graphs: one by one, or joined to one graph."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..storage.deeprank_writer import both_ways, directed
from ..storage.schema import CLUSTERS, POINTERS
from .inputs import InputFeature, edge_matrix, node_matrix
from .normalisation import Scaling

#: Arrays with a row for each node of a graph, and so on; `edge_index` and `internal_edge_index` have a column.
_PREFIXES = {"edge": "", "internal_edge": "internal_"}


@dataclass(frozen=True)
class Wanted:
    """What is read of each model.

    Attributes
    ----------
    node_features, edge_features : tuple of InputFeature
    internal_edges, clusters : bool
    """

    node_features: tuple[InputFeature, ...]
    edge_features: tuple[InputFeature, ...]
    internal_edges: bool
    clusters: bool

    @property
    def tables(self) -> tuple[str, ...]:
        """Of edges."""
        return ("edge", "internal_edge") if self.internal_edges else ("edge",)

    @cached_property
    def pointers(self) -> dict[str, str]:
        """By path of each column of packed.h5 the path of its row pointers."""
        columns = {("node", "position"): None} | {("node", f.column): None for f in self.node_features}
        for table in self.tables:
            columns[table, "nodes"] = None
            has = [f for f in self.edge_features if f.on_internal or table == "edge"]
            columns |= {(table, feature.column): None for feature in has}
        found = {f"{table}/{name}": POINTERS[table] for table, name in columns}
        return found | ({CLUSTERS[0]: POINTERS["node"], CLUSTERS[1]: CLUSTERS[2]} if self.clusters else {})

    @property
    def scalable(self) -> tuple[str, ...]:
        """Names of the features with one number a row."""
        return tuple(f.name for f in (*self.node_features, *self.edge_features) if f.width == 1)

    def values(self, columns: Mapping[str, np.ndarray], names: Iterable[str]) -> dict[str, np.ndarray]:
        """Features by name, unscaled; those of edges of the contacts alone, in both directions."""
        names, nodes, edges = set(names), _table(columns, "node"), _table(columns, "edge")
        n_nodes, n_edges = len(nodes["position"]), len(edges["nodes"])
        found = {f.name: f.values(nodes, n_nodes) for f in self.node_features if f.name in names}
        return found | {f.name: directed(f.values(edges, n_edges)) for f in self.edge_features if f.name in names}


@dataclass(frozen=True)
class GraphBatch:
    """The arrays of some graphs behind each other.

    Attributes
    ----------
    arrays : dict of str to ndarray
        `x`, `pos`, `edge_index`, … as `GraphDataset` names them. Nodes count from 0 in each graph.
    lengths : dict of str to ndarray of int, shape=(m,)
        Rows of each graph (columns of an index), by the same names.
    names : list of str
    """

    arrays: dict[str, np.ndarray]
    lengths: dict[str, np.ndarray]
    names: list[str]

    @property
    def n_nodes(self) -> np.ndarray:
        """Of each graph, shape=(m,)."""
        return self.lengths["pos"]

    def separated(self) -> list[dict[str, np.ndarray | str]]:
        """The arrays of each graph, which are views."""
        graphs: list[dict[str, np.ndarray | str]] = [{"name": name} for name in self.names]
        for key, values in self.arrays.items():
            stops = np.cumsum(self.lengths[key]).tolist()
            for graph, start, stop in zip(graphs, [0, *stops], stops, strict=False):
                graph[key] = values[..., start:stop] if key.endswith("edge_index") else values[start:stop]
        return graphs

    def joined(self) -> dict[str, np.ndarray]:
        """The arrays of all as one graph's: nodes count on from one graph to the next. With `batch`, the number of
        each node's graph, and `ptr`, where each graph's nodes begin and the last one's end.
        """
        pointer = np.concatenate([[0], np.cumsum(self.n_nodes)])
        found = {
            key: values + np.repeat(pointer[:-1], self.lengths[key]) if key.endswith("edge_index") else values
            for key, values in self.arrays.items()
        }
        return found | {"batch": np.repeat(np.arange(len(self.names)), self.n_nodes), "ptr": pointer}


def graph_batch(
    columns: Mapping[str, np.ndarray],
    lengths: Mapping[str, np.ndarray],
    wanted: Wanted,
    scalings: Mapping[str, Scaling],
    names: list[str],
    targets: np.ndarray | None,
) -> GraphBatch:
    """The arrays of some models.

    Parameters
    ----------
    columns, lengths : mapping
        As `ShardColumns.rows` gives them.
    wanted : Wanted
    scalings : mapping of str to Scaling
    names : list of str
    targets : ndarray, shape=(m,), or None
    """
    nodes, n_nodes = _table(columns, "node"), lengths[POINTERS["node"]]
    arrays = {
        "x": node_matrix(wanted.node_features, nodes, int(n_nodes.sum()), scalings),
        "pos": nodes["position"],
    }
    rows = {"x": n_nodes, "pos": n_nodes}
    for table in wanted.tables:
        edges, n_edges, prefix = _table(columns, table), lengths[POINTERS[table]], _PREFIXES[table]
        arrays[f"{prefix}edge_index"] = np.ascontiguousarray(both_ways(edges["nodes"]).T, dtype=np.int64)
        arrays[f"{prefix}edge_attr"] = edge_matrix(wanted.edge_features, edges, int(n_edges.sum()), scalings)
        rows |= dict.fromkeys((f"{prefix}edge_index", f"{prefix}edge_attr"), 2 * n_edges)
    if wanted.clusters:
        for depth, pointer in enumerate((POINTERS["node"], CLUSTERS[2])):
            arrays[f"cluster{depth}"] = columns[CLUSTERS[depth]].astype(np.int64)
            rows[f"cluster{depth}"] = lengths[pointer]
    if targets is not None:
        arrays["y"], rows["y"] = targets, np.ones(len(names), dtype=np.int64)
    return GraphBatch(arrays, rows, names)


def _table(columns: Mapping[str, np.ndarray], table: str) -> dict[str, np.ndarray]:
    begin = f"{table}/"
    return {path[len(begin) :]: values for path, values in columns.items() if path.startswith(begin)}
