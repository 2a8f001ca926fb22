"""`status` on folders as jobs leave them, without a Slurm."""

import json
import os
import re

import psutil
import pytest

from stagea_mpi.errors import RunFolderError
from stagea_mpi.rundir.folders import RunFolder
from stagea_mpi.rundir.lock import SILENCE_LIMIT, ShardLock
from stagea_mpi.rundir.sharding import ensure_shard_plan
from stagea_mpi.slurm.status import read_status, table


@pytest.fixture
def folder(poses, config_for, tmp_path) -> RunFolder:
    """A run of three shards that nobody has begun."""
    config = config_for(poses, min_per_shard=1, max_per_shard=2)
    ensure_shard_plan(RunFolder(config.run_root), config, False)
    return RunFolder(config.run_root)


def at_work(folder: RunFolder, index: int, **progress) -> None:
    """Leaves a shard as a rank of this process has it in hand."""
    shard = folder.shard(index)
    shard.path.mkdir(parents=True)
    ShardLock(shard.path).acquire()
    state = {
        "stage": "graphs",
        "n_models": 2,
        "taken": 1,
        "failed": 0,
        "job_id": "7_0",
        "node": "n1",
        "pid": os.getpid(),
    }
    times = {"started": "2026-01-01T00:00:00+00:00", "updated": "2026-01-01T00:00:02+00:00"}
    shard.progress.write_text(json.dumps({**state, **times, **progress}))


def test_a_run_that_nobody_has_begun_waits(folder):
    total = read_status(folder)["total"]

    assert total["shards"] == {"waiting": 3}
    assert (total["n_models"], total["done"], total["rate"], total["left_s"]) == (6, 0, 0, None)


def test_a_shard_at_work_tells_rate_time_left_job_and_node(folder):
    at_work(folder, 1)

    status = read_status(folder)

    shard = status["shards"][1]
    assert (shard["state"], shard["done"], shard["rate"], shard["left_s"]) == ("graphs", 1, 0.5, 2.0)
    assert (shard["job_id"], shard["node"]) == ("7_0", "n1")
    assert shard["last_sign_s"] < SILENCE_LIMIT
    assert status["total"]["left_s"] == 10.0  # five models of six at one in two seconds
    assert re.search(r"shard_000001 +graphs +2 +1 +0 +0\.5 +2 s +7_0 +n1", table(status))


def test_a_shard_whose_process_is_dead_is_gone(folder):
    at_work(folder, 0)
    lock = folder.shard(0).path / ".lock"
    holder = json.loads(lock.read_text())
    lock.write_text(json.dumps({**holder, "started": psutil.Process().create_time() - 1000}))  # of a process before

    status = read_status(folder)

    assert status["shards"][0]["state"] == "gone"
    assert status["total"]["rate"] == 0
    assert "the same command once more" in table(status)


def test_a_shard_of_another_host_is_gone_when_it_has_long_been_silent(folder):
    for index, silence in enumerate((60, 1000)):
        at_work(folder, index, pid=1)
        lock = folder.shard(index).path / ".lock"
        lock.write_text(json.dumps({"host": "elsewhere", "pid": 1, "job_id": ""}))
        now = lock.stat().st_mtime
        os.utime(lock, (now - silence, now - silence))

    states = [shard["state"] for shard in read_status(folder)["shards"]]

    assert states == ["graphs", "gone", "waiting"]


def test_progress_of_an_earlier_start_is_not_taken_for_that_of_this_one(folder):
    at_work(folder, 0, pid=1, taken=2)

    shard = read_status(folder)["shards"][0]

    assert (shard["state"], shard["done"]) == ("reading", 0)


def test_a_folder_that_is_no_run_says_so(tmp_path):
    with pytest.raises(RunFolderError, match="not the folder of a run"):
        read_status(RunFolder(tmp_path))


def test_a_finished_run_needs_no_queue(folder, poses, run_yaml, launch):
    done = launch(0, "run", run_yaml(poses, min_per_shard=1, max_per_shard=2))
    assert done.returncode == 0, done.stdout

    status = read_status(folder)

    assert status["total"]["shards"] == {"done": 3}
    assert status["total"]["done"] + status["total"]["failed"] == 6
    assert all(shard["rate"] > 0 and shard["node"] for shard in status["shards"])
    watched = launch(0, "status", folder.root, "--watch")
    assert watched.returncode == 0
    assert "3 shards (3 done)" in watched.stdout


def test_array_tasks_take_the_list_of_files_that_submit_has_made(folder, config_for, poses):
    """A million files take minutes to list; other settings are found out without."""
    config = config_for(poses, min_per_shard=1, max_per_shard=2)
    other = config_for(poses, min_per_shard=1, max_per_shard=3)
    folder.shard(0).list_path.write_text("a list that shows whether it has been written anew\n")

    assert ensure_shard_plan(folder, config, False, trust_list=True).params["n_shards"] == 3
    assert "a list" in folder.shard(0).list_path.read_text()
    with pytest.raises(RunFolderError, match="max_per_shard was 2, is 3"):
        ensure_shard_plan(folder, other, False, trust_list=True)
