"""graphs.h5: the graphs as DeepRank-Ab's Stage B reads them, one group a model with real datasets in it.

Layout and dtypes are those of DeepRank-Ab 1.0.2 (`src/Graph.py`, Apache-2.0). Edges are directed there and stored both
ways: row 2k is the k-th edge, row 2k + 1 its reverse.
"""

from collections.abc import Iterable

import numpy as np

from ..graph.forcefield import COVALENT_CUTOFF
from ..graph.interface_graph import Edges, InterfaceGraph
from ..structure.residues import ATOM_TYPES, HYDROPATHY, POLARITIES, POLARITY, REGIONS, RESIDUE_TYPES
from .memory import MemoryFile

_CHAIN_NAMES = np.array([b"A", b"B"])
_RESIDUE_NAMES = np.array(RESIDUE_TYPES, dtype="S")
_ATOM_NAMES = np.array(ATOM_TYPES, dtype="S")

#: Where Stage B adds its targets.
EMPTY_GROUP = "score"

Clusters = tuple[np.ndarray, np.ndarray]


def write_graphs(path: str, models: Iterable[tuple[str, InterfaceGraph, Clusters | None]]) -> int:
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
    with MemoryFile() as file:
        for name, graph, clusters in models:
            group = file.create_group(name)
            for path_in_group, values in datasets(graph, clusters).items():
                group.create_dataset(path_in_group, data=values)
            group.create_group(EMPTY_GROUP)
        return file.close_to(path)


def datasets(graph: InterfaceGraph, clusters: Clusters | None) -> dict[str, np.ndarray]:
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


def _node_identity(graph: InterfaceGraph) -> np.ndarray:
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


def node_features(graph: InterfaceGraph) -> dict[str, np.ndarray]:
    return {
        "chain": graph.chain.astype(np.int64),
        "pos": np.round(graph.position.astype(np.float64), 3),
        "res_type": _one_hot(graph.residue_type, len(RESIDUE_TYPES)),
        "charge": HYDROPATHY[graph.residue_type],
        "polarity": _one_hot(POLARITY[graph.residue_type], len(POLARITIES)),
        "bsa": graph.bsa.astype(np.float64)[:, None],
        "atom_type": _one_hot(graph.atom_type, len(ATOM_TYPES)),
        "region": _one_hot(graph.region, len(REGIONS)),
        "embedding": np.zeros((len(graph), 1)),
    }


def edge_features(edges: Edges, kind: bytes) -> dict[str, np.ndarray]:
    dist = np.repeat(edges.dist.astype(np.float64), 2)
    return {
        "dist": dist,
        "type": np.full(len(dist), kind),
        "voro_area": np.repeat(edges.voro_area.astype(np.float64), 2),
        "orientation": edges.orientation.reshape(-1, 3),
        "elec": np.repeat(edges.elec.astype(np.float64), 2),
        "vdw": np.repeat(edges.vdw.astype(np.float64), 2),
        "covalent": (dist < COVALENT_CUTOFF).astype(np.float64),
    }


def both_ways(pairs: np.ndarray) -> np.ndarray:
    return np.stack([pairs, pairs[:, ::-1]], axis=1).reshape(-1, 2).astype(np.int32)


def _one_hot(codes: np.ndarray, width: int) -> np.ndarray:
    return np.eye(width, dtype=np.float32)[codes]
