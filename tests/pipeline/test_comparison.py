"""A model beside its reference: DockQ's numbers, and such as are worked by hand."""

from dataclasses import astuple, replace

import numpy as np
import pytest
from comparisons import LOOP, contacts_one_by_one, is_perfect, numbers, reference_of, without
from dockq_cases import cases, read_lines, said_by_dockq, two_chain_text
from hypothesis import given
from hypothesis import strategies as st
from made import changed, checked, fv_lines
from shipped import fab, nanobody, three_poses

from stagea_mpi.antibody.chain_checking import CheckedChains
from stagea_mpi.antibody.complexes import Chains
from stagea_mpi.pipeline.comparison import compare
from stagea_mpi.pipeline.reference import Reference

#: What DockQ was given.
TWO_CHAINS = Chains("A", None, ("B",))


@pytest.fixture(scope="module")
def made_cases(tmp_path_factory):
    """By name the complexes of a model and of its reference."""
    folder = tmp_path_factory.mktemp("cases")
    return {
        case.name: [read_lines(folder, lines, case.chains) for lines in (case.model, case.reference)]
        for case in cases()
    }


@pytest.mark.slow
def test_the_numbers_of_two_chains_are_dockqs(made_cases, of_lines):
    """Of the very files that DockQ was given; it computes in single precision."""
    said = said_by_dockq()
    assert set(said) == set(made_cases)
    for name, pair in made_cases.items():
        model, reference = (of_lines(two_chain_text(complex_).splitlines(), TWO_CHAINS) for complex_ in pair)
        found = compare(Reference.of(reference, CheckedChains(None, None), "ref"), model)
        assert numbers(found) == pytest.approx(said[name], abs=2e-4), name


@pytest.mark.slow
def test_merged_chains_have_dockqs_numbers_but_where_it_takes_a_residue_for_another_chains(made_cases):
    """Aligned as one sequence, the last residue of a chain can be taken for one at the end of a gap, in the next chain.
    Which residues of these two cases match is the same for both, and so the backbone's distance at the interface."""
    said = said_by_dockq()
    compared = {name: compare(reference_of(reference), model) for name, (model, reference) in made_cases.items()}
    others = {"7CFN of a reference with gaps", "7CFN with gaps"}
    for name in set(compared) - others:
        assert numbers(compared[name]) == pytest.approx(said[name], abs=2e-4), name
    for name in others:
        assert compared[name].irmsd == pytest.approx(said["7CFN of a reference with gaps"][3], abs=2e-4)
    assert {found.capri_class for found in compared.values()} == {0, 1, 2, 3}


@pytest.mark.parametrize("built", [fab, nanobody])
def test_a_complex_is_its_own_perfect_model(built):
    complex_ = built().complex_
    found = compare(reference_of(complex_), complex_)
    assert is_perfect(found)
    assert found.h3_rmsd == pytest.approx(0.0, abs=1e-4)
    assert found.problem == ""


@given(st.integers(0, 2**32 - 1))
def test_where_the_model_lies_does_not_matter(seed):
    chance = np.random.default_rng(seed)
    turn, _ = np.linalg.qr(chance.normal(size=(3, 3)))
    turn *= np.linalg.det(turn)  # a rotation
    model = three_poses()[0].complex_
    reference = reference_of(fab().complex_)
    turned = replace(model, xyz=model.xyz @ turn.T + chance.uniform(-200, 200, size=3))
    before, after = compare(reference, model), compare(reference, turned)
    assert astuple(after) == pytest.approx(astuple(before), abs=1e-6)


def test_an_antigen_moved_as_a_whole_is_as_far_off_as_it_was_moved():
    """The antibody is the larger partner, so it is superposed; no other number is as easily said."""
    complex_ = fab().complex_
    xyz = complex_.xyz + np.where(complex_.chain[:, None] == 1, (2.0, -3.0, 6.0), 0.0)
    found = compare(reference_of(complex_), replace(complex_, xyz=xyz))
    assert found.lrmsd == pytest.approx(7.0)
    assert found.h3_rmsd == pytest.approx(0.0, abs=1e-6)


def test_contacts_are_those_of_all_heavy_atoms_counted_one_by_one():
    reference, model = fab().complex_, three_poses()[1].complex_
    contacts = [contacts_one_by_one(complex_) for complex_ in (reference, model)]
    found = compare(reference_of(reference), model)
    assert found.fnat == len(contacts[0] & contacts[1]) / len(contacts[0])
    assert found.fnonnat == len(contacts[1] - contacts[0]) / len(contacts[1])


