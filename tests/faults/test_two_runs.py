"""Two runs at once on one run folder."""

import os
import signal
import time

import pytest
from holding import Hold
from launching import write_run_yaml

from stagea_mpi.rundir.lock import SILENCE_LIMIT

from .victims import LONG, SETTINGS, Victim, check_what_is_there, left_behind, published


@pytest.mark.parametrize("delay", [0.0, 0.3, 1.5] if LONG else [0.0])
@pytest.mark.parametrize("ranks", [(1, 1), (2, 2), (2, 1)] if LONG else [(1, 1)])
def test_two_runs_started_together_write_no_shard_twice(ranks, delay, poses, tmp_path, undisturbed):
    path = write_run_yaml(tmp_path / "run.yaml", poses, **SETTINGS)
    first = Victim(ranks[0], "run", path)
    time.sleep(delay)
    second = Victim(ranks[1], "run", path)
    codes = [first.wait(), second.wait()]
    root = path.with_suffix("")
    output = f"{first.output}\n{second.output}"
    assert set(codes) <= {0, 1}, output
    for run, code in ((first, codes[0]), (second, codes[1])):
        assert (code == 1) == ("is being written by process" in run.output), output
    last = Victim(2, "run", path)
    assert last.wait() == 0, last.output
    assert published(root) == undisturbed
    assert check_what_is_there(root) == 0
    assert not left_behind(root)


@pytest.mark.usefixtures("other_hosts")
@pytest.mark.parametrize("ranks", [(0, 0), (2, 2)] if LONG else [(0, 0)])
def test_two_hosts_write_no_shard_twice(ranks, poses, tmp_path, undisturbed):
    path = write_run_yaml(tmp_path / "run.yaml", poses, **SETTINGS)
    root = path.with_suffix("")
    hold = Hold(tmp_path / "held")
    first = Victim(ranks[0], f"held {hold.folder}", "run", path, module="tests.launched.broken_rank", host="node1")
    hold.wait(context=lambda: first.output)
    second = Victim(ranks[1], "run", path, host="node2")
    assert second.wait() == 1, second.output
    assert "is being written by process" in second.output
    assert "on node1" in second.output
    hold.let_go()
    assert first.wait() == 0, first.output
    last = Victim(2, "run", path)
    assert last.wait() == 0, last.output
    assert published(root) == undisturbed
    assert not left_behind(root)


@pytest.mark.usefixtures("other_hosts")
@pytest.mark.skipif(not LONG, reason="a silent holder is watched for half a minute; `make faults` has it")
def test_a_host_that_died_is_replaced_by_another_when_it_has_been_silent(poses, tmp_path, undisturbed):
    path = write_run_yaml(tmp_path / "run.yaml", poses, **SETTINGS)
    root = path.with_suffix("")
    lock = root / "shards/shard_000000/.lock"
    hold = Hold(tmp_path / "held")
    dead = Victim(0, f"held {hold.folder}", "run", path, module="tests.launched.broken_rank", host="node1")
    hold.wait(context=lambda: dead.output)
    dead.end()
    early = Victim(0, "run", path, host="node2")
    assert early.wait() == 1, early.output
    assert "on node1" in early.output
    os.utime(lock, (time.time() - SILENCE_LIMIT - 60,) * 2)
    later = Victim(0, "run", path, host="node2")
    assert later.wait() == 0, later.output
    assert published(root) == undisturbed
    assert not left_behind(root)


def test_a_run_that_slept_while_another_took_its_shard_over_publishes_nothing(poses, tmp_path, undisturbed):
    path = write_run_yaml(tmp_path / "run.yaml", poses, **SETTINGS)
    root = path.with_suffix("")
    hold = Hold(tmp_path / "held")
    sleeper = Victim(0, f"held {hold.folder}", "run", path, module="tests.launched.broken_rank")
    lock = root / "shards/shard_000000/.lock"
    hold.wait(context=lambda: sleeper.output)
    os.kill(sleeper.process.pid, signal.SIGSTOP)
    lock.unlink()  # as one does who finds it dead
    other = Victim(1, "run", path)
    assert other.wait() == 0, other.output
    times = {file: file.stat().st_mtime_ns for file in root.glob("shards/*/*")}
    hold.let_go()
    os.kill(sleeper.process.pid, signal.SIGCONT)
    assert sleeper.wait() == 1, sleeper.output
    assert "is no longer held by this process" in sleeper.output
    now = {file: file.stat().st_mtime_ns for file in root.glob("shards/*/*") if file.name != "progress.json"}
    assert now == times
    assert published(root) == undisturbed
