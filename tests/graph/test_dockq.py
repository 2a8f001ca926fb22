import itertools

import numpy as np
import pytest

from stagea_mpi.graph.dockq import capri_class, contact_fractions, dockq, residue_contacts

#: On both sides of every bound of CAPRI's, and on it.
FNAT = (0.0, 0.09, 0.1, 0.29, 0.3, 0.49, 0.5, 1.0)
LRMSD = (0.0, 1.0, 1.01, 5.0, 5.01, 10.0, 10.01)
IRMSD = (0.0, 1.0, 1.01, 2.0, 2.01, 4.0, 4.01)


def class_in_words(fnat: float, irmsd: float, lrmsd: float) -> int:
    """CAPRI's table as Lensink, Méndez & Wodak (2007) print it, from its last row on."""
    if fnat < 0.1 or (lrmsd > 10.0 and irmsd > 4.0):
        return 0
    if fnat < 0.3 or (lrmsd > 5.0 and irmsd > 2.0):
        return 1
    if fnat < 0.5 or (lrmsd > 1.0 and irmsd > 1.0):
        return 2
    return 3


def test_classes_are_capris():
    for fnat, irmsd, lrmsd in itertools.product(FNAT, IRMSD, LRMSD):
        assert capri_class(fnat, irmsd, lrmsd) == class_in_words(fnat, irmsd, lrmsd), (fnat, irmsd, lrmsd)


@pytest.mark.parametrize(
    ("fnat", "irmsd", "lrmsd", "expected"),
    [
        (1.0, 0.0, 0.0, 1.0),
        (0.0, 1.5, 8.5, 1 / 3),  # both terms are a half where the distance is their scale
        (0.5, 3.0, 17.0, 0.3),  # a fifth each
        (0.0, 1e9, 1e9, 0.0),
    ],
)
def test_dockq_is_the_mean_of_three_terms(fnat, irmsd, lrmsd, expected):
    assert dockq(fnat, irmsd, lrmsd) == pytest.approx(expected)


def test_residues_are_in_contact_below_the_cutoff_and_each_pair_counts_once():
    xyz_a = np.array([[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.0, 20.0, 0.0]])
    xyz_b = np.array([[5.0, 0.0, 0.0], [5.5, 0.0, 0.0], [0.0, 25.0, 0.0], [0.0, 24.999, 0.0]])
    found = residue_contacts(xyz_a, np.array([4, 4, 7]), xyz_b, np.array([2, 2, 0, 1]))
    assert found.tolist() == [[4, 2], [7, 1]]  # 4 Å, twice; 4.999 Å; and 5 Å, which is too far


def test_partners_that_do_not_meet_have_no_contacts():
    found = residue_contacts(np.zeros((1, 3)), np.zeros(1, dtype=int), np.full((1, 3), 9.0), np.zeros(1, dtype=int))
    assert found.shape == (0, 2)


def test_fractions_are_of_the_references_and_of_the_models_contacts():
    native = np.zeros((3, 3), dtype=bool)
    native[0, 0] = native[1, 1] = True
    contacts = np.array([[0, 0], [0, 1], [2, 2]])
    assert contact_fractions(native, 4, contacts) == (1 / 4, 2 / 3)
    assert contact_fractions(native, 4, contacts[:0]) == (0.0, 0.0)
