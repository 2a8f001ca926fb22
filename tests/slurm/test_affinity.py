"""CPUs of ranks and holders of locks, without a Slurm."""

import json
import os

import pytest

from stagea_mpi.errors import ShardBusyError
from stagea_mpi.rundir.lock import ShardLock
from stagea_mpi.slurm.affinity import RankCpus, measure, shortages


def test_enough_cpus_are_no_shortage():
    assert shortages([RankCpus(0, "n1", (0,), 1), RankCpus(1, "n1", (1,), 1), RankCpus(2, "n2", (0, 1), 2)]) == []


def test_a_rank_with_fewer_cpus_than_asked_is_named():
    assert shortages([RankCpus(3, "n2", (4, 5, 8), 4)]) == ["rank 3 on n2 has 3 CPUs (4-5,8), asked were 4"]


def test_ranks_that_share_cpus_are_found_on_their_node_alone():
    ranks = [RankCpus(0, "n1", (0,), 1), RankCpus(1, "n1", (0,), 1), RankCpus(2, "n2", (0,), 1)]

    assert shortages(ranks) == ["the 2 ranks on n1 share the CPUs 0, asked were 2 in all"]


def test_slurm_says_what_was_asked_before_the_configuration():
    asked = measure(0, 2, {"SLURM_CPUS_PER_TASK": "3", "SLURMD_NODENAME": "n7"})

    assert (asked.asked, asked.node, asked.cpus) == (3, "n7", tuple(sorted(os.sched_getaffinity(0))))
    assert measure(0, 2, {}).asked == 2


@pytest.fixture
def lock_of(tmp_path, monkeypatch):
    """Leaves the lock of a holder on another machine, and makes this process the second start of job 12."""
    monkeypatch.setenv("SLURM_JOB_ID", "12")
    monkeypatch.setenv("SLURM_RESTART_COUNT", "1")
    monkeypatch.setenv("SLURM_CLUSTER_NAME", "here")

    def leave(**holder):
        text = json.dumps({"host": "elsewhere", "pid": 1, "cluster": "here", **holder})
        (tmp_path / ".lock").write_text(text)
        return ShardLock(tmp_path)

    return leave


def test_an_earlier_start_of_the_same_job_does_not_hold_its_lock(lock_of):
    """Its node was lost, and Slurm has started the job again on another one."""
    lock_of(job_id="12", restart="0").acquire()


def test_another_team_of_the_same_start_holds_its_lock(lock_of):
    with pytest.raises(ShardBusyError, match="in job 12"):
        lock_of(job_id="12", restart="1").acquire()


def test_jobs_of_another_cluster_are_not_asked_about(lock_of):
    with pytest.raises(ShardBusyError):
        lock_of(job_id="12", restart="0", cluster="there").acquire()
