"""Scores are those that their authors' script gives, and formulas worked by hand."""

import itertools
import json
import math
from pathlib import Path

import numpy as np
import pytest
from predicted import CASES, places, prediction

from stagea_mpi.graph.confidence import (
    AlignedErrors,
    chain_pair_iptm,
    h3_plddt,
    interface_pae,
    interface_plddt,
    ipsae,
    lis,
    pdockq2,
    residue_plddt,
)
from stagea_mpi.structure.residues import REGIONS

#: By case and pair of chains ipSAE, pDockQ2 and LIS as ipsae.py prints them (`data/SOURCES.md` says how).
AUTHORS = json.loads((Path(__file__).parents[1] / "data" / "ipsae.json").read_text())


def authors(case):
    """The best pair of an antibody's and an antigen's chain, score by score."""
    chains = prediction(case).chains
    pairs = {"-".join(sorted(pair)) for pair in itertools.product((chains.heavy, chains.light), chains.antigen)}
    return [max(column) for column in zip(*(AUTHORS[case][pair] for pair in pairs), strict=True)]


def by_tokens(case):
    """Errors, places of Cβ and their pLDDT of both sides of a made prediction."""
    made = prediction(case)
    ca = np.array([atom.name == "CA" for atom in made.tokens])
    chain = np.array([atom.chain for atom in made.tokens])[ca]
    pae = np.array(made.pae, dtype=np.float32)[np.ix_(ca, ca)]
    plddt = {(a.chain, a.number): a.plddt for name in ("CA", "CB") for a in made.atoms if a.name == name}
    sides = [np.isin(chain, names) for names in ((made.chains.heavy, made.chains.light), made.chains.antigen)]
    codes = np.unique(chain, return_inverse=True)[1]
    cb, confidence = places(made.atoms, "CB"), np.array(list(plddt.values()))
    errors = AlignedErrors(pae[np.ix_(*sides)], pae[np.ix_(*sides[::-1])], *(codes[side] for side in sides))
    return errors, *(cb[side] for side in sides), *(confidence[side] for side in sides)


@pytest.mark.parametrize("case", CASES)
def test_scores_are_those_of_the_authors_script(case):
    errors, *of_residues = by_tokens(case)
    expected = authors(case)
    assert ipsae(errors) == pytest.approx(expected[0], abs=6e-7)
    assert pdockq2(errors, *of_residues) == pytest.approx(expected[1], abs=6e-5)
    assert lis(errors) == pytest.approx(expected[2], abs=6e-5)


def test_the_cases_are_of_all_kinds():
    """Pairs of chains that differ, scores of 0, and few and many residues with small errors."""
    found = {case: authors(case) for case in CASES}
    assert found["no sure residue"][0] == found["no sure residue"][2] == 0.0
    assert found["no contact"][1] == 0.0 < found["no contact"][0]
    assert 0.0 < found["few sure residues"][0] < found["fv"][0]
    assert len({tuple(pair) for pair in AUTHORS["scfv with two antigen chains"].values()}) == 3


def test_chains_may_stand_interleaved():
    errors, *of_residues = by_tokens("fv")
    order = np.random.default_rng(1).permutation(len(errors.first_chain))
    mixed = AlignedErrors(
        errors.forward[order], errors.backward[:, order], errors.first_chain[order], errors.second_chain
    )
    places_first, places_second, plddt_first, plddt_second = of_residues
    assert ipsae(mixed) == ipsae(errors)
    assert lis(mixed) == pytest.approx(lis(errors), rel=1e-12)
    assert pdockq2(mixed, places_first[order], places_second, plddt_first[order], plddt_second) == pytest.approx(
        pdockq2(errors, *of_residues), rel=1e-12
    )


def errors_of(forward, backward=None, first=None, second=None):
    forward = np.array(forward, dtype=np.float32)
    backward = forward.T if backward is None else np.array(backward, dtype=np.float32)
    n, m = forward.shape
    return AlignedErrors(
        forward, backward, np.zeros(n, dtype=int) if first is None else np.array(first),
        np.ones(m, dtype=int) if second is None else np.array(second),
    )  # fmt: skip


