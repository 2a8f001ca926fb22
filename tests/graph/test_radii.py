import itertools
from importlib import resources

import freesasa_radii
import numpy as np
import pytest

from stagea_mpi.graph.burial import atom_radii
from stagea_mpi.structure.residues import ATOM_TYPES, RESIDUE_TYPES

TABLE = resources.files("stagea_mpi") / "data" / "radii.csv"


def assert_as_freesasa(residues, atoms):
    pairs = list(itertools.product(residues, atoms))
    found = atom_radii(*(np.array([name.encode() for name in column]) for column in zip(*pairs, strict=True)))
    wrong = [(*pair, own) for pair, own in zip(pairs, found, strict=True) if own != freesasa_radii.radius(*pair)]
    assert not wrong


def test_radii_of_all_residues_and_atoms_that_either_knows_are_freesasas():
    names = [line.split(",") for line in TABLE.read_text(encoding="utf-8").splitlines()[1:]]
    residues = {residue for residue, _, _ in names} | {*RESIDUE_TYPES, "SEP", "PCA", "ZN", "LIG", "ALAX", "A1BCD"}
    atoms = {atom for _, atom, _ in names} | {*ATOM_TYPES, "OXT", "HD11", "1HB", "D", "ZN", "CL", "FE2", "X", "?"}
    assert len(residues) > 40
    assert_as_freesasa(sorted(residues), sorted(atoms))


def test_radii_of_atoms_known_by_their_first_letter_are_freesasas():
    assert_as_freesasa(RESIDUE_TYPES, list(map(chr, range(33, 127))))


@pytest.mark.slow
def test_the_table_is_what_freesasa_says_of_all_names():
    residues = freesasa_radii.known_residues(freesasa_radii.names(freesasa_radii.LETTERS))
    expected = freesasa_radii.table(residues, list(freesasa_radii.names(freesasa_radii.LETTERS + "'")))
    rows = TABLE.read_text(encoding="utf-8").splitlines()[1:]
    assert rows == [f"{residue},{atom},{radius}" for residue, atom, radius in expected]
