"""graphs.h5: the graphs as DeepRank-Ab's Stage B reads them, one group a model with real datasets in it.

Layout and dtypes are those of DeepRank-Ab 1.0.2 (`src/Graph.py`, Apache-2.0). Edges are directed there and stored both
ways: row 2k is the k-th edge, row 2k + 1 its reverse.
"""

from collections.abc import Iterable

import numpy as np

from ..graph.features import EDGE_FEATURES, NODE_FEATURES, Columns, Feature
from ..graph.interface_graph import Edges, GraphArrays
from ..structure.residues import ATOM_TYPES, RESIDUE_TYPES
from .memory import MemoryFile
from .new_datasets import NewDatasets

_CHAIN_NAMES = np.array([b"A", b"B"])
_RESIDUE_NAMES = np.array(RESIDUE_TYPES, dtype="S")
_ATOM_NAMES = np.array(ATOM_TYPES, dtype="S")

#: Where Stage B adds its targets.
EMPTY_GROUP = "score"

#: The order of DeepRank-Ab's files; features that it does not know come behind.
_NODE_DATA = ("chain", "pos", "res_type", "charge", "polarity", "bsa", "atom_type", "region", "embedding")
_EDGE_DATA = ("dist", "type", "voro_area", "orientation", "elec", "vdw", "covalent")

Clusters = tuple[np.ndarray, np.ndarray]


def write_graphs(path: str, models: Iterable[tuple[str, GraphArrays, Clusters | None]]) -> int:
    """Writes graphs.h5.

    Parameters
    ----------
    path : str
        A new file.
    models : iterable of (name, graph, clusters)
        `clusters` are the labels of depth 0 and 1 (`clustering.cluster_two_depths`), or None.

    Returns
    -------
    size : int
        Bytes written.
    """
    new = NewDatasets()
    with MemoryFile() as file:
        for name, graph, clusters in models:
            group = new.group(file.id, name)
            new.datasets(group, datasets(graph, clusters))
            new.group(group, EMPTY_GROUP)
        return file.close_to(path)


def datasets(graph: GraphArrays, clusters: Clusters | None) -> dict[str, np.ndarray]:
    """What a model's group holds, by path, beside the empty group `EMPTY_GROUP`."""
    identity = _node_identity(graph)
    found = {"nodes": identity}
    found |= {f"node_data/{name}": values for name, values in node_features(graph).items()}
    for edges, prefix, kind in ((graph.interface, "", b"interface"), (graph.internal, "internal_", b"internal")):
        pairs = both_ways(edges.nodes)
        found |= {f"{prefix}edges": identity[pairs], f"{prefix}edge_index": pairs}
        found |= {f"{prefix}edge_data/{name}": values for name, values in edge_features(edges, kind).items()}
    for depth, labels in enumerate(clusters or ()):
        found[f"clustering/mcl/depth_{depth}"] = labels.astype(np.int64)
    return found


def _node_identity(graph: GraphArrays) -> np.ndarray:
    """Chain, residue number, residue name, atom serial and atom name of each node as text, shape=(n, 5)."""
    columns = (
        _CHAIN_NAMES[graph.chain],
        graph.residue_number.astype("S"),
        _RESIDUE_NAMES[graph.residue_type],
        graph.serial.astype("S"),
        _ATOM_NAMES[graph.atom_type],
    )
    width = max(int(np.char.str_len(column).max()) for column in columns)
    return np.stack([column.astype(f"S{width}") for column in columns], axis=1)


def node_features(graph: GraphArrays) -> dict[str, np.ndarray]:
    """What `node_data` holds."""
    found = _spelled(NODE_FEATURES, vars(graph)) | {"embedding": np.zeros((len(graph), 1))}
    return _ordered(found, _NODE_DATA)


def edge_features(edges: Edges, kind: bytes) -> dict[str, np.ndarray]:
    """What `edge_data` or `internal_edge_data` holds; an array of shape=(e, 2, …) has a value for each direction."""
    found = _spelled(EDGE_FEATURES, vars(edges)) | {"type": np.full(len(edges), kind)}
    both = {
        name: values.reshape(-1, *values.shape[2:]) if values.shape[1:2] == (2,) else np.repeat(values, 2, axis=0)
        for name, values in found.items()
    }
    return _ordered(both, _EDGE_DATA)


def _spelled(features: Iterable[Feature], values: Columns) -> dict[str, np.ndarray]:
    return {name: made_of(values[f.name]) for f in features for name, made_of in f.deeprank.items()}


def _ordered(found: dict[str, np.ndarray], first: tuple[str, ...]) -> dict[str, np.ndarray]:
    return {name: found[name] for name in (*first, *(name for name in found if name not in first))}


def both_ways(pairs: np.ndarray) -> np.ndarray:
    return np.stack([pairs, pairs[:, ::-1]], axis=1).reshape(-1, 2).astype(np.int32)
