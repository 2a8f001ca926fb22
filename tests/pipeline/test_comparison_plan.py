"""Which residues and chains of a model are compared with which of its reference."""

from dataclasses import replace

import numpy as np
import pytest
from comparisons import contacts_one_by_one, is_perfect, numbers, reference_of
from dockq_cases import atom_lines, bent, shifted
from made import changed, fv_lines, moved
from shipped import fab, nanobody, three_poses

from stagea_mpi.antibody.complexes import Chains
from stagea_mpi.demo.poses import COMPLEXES, read_complex
from stagea_mpi.pipeline.comparison import compare
from stagea_mpi.pipeline.comparison_plan import planned


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


def test_more_copies_than_can_be_tried_are_a_problem(of_lines):
    lines = fv_lines()
    for k, name in enumerate("CDEFG", start=1):
        lines = with_copy(lines, 60.0 * k, name)
    model = of_lines(lines, Chains("H", "L", tuple("ACDEFG")))
    found = compare(reference_of(model), model)
    assert "720 ways" in found.problem
    assert "at most 120" in found.problem
    assert np.isnan(found.dockq)


def test_models_that_differ_in_coordinates_alone_are_matched_once(monkeypatch):
    first, second, _ = (built.complex_ for built in three_poses())
    reference = reference_of(fab().complex_)
    compare(reference, first)
    monkeypatch.setattr("stagea_mpi.pipeline.comparison.planned", None)
    assert compare(reference, replace(first, xyz=second.xyz)).problem == ""
