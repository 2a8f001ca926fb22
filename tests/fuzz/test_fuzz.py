"""The short form of `make fuzz`: the same cases every time."""

import pytest
from fuzz.cases import Pipeline, explained, mutated, shipped_sources
from fuzz.rewriting import Comparison, is_kept

#: Cases of one test; more than a few thousand have been looked at by `make fuzz`.
_CASES, _BATCHES = 12, 6


@pytest.fixture(scope="module")
def pipeline():
    return Pipeline()


@pytest.fixture(scope="module")
def sources():
    return shipped_sources()


@pytest.mark.parametrize("batch", range(_BATCHES))
def test_a_mutated_file_gives_a_graph_or_says_what_is_wrong(batch, pipeline, sources, tmp_path):
    for seed in range(batch * _CASES, (batch + 1) * _CASES):
        name, content, chains = mutated(seed, sources)
        path = tmp_path / name
        path.write_bytes(content)
        outcomes = pipeline.outcomes(path, chains)
        assert explained(outcomes), f"seed {seed}, {name}: {outcomes}"


@pytest.mark.parametrize("batch", range(_BATCHES // 2))
def test_a_file_that_says_the_same_in_other_words_gives_the_same_graph_or_a_reason(batch, pipeline, sources, tmp_path):
    comparison = Comparison(pipeline, tmp_path)
    for seed in range(batch * _CASES, (batch + 1) * _CASES):
        outcomes = comparison.outcomes(seed, sources)
        assert is_kept(outcomes), f"seed {seed}: {outcomes}"
