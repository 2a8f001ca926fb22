import csv
from dataclasses import astuple, replace
from pathlib import Path

import numpy as np
import pytest
from dockq_cases import MEASURES, atom_lines, bent, cases, read_lines, shifted, two_chain_text
from hypothesis import given
from hypothesis import strategies as st
from made import changed, checked, fv_lines, moved
from shipped import FAB_CHAINS, fab, nanobody, three_poses

from stagea_mpi.antibody.chain_checking import CheckedChains
from stagea_mpi.antibody.complexes import Chains
from stagea_mpi.demo.poses import COMPLEXES, read_complex
from stagea_mpi.pipeline.comparison import compare
from stagea_mpi.pipeline.comparison_plan import planned
from stagea_mpi.pipeline.reference import Reference

TABLE = Path(__file__).parents[1] / "data" / "dockq.tsv"
#: What DockQ was given.
TWO_CHAINS = Chains("A", None, ("B",))
COLUMNS = ("dockq", "fnat", "fnonnat", "irmsd", "lrmsd")


def reference_of(complex_, name="ref"):
    return Reference.of(complex_, checked(complex_), name)


@pytest.fixture(scope="module")
def fv(tmp_path_factory):
    return read_lines(tmp_path_factory.mktemp("fv"), fv_lines(), FAB_CHAINS)


@pytest.fixture
def of_lines(tmp_path):
    return lambda lines, chains=FAB_CHAINS: read_lines(tmp_path, lines, chains)


#: The antigen's residues (of the Fv's lines, from 0) that a model or a reference may lack: a part of the epitope.
LOOP = (46, 48)


def without(lines, chain, first, last):
    """Lines without some of a chain's residues, by their places from 0 to the last, inclusive."""
    known = sorted({int(line[22:26]) for line in fv_lines() if line[21] == chain})[first : last + 1]
    return [line for line in lines if not (line[21] == chain and int(line[22:26]) in known)]


def numbers(found):
    return tuple(getattr(found, name) for name in COLUMNS)


def is_perfect(found):
    return numbers(found) == pytest.approx((1.0, 1.0, 0.0, 0.0, 0.0), abs=1e-4) and found.capri_class == 3


@pytest.fixture(scope="module")
def said_by_dockq():
    with TABLE.open() as file:
        return {row["case"]: [float(row[key]) for key in MEASURES] for row in csv.DictReader(file, delimiter="\t")}


@pytest.fixture(scope="module")
def made_cases(tmp_path_factory):
    """By name the complexes of a model and of its reference."""
    folder = tmp_path_factory.mktemp("cases")
    return {
        case.name: [read_lines(folder, lines, case.chains) for lines in (case.model, case.reference)]
        for case in cases()
    }


@pytest.mark.slow
def test_the_numbers_of_two_chains_are_dockqs(made_cases, said_by_dockq, of_lines):
    """Of the very files that DockQ was given; it computes in single precision."""
    assert set(said_by_dockq) == set(made_cases)
    for name, pair in made_cases.items():
        model, reference = (of_lines(two_chain_text(complex_).splitlines(), TWO_CHAINS) for complex_ in pair)
        found = compare(Reference.of(reference, CheckedChains(None, None), "ref"), model)
        assert numbers(found) == pytest.approx(said_by_dockq[name], abs=2e-4), name


@pytest.mark.slow
def test_merged_chains_have_dockqs_numbers_but_where_it_takes_a_residue_for_another_chains(made_cases, said_by_dockq):
    """Aligned as one sequence, the last residue of a chain can be taken for one at the end of a gap, in the next chain.
    Which residues of these two cases match is the same for both, and so the backbone's distance at the interface."""
    compared = {name: compare(reference_of(reference), model) for name, (model, reference) in made_cases.items()}
    others = {"7CFN of a reference with gaps", "7CFN with gaps"}
    for name in set(compared) - others:
        assert numbers(compared[name]) == pytest.approx(said_by_dockq[name], abs=2e-4), name
    for name in others:
        assert compared[name].irmsd == pytest.approx(said_by_dockq["7CFN of a reference with gaps"][3], abs=2e-4)
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


def contacts_one_by_one(complex_):
    heavy = ~complex_.is_hydrogen
    a, b = heavy & (complex_.chain == 0), heavy & (complex_.chain == 1)
    apart = np.linalg.norm(complex_.xyz[a][:, None] - complex_.xyz[b][None], axis=2)
    rows = np.argwhere(apart < 5.0)
    return set(zip(complex_.residue_number[a][rows[:, 0]], complex_.residue_number[b][rows[:, 1]], strict=True))


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


