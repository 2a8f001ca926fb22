import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.spatial.distance import cdist

from stagea_mpi.graph.contacts import interface_contacts, internal_pairs

# On a grid of 1 Å many distances are exactly 3 or 5.
grid = arrays(float, st.tuples(st.integers(1, 30), st.just(3)), elements=st.integers(-5, 5).map(float))
search = settings(max_examples=60, deadline=None, derandomize=True)


@given(grid, grid)
@search
def test_contacts_are_all_pairs_within_5_angstrom_inclusive_in_ascending_order(a, b):
    pairs, distance = interface_contacts(a, b)
    every = cdist(a, b)
    assert pairs.tolist() == np.argwhere(every <= 5.0).tolist()
    assert np.allclose(distance, every[every <= 5.0], rtol=0, atol=1e-12)


@given(grid, st.randoms(use_true_random=False))
@search
def test_internal_pairs_are_those_of_one_chain_closer_than_3_angstrom(xyz, random):
    chain = np.array([random.randrange(2) for _ in xyz], dtype=np.uint8)
    pairs, distance = internal_pairs(xyz, chain)
    close = np.triu((cdist(xyz, xyz) < 3.0) & (chain[:, None] == chain[None]), k=1)
    assert pairs.tolist() == np.argwhere(close).tolist()
    assert np.allclose(distance, cdist(xyz, xyz)[close], rtol=0, atol=1e-12)


def test_a_contact_just_beyond_the_cutoff_is_none():
    origin = np.zeros((1, 3))
    at = np.array([[5.0, 0.0, 0.0], [0.0, 5.0 + 1e-9, 0.0], [0.0, 3.0, 4.0]])
    assert interface_contacts(origin, at)[0].tolist() == [[0, 0], [0, 2]]


def test_an_internal_pair_at_the_cutoff_is_none():
    xyz = np.array([[0.0, 0.0, 0.0], [3.0, 0.0, 0.0], [0.0, 3.0 - 1e-9, 0.0]])
    assert internal_pairs(xyz, np.zeros(3))[0].tolist() == [[0, 2]]


def test_a_side_without_atoms_has_no_contacts():
    pairs, distance = interface_contacts(np.zeros((0, 3)), np.zeros((4, 3)))
    assert pairs.shape == (0, 2)
    assert distance.shape == (0,)
