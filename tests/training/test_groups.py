"""Which models stay together, and how groups are shared out."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stagea_mpi.errors import ConfigError
from stagea_mpi.training.groups import clusters_by_identity, shared_out

#: Lysozyme of hen and of man, and ubiquitin, mature.
HEN = (
    "KVFGRCELAAAMKRHGLDNYRGYSLGNWVCAAKFESNFNTQATNRNTDGSTDYGILQINSRWWCN"
    "DGRTPGSRNLCNIPCSALLSSDITASVNCAKKIVSDGNGMNAWVAWRNRCKGTDVQAWIRGCRL"
)
HUMAN = (
    "KVFERCELARTLKRLGMDGYRGISLANWMCLAKWESGYNTRATNYNAGDRSTDYGIFQINSRYWC"
    "NDGKTPGAVNACHLSCSALLQDNIADAVACAKRVVRDPQGIRAWVAWRNRCQNRDVRQYVQGCGV"
)
UBIQUITIN = "MQIFVKTLTGKTITLEVEPSDTIENVKAKIQDKEGIPPDQQRLIFAGKQLEDGRTLSDYNIQKESTLHLVLRLRGG"


def test_lysozymes_of_hen_and_man_are_alike_up_to_their_identity():
    aligned = HEN[:47] + "-" + HEN[47:]  # man's has a residue more in the loop behind Asn46
    identity = sum(a == b for a, b in zip(aligned, HUMAN, strict=True)) / len(HEN)
    assert 0.58 < identity < 0.62
    sequences = [HEN, UBIQUITIN, HUMAN, HEN]
    assert clusters_by_identity(sequences, identity - 0.001).tolist() == [0, 1, 0, 0]
    assert clusters_by_identity(sequences, identity + 0.001).tolist() == [0, 1, 2, 0]


def test_a_part_of_a_protein_is_like_the_whole():
    assert clusters_by_identity([UBIQUITIN, HEN[20:80], HEN], 0.9).tolist() == [0, 1, 1]


def test_residues_without_a_letter_equal_nothing():
    hidden = HEN[:50] + "X" * 30 + HEN[80:]  # equal at 99 of 129 positions
    assert clusters_by_identity([HEN, hidden], 0.76).tolist() == [0, 0]
    assert clusters_by_identity([HEN, hidden], 0.78).tolist() == [0, 1]


def test_what_a_chain_of_pairs_links_is_one_cluster():
    exchanged = str.maketrans("ACDEFGHIKLMNPQRSTVWY", "CDEFGHIKLMNPQRSTVWYA")
    middle = HEN[:100] + HEN[100:].translate(exchanged)  # equal to hen's at 100 of 129
    far = HEN[:71] + HEN[71:100].translate(exchanged) + middle[100:]  # to the middle at 100, to hen's at 71
    assert clusters_by_identity([HEN, far], 0.7).tolist() == [0, 1]
    assert clusters_by_identity([HEN, far, middle], 0.7).tolist() == [0, 0, 0]


@given(
    st.lists(st.integers(0, 12), min_size=3, max_size=80).filter(lambda keys: len(set(keys)) >= 3),
    st.integers(0, 2**32 - 1),
)
def test_no_group_is_in_two_parts_no_part_is_empty_and_nothing_is_lost(keys, seed):
    groups = np.unique(keys, return_inverse=True)[1]
    parts = shared_out(groups, (0.8, 0.1, 0.1), seed)
    assert np.sort(np.concatenate(parts)).tolist() == list(range(len(keys)))
    found = [set(groups[part]) for part in parts]
    assert all(found)
    assert not found[0] & found[1]
    assert not found[0] & found[2]
    assert not found[1] & found[2]
    assert [part.tolist() for part in shared_out(groups, (0.8, 0.1, 0.1), seed)] == [part.tolist() for part in parts]


def test_shares_are_met_where_groups_are_small():
    parts = shared_out(np.arange(1000) // 2, (0.7, 0.2, 0.1), seed=3)
    assert [len(part) for part in parts] == [700, 200, 100]


def test_the_seed_decides_among_groups_of_equal_size():
    first, second = (shared_out(np.arange(100), (0.5, 0.5), seed) for seed in (0, 1))
    assert first[0].tolist() != second[0].tolist()


@pytest.mark.parametrize("fractions", [(0.8, 0.1), (0.5, 0.6), (1.0, 0.0), ()])
def test_shares_that_do_not_make_a_whole_are_refused(fractions):
    with pytest.raises(ConfigError, match="sum is 1"):
        shared_out(np.arange(10), fractions, 0)


def test_fewer_groups_than_parts_are_refused():
    with pytest.raises(ConfigError, match="10 models are in 2 groups, which cannot be shared out into 3 parts"):
        shared_out(np.arange(10) % 2, (0.8, 0.1, 0.1), 0)
