import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stagea_mpi.rundir.checksums import checksummed, checksummed_text, verified, verified_text

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


def test_the_seal_is_the_sha256_of_what_stands_before():
    text = "2026-11-25 shard_000001\n"
    assert checksummed_text(text, "# ") == f"{text}# sha256 {hashlib.sha256(text.encode()).hexdigest()}\n"
    expected = hashlib.sha256(b'{"a": [1, 2.5], "b": null}').hexdigest()
    assert checksummed({"b": None, "a": [1, 2.5]}) == {"b": None, "a": [1, 2.5], "sha256": expected}


@given(st.dictionaries(st.text().filter(lambda key: key != "sha256"), VALUES))
def test_values_come_back_through_json_as_they_were(values):
    assert verified(json.loads(json.dumps(checksummed(values)))) == values


@given(st.text(), st.integers(min_value=0), st.sampled_from("x0\n"))
def test_a_text_comes_back_as_it_was_and_a_changed_one_does_not(text, place, letter):
    whole = checksummed_text(text)
    assert verified_text(whole) == text
    place %= len(whole)
    if whole[place] != letter:
        assert verified_text(whole[:place] + letter + whole[place + 1 :]) is None
    assert verified_text(whole[:place]) is None


@pytest.mark.parametrize("values", [None, [], {}, {"a": 1}, {"a": 1, "sha256": "0"}, {**checksummed({"a": 1}), "a": 2}])
def test_values_without_a_seal_or_with_a_wrong_one_are_none(values):
    assert verified(values) is None
