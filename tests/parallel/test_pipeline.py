import dataclasses
import json
import os

import pytest

from stagea_mpi.demo.poses import COMPLEXES, write_poses
from stagea_mpi.mpi.guard import StopRequest
from stagea_mpi.mpi.teams import SerialComm
from stagea_mpi.pipeline.context import Options
from stagea_mpi.pipeline.run import run
from stagea_mpi.pipeline.team import Team
from stagea_mpi.pipeline.team_choice import chosen_teams
from stagea_mpi.rundir.folders import RunFolder

pytestmark = pytest.mark.mpi


@pytest.fixture
def input_folder(comm, shared_tmp_path):
    """Five poses of which one touches nothing and one is damaged, made by the first rank."""
    folder = shared_tmp_path / "poses"
    if comm.rank == 0:
        write_poses(folder, COMPLEXES["7DAA"], 4, seed=5)
        text = (folder / "pose_0001.pdb").read_text()
        (folder / "damaged.pdb").write_text(text.replace("ATOM  ", "ATOM  ", 1).replace(" 11.", "  x.", 40))
        (folder / "no_antigen.pdb").write_text("\n".join(line for line in text.splitlines() if line[21:22] != "A"))
    comm.barrier()
    return folder


def published(config) -> dict[str, bytes]:
    names = ("graphs.h5", "failures.tsv", "manifest.tsv.gz")
    return {
        f"{p.parent.name}/{p.name}": p.read_bytes() for name in names for p in config.run_root.glob(f"shards/*/{name}")
    }


def run_both(comm, shared_tmp_path, input_folder, config_for, **stage_a):
    """Runs on all ranks together and on the first rank alone; what each published, on the first rank."""
    stage_a = {"max_failed_fraction": 1.0, **stage_a}
    together = config_for(input_folder, shared_tmp_path / "together", **stage_a)
    summary = run(comm, together, Options(), StopRequest())
    if comm.rank != 0:
        return None, None, None
    alone = config_for(input_folder, shared_tmp_path / "alone", **stage_a)
    run(SerialComm(), alone, Options(), StopRequest())
    return summary, published(together), published(alone)


def test_all_ranks_together_publish_what_one_rank_does(comm, shared_tmp_path, input_folder, config_for):
    summary, together, alone = run_both(comm, shared_tmp_path, input_folder, config_for)
    if comm.rank == 0:
        assert together == alone
        assert summary.exit_code == 0
        assert "no_antigen\t" in together["shard_000000/failures.tsv"].decode()
        assert summary.outcomes[0].n_models == 6


def test_a_queue_of_one_graph_makes_several_rounds_and_the_same_files(comm, shared_tmp_path, input_folder, config_for):
    _, together, alone = run_both(comm, shared_tmp_path, input_folder, config_for, graph_result_queue_maxsize=1)
    if comm.rank == 0:
        assert together == alone


def test_more_ranks_than_models_is_no_problem(comm, shared_tmp_path, input_folder, config_for):
    _, together, alone = run_both(comm, shared_tmp_path, input_folder, config_for, glob=("pose_0001.pdb",))
    if comm.rank == 0:
        assert together == alone


def test_several_shards_and_several_teams_publish_what_one_rank_does(comm, shared_tmp_path, input_folder, config_for):
    _, together, alone = run_both(
        comm,
        shared_tmp_path,
        input_folder,
        config_for,
        max_per_shard=2,
        min_per_shard=1,
        team=1,
        graph_result_queue_maxsize=100,
    )
    if comm.rank == 0:
        assert len(together) == 9
        assert together == alone


@pytest.mark.parametrize(("team", "nodes"), [("auto", 1), ("auto", 2), ("world", 2)])
def test_files_are_the_same_however_ranks_are_divided(
    comm, shared_tmp_path, input_folder, config_for, monkeypatch, team, nodes
):
    monkeypatch.setenv("SLURMD_NODENAME", f"n{comm.rank % nodes}")
    # The last shard has one model: with four ranks, one is without a shard at the end.
    _, together, alone = run_both(
        comm, shared_tmp_path, input_folder, config_for, max_per_shard=3, min_per_shard=1, team=team
    )
    if comm.rank == 0:
        assert len(together) == 6
        assert together == alone


