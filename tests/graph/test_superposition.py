import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.spatial.transform import Rotation

from stagea_mpi.graph.superposition import moved, rmsd, superposed_rmsd, superposition

#: Corners of a lopsided tetrahedron, in Å.
TETRAHEDRON = np.array([[0.0, 0.0, 0.0], [3.0, 0.0, 0.0], [0.0, 2.0, 0.0], [0.0, 0.0, 1.0]])


def test_a_quarter_turn_and_a_shift_are_found():
    quarter_turn = np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])  # x → y → −x
    rotation, translation = superposition(TETRAHEDRON @ quarter_turn.T + (5.0, -2.0, 1.0), TETRAHEDRON)
    assert rotation == pytest.approx(quarter_turn, abs=1e-12)
    assert translation == pytest.approx([5.0, -2.0, 1.0], abs=1e-12)


def test_a_mirror_image_is_not_turned_into_its_original():
    mirrored = TETRAHEDRON * (1.0, 1.0, -1.0)
    rotation, _ = superposition(TETRAHEDRON, mirrored)
    assert np.linalg.det(rotation) == pytest.approx(1.0)
    assert superposed_rmsd(TETRAHEDRON, mirrored) > 0.1


def test_the_distance_is_the_root_of_the_mean_square():
    assert rmsd(np.zeros((2, 3)), np.array([[3.0, 0.0, 0.0], [0.0, 4.0, 0.0]])) == pytest.approx(np.sqrt(12.5))


@given(arrays(float, (7, 3), elements=st.floats(-40, 40)), arrays(float, (7, 3), elements=st.floats(-40, 40)))
def test_atoms_come_as_near_as_scipy_brings_them(fixed, moving):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # that atoms on a line can be turned about it
        _, root_of_sum = Rotation.align_vectors(fixed - fixed.mean(axis=0), moving - moving.mean(axis=0))
    assert superposed_rmsd(fixed, moving) == pytest.approx(root_of_sum / np.sqrt(7), abs=1e-5)


def test_the_move_is_applied_to_atoms_that_were_not_superposed():
    move = superposition(TETRAHEDRON + (1.0, 0.0, 0.0), TETRAHEDRON)
    assert moved(np.array([[7.0, 8.0, 9.0]]), move) == pytest.approx(np.array([[8.0, 8.0, 9.0]]), abs=1e-12)
