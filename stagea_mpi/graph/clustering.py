"""Markov clustering (MCL; van Dongen 2000) of a graph's internal edges, equal in result to markov_clustering 0.0.6."""

import numpy as np

from ..kernels import compiled


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
    is_present = np.bincount(depth_0) > 0  # not where all nodes of a cluster are also in later ones
    place = np.cumsum(is_present) - 1
    n_clusters = int(is_present.sum())
    one, other = place[depth_0[edges]].T
    pairs = np.minimum(one, other) * n_clusters + np.maximum(one, other)
    between = np.stack(np.divmod(np.unique(pairs[one != other]), max(n_clusters, 1)), axis=1)
    return depth_0, markov_clusters(n_clusters, between)


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
        Clusters are numbered in the order of their nodes; a node in several has the last one's number.
    """
    labels = np.empty(n_nodes, dtype=np.int32)
    compiled.markov_clusters(np.ascontiguousarray(edges, dtype=np.int64), labels)
    return labels
