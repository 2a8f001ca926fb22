import numpy as np
import pytest

from stagea_mpi.graph.orientation import backbone_atoms, backbone_rows, edge_orientations, residue_frames

#: N, CA, C of a residue whose frame is the laboratory's, but for the 1e-6 that is added to each norm.
UPRIGHT = [[-0.5, 1.4, 0.0], [0.0, 0.0, 0.0], [1.5, 0.0, 0.0]]


def moved(backbone, rotation=None, shift=(0.0, 0.0, 0.0)):
    rotation = np.eye(3) if rotation is None else np.array(rotation, dtype=float)
    return (np.array(backbone) @ rotation.T + shift).tolist()


def orientation(backbone, source=0, target=1):
    return edge_orientations(np.array(backbone, dtype=np.float32), np.array([source]), np.array([target]))[0]


def test_the_frame_lies_along_c_and_in_the_plane_of_n():
    assert np.allclose(residue_frames(np.array([UPRIGHT])), np.eye(3), atol=2e-6)


def test_the_direction_leads_from_the_targets_ca_to_the_sources():
    other = moved(UPRIGHT, shift=(0.0, 3.0, -4.0))
    assert orientation([UPRIGHT, other]) == pytest.approx([0.0, -0.6, 0.8], abs=5e-6)


def test_the_direction_stands_in_the_frame_of_the_source():
    quarter_turn = [[0, -1, 0], [1, 0, 0], [0, 0, 1]]  # x → y → −x
    other = moved(UPRIGHT, quarter_turn, shift=(2.0, 0.0, 0.0))
    assert orientation([UPRIGHT, other], 0, 1) == pytest.approx([-1.0, 0.0, 0.0], abs=5e-6)
    assert orientation([UPRIGHT, other], 1, 0) == pytest.approx([0.0, -1.0, 0.0], abs=5e-6)


def test_norms_have_1e_6_added_as_the_model_was_trained():
    short = [[0.0, 1e-3, 0.0], [0.0, 0.0, 0.0], [1e-3, 0.0, 0.0]]
    e1, e2, e3 = residue_frames(np.array([short]))[0]
    length = 1e-3 / (1e-3 + 1e-6)
    assert e1 == pytest.approx([length, 0.0, 0.0], rel=1e-9)
    assert e2 == pytest.approx([0.0, length, 0.0], rel=1e-9)
    assert e3 == pytest.approx([0.0, 0.0, length**2], rel=1e-9)


def test_within_one_residue_there_is_no_direction():
    assert orientation([UPRIGHT, UPRIGHT], 1, 1).tolist() == [0.0, 0.0, 0.0]


@pytest.mark.parametrize("atom", [0, 1, 2])
def test_a_source_without_a_frame_gives_zeros(atom):
    broken = np.array(moved(UPRIGHT, shift=(3.0, 0.0, 0.0)))
    broken[atom] = np.nan
    assert orientation([UPRIGHT, broken], 1, 0).tolist() == [0.0, 0.0, 0.0]


def test_a_target_needs_no_frame_but_a_ca():
    other = np.array(moved(UPRIGHT, shift=(3.0, 0.0, 0.0)))
    other[[0, 2]] = np.nan
    assert orientation([UPRIGHT, other]) == pytest.approx([-1.0, 0.0, 0.0], abs=5e-6)
    other[1] = np.nan
    assert orientation([UPRIGHT, other]).tolist() == [0.0, 0.0, 0.0]


def test_backbone_atoms_are_found_whatever_their_order_and_nan_where_missing():
    residue = np.array([0, 0, 0, 2, 2, 2, 2, 5])
    names = np.array([b"C", b"CA", b"N", b"N", b"CA", b"CB", b"C", b"CA"])
    xyz = np.arange(24.0).reshape(8, 3)
    found = backbone_atoms(backbone_rows(residue, names), xyz, np.array([0, 5]))
    assert found[0].tolist() == xyz[[2, 1, 0]].tolist()
    assert found[1, 1].tolist() == xyz[7].tolist()
    assert np.isnan(found[1, [0, 2]]).all()
