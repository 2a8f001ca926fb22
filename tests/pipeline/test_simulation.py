"""Simulated schedules: against cases by hand, and against laws that hold for all of them. Real runs beside them are
benchmarks (`benchmarks/stretched.py`).
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stagea_mpi.pipeline.forecast import (
    nodes_of,
    team_costs,
    team_sizes,
    useful_ranks,
)
from stagea_mpi.pipeline.simulation import FileSystem, StageCosts, simulate

SECONDS = st.floats(0.0, 10.0)
COSTS = st.builds(
    StageCosts,
    model_s=st.lists(st.floats(0.001, 5.0), min_size=1, max_size=7).map(lambda found: tuple(sorted(found))),
    list_s=SECONDS, write_s=SECONDS, finish_s=SECONDS, open_s=SECONDS, publish_s=SECONDS, finish_shard_s=SECONDS,
)  # fmt: skip
SHARDS = st.lists(st.integers(1, 40), min_size=1, max_size=12)
TEAMS = st.lists(st.integers(1, 6), min_size=1, max_size=6)

#: Of a model 3 s are any rank's and 1 s the first rank's.
PLAIN = StageCosts(model_s=(3.0,), finish_s=1.0)
#: Nothing is asked of a file system, as far as it is not stated.
NOTHING_ASKED = {"model_operations": 0.0, "shard_operations": 0.0, "startup_operations": 0.0}


@pytest.mark.parametrize(
    ("costs", "shards", "teams", "expected"),
    [
        # One rank does one thing after the other: 4 s a model.
        (PLAIN, [5, 2], [1], 28.0),
        # Each team one shard, the larger one first; the last is done after 5 models.
        (PLAIN, [2, 5], [1, 1], 20.0),
        # Of two ranks each takes two of four models, 6 s; then the first one finishes for 4 s, alone.
        (PLAIN, [4], [2], 10.0),
        # Of two such shards the first rank finishes the first one for 4 s, while the other one takes its first model,
        # and at 3 s its second. The first rank's only model lasts from 4 to 7 s, the other's third from 6 to 9 s.
        (PLAIN, [4, 4], [2], 6.0 + 9.0 + 4.0),
        # Reading is dealt out before: three of five models are the first rank's; then 9 s for 3 rounds of models, 5 s.
        (StageCosts(model_s=(3.0,), list_s=2.0, finish_s=1.0), [5], [2], 6.0 + 9.0 + 5.0),
        # What the first rank alone does to a shard, all wait for, but for its end.
        (StageCosts(model_s=(3.0,), open_s=1.0, publish_s=2.0, finish_shard_s=4.0), [2], [2], 1.0 + 3.0 + 2.0 + 4.0),
        # Numbering is once for a team; writing is shared by its ranks.
        (StageCosts(model_s=(3.0,), number_s=7.0, write_s=0.5), [2, 2], [2], 7.0 + 2 * (3.0 + 0.5)),
    ],
)
def test_cases_by_hand(costs, shards, teams, expected):
    assert simulate(costs, shards, teams).build_s == pytest.approx(expected)


def test_after_each_round_all_wait_for_the_slowest():
    """Two ranks hold one graph each: rounds of two models, of which one takes 1 s and the other 3 s."""
    costs = StageCosts(model_s=(1.0, 3.0))
    assert [costs.seconds_of(model) for model in range(4)] == [1.0, 3.0, 1.0, 3.0]
    assert simulate(costs, [4], [2], held=1).build_s == 6.0
    assert simulate(costs, [4], [2], held=2).build_s == 5.0  # 1, 1 and 3 beside 3


@pytest.mark.parametrize(
    ("file_system", "expected"),
    [
        # Two teams want 100 bytes of each of two shards' models at once, of which one a second comes through.
        (FileSystem(bytes_per_s=100.0), [1.0 + 3.0, 2.0 + 3.0]),
        # The same of two operations.
        (FileSystem(operations_per_s=2.0), [1.0 + 3.0, 2.0 + 3.0]),
        # Each waits for its own two answers.
        (FileSystem(latency_s=0.25), [0.5 + 3.0, 0.5 + 3.0]),
    ],
)
def test_what_a_file_system_holds_up(file_system, expected):
    costs = StageCosts(model_s=(3.0,), read_bytes=100.0, **NOTHING_ASKED | {"model_operations": 2.0})
    assert simulate(costs, [1, 1], [1, 1], file_system=file_system).teams_s == pytest.approx(expected)


def test_graphs_pass_the_file_system_while_others_go_on():
    costs = StageCosts(model_s=(3.0,), graphs_bytes=100.0, **NOTHING_ASKED)
    # Each shard's graphs take 5 s: those of the first one hold up the first rank, alone, in the second shard.
    slow = simulate(costs, [1, 1], [1], file_system=FileSystem(bytes_per_s=20.0))
    assert slow.build_s == pytest.approx(3.0 + 5.0 + 3.0 + 5.0)
    beside = simulate(costs, [2, 2], [2], file_system=FileSystem(bytes_per_s=200.0))
    assert beside.build_s == pytest.approx(3.0 + 1.0 + 3.0 + 1.0)


def test_start_up_counts_nodes_and_is_no_part_of_the_build():
    costs = StageCosts(model_s=(3.0,), startup_s=2.0, **NOTHING_ASKED | {"startup_operations": 1000.0})
    schedule = simulate(costs, [1], [1], file_system=FileSystem(operations_per_s=1e4), n_nodes=30)
    assert (schedule.startup_s, schedule.build_s, schedule.wall_s) == (5.0, 3.0, 8.0)


@given(COSTS, SHARDS)
def test_one_rank_is_never_idle(costs, shards):
    schedule = simulate(costs, shards, [1])
    assert schedule.build_s == pytest.approx(schedule.alone_s)
    assert schedule.efficiency == pytest.approx(1.0)


@given(COSTS, SHARDS, TEAMS)
def test_no_run_is_faster_than_its_work_or_slower_than_one_rank(costs, shards, teams):
    schedule = simulate(costs, shards, teams)
    assert schedule.efficiency <= 1.0 + 1e-9
    assert schedule.build_s <= schedule.alone_s * (1.0 + 1e-9)
    assert max(schedule.teams_s) == schedule.build_s
    longest = max(costs.model_s[0], costs.finish_s * max(shards))
    assert schedule.build_s >= longest - 1e-9


@given(COSTS, SHARDS, TEAMS, st.floats(0.01, 100.0))
def test_stretched_costs_stretch_the_run(costs, shards, teams, factor):
    times = {name: factor * getattr(costs, name) for name in vars(costs) if name.endswith("_s") and name != "model_s"}
    stretched = StageCosts(model_s=tuple(factor * seconds for seconds in costs.model_s), **times)
    assert simulate(stretched, shards, teams).build_s == pytest.approx(factor * simulate(costs, shards, teams).build_s)


@given(COSTS, SHARDS, TEAMS)
def test_a_file_system_without_limits_costs_nothing(costs, shards, teams):
    held_up = simulate(costs, shards, teams, file_system=FileSystem(1e18, 1e18, 0.0))
    # Up to the milliseconds to which first ranks' ends are rounded there.
    assert held_up.build_s == pytest.approx(simulate(costs, shards, teams).build_s, abs=1e-3 * len(shards))


@pytest.mark.parametrize(
    ("team", "expected"),
    [("node", [4, 4, 3]), ("world", [11]), (3, [3, 3, 3, 2]), (20, [11]), (1, [1] * 11)],
)
def test_stated_teams(team, expected):
    assert team_sizes([4, 4, 3], team, 100, team_costs(PLAIN, 10)) == expected


def test_nodes_are_as_even_as_can_be():
    assert [nodes_of(ranks, 4) for ranks in (1, 4, 5, 9)] == [[1], [4], [3, 2], [3, 3, 3]]


@pytest.mark.parametrize(
    ("shards", "file_system", "reason"),
    [
        ([100] * 4, FileSystem(), "4 shards are too few for more; make max_per_shard smaller"),
        ([100] * 2000, FileSystem(bytes_per_s=3.2e6), "the file system is busy (0.0032 GB/s and inf"),
        ([1] * 40, FileSystem(), "starting them takes longer than the models"),
    ],
)
def test_why_more_ranks_gain_nothing(shards, file_system, reason):
    costs = StageCosts(model_s=(0.02, 0.03), list_s=0.005, finish_s=0.003, startup_s=2.0, read_bytes=320e3)
    useful = useful_ranks(costs, shards, 16, file_system=file_system)
    assert useful.because.startswith(reason)
    # Twice as many would indeed gain less than a tenth, and half as many would lose more.
    nodes = {ranks: nodes_of(ranks, 16) for ranks in (useful.ranks // 2 or 1, useful.ranks, 2 * useful.ranks)}
    costs_of_teams = team_costs(costs, sum(shards) / len(shards))
    seconds = [
        simulate(costs, shards, team_sizes(n, "auto", len(shards), costs_of_teams), file_system=file_system).wall_s
        for n in nodes.values()
    ]
    assert seconds[-1] > 0.9 * seconds[-2]
    assert len(seconds) == 2 or seconds[-2] <= 0.9 * seconds[0]


def test_as_many_ranks_as_are_looked_at_may_be_of_use():
    useful = useful_ranks(StageCosts(model_s=(1000.0,)), [100] * 20_000, 128, team=1)
    assert (useful.ranks, useful.because) == (16384, "")
