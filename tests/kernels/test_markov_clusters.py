import numpy as np
import pytest
from scipy.sparse import csc_array

from stagea_mpi.kernels import compiled

EDGES, LABELS = np.array([[0, 1], [1, 2]]), np.zeros(4, dtype=np.int32)


def by_kernel(n, edges):
    labels = np.full(n, -1, dtype=np.int32)
    compiled.markov_clusters(np.ascontiguousarray(edges, dtype=np.int64), labels)
    return labels


def by_scipy(n, edges):
    """markov_clustering 0.0.6 on SciPy's matrices, whose products add up in ascending rows, as a dense one does.

    Labels are given in the order of the clusters' nodes; a node in several takes the last.
    """
    weights, nodes = np.ones(2 * len(edges) + n), np.arange(n)
    rows, columns = np.concatenate([edges, edges[:, ::-1], np.stack([nodes, nodes], axis=1)]).T
    matrix = normalised(csc_array((weights, (rows, columns)), shape=(n, n)))
    for _ in range(100):
        last, matrix = matrix, matrix @ matrix
        matrix.sort_indices()
        matrix.data **= 2
        matrix = pruned(normalised(matrix))
        if np.all((abs(matrix - last) - 1e-5 * abs(last)).data <= 1e-8):
            break
    rows = matrix.tocsr()
    rows.sort_indices()
    attractors = np.flatnonzero(matrix.diagonal())
    clusters = {tuple(rows.indices[rows.indptr[a] : rows.indptr[a + 1]].tolist()) for a in attractors}
    labels = np.zeros(n, dtype=int)
    for label, members in enumerate(sorted(clusters)):
        labels[list(members)] = label
    return labels


def normalised(matrix):
    column = np.repeat(np.arange(matrix.shape[1]), np.diff(matrix.indptr))
    matrix.data /= np.bincount(column, weights=matrix.data, minlength=matrix.shape[1])[column]
    return matrix


def pruned(matrix):
    kept = [
        (i, j, value)
        for j, (start, stop) in enumerate(zip(matrix.indptr, matrix.indptr[1:], strict=False))
        for i, value in zip(matrix.indices[start:stop].tolist(), matrix.data[start:stop].tolist(), strict=True)
        if value >= 0.001 or i == matrix.indices[start + np.argmax(matrix.data[start:stop])]
    ]
    rows, columns, values = zip(*kept, strict=True)
    return csc_array((values, (rows, columns)), shape=matrix.shape)


def as_edges(adjacency):
    return np.argwhere(np.triu(adjacency, k=1))


def near_points(random, n):
    xyz = random.uniform(0, n ** (1 / 3) * 1.3, (n, 3))
    return as_edges(np.linalg.norm(xyz[:, None] - xyz, axis=2) < random.uniform(1, 2.5))


def rings(random, n):
    """Each node with those some steps ahead: all nodes are alike, so rounding alone tells them apart."""
    steps = (np.arange(n) - np.arange(n)[:, None]) % n
    return as_edges(np.isin(steps, random.choice(np.arange(1, 6), 2)) | (steps == n - 1))


def grid(random, n):
    width = random.integers(1, 10)
    x, y = np.arange(n) % width, np.arange(n) // width
    return as_edges(abs(x[:, None] - x) + abs(y[:, None] - y) == 1)


def anything(random, n):
    return as_edges(random.random((n, n)) < random.choice([0.5 / n, 2 / n, 5 / n, 0.3]))


def hub(random, n):
    return as_edges((random.random((n, n)) < 1 / n) | (np.arange(n)[:, None] == 0))


@pytest.mark.parametrize("made", [near_points, rings, grid, anything, hub])
def test_labels_are_those_of_the_published_algorithm(made):
    random = np.random.default_rng(len(made.__name__))
    for n in random.integers(2, 120, 20):
        edges = made(random, n)
        assert by_kernel(n, random.permutation(edges)).tolist() == by_scipy(n, edges).tolist()


@pytest.mark.slow
def test_a_graph_of_as_many_nodes_as_a_model_may_have_is_clustered_as_its_parts_are():
    """Rounding tells nodes apart by their order, which is the same in each part."""
    random = np.random.default_rng(3)
    parts = [near_points(random, 200) for _ in range(100)]
    edges = np.concatenate([part + 200 * k for k, part in enumerate(parts)])
    labels = by_kernel(20_000, edges)
    first = 0
    for k, part in enumerate(parts):
        found = labels[200 * k : 200 * (k + 1)]
        assert (found - first).tolist() == by_scipy(200, part).tolist()
        first = found.max() + 1


def test_nodes_without_edges_are_clusters_and_no_nodes_none():
    assert by_kernel(3, np.zeros((0, 2))).tolist() == [0, 1, 2]
    assert by_kernel(0, np.zeros((0, 2))).tolist() == []


@pytest.mark.parametrize(
    ("arguments", "error", "says"),
    [
        ((EDGES,), TypeError, "markov_clusters takes 2 arguments, 1 were given"),
        ((EDGES.astype(float), LABELS), TypeError, r"edges has numbers of the format d \(8 bytes\), expected int64"),
        ((EDGES.T[:1], LABELS), ValueError, r"edges is not contiguous in C order"),
        ((EDGES.ravel(), LABELS), ValueError, r"edges has the shape \(4,\), expected \('any', 2\)"),
        ((EDGES + 2, LABELS), ValueError, r"edges has 4 at place 3, expected indices from 0 to below 4"),
        ((EDGES - 1, LABELS), ValueError, r"edges has -1 at place 0"),
        ((EDGES, LABELS.astype(np.int64)), TypeError, r"labels has numbers of the format l .8 bytes., expected int32"),
    ],
)
def test_an_argument_that_is_none_such_is_named_with_what_was_found_and_expected(arguments, error, says):
    with pytest.raises(error, match=says):
        compiled.markov_clusters(*arguments)
