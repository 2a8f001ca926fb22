"""Expected values are worked by hand from the OPLS parameters of CNS and HADDOCK (protein-allhdg5-4 and -5)."""

import numpy as np
import pytest

from stagea_mpi.graph.forcefield import AtomParameters, atom_parameters, pair_energies


def parameters_of(*residues):
    """(residue index, atom) → parameters, of residues given by their names and atoms."""
    keys = [(i, atom) for i, (_, atoms) in enumerate(residues) for atom in atoms.split()]
    residue = np.array([i for i, _ in keys])
    residue_name = np.array([residues[i][0].encode() for i, _ in keys])
    atom_name = np.array([atom.encode() for _, atom in keys])
    found = atom_parameters(residue, residue_name, atom_name, np.arange(len(keys)))
    columns = (found.charge, found.epsilon, found.sigma, found.epsilon14, found.sigma14)
    return dict(zip(keys, zip(*(column.tolist() for column in columns), strict=True), strict=True))


def two_atoms(charge=(0.0, 0.0), epsilon=(0.0, 0.0), sigma=(0.0, 0.0), epsilon14=(0.0, 0.0), sigma14=(0.0, 0.0)):
    return AtomParameters(*map(np.array, (charge, epsilon, sigma, epsilon14, sigma14)))


def energies(parameters, distance, same_chain):
    elec, vdw = pair_energies(parameters, np.array([[0, 1]]), np.array([distance]), same_chain)
    return elec[0], vdw[0]


def test_parameters_are_those_of_the_residues_atom():
    found = parameters_of(("ASP", "CG OD1"), ("LYS", "CE NZ"))
    assert found[0, "OD1"] == (-0.8, 0.21, 2.96, 0.021, 2.96)
    assert found[0, "CG"] == (0.7, 0.105, 3.75, 0.013, 3.75)
    assert found[1, "NZ"] == (-0.3, 0.17, 3.25, 0.021, 3.25)
    assert found[1, "CE"] == (0.31, 0.118, 3.905, 0.015, 3.905)


def test_only_the_wanted_atoms_are_returned_in_their_order():
    residue, names = np.array([0, 0, 1]), np.array([b"ASP", b"ASP", b"LYS"])
    found = atom_parameters(residue, names, np.array([b"CG", b"OD1", b"NZ"]), np.array([2, 1]))
    assert found.charge.tolist() == [-0.3, -0.8]


def test_an_atom_in_no_table_counts_zero():
    found = parameters_of(("ASP", "CA XX"), ("ZZZ", "CA"))
    assert found[0, "XX"] == found[1, "CA"] == (0.0,) * 5


def test_a_c_terminus_is_known_by_its_oxt_and_changes_no_other_residue():
    backbone = "N CA C O CB"
    found = parameters_of(("ALA", backbone), ("ALA", backbone + " OXT"), ("ALA", backbone))
    assert found[1, "O"] == (-0.8, 0.21, 2.96, 0.021, 2.96)
    assert (found[1, "C"][0], found[1, "CA"][0]) == (0.7, 0.1)
    for plain in (0, 2):
        assert (found[plain, "O"][0], found[plain, "C"][0], found[plain, "CA"][0]) == (-0.5, 0.5, 0.2)


def test_a_patch_gives_a_histidine_by_the_hydrogens_it_has():
    ring = "N CA C O CB CG ND1 CD2 CE1 NE2"
    found = parameters_of(("HIS", ring), ("HIS", ring + " HD1"), ("HIS", ring + " HE2"), ("HIS", ring + " HD1 HE2"))
    assert [found[i, "ND1"][0] for i in range(4)] == [-0.54, -0.57, -0.57, -0.54]
    assert [found[i, "NE2"][0] for i in range(4)] == [-0.54, -0.49, -0.57, -0.54]
    assert found[1, "CE1"] == (0.41, 0.145, 3.75, 0.145, 3.75)  # type CRH
    assert found[0, "CE1"] == (0.5, 0.145, 3.75, 0.018, 3.75)  # type CRHH


def test_the_first_class_that_matches_counts():
    atoms = "N CA C O CB HT1 HT2 HT3"
    found = parameters_of(("PRO", atoms + " CD"), ("ALA", atoms))
    assert (found[0, "CA"][0], found[0, "CD"][0]) == (0.32, 0.32)  # PROP comes before NTER
    assert found[1, "CA"][0] == 0.31
    assert found[1, "N"][0] == -0.3


def test_elec_is_coulombs_law_in_kcal_per_mol():
    elec, _ = energies(two_atoms(charge=(-0.8, 0.33)), 2.75, same_chain=False)
    assert elec == pytest.approx(332.0636 * -0.8 * 0.33 / 2.75, rel=1e-12)


def test_vdw_takes_the_mean_diameter_and_the_geometric_mean_of_the_depths():
    _, vdw = energies(two_atoms(epsilon=(0.21, 0.17), sigma=(2.96, 3.25)), 3.5, same_chain=False)
    sigma = 3.105
    assert vdw == pytest.approx(4 * (0.21 * 0.17) ** 0.5 * ((sigma / 3.5) ** 12 - (sigma / 3.5) ** 6), rel=1e-12)


def test_the_well_is_as_deep_as_epsilon():
    _, vdw = energies(two_atoms(epsilon=(0.2, 0.2), sigma=(3.0, 3.0)), 3.0 * 2 ** (1 / 6), same_chain=False)
    assert vdw == pytest.approx(-0.2, rel=1e-12)


@pytest.mark.parametrize(
    ("distance", "charged", "depth"), [(3.59, False, 0.0), (3.6, True, 0.02), (4.19, True, 0.02), (4.2, True, 0.2)]
)
def test_within_a_chain_close_pairs_count_as_bonded(distance, charged, depth):
    parameters = two_atoms((0.5, 0.5), (0.2, 0.2), (3.0, 3.0), (0.02, 0.02), (3.0, 3.0))
    elec, vdw = energies(parameters, distance, same_chain=True)
    assert elec == pytest.approx(332.0636 * 0.25 / distance if charged else 0.0)
    assert vdw == pytest.approx(4 * depth * ((3.0 / distance) ** 12 - (3.0 / distance) ** 6))


def test_across_the_interface_no_pair_counts_as_bonded():
    parameters = two_atoms((0.5, 0.5), (0.2, 0.2), (3.0, 3.0), (0.02, 0.02), (3.0, 3.0))
    elec, vdw = energies(parameters, 1.5, same_chain=False)
    assert elec == pytest.approx(332.0636 * 0.25 / 1.5)
    assert vdw == pytest.approx(4 * 0.2 * (2.0**12 - 2.0**6))
