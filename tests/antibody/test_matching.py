import numpy as np
import pytest

from stagea_mpi.antibody.matching import MOST_ASSIGNMENTS, assignments, match_residues

PROTEIN = "MKTAYIAKQRQISFVKSHFSRQLEERLGLIEVQAPILSRVGDGTQDNLSGAEKAVQVKVK"


def places(one, other):
    return [tuple(pair) for pair in match_residues(one, other).equal.tolist()]


def test_equal_sequences_match_residue_by_residue():
    assert places(PROTEIN, PROTEIN) == [(k, k) for k in range(len(PROTEIN))]


def test_missing_ends_and_loops_shift_what_follows():
    own = PROTEIN[4:20] + PROTEIN[27:-3]
    assert places(own, PROTEIN) == [(k, k + 4 if k < 16 else k + 11) for k in range(len(own))]
    assert places(PROTEIN, own) == [(k + 4 if k < 16 else k + 11, k) for k in range(len(own))]


def test_a_mutated_residue_is_aligned_but_not_equal():
    own = PROTEIN[:30] + "W" + PROTEIN[31:]
    found = match_residues(own, PROTEIN)
    assert found.other.tolist() == [[30, 30]]
    assert [30, 30] not in found.equal.tolist()
    assert len(found.equal) == len(PROTEIN) - 1


def test_nothing_matches_an_empty_sequence():
    assert places("", PROTEIN) == []
    assert not match_residues("", PROTEIN).is_same


@pytest.mark.parametrize(
    ("own", "is_same"),
    [
        (PROTEIN[5:-5], True),
        (PROTEIN[:25] + "WWW" + PROTEIN[28:], True),  # 3 of 60
        ("".join(c if k % 7 else "W" for k, c in enumerate(PROTEIN)), False),  # 9 of 60
        (PROTEIN[::-1], False),
        (PROTEIN[:20] + "GGSGG" * 10, False),  # of 60 only 20 are the same protein's
    ],
)
def test_a_few_mutations_are_the_same_protein_and_many_are_not(own, is_same):
    assert match_residues(own, PROTEIN).is_same is is_same


def test_only_a_part_can_be_looked_at():
    own = PROTEIN[:30] + "W" * 30
    assert not match_residues(own, PROTEIN).is_same
    assert match_residues(own, PROTEIN).within(0, 30).is_same


def test_two_copies_are_assigned_in_both_ways_and_another_chain_in_one():
    fits = np.array([[1, 0, 1], [0, 1, 0], [1, 0, 1]], dtype=bool)
    assert sorted(assignments(fits)) == [(0, 1, 2), (2, 1, 0)]


@pytest.mark.parametrize(("n", "m", "ways"), [(1, 3, 3), (3, 1, 3), (2, 3, 6), (3, 3, 6), (5, 5, 120)])
def test_as_many_copies_as_possible_are_assigned(n, m, ways):
    found = assignments(np.ones((n, m), dtype=bool))
    assert len(set(found)) == ways
    for way in found:
        taken = [own for own in way if own >= 0]
        assert len(taken) == len(set(taken)) == min(n, m)


def test_too_many_ways_are_counted_instead():
    assert MOST_ASSIGNMENTS < 720
    assert assignments(np.ones((6, 6), dtype=bool)) == 720


def test_chains_without_a_partner_stay_without():
    assert assignments(np.array([[0, 0], [0, 1]], dtype=bool)) == [(-1, 1)]
