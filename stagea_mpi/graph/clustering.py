"""Markov clustering (MCL; van Dongen 2000) of a graph's internal edges, equal in result to markov_clustering 0.0.6.

A column-stochastic matrix is squared (expansion), its entries are squared and each column is normalised (inflation),
small entries are dropped, until a step changes nothing. The matrices are sparse: the internal edges join atoms of a
residue and of its neighbours, so a graph falls into many small components.
"""

import numpy as np
from scipy.sparse import csc_array

LOOP_WEIGHT = 1.0
PRUNING_THRESHOLD = 0.001
MAX_STEPS = 100
_RTOL, _ATOL = 1e-5, 1e-8  # when a step counts as having changed nothing


def cluster_two_depths(n_nodes: int, edges: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Clusters of nodes, and clusters of these clusters.

    Parameters
    ----------
    n_nodes : int
    edges : ndarray of int, shape=(e, 2)
        Undirected, each once.

    Returns
    -------
    depth_0 : ndarray of int32, shape=(n_nodes,)
        Cluster of each node.
    depth_1 : ndarray of int32, shape=(number of distinct values in depth_0,)
        Cluster of each depth-0 cluster, these in ascending order.
    """
    depth_0 = markov_clusters(n_nodes, edges)
    present, pooled = np.unique(depth_0, return_inverse=True)
    between = np.sort(pooled[edges], axis=1)
    between = np.unique(between[between[:, 0] != between[:, 1]], axis=0)
    return depth_0, markov_clusters(len(present), between)


def markov_clusters(n_nodes: int, edges: np.ndarray) -> np.ndarray:
    """Labels of the Markov clusters of an undirected, unweighted graph.

    Parameters
    ----------
    n_nodes : int
    edges : ndarray of int, shape=(e, 2)
        Each once, without loops.

    Returns
    -------
    labels : ndarray of int32, shape=(n_nodes,)
    """
    matrix = _normalised(_adjacency_with_loops(n_nodes, edges))
    for _ in range(MAX_STEPS):
        last = matrix
        matrix = matrix @ matrix
        matrix.sort_indices()
        matrix.data **= 2
        matrix = _pruned(_normalised(matrix))
        if _same(matrix, last):
            break
    return _labels(matrix)


def _adjacency_with_loops(n: int, edges: np.ndarray) -> csc_array:
    nodes = np.arange(n)
    rows = np.concatenate([edges[:, 0], edges[:, 1], nodes])
    columns = np.concatenate([edges[:, 1], edges[:, 0], nodes])
    weights = np.concatenate([np.ones(2 * len(edges)), np.full(n, LOOP_WEIGHT)])
    return csc_array((weights, (rows, columns)), shape=(n, n))


def _normalised(matrix: csc_array) -> csc_array:
    """Every column divided by its sum, added up from the first row on: rounding breaks ties in symmetric graphs."""
    column = _column_of_entries(matrix)
    sums = np.bincount(column, weights=matrix.data, minlength=matrix.shape[1])
    matrix.data /= sums[column]
    return matrix


def _column_of_entries(matrix: csc_array) -> np.ndarray:
    return np.repeat(np.arange(matrix.shape[1]), np.diff(matrix.indptr))


def _pruned(matrix: csc_array) -> csc_array:
    """Entries below the threshold dropped, but for a column's largest (the first of equals)."""
    column = _column_of_entries(matrix)
    keep = matrix.data >= PRUNING_THRESHOLD
    for j in np.setdiff1d(column, column[keep]).tolist():
        keep[matrix.indptr[j] + np.argmax(matrix.data[matrix.indptr[j] : matrix.indptr[j + 1]])] = True
    if keep.all():
        return matrix
    indptr = np.concatenate([[0], np.cumsum(np.bincount(column[keep], minlength=matrix.shape[1]))])
    return csc_array((matrix.data[keep], matrix.indices[keep], indptr), shape=matrix.shape)


def _same(a: csc_array, b: csc_array) -> bool:
    difference = abs(a - b) - _RTOL * abs(b)
    return not difference.nnz or difference.data.max() <= _ATOL


def _labels(matrix: csc_array) -> np.ndarray:
    """Clusters are the non-zero columns of attractors' rows; a node in several takes the last in sorted order."""
    by_row = matrix.tocsr()
    by_row.sort_indices()
    attractors = np.flatnonzero(matrix.diagonal())
    clusters = sorted(
        {tuple(by_row.indices[by_row.indptr[a] : by_row.indptr[a + 1]].tolist()) for a in attractors.tolist()}
    )
    labels = np.zeros(matrix.shape[0], dtype=np.int32)
    for label, members in enumerate(clusters):
        labels[list(members)] = label
    return labels
