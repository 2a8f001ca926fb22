"""Neighbours are those that SciPy's trees find, and as NumPy computes their distances, to the last bit."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.spatial import cKDTree
from shipped import fab

from stagea_mpi.structure.neighbours import count_between, pairs_between, pairs_within, within_reach

LABELS = np.arange(60, dtype=np.uint8) % 3


def places(elements):
    return arrays(float, st.tuples(st.integers(0, 60), st.just(3)), elements=elements)


#: Far from each other and from the origin, on a grid where many distances are equal to the cutoff, next to nothing.
coordinates = st.one_of(
    places(st.integers(-6, 6).map(float)),
    places(st.integers(-9000, 9000).map(lambda thousandths: thousandths / 1000)),
    places(st.floats(-1e4, 1e4)),
    places(st.floats(-1e307, 1e307)),
    places(st.floats(-1e-3, 1e-3)),
)
search = settings(max_examples=150, derandomize=True)
cutoffs = st.sampled_from([0.0, 1e-300, 0.5, 3.0, 5.0, 8.0, 1e4])


def distances(a, b):
    """Of each of some places to each of others, as `numpy.linalg.norm` gives them."""
    with np.errstate(over="ignore"):
        return np.linalg.norm((a[:, None] - b[None]).reshape(-1, 3), axis=1).reshape(len(a), len(b))


@given(coordinates, coordinates, cutoffs)
@search
def test_pairs_of_two_sets_are_all_within_the_cutoff_with_the_same_bits_of_distance(a, b, cutoff):
    pairs, distance = pairs_between(a, b, cutoff)
    every = distances(a, b)
    assert pairs.tolist() == np.argwhere(every <= cutoff).tolist()
    assert distance.tobytes() == every[every <= cutoff].tobytes()


@given(coordinates, cutoffs)
@search
def test_pairs_of_one_set_are_all_of_one_label_closer_than_the_cutoff(xyz, cutoff):
    label = LABELS[: len(xyz)]
    pairs, distance = pairs_within(xyz, label, cutoff)
    every = distances(xyz, xyz)
    close = np.triu((every < cutoff) & (label[:, None] == label), k=1)
    assert pairs.tolist() == np.argwhere(close).tolist()
    assert distance.tobytes() == every[close].tobytes()


@given(coordinates, coordinates, cutoffs)
@search
def test_atoms_within_reach_are_those_with_a_neighbour_no_further_away(xyz, of, reach):
    assert within_reach(xyz, of, reach).tolist() == (distances(xyz, of).min(axis=1, initial=np.inf) <= reach).tolist()


@given(places(st.integers(-6, 6).map(float)), places(st.integers(-6, 6).map(float)), cutoffs)
@search
def test_pairs_are_counted_as_scipy_counts_them(a, b, cutoff):
    expected = cKDTree(a).count_neighbors(cKDTree(b), cutoff) if len(a) and len(b) else 0
    assert count_between(a, b, cutoff) == expected


def test_neighbours_in_a_complex_are_those_of_scipys_trees():
    xyz, chain = fab().complex_.xyz, fab().complex_.chain
    a, b = xyz[chain == 0], xyz[chain == 1]
    found = cKDTree(a).sparse_distance_matrix(cKDTree(b), 5.0, output_type="ndarray")
    found.sort(order=["i", "j"])
    pairs, distance = pairs_between(a, b, 5.0)
    assert len(pairs) > 100
    assert pairs.tolist() == [[i, j] for i, j, _ in found.tolist()]
    assert distance.tobytes() == found["v"].tobytes()
    assert count_between(a, b, 5.0) == len(pairs)
    expected = sorted((i, j) for i, j in cKDTree(xyz).query_pairs(3.0) if chain[i] == chain[j])
    assert list(map(tuple, pairs_within(xyz, chain, 3.0)[0].tolist())) == expected
    assert within_reach(xyz, a[:50], 7.0).tolist() == (cKDTree(a[:50]).query(xyz)[0] <= 7.0).tolist()


@pytest.mark.parametrize("far", [0.0, 9.9e3, 1e12])
def test_many_pairs_and_far_clusters_cost_neither_order_nor_members(far):
    """More partners than were guessed, in two clouds."""
    random = np.random.default_rng(7)
    cloud = random.normal(size=(400, 3))
    xyz = np.concatenate([cloud, cloud[::-1] + far])
    pairs, distance = pairs_between(xyz, xyz, 1.5)
    every = distances(xyz, xyz)
    assert len(pairs) > 4 * len(xyz)
    assert pairs.tolist() == np.argwhere(every <= 1.5).tolist()
    assert distance.tobytes() == every[every <= 1.5].tobytes()