def test_other_numbers_and_chain_names_change_nothing(fv, of_lines):
    model = [changed(line, 21, {"H": "X", "L": "Y", "A": "Z"}[line[21]]) for line in fv_lines()]
    model = [changed(line, 22, f"{500 + int(line[22:26]):4d}") for line in model]
    assert is_perfect(compare(reference_of(fv), of_lines(model, Chains("X", "Y", ("Z",)))))


@pytest.mark.parametrize("codes", ["ABC", "CBA"])
def test_insertion_codes_change_nothing_whichever_way_they_run(codes, fv, of_lines):
    """IMGT counts 112B, 112A, 112 along the chain, so residues of the merged chain stand in another order."""
    inserted = dict(zip((98, 99, 100), codes, strict=True))
    number = {line: int(line[22:26]) for line in fv_lines()}
    numbered = [
        changed(line, 22, f"{101:4d}{inserted[number[line]]}")
        if line[21] == "H" and number[line] in inserted
        else changed(line, 22, f"{number[line] + 1000:4d}")
        if line[21] == "H" and number[line] > 100
        else line
        for line in fv_lines()
    ]
    other = of_lines(numbered)
    assert (other.sequences == fv.sequences) == (codes == "ABC")
    for found in (compare(reference_of(fv), other), compare(reference_of(other), fv)):
        assert is_perfect(found)
        assert found.h3_rmsd == pytest.approx(0.0, abs=1e-4)


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


def test_a_nanobody_on_four_chains_is_compared_with_each_of_them(of_lines):
    lines = atom_lines(read_complex(COMPLEXES["7CFN"]))
    reference = reference_of(nanobody().complex_)
    for order in (("A", "B", "G", "R"), ("R", "G", "B", "A"), ("G", "A", "R", "B")):
        assert is_perfect(compare(reference, of_lines(lines, Chains("N", None, order))))
    starts = np.cumsum([0, *map(len, nanobody().complex_.antigen)])
    meets = {int(np.searchsorted(starts, b, side="left")) - 1 for _, b in contacts_one_by_one(nanobody().complex_)}
    assert 0 < len(meets) < 4
    for k in range(4):
        rest = tuple("ABGR"[:k] + "ABGR"[k + 1 :])
        found = compare(reference, of_lines(lines, Chains("N", None, rest)))
        assert bool(found.problem) == (k in meets)
        assert found.problem.startswith(f"the reference's antigen chain {k + 1} of 4: " if k in meets else "")


def with_copy(lines, by, name="C"):
    """The antigen a second time elsewhere, as another chain."""
    copy = shifted([line for line in lines if line[21] == "A"], "A", by)
    return [*lines, *(changed(line, 21, name) for line in copy)]


@pytest.mark.parametrize("order", [("A", "C"), ("C", "A")])
def test_copies_of_an_antigen_are_taken_for_those_with_which_the_model_is_best(order, of_lines):
    lines = with_copy(fv_lines(), 60.0)
    reference = reference_of(of_lines(lines, Chains("H", "L", ("A", "C"))))
    assert is_perfect(compare(reference, of_lines(lines, Chains("H", "L", order))))
    near = bent(lines, 0.5)
    expected = compare(reference, of_lines(near, Chains("H", "L", ("A", "C"))))
    assert numbers(compare(reference, of_lines(near, Chains("H", "L", order)))) == pytest.approx(numbers(expected))
    assert 0.5 < expected.dockq < 1.0


def test_of_more_copies_in_the_model_the_right_one_is_taken(fv, of_lines):
    model = of_lines(with_copy(with_copy(fv_lines(), 60.0), -70.0, "D"), Chains("H", "L", ("D", "C", "A")))
    found = compare(reference_of(fv), model)
    assert is_perfect(found)


def test_of_more_copies_in_the_reference_the_one_that_is_there_is_found(fv, of_lines):
    reference = reference_of(of_lines(with_copy(fv_lines(), 60.0), Chains("H", "L", ("C", "A"))))
    found = compare(reference, fv)
    assert (found.fnat, found.fnonnat) == (1.0, 0.0)
    assert found.lrmsd == pytest.approx(0.0, abs=1e-4)


def test_more_copies_than_can_be_tried_are_a_problem(of_lines):
    lines = fv_lines()
    for k, name in enumerate("CDEFG", start=1):
        lines = with_copy(lines, 60.0 * k, name)
    model = of_lines(lines, Chains("H", "L", tuple("ACDEFG")))
    found = compare(reference_of(model), model)
    assert "720 ways" in found.problem
    assert "at most 120" in found.problem
    assert np.isnan(found.dockq)