def test_by_hand_two_residues_below_the_cutoff_have_the_smallest_d0():
    # d0 is 1 Å: of the first residue (1/2 + 1/5) / 2, of the second 1/17; the error of 10 Å does not count.
    errors = errors_of([[1.0, 2.0], [4.0, 10.0]], [[20.0, 20.0], [20.0, 20.0]])
    assert ipsae(errors) == pytest.approx((1 / 2 + 1 / 5) / 2)
    assert lis(errors) == pytest.approx(((11 + 10 + 8 + 2) / 4 / 12 + 0) / 2)


def test_by_hand_the_other_direction_counts_where_it_is_better():
    assert ipsae(errors_of([[20.0]], [[3.0]])) == pytest.approx(1 / 10)


def test_by_hand_d0_grows_with_the_residues_below_the_cutoff():
    d0 = 1.24 * math.cbrt(50 - 15) - 1.8
    assert ipsae(errors_of([[5.0] * 50 + [12.0] * 50], [[30.0]] * 100)) == pytest.approx(1 / (1 + (5 / d0) ** 2))


def test_by_hand_the_best_pair_of_chains_counts():
    one, other = errors_of([[20.0], [3.0]], first=[0, 2]), errors_of([[3.0]])
    assert ipsae(one) == ipsae(other)
    assert lis(one) == lis(other) == 0.75


def test_by_hand_contacts_reach_to_8_and_each_residue_counts_once():
    # Two contacts of one residue: 1 / (1 + 0.25) and 1 / (1 + 1), and three residues.
    first, second = np.zeros((1, 3)), np.array([[0, 0, 8.0], [8.0, 0, 0], [0, 8.01, 0]])
    found = pdockq2(errors_of([[5.0, 10.0, 0.0]]), first, second, np.array([90.0]), np.array([60.0, 30.0, 99.0]))
    x = (90 + 60 + 30) / 3 * (0.8 + 0.5) / 2
    assert found == pytest.approx(1.31 / (1 + math.exp(-0.075 * (x - 84.733))) + 0.005)


def test_unknown_errors_do_not_count_for_ipsae_and_lis():
    assert ipsae(errors_of([[math.nan, 3.0]])) == pytest.approx(0.1)
    assert lis(errors_of([[math.nan, 3.0]])) == 0.75


def test_without_chains_there_are_no_scores():
    none = errors_of(np.zeros((0, 2)))
    assert math.isnan(ipsae(none))
    assert math.isnan(lis(none))
    assert math.isnan(pdockq2(none, np.zeros((0, 3)), np.zeros((2, 3)), np.zeros(0), np.zeros(2)))
    assert math.isnan(interface_pae(none, np.zeros((0, 2), dtype=int)))


def test_plddt_of_a_residue_is_the_mean_of_its_heavy_atoms():
    found = residue_plddt(np.array([0, 0, 0, 2]), np.array([False, False, True, False]), np.array([80, 90, 1, 7]), 3)
    np.testing.assert_array_equal(found, [85.0, math.nan, 7.0])


def test_plddt_of_an_interface_counts_each_residue_once():
    assert interface_plddt(np.array([90.0, 80.0, 10.0]), np.array([0, 0, 0, 1])) == 85.0
    assert math.isnan(interface_plddt(np.array([90.0]), np.zeros(0, dtype=int)))


def test_plddt_of_h3_is_that_of_its_residues_with_atoms():
    h3, other = REGIONS.index("H3"), REGIONS.index("H2")
    region = np.array([other, h3, h3, h3], dtype=np.uint8)
    assert h3_plddt(np.array([10.0, 80.0, math.nan, 90.0]), region) == 85.0
    assert math.isnan(h3_plddt(np.array([10.0]), region[:1]))


def test_errors_of_an_interface_are_of_pairs_in_contact_in_both_directions():
    errors = errors_of([[1.0, 2.0], [3.0, 4.0]], [[5.0, 6.0], [7.0, 8.0]])
    pairs = np.array([[0, 1], [0, 1], [1, 0]])
    assert interface_pae(errors, pairs) == (2.0 + 7.0 + 3.0 + 6.0) / 4


def test_iptm_of_the_best_pair_in_the_better_direction():
    iptm = np.array([[0.9, 0.8, 0.3], [0.7, 0.9, math.nan], [0.4, 0.6, 0.9]])
    assert chain_pair_iptm(iptm, np.array([0, 1]), np.array([2])) == 0.6
    assert chain_pair_iptm(iptm, np.array([0]), np.array([2])) == 0.4
    assert math.isnan(chain_pair_iptm(np.full((2, 2), math.nan), np.array([0]), np.array([1])))
