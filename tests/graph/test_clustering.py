import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stagea_mpi.graph.clustering import cluster_two_depths, markov_clusters

#: Clusters that markov_clustering 0.0.6 itself found.
STORED = json.loads((Path(__file__).parents[1] / "data" / "markov_clustering.json").read_text())


def as_edges(pairs):
    return np.array(sorted(pairs), dtype=int).reshape(-1, 2)


def partition(labels):
    return {frozenset(np.flatnonzero(labels == label).tolist()) for label in np.unique(labels)}


def last_of_several(n_nodes, clusters):
    """Labels from clusters in sorted order: a node in several takes the last."""
    labels = np.zeros(n_nodes, dtype=int)
    for label, members in enumerate(sorted(tuple(sorted(members)) for members in clusters)):
        labels[list(members)] = label
    return labels


def published_algorithm(n_nodes, edges):
    """markov_clustering 0.0.6 with its defaults (MIT, Guy Allard), on a dense matrix.

    Sums run over the nodes in ascending order, as they do there: where a graph is symmetric, the last bit decides.
    """
    matrix = np.eye(n_nodes)
    matrix[edges[:, 0], edges[:, 1]] = matrix[edges[:, 1], edges[:, 0]] = 1.0
    matrix /= column_sums(matrix)
    for _ in range(100):
        last = matrix
        matrix = sum((np.outer(last[:, k], last[k]) for k in range(n_nodes)), np.zeros_like(last)) ** 2
        matrix /= column_sums(matrix)
        largest = matrix.argmax(axis=0), np.arange(n_nodes)
        kept = matrix[largest]
        matrix[matrix < 0.001] = 0.0
        matrix[largest] = kept
        if np.allclose(matrix, last, rtol=1e-5, atol=1e-8):
            break
    return last_of_several(n_nodes, {tuple(np.flatnonzero(matrix[a])) for a in np.flatnonzero(matrix.diagonal())})


def column_sums(matrix):
    return sum(matrix, np.zeros(len(matrix)))


@st.composite
def graphs(draw, largest=12):
    n = draw(st.integers(1, largest))
    pairs = [(i, j) for i in range(n) for j in range(i)]
    return n, as_edges(draw(st.sets(st.sampled_from(pairs)))) if pairs else as_edges([])


@pytest.mark.parametrize("stored", STORED, ids=[graph["name"] for graph in STORED])
def test_clusters_are_those_that_markov_clustering_found(stored):
    expected = last_of_several(stored["n_nodes"], stored["clusters"])
    assert partition(markov_clusters(stored["n_nodes"], as_edges(stored["edges"]))) == partition(expected)


def test_the_stored_graphs_have_nodes_in_several_clusters():
    assert any(sum(map(len, graph["clusters"])) > graph["n_nodes"] for graph in STORED)


@given(graphs())
@settings(max_examples=150, deadline=None, derandomize=True)
def test_any_small_graph_is_clustered_as_the_published_algorithm_does(graph):
    n, edges = graph
    assert partition(markov_clusters(n, edges)) == partition(published_algorithm(n, edges))


@given(graphs(), st.integers(1, 5), st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None, derandomize=True)
def test_isolated_nodes_are_clusters_of_their_own_and_change_no_other(graph, extra, random):
    n, edges = graph
    place = np.array(sorted(random.sample(range(n + extra), n)))
    isolated = set(range(n + extra)) - set(place.tolist())
    expected = {frozenset(place[list(members)].tolist()) for members in partition(markov_clusters(n, edges))}
    assert partition(markov_clusters(n + extra, place[edges])) == expected | {frozenset([i]) for i in isolated}


@given(graphs(8), graphs(8))
@settings(max_examples=60, deadline=None, derandomize=True)
def test_graphs_side_by_side_are_clustered_as_each_alone(one, other):
    (n, edges), (m, more) = one, other
    expected = partition(markov_clusters(n, edges))
    expected |= {frozenset(i + n for i in members) for members in partition(markov_clusters(m, more))}
    assert partition(markov_clusters(n + m, np.concatenate([edges, more + n]))) == expected


@given(graphs())
@settings(max_examples=60, deadline=None, derandomize=True)
def test_neither_the_order_nor_the_direction_of_edges_matters(graph):
    n, edges = graph
    assert np.array_equal(markov_clusters(n, edges[::-1, ::-1]), markov_clusters(n, edges))


def test_depth_1_joins_clusters_that_internal_edges_connect():
    triangles = [(3 * k + i, 3 * k + j) for k in range(4) for i, j in ((0, 1), (0, 2), (1, 2))]
    between = [(2, 3), (8, 9), (7, 10)]  # triangles 0-1 once, triangles 2-3 twice
    depth_0, depth_1 = cluster_two_depths(12, as_edges(triangles + between))
    assert partition(depth_0) == {frozenset(range(3 * k, 3 * k + 3)) for k in range(4)}
    assert partition(depth_1) == {frozenset([0, 1]), frozenset([2, 3])}


@given(graphs())
@settings(max_examples=100, deadline=None, derandomize=True)
def test_depth_1_is_the_clustering_of_the_graph_of_clusters(graph):
    n, edges = graph
    depth_0, depth_1 = cluster_two_depths(n, edges)
    place = {label: i for i, label in enumerate(sorted(set(depth_0.tolist())))}
    pooled = {tuple(sorted((place[depth_0[i]], place[depth_0[j]]))) for i, j in edges.tolist()}
    expected = published_algorithm(len(place), as_edges({(i, j) for i, j in pooled if i != j}))
    assert len(depth_1) == len(place)
    assert partition(depth_1) == partition(expected)
