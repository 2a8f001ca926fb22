import numpy as np
import pytest
from Bio.Data.IUPACData import protein_letters_3to1
from Bio.SeqUtils.ProtParamData import kd as kyte_doolittle

from stagea_mpi.structure.residues import (
    ATOM_TYPES,
    HYDROPATHY,
    POLARITIES,
    POLARITY,
    RESIDUE_TYPES,
    UNKNOWN,
    encode,
    is_amino_acid,
    is_water,
    one_letter,
)

LETTERS = {name.upper(): letter for name, letter in protein_letters_3to1.items()}


def test_the_residue_types_are_the_20_amino_acids():
    assert sorted(RESIDUE_TYPES) == sorted(LETTERS)


def test_hydropathy_is_kyte_and_doolittles():
    assert [kyte_doolittle[LETTERS[name]] for name in RESIDUE_TYPES] == HYDROPATHY.tolist()


@pytest.mark.parametrize(
    ("polarity", "letters"), [("apolar", "AFGIVMPL"), ("polar", "CHNQSTYW"), ("negative", "DE"), ("positive", "KR")]
)
def test_polarity_classes_hold_the_residues_that_the_model_was_trained_with(polarity, letters):
    found = {LETTERS[name] for name, code in zip(RESIDUE_TYPES, POLARITY, strict=True) if POLARITIES[code] == polarity}
    assert found == set(letters)


def test_names_are_encoded_as_their_place_in_the_table_and_others_as_unknown():
    names = np.array([b"SG", b"N", b"OXT", b"CA", b"N"])
    assert encode(names, ATOM_TYPES).tolist() == [35, 0, UNKNOWN, 1, 0]


@pytest.mark.parametrize("width", [3, 8, 12])
def test_names_of_any_width_are_encoded(width):
    names = np.array([b"N", b"ALA", b"CA", b"NEARLY A", b"NEARLY AN", b""], dtype=f"S{width}")
    assert encode(names, RESIDUE_TYPES).tolist() == [UNKNOWN, RESIDUE_TYPES.index("ALA"), *[UNKNOWN] * 4]


def test_no_names_are_no_codes():
    assert encode(np.zeros(0, dtype="S4"), ATOM_TYPES).shape == (0,)


@pytest.mark.parametrize("name", LETTERS)
def test_a_standard_residue_has_its_letter(name):
    assert one_letter(name) == LETTERS[name]


@pytest.mark.parametrize(
    ("name", "parent"),
    [("MSE", "M"), ("PCA", "E"), ("SEP", "S"), ("HID", "H"), ("HSP", "H"), ("CYX", "C"), ("GLH", "E")],
)
def test_a_modified_or_protonated_residue_has_its_parents_letter(name, parent):
    assert one_letter(name) == parent
    assert is_amino_acid(name)


@pytest.mark.parametrize("name", ["UNK", "NAG", "HOH", "SEC", "ZZZ"])
def test_a_residue_without_one_of_the_20_as_parent_is_x(name):
    assert one_letter(name) == "X"


@pytest.mark.parametrize(
    ("name", "water"), [("HOH", True), ("WAT", True), ("TIP3", True), ("SER", False), ("NAG", False)]
)
def test_waters_are_known_by_their_names(name, water):
    assert is_water(name) is water


@pytest.mark.parametrize("name", ["NAG", "HOH", "CL"])
def test_glycans_waters_and_ions_are_no_amino_acids(name):
    assert not is_amino_acid(name)