def mutated(lines, chain, every):
    """A chain with glycines in the place of every so many of its residues."""
    return [
        changed(line, 17, "GLY") if line[21] == chain and int(line[22:26]) % every == 0 else line
        for line in lines
        if not (
            line[21] == chain and int(line[22:26]) % every == 0 and line[12:16].strip() not in ("N", "CA", "C", "O")
        )
    ]


@pytest.mark.parametrize(
    ("chain", "said"),
    [("H", "the heavy chain: "), ("L", "the light chain: "), ("A", "the reference's antigen chain: ")],
)
def test_another_sequence_is_a_problem_that_says_what_was_found(chain, said, fv, of_lines):
    model = of_lines(mutated(fv_lines(), chain, 3))
    found = compare(reference_of(fv, "7DAA"), model)
    assert found.problem.startswith(said)
    assert "90%" in found.problem
    assert "7DAA" in found.problem
    assert np.isnan(numbers(found)).all()
    assert found.capri_class == -1


def test_a_few_mutations_are_no_problem_and_their_residues_do_not_count(fv, of_lines):
    model = of_lines(mutated(fv_lines(), "A", 30))
    found = compare(reference_of(fv), model)
    assert found.problem == ""
    contacts = contacts_one_by_one(fv)
    numbers_in_file = sorted({int(line[22:26]) for line in fv_lines() if line[21] == "A"})
    kept = [b for _, b in contacts if model.antigen[0][b - 1] == fv.antigen[0][b - 1]]
    assert len(numbers_in_file) == len(fv.antigen[0])
    assert found.fnat == len(kept) / len(contacts)


def test_another_constant_domain_is_no_problem(fv):
    """A model of the Fv beside a reference of the Fab, and the other way round."""
    found = compare(reference_of(fab().complex_), fv)
    assert found.problem == ""
    assert (found.fnat, found.irmsd) == pytest.approx((1.0, 0.0), abs=1e-4)
    assert compare(reference_of(fv), fab().complex_).fnat == 1.0


def test_an_antibody_with_and_one_without_a_light_chain_are_not_compared(fv, of_lines):
    alone = of_lines(fv_lines(), Chains("H", None, ("A",)))
    found = compare(reference_of(fv, "7DAA"), alone)
    assert found.problem == f"the reference 7DAA has a light chain of {len(fv.light)} residues, the model has none"
    found = compare(reference_of(alone, "7DAA"), fv)
    assert found.problem == f"the model has a light chain of {len(fv.light)} residues, the reference 7DAA has none"


def test_a_reference_without_an_interface_is_a_problem_of_every_model(fv):
    far = replace(fv, xyz=fv.xyz + np.where(fv.chain[:, None] == 1, 300.0, 0.0), findings={})
    found = compare(reference_of(far, "apart.pdb"), fv)
    assert found.problem.startswith("the reference apart.pdb has no contact of antibody and antigen")


def test_models_that_differ_in_coordinates_alone_are_matched_once(monkeypatch):
    first, second, _ = (built.complex_ for built in three_poses())
    reference = reference_of(fab().complex_)
    compare(reference, first)
    monkeypatch.setattr("stagea_mpi.pipeline.comparison.planned", None)
    assert compare(reference, replace(first, xyz=second.xyz)).problem == ""


def test_references_are_told_apart_by_what_they_hold():
    complex_ = fab().complex_
    other = replace(complex_, xyz=complex_.xyz + np.where(complex_.chain[:, None] == 1, 1.0, 0.0))
    assert reference_of(complex_).key == reference_of(complex_, "other name").key
    assert reference_of(complex_).key != reference_of(other).key
    assert compare(reference_of(complex_), complex_).dockq > compare(reference_of(other), complex_).dockq


@pytest.mark.parametrize("seed", range(6))
def test_no_other_way_to_assign_three_copies_has_a_larger_dockq(seed, of_lines):
    """Copies that a model has elsewhere, each way alone."""
    lines, chains = with_copy(with_copy(fv_lines(), 30.0), -35.0, "D"), Chains("H", "L", ("A", "C", "D"))
    reference = reference_of(of_lines(lines, chains))
    chance = np.random.default_rng(seed)
    moves = {name: tuple(chance.normal(scale=12.0, size=3)) for name in chains.antigen}
    model = of_lines([moved(line, moves.get(line[21], (0.0, 0.0, 0.0))) for line in lines], chains)
    plan = planned(reference, model)
    alone = [
        compare(reference, replace(model, findings={("comparison", reference.key): replace(plan, ways=(way,))}))
        for way in plan.ways
    ]
    assert len(alone) == 6
    assert numbers(compare(reference, model)) == numbers(max(alone, key=lambda found: found.dockq))
