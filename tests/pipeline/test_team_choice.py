"""`team: auto` by what a run folder says."""

import logging
import shutil

import h5py
import pytest

from stagea_mpi.antibody.complexes import Chains
from stagea_mpi.config.run_config import RunConfig, StageA
from stagea_mpi.mpi.guard import StopRequest
from stagea_mpi.mpi.team_sizes import USUAL_COSTS, TeamCosts
from stagea_mpi.mpi.teams import SerialComm
from stagea_mpi.pipeline import team_choice
from stagea_mpi.pipeline.context import Options
from stagea_mpi.pipeline.run import run
from stagea_mpi.pipeline.team_choice import Survey, choose, chosen_teams, measured_costs, survey
from stagea_mpi.rundir.folders import DONE, GRAPHS_DONE, RunFolder, write_together
from stagea_mpi.rundir.shard_meta import ShardMeta


@pytest.fixture
def folder(tmp_path) -> RunFolder:
    """Six shards: two done, one with its graphs."""
    folder = RunFolder(tmp_path / "run")
    for index, markers in enumerate([(GRAPHS_DONE, DONE), (GRAPHS_DONE,), (), (GRAPHS_DONE, DONE), (), ()]):
        folder.shard(index).path.mkdir(parents=True)
        for marker in markers:
            write_together(folder.shard(index).marks(marker))
    return folder


@pytest.fixture(scope="module")
def finished(poses, tmp_path_factory) -> RunFolder:
    """A run of six poses in two shards, on one rank."""
    root, stage = tmp_path_factory.mktemp("finished") / "run", StageA(max_per_shard=3, min_per_shard=1)
    run(SerialComm(), RunConfig(root, poses, Chains("H", "L", ("A",)), stage), Options(), StopRequest())
    return RunFolder(root)


def test_what_is_done_depends_on_the_phase(folder):
    assert survey(folder, range(6), "full") == Survey(6, 4, 1, [0, 3])
    assert survey(folder, range(6), "prep_graphs") == Survey(6, 3, 0, [0, 1, 3])
    assert survey(folder, [4, 5], "full") == Survey(2, 2, 0, [])


def test_a_few_of_many_done_shards_are_named(folder):
    for index in range(6):
        write_together(folder.shard(index).marks(DONE))
    assert survey(folder, range(6), "full").done == [0, 1, 3, 4]


def test_what_is_left_to_first_ranks_alone_makes_smaller_teams(folder):
    """Graphs of an earlier phase are only to be finished."""
    assert choose(folder, [8], [Survey(50, 50, 0, []), Survey(50, 50, 0, [])]).counts == [4]
    all_built = choose(folder, [8], [Survey(100, 100, 100, [])])
    assert (all_built.counts, all_built.costs.any_s) == ([8], 0.0)
    half_built = choose(folder, [8], [Survey(50, 50, 50, []), Survey(50, 50, 0, [])])
    assert half_built.costs.any_s == USUAL_COSTS.any_s / 2


def test_forced_shards_count_as_not_done(folder):
    surveys = [survey(folder, range(6), "full")]
    assert choose(folder, [8], surveys).n_shards == 4
    forced = choose(folder, [8], surveys, force=True)
    assert (forced.n_shards, forced.costs) == (6, USUAL_COSTS)


@pytest.fixture
def timed(finished, tmp_path) -> RunFolder:
    """The run with other seconds: of three models each, 0.6 s and 1.2 s are those of finishing, 3 s those of graphs."""
    shutil.copytree(finished.root, tmp_path / "timed")
    folder = RunFolder(tmp_path / "timed")
    for index, wall_s in enumerate([2.6, 3.2]):
        shard = folder.shard(index)
        meta = ShardMeta.read(shard)
        meta.wall_s, meta.result.prep_s, meta.result.annotate_s, meta.result.graphs_s = wall_s, 0.25, 0.75, 1.0
        meta.write(shard)
        with h5py.File(shard.packed, "r+") as packed:
            packed["model/seconds"][...] = 0.0
            packed["model/seconds"][:, :2] = 0.5
    return folder


def test_costs_are_those_of_finished_shards(timed):
    """What a shard took beside looking, numbering and building is its first rank's; the median of the shards counts."""
    costs = measured_costs([timed.shard(0), timed.shard(1)])
    assert costs.measured_on == 2
    assert (costs.first_s, costs.any_s) == (pytest.approx((0.6 / 3 + 1.2 / 3) / 2), pytest.approx(1.0))
    assert choose(timed, [8], [survey(timed, range(2), "full")], force=True).costs == costs


@pytest.mark.parametrize("damage", ["meta_stageA.json", "packed.h5"])
def test_a_damaged_shard_tells_nothing(timed, damage):
    (timed.shard(0).path / damage).write_bytes(b"{}")
    assert measured_costs([timed.shard(0)]) is None
    assert measured_costs([timed.shard(0), timed.shard(1)]).first_s == pytest.approx(0.4)


def test_the_choice_is_one_line(folder):
    choice = team_choice.TeamChoice([32, 32, 32, 32], [4, 4, 4, 4], 200, TeamCosts(0.003, 0.025))
    assert str(choice) == (
        "teams of 8 of 32 ranks on each of 4 nodes: a model costs rank 0 3 ms and the others 25 ms "
        "(a rule, nothing is measured yet); shards to do: 200"
    )
    uneven = team_choice.TeamChoice([7, 4], [2, 1], 12, TeamCosts(0.0121, 0.125, 1))
    assert str(uneven) == (
        "teams of 3 to 4 of 4 to 7 ranks on each of 2 nodes: a model costs rank 0 12 ms and the others 125 ms "
        "(measured on 1 shard); shards to do: 12"
    )


class ManyRanks(SerialComm):
    """What rank 0 of several ranks finds, whose nodes are made up, and which all see the same."""

    def __init__(self, nodes: list[str]):
        self.size, self._nodes = len(nodes), nodes

    def allgather(self, value):
        return self._nodes if isinstance(value, str) else [value] * self.size


def test_ranks_of_a_node_that_follow_each_other_are_a_team(folder, caplog):
    comm = ManyRanks(["n1", "n2"] * 8)  # as a launcher places ranks in turn
    shards = [2] * 100 * 16  # of which rank 0 looks at a hundred that are not done
    with caplog.at_level(logging.INFO):
        teams = chosen_teams(comm, folder, shards, phase="full", force=False, models_a_shard=100)
    assert teams == [0, 2] * 4 + [1, 3] * 4
    assert "teams of 4 of 8 ranks on each of 2 nodes" in caplog.text
