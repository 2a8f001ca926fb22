"""graphs.h5: the graphs as DeepRank-Ab's Stage B reads them, one group a model with real datasets in it.

Layout and dtypes are those of DeepRank-Ab 1.0.2 (`src/Graph.py`, Apache-2.0). Edges are directed there and stored both
ways: row 2k is the k-th edge, row 2k + 1 its reverse.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from ..graph.features import EDGE_FEATURES, NODE_FEATURES, Columns, Feature
from ..graph.interface_graph import GraphArrays
from ..structure.residues import ATOM_TYPES, RESIDUE_TYPES
from .memory import MemoryFile
from .new_datasets import NewDatasets

_CHAIN_NAMES = np.array([b"A", b"B"])
_RESIDUE_NAMES = np.array(RESIDUE_TYPES, dtype="S")
_ATOM_NAMES = np.array(ATOM_TYPES, dtype="S")

#: What a network is trained on; empty without a reference, and Stage B may add its own.
SCORE_GROUP = "score"
#: DeepRank's classes by the interface's RMSD, as Deeprank-GNN (DeepRank-Ab's origin) makes them and DeepRank-Ab's
#: `Metrics.py` counts them: 1 below the first of these (Å), …, 5 from the last one on. CAPRI's own run the other way.
_CLASS_BOUNDS = (1.0, 2.0, 4.0, 6.0)
#: Å. Binders are what is nearer, likewise.
_BINDER_IRMSD = 4.0

#: The order of DeepRank-Ab's files; features that it does not know come behind.
_NODE_DATA = ("chain", "pos", "res_type", "charge", "polarity", "bsa", "atom_type", "region", "embedding")
_EDGE_DATA = ("dist", "type", "voro_area", "orientation", "elec", "vdw", "covalent")

#: Datasets of graphs with so many nodes in all are made at once: on one of them NumPy's calls outweigh the work.
_NODES_AT_ONCE = 2000

Clusters = tuple[np.ndarray, np.ndarray]


#: A model's datasets in `SCORE_GROUP`, by path.
Scores = Mapping[str, np.ndarray]


def write_graphs(
    path: str,
    models: Iterable[tuple[str, GraphArrays, Clusters | None]],
    scores: Mapping[str, Scores] | None = None,
) -> int:
    """Writes graphs.h5.

    Parameters
    ----------
    path : str
        A new file.
    models : iterable of (name, graph, clusters)
        `clusters` are the labels of depth 0 and 1 (`clustering.cluster_two_depths`), or None.
    scores : mapping of str to mapping, optional
        By name of a model its `score_datasets`.

    Returns
    -------
    size : int
        Bytes written.
    """
    new, scores = NewDatasets(), scores or {}
    with MemoryFile() as file:
        for batch in _batches(models):
            names, graphs, clusters = zip(*batch, strict=True)
            for name, of_graph, labels in zip(names, _datasets_of(graphs), clusters, strict=True):
                group = new.group(file.id, name)
                of_model = scores.get(name) or {}
                new.datasets(group, of_graph | _datasets_of_clusters(labels) | dict(of_model))
                if not of_model:
                    new.group(group, SCORE_GROUP)
        return file.close_to(path)


def score_datasets(comparison: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """What a model's group `SCORE_GROUP` holds, by path, by names and in the classes of DeepRank-Ab.

    Parameters
    ----------
    comparison : mapping of str to object
        By names of `schema.TARGETS`.

    Returns
    -------
    datasets : dict of str to ndarray, shape=()
        ``dockq``, ``fnat``, ``irmsd`` and ``lrmsd`` (Å), ``capri_class`` (1 to 5, 1 is nearest) and ``bin_class`` (1
        below 4 Å of `irmsd`, else 0). None of them where the model could not be compared.
    """
    irmsd = float(comparison["irmsd"])
    if math.isnan(irmsd):
        return {}
    numbers = {name: np.float64(comparison[name]) for name in ("dockq", "fnat", "irmsd", "lrmsd")}
    classes = {
        "capri_class": np.int64(1 + sum(irmsd >= bound for bound in _CLASS_BOUNDS)),
        "bin_class": np.int64(irmsd < _BINDER_IRMSD),
    }
    return {f"{SCORE_GROUP}/{name}": np.asarray(value) for name, value in (numbers | classes).items()}


def _batches(models: Iterable[tuple[str, GraphArrays, Clusters | None]]) -> Iterator[list]:
    """The models in lists, each with as many as reach `_NODES_AT_ONCE`."""
    batch: list[tuple[str, GraphArrays, Clusters | None]] = []
    n_nodes = 0
    for model in models:
        batch.append(model)
        n_nodes += len(model[1])
        if n_nodes >= _NODES_AT_ONCE:
            yield batch
            batch, n_nodes = [], 0
    if batch:
        yield batch


def datasets(graph: GraphArrays, clusters: Clusters | None) -> dict[str, np.ndarray]:
    """What a model's group holds, by path, beside the group `SCORE_GROUP`."""
    return next(_datasets_of([graph])) | _datasets_of_clusters(clusters)


