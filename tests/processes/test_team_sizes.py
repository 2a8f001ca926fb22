"""How many ranks a team has, on nodes that are made up."""

import heapq
from dataclasses import replace
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stagea_mpi.mpi.team_sizes import SAFETY, USUAL_COSTS, TeamCosts, sizes_of_teams, teams_of_nodes

NODES = st.lists(st.integers(1, 128), min_size=1, max_size=12)
COSTS = st.builds(TeamCosts, st.floats(1e-4, 1.0), st.floats(0.0, 10.0))
LARGE_SHARDS = replace(USUAL_COSTS, models=1000)


def sizes(nodes, counts) -> list[int]:
    return [size for ranks, count in zip(nodes, counts, strict=True) for size in sizes_of_teams(ranks, count)]


def seconds(teams: list[int], n_shards: int, costs: TeamCosts) -> float:
    """When the last of equal shards is done, by models of a shard, of which there are a hundred: each team takes the
    next as it becomes free, waits for a model's time for its slowest rank, and has its last shard finished by one.
    """
    paces = [
        max(SAFETY * costs.first_s, (costs.any_s + costs.first_s) / ranks) + costs.any_s * (ranks - 1) / ranks / 100
        for ranks in teams
    ]
    ends = [(pace, pace) for pace in paces]  # when a team would be done with one more shard
    heapq.heapify(ends)
    end = 0.0
    for _ in range(n_shards):
        end, pace = heapq.heappop(ends)
        heapq.heappush(ends, (end + pace, pace))
    return end + costs.first_s * (max(teams) > 1)


@given(NODES, st.integers(0, 5000), COSTS)
def test_teams_stay_on_their_nodes_and_there_are_no_more_than_shards(nodes, n_shards, costs):
    counts = teams_of_nodes(nodes, n_shards, costs)
    assert all(1 <= count <= ranks for count, ranks in zip(counts, nodes, strict=True))
    assert sum(counts) <= max(n_shards, len(nodes))


@given(st.integers(1, 500), st.data())
def test_teams_of_a_node_differ_by_one_rank_at_most(ranks, data):
    teams = sizes_of_teams(ranks, data.draw(st.integers(1, ranks)))
    assert sum(teams) == ranks
    assert max(teams) - min(teams) <= 1


@given(st.lists(st.integers(1, 6), min_size=1, max_size=2), st.integers(1, 30), COSTS)
def test_no_other_division_of_the_nodes_is_done_much_earlier(nodes, n_shards, costs):
    chosen = seconds(sizes(nodes, teams_of_nodes(nodes, n_shards, costs)), n_shards, costs)
    if (
        len(set(nodes)) == 1
    ):  # nodes that differ get teams of one size as far as possible, not the best of all divisions
        others = product(*(range(1, ranks + 1) for ranks in nodes))
        others = [counts for counts in others if max(counts) - min(counts) <= 1 and sum(counts) <= n_shards]
        best = min((seconds(sizes(nodes, counts), n_shards, costs) for counts in others), default=chosen)
        assert chosen <= best * 1.012


@given(NODES, COSTS)
def test_with_many_shards_no_first_rank_is_waited_for(nodes, costs):
    """Then teams lose no more than a little of what their ranks could do."""
    teams = sizes(nodes, teams_of_nodes(nodes, 100_000, costs))
    rate = sum(1 / max(SAFETY * costs.first_s, (costs.any_s + costs.first_s) / ranks) for ranks in teams)
    alone = sum(nodes) / max(SAFETY * costs.first_s, costs.any_s + costs.first_s)
    assert rate >= alone * 0.97


#: By hand, of shards of 100 models with 30 ms and 5 ms: teams of 1, 2, 3 take 35, 17.5 + 0.15, 11.67 + 0.2 ms a model,
#: and those of more than one 5 ms at the end.
@pytest.mark.parametrize(
    ("n_shards", "expected"),
    [
        # 2 rounds of 35 ms, or 4 of 17.65 and 5 ms, 75.6.
        (12, [1] * 6),
        # 3 rounds of 17.65 and 5 ms, 58.0, or 4 of 11.87 and 5 ms, 52.5; one by one 2 rounds, 70.
        (8, [3, 3]),
    ],
)
def test_waits_and_ends_count(n_shards, expected):
    (count,) = teams_of_nodes([6], n_shards, USUAL_COSTS)
    assert sizes_of_teams(6, count) == expected


@pytest.mark.parametrize(
    ("nodes", "n_shards", "costs", "expected"),
    [
        # (30 + 5) / (1.25 · 5) = 5.6 ranks are kept busy, where shards are so large that waits for the slowest are few.
        ([32], 10_000, LARGE_SHARDS, [[5, 5, 5, 5, 4, 4, 4]]),
        ([5], 10_000, LARGE_SHARDS, [[5]]),
        ([10, 5], 10_000, LARGE_SHARDS, [[5, 5], [5]]),
        # Else teams of two lose 0.15 of 17.5 ms, less than a hundredth, and those of three more.
        ([32], 10_000, USUAL_COSTS, [[3, 3] + [2] * 13]),
        ([2], 10_000, USUAL_COSTS, [[2]]),
        # (25 + 3) / (1.25 · 3) = 7.5.
        ([28], 10_000, TeamCosts(0.003, 0.025, models=1000), [[7, 7, 7, 7]]),
        # A single shard has a whole node, and no team is of two nodes.
        ([32], 1, USUAL_COSTS, [[32]]),
        ([32, 32], 1, USUAL_COSTS, [[32], [32]]),
        ([32, 32], 3, USUAL_COSTS, [[16, 16], [32]]),
        # Five shards at once rather than four and then one.
        ([32], 5, USUAL_COSTS, [[7, 7, 6, 6, 6]]),
        # Where the first ranks have all the work, each rank is one, as far as there are shards.
        ([6], 100, TeamCosts(0.005, 0.0), [[1] * 6]),
        ([6], 4, TeamCosts(0.005, 0.0), [[2, 2, 1, 1]]),
        # Where they have next to none, all ranks of a node stay together.
        ([6], 1000, TeamCosts(1e-6, 0.03, models=10_000), [[6]]),
        ([6], 0, USUAL_COSTS, [[6]]),
    ],
)
def test_known_divisions(nodes, n_shards, costs, expected):
    counts = teams_of_nodes(nodes, n_shards, costs)
    assert [sizes_of_teams(ranks, count) for ranks, count in zip(nodes, counts, strict=True)] == expected