def test_a_model_that_does_not_touch_is_incorrect_and_no_failure():
    complex_ = fab().complex_
    far = replace(complex_, xyz=complex_.xyz + np.where(complex_.chain[:, None] == 1, 300.0, 0.0))
    found = compare(reference_of(complex_), far)
    assert (found.fnat, found.fnonnat, found.capri_class, found.problem) == (0.0, 0.0, 0, "")
    assert found.dockq < 0.01


def test_the_h3_is_measured_on_the_framework_and_nothing_else_moves_it():
    """All CDR-H3 atoms 2 Å aside, then all of the light chain too."""
    complex_ = fab().complex_
    reference = reference_of(complex_)
    domain = checked(complex_).heavy
    h3 = [domain.start + k for k, position in enumerate(domain.positions) if 105 <= position <= 117]
    place = complex_.sequence_place[complex_.residue]
    in_h3, in_light = np.isin(place, h3), (place >= len(complex_.heavy)) & (complex_.chain == 0)
    xyz = complex_.xyz + np.where(in_h3[:, None], (0.0, 0.0, 2.0), 0.0)
    assert compare(reference, replace(complex_, xyz=xyz)).h3_rmsd == pytest.approx(2.0)
    xyz = xyz + np.where(in_light[:, None], 9.0, 0.0)
    assert compare(reference, replace(complex_, xyz=xyz)).h3_rmsd == pytest.approx(2.0)


def test_without_a_numbered_heavy_chain_the_h3_alone_is_unknown():
    complex_ = fab().complex_
    found = compare(Reference.of(complex_, CheckedChains(None, None), "ref"), complex_)
    assert is_perfect(found)
    assert np.isnan(found.h3_rmsd)


def test_a_model_without_all_of_the_h3_has_no_rmsd_of_it(fv, of_lines):
    domain = checked(fv).heavy
    in_h3 = [k for k, position in enumerate(domain.positions) if 105 <= position <= 117]
    place = domain.start + in_h3[len(in_h3) // 2]
    found = compare(reference_of(fv), of_lines(without(fv_lines(), "H", place, place)))
    assert np.isnan(found.h3_rmsd)
    assert found.irmsd == pytest.approx(0.0, abs=1e-4)


def test_hydrogens_do_not_count(fv, of_lines):
    hydrogen = next(line for line in fv_lines() if line[21] == "H")
    lines = [*fv_lines()]
    for line in fv_lines():
        if line[21] == "A" and line[12:16] == " CA ":  # one atop the antibody for every residue of the antigen
            lines.append(changed(changed(changed(line, 12, " HX "), 30, hydrogen[30:54]), 76, " H"))
    assert is_perfect(compare(reference_of(fv), of_lines(lines)))
    assert is_perfect(compare(reference_of(of_lines(lines)), fv))


def test_what_a_model_lacks_of_the_interface_is_lost(fv, of_lines):
    contacts = contacts_one_by_one(fv)
    first, last = LOOP
    found = compare(reference_of(fv), of_lines(without(fv_lines(), "A", *LOOP)))
    kept = [b for _, b in contacts if not first <= b - 1 <= last]
    assert 0 < len(kept) < len(contacts)
    assert (found.fnat, found.fnonnat) == (len(kept) / len(contacts), 0.0)
    assert (found.irmsd, found.lrmsd) == pytest.approx((0.0, 0.0), abs=1e-4)


def test_what_a_reference_lacks_does_not_count(fv, of_lines):
    """Residues of the model that the reference has not: a loop at the interface, both ends of the light chain."""
    n_light = len(fv.light)
    lines = without(fv_lines(), "A", *LOOP)
    lines = without(without(lines, "L", 0, 4), "L", n_light - 6, n_light)
    assert is_perfect(compare(reference_of(of_lines(lines)), fv))


def test_a_reference_without_an_interface_is_a_problem_of_every_model(fv):
    far = replace(fv, xyz=fv.xyz + np.where(fv.chain[:, None] == 1, 300.0, 0.0), findings={})
    found = compare(reference_of(far, "apart.pdb"), fv)
    assert found.problem.startswith("the reference apart.pdb has no contact of antibody and antigen")


def test_references_are_told_apart_by_what_they_hold():
    complex_ = fab().complex_
    other = replace(complex_, xyz=complex_.xyz + np.where(complex_.chain[:, None] == 1, 1.0, 0.0))
    assert reference_of(complex_).key == reference_of(complex_, "other name").key
    assert reference_of(complex_).key != reference_of(other).key
    assert compare(reference_of(complex_), complex_).dockq > compare(reference_of(other), complex_).dockq