def _datasets_of_clusters(clusters: Clusters | None) -> dict[str, np.ndarray]:
    return {f"clustering/mcl/depth_{depth}": labels.astype(np.int64) for depth, labels in enumerate(clusters or ())}


def _datasets_of(graphs: Sequence[GraphArrays]) -> Iterator[dict[str, np.ndarray]]:
    """What the group of each graph holds beside clusters."""
    nodes = _joined([vars(graph) for graph in graphs], NODE_FEATURES)
    starts = _starts([len(graph) for graph in graphs])
    identity, widths = _node_identity(nodes, starts)
    found = {"nodes": identity} | {f"node_data/{name}": values for name, values in node_features(nodes).items()}
    rows = dict.fromkeys(found, starts)
    for table, prefix, kind in (("interface", "", b"interface"), ("internal", "internal_", b"internal")):
        parts = [getattr(graph, table) for graph in graphs]
        edges, n_rows = _joined([vars(part) for part in parts], EDGE_FEATURES), [2 * len(part) for part in parts]
        pairs = both_ways(edges["nodes"])
        ends = identity.take(pairs + np.repeat(starts[:-1], n_rows)[:, None], axis=0)
        there = {f"{prefix}edges": ends, f"{prefix}edge_index": pairs}
        there |= {f"{prefix}edge_data/{name}": values for name, values in edge_features(edges, kind).items()}
        found |= there
        rows |= dict.fromkeys(there, _starts(n_rows))
    for k, width in enumerate(widths):
        of_graph = {path: values[rows[path][k] : rows[path][k + 1]] for path, values in found.items()}
        for path in ("nodes", "edges", "internal_edges"):
            of_graph[path] = of_graph[path].astype(f"S{width}", copy=False)
        yield of_graph


def _joined(tables: Sequence[Columns], features: Iterable[Feature]) -> Columns:
    """Columns of several graphs, behind each other."""
    return {f.name: np.concatenate([columns[f.name] for columns in tables]) for f in features}


def _starts(lengths: Sequence[int]) -> np.ndarray:
    """Where pieces of these lengths begin that stand behind each other, and where the last one ends."""
    return np.concatenate([[0], np.cumsum(lengths)])


def _node_identity(nodes: Columns, starts: np.ndarray) -> tuple[np.ndarray, list[int]]:
    """Chain, residue number, residue name, atom serial and atom name of each node as text, shape=(n, 5); and of each
    graph the letters of its longest text. The nodes of a graph begin at `starts`.
    """
    columns = (
        _CHAIN_NAMES[nodes["chain"]],
        nodes["residue_number"].astype("S"),
        _RESIDUE_NAMES[nodes["residue_type"]],
        nodes["serial"].astype("S"),
        _ATOM_NAMES[nodes["atom_type"]],
    )
    texts = np.stack(columns, axis=1)
    letters = texts.view(np.uint8).reshape(len(texts), len(columns), -1)
    is_reached = np.logical_or.reduceat(letters.any(axis=1), starts[:-1], axis=0)
    widths = is_reached.sum(axis=1).tolist()
    return texts.astype(f"S{max(widths)}"), widths


def node_features(nodes: Columns) -> dict[str, np.ndarray]:
    """What `node_data` holds, of nodes as a graph has them."""
    found = _spelled(NODE_FEATURES, nodes) | {"embedding": np.zeros((len(nodes["chain"]), 1))}
    return _ordered(found, _NODE_DATA)


def edge_features(edges: Columns, kind: bytes) -> dict[str, np.ndarray]:
    """What `edge_data` or `internal_edge_data` holds; an array of shape=(e, 2, …) has a value for each direction."""
    found = _spelled(EDGE_FEATURES, edges) | {"type": np.full(len(edges["nodes"]), kind)}
    return _ordered({name: directed(values) for name, values in found.items()}, _EDGE_DATA)


def directed(values: np.ndarray) -> np.ndarray:
    """A feature of edges for each direction, behind each other, shape=(2e, …); of shape=(e, 2, …) it has both."""
    return values.reshape(-1, *values.shape[2:]) if values.shape[1:2] == (2,) else np.repeat(values, 2, axis=0)


def _spelled(features: Iterable[Feature], values: Columns) -> dict[str, np.ndarray]:
    return {name: made_of(values[f.name]) for f in features for name, made_of in f.deeprank.items()}


def _ordered(found: dict[str, np.ndarray], first: tuple[str, ...]) -> dict[str, np.ndarray]:
    return {name: found[name] for name in (*first, *(name for name in found if name not in first))}


def both_ways(pairs: np.ndarray) -> np.ndarray:
    return np.stack([pairs, pairs[:, ::-1]], axis=1).reshape(-1, 2).astype(np.int32)
