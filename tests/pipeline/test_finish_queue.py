"""The shard that waits for its last step: one at most, finished in order, given back where it is not."""

import pytest

from stagea_mpi.pipeline.finish_queue import FinishQueue
from stagea_mpi.pipeline.finish_shard import Outcome
from stagea_mpi.rundir.lock import ShardLock


class Waiting:
    """A shard of which only its lock and its number are real."""

    def __init__(self, folder, index):
        folder.mkdir()
        self.lock, self.index = ShardLock(folder), index
        self.lock.acquire()

    def root_finish(self):
        self.lock.release()
        return Outcome(self.index, "built")


@pytest.fixture
def shards(tmp_path):
    return [Waiting(tmp_path / str(k), k) for k in range(2)]


def finished(queue):
    return [outcome.shard for outcome in queue.outcomes]


def test_a_shard_waits_until_the_next_one_does_or_all_are_done(shards):
    queue = FinishQueue()
    queue.root_put(shards[0])
    assert finished(queue) == []
    queue.root_put(shards[1])
    assert finished(queue) == [0]
    queue.root_finish()
    assert finished(queue) == [0, 1]
    queue.root_finish()
    assert finished(queue) == [0, 1]


def test_a_shard_that_will_not_be_finished_gives_its_lock_back(shards, tmp_path):
    queue = FinishQueue()
    queue.root_put(shards[0])
    queue.root_release()
    assert not (tmp_path / "0" / ".lock").exists()
    assert finished(queue) == []


def test_a_shard_whose_last_step_fails_waits_no_more(shards, monkeypatch):
    queue = FinishQueue()
    monkeypatch.setattr(shards[0], "root_finish", lambda: 1 / 0)
    queue.root_put(shards[0])
    with pytest.raises(ZeroDivisionError):
        queue.root_put(shards[1])
    queue.root_finish()
    assert finished(queue) == []
