"""Two runs at once on one run folder."""

import json
import os
import signal
import time

import pytest
from launching import write_run_yaml

from stagea_mpi.store.rundir import RunFolder

from .victims import LONG, SETTINGS, Victim, check_what_is_there, left_behind, published


@pytest.mark.parametrize("delay", [0.0, 0.3, 1.5] if LONG else [0.0])
@pytest.mark.parametrize("ranks", [(1, 1), (2, 2), (2, 1)] if LONG else [(1, 1)])
def test_two_runs_started_together_write_no_shard_twice(ranks, delay, poses, tmp_path, undisturbed):
    path = write_run_yaml(tmp_path / "run.yaml", poses, **SETTINGS)
    first = Victim(ranks[0], "run", path)
    time.sleep(delay)
    second = Victim(ranks[1], "run", path)
    codes = [first.wait(120), second.wait(120)]
    root = path.with_suffix("")
    output = f"{first.output}\n{second.output}"
    assert set(codes) <= {0, 1}, output
    for run, code in ((first, codes[0]), (second, codes[1])):
        assert (code == 1) == ("is being written by process" in run.output), output
    last = Victim(2, "run", path)
    assert last.wait(120) == 0, last.output
    assert published(root) == undisturbed
    assert check_what_is_there(root) == 0
    assert not left_behind(root)


def test_a_run_on_another_host_that_gives_signs_of_life_is_left_alone(poses, tmp_path):
    path = write_run_yaml(tmp_path / "run.yaml", poses, **SETTINGS)
    shard = RunFolder(path.with_suffix("")).shard(1)
    shard.path.mkdir(parents=True)
    (shard.path / ".lock").write_text(json.dumps({"host": "elsewhere", "pid": 1, "since": "today"}))
    run = Victim(2, "run", path)
    assert run.wait(90) == 1, run.output
    assert "is being written by process 1 on elsewhere" in run.output
    assert "4 of 4 models are in" in run.output
    assert not shard.packed.exists()


def test_a_run_that_slept_while_another_took_its_shard_over_publishes_nothing(poses, tmp_path, undisturbed):
    path = write_run_yaml(tmp_path / "run.yaml", poses, **SETTINGS)
    root = path.with_suffix("")
    sleeper = Victim(0, "slow", "run", path, module="tests.launched.broken_rank")
    lock = root / "shards/shard_000000/.lock"
    end = time.monotonic() + 60
    while not (root / "shards/shard_000000/progress.json").exists():
        assert time.monotonic() < end, sleeper.output
        time.sleep(0.01)
    os.kill(sleeper.process.pid, signal.SIGSTOP)
    lock.unlink()  # as one does who finds it dead
    other = Victim(1, "run", path)
    assert other.wait(90) == 0, other.output
    times = {file: file.stat().st_mtime_ns for file in root.glob("shards/*/*")}
    os.kill(sleeper.process.pid, signal.SIGCONT)
    assert sleeper.wait(90) == 1, sleeper.output
    assert "is no longer held by this process" in sleeper.output
    now = {file: file.stat().st_mtime_ns for file in root.glob("shards/*/*") if file.name != "progress.json"}
    assert now == times
    assert published(root) == undisturbed