def test_the_choice_of_teams_is_one_for_all_ranks(comm, shared_tmp_path, monkeypatch):
    monkeypatch.setenv("SLURMD_NODENAME", f"n{comm.rank % 2}")
    teams = chosen_teams(
        comm, RunFolder(shared_tmp_path / "nothing"), range(1000), phase="full", force=False, models_a_shard=100
    )
    # Two ranks of a node are not more than its first one keeps up with.
    assert comm.allgather(teams) == [[rank % 2 for rank in range(comm.size)]] * comm.size


def test_a_team_without_a_shard_ends_with_the_others(comm, shared_tmp_path, input_folder, config_for):
    """There is one shard, and each rank is a team."""
    summary, together, alone = run_both(comm, shared_tmp_path, input_folder, config_for, team=1)
    if comm.rank == 0:
        assert [outcome.shard for outcome in summary.outcomes] == [0]
        assert together == alone


def test_teams_take_the_largest_shards_first(comm, shared_tmp_path, input_folder, config_for, monkeypatch):
    """The first team alone takes them: three of two files each, of which the second has the most bytes."""
    if comm.rank == 0:
        second = sorted(input_folder.iterdir())[2]
        second.write_text(second.read_text() + "REMARK\n" * 100_000)
    taken = []
    monkeypatch.setattr(Team, "work", lambda self, shards: [taken.append(shard) for shard in shards] and [])
    config = config_for(input_folder, shared_tmp_path / "sizes", max_per_shard=2, min_per_shard=1, team=1)
    run(comm, config, Options(), StopRequest())
    sizes = {
        shard: sum(os.stat(path).st_size for path in RunFolder(config.run_root).shard(shard).inputs())
        for shard in taken
    }
    assert taken == sorted(taken, key=lambda shard: -sizes[shard])
    by_rank = comm.allgather(taken)
    assert sorted(sum(by_rank, [])) == [0, 1, 2]
    assert 1 in [shards[0] for shards in by_rank if shards]


def test_a_second_run_computes_nothing(comm, shared_tmp_path, input_folder, config_for):
    config = config_for(input_folder, shared_tmp_path / "run", max_failed_fraction=1.0)
    run(comm, config, Options(), StopRequest())
    summary = run(comm, config, Options(), StopRequest())
    if comm.rank == 0:
        assert [outcome.action for outcome in summary.outcomes] == ["skipped"]


def test_prepared_graphs_are_clustered_without_reading_the_input(comm, shared_tmp_path, input_folder, config_for):
    config = config_for(input_folder, shared_tmp_path / "split", max_failed_fraction=1.0)
    run(comm, dataclasses.replace(config, phase="prep_graphs"), Options(), StopRequest())
    if comm.rank == 0:
        for path in input_folder.iterdir():
            path.write_text("")
    comm.barrier()
    summary = run(comm, dataclasses.replace(config, phase="cluster_only"), Options(), StopRequest())
    if comm.rank == 0:
        assert [outcome.action for outcome in summary.outcomes] == ["clustered"]
        assert (config.run_root / "shards/shard_000000/STAGEA_DONE").exists()


@pytest.mark.parametrize("team", ["auto", 2])
def test_each_rank_clusters_shards_of_its_own(comm, shared_tmp_path, input_folder, config_for, team):
    cut = {"max_failed_fraction": 1.0, "max_per_shard": 1, "min_per_shard": 1}
    config = config_for(input_folder, shared_tmp_path / "split", team=team, **cut)
    run(comm, dataclasses.replace(config, phase="prep_graphs"), Options(), StopRequest())
    summary = run(comm, dataclasses.replace(config, phase="cluster_only"), Options(), StopRequest())
    if comm.rank == 0:
        assert [outcome.action for outcome in summary.outcomes] == ["clustered"] * 6
        starts = [
            line
            for path in (config.run_root / "telemetry").iterdir()
            for line in map(json.loads, filter(None, path.read_text().splitlines()))
            if line["stage"] == "start" and line["phase"] == "cluster_only"
        ]
        assert [line["teams"] for line in starts] == [comm.size] * comm.size
        alone = config_for(input_folder, shared_tmp_path / "alone", **cut)
        run(SerialComm(), alone, Options(), StopRequest())
        assert published(config) == published(alone)
