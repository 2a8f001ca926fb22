import csv
import datetime
import os
import subprocess
import sys

import psutil
import pytest
from holding import HANG_S, wait_until

from stagea_mpi.telemetry import file_names, sampler

COLUMNS = {
    "sys_metrics": "timestamp cpu_total_pct cpu_iowait_pct load1 load5 load15 mem_used_mib mem_avail_mib swap_used_mib "
    "swap_free_mib",
    "disk_io": "timestamp disk_read_MBps disk_write_MBps disk_read_iops disk_write_iops",
    "net_io": "timestamp net_rx_MBps net_tx_MBps",
    "proc_metrics": "timestamp pid proc_nprocs proc_cpu_pct proc_rss_mib proc_vms_mib",
}


def rows_of(path) -> list[dict]:
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def busy_rank():
    """A process that burns CPU time in children which soon end, as a rank does."""
    code = "import subprocess, sys\nwhile True: subprocess.run([sys.executable, '-c', 'sum(range(2_000_000))'])"
    child = subprocess.Popen([sys.executable, "-c", code])
    yield child
    child.kill()
    child.wait(timeout=HANG_S)


def start(folder, *pids, interval=0.2) -> subprocess.Popen:
    command = [sys.executable, "-m", "stagea_mpi.telemetry.sampler", str(folder), "stageA_7_0_here", str(interval)]
    return subprocess.Popen([*command, *map(str, pids)], stdin=subprocess.PIPE, stderr=subprocess.PIPE)


def test_files_and_columns_are_those_of_existing_tools(tmp_path, busy_rank):
    process = start(tmp_path, busy_rank.pid)
    ranks = tmp_path / "proc_metrics_stageA_7_0_here.csv"

    def seen(column: str) -> float:
        rows = rows_of(ranks)[:-1] if ranks.exists() else []  # the last row may be half written
        return max((float(row[column] or 0) for row in rows), default=0.0)

    # The children live for a fraction of the interval; their time counts all the same. What starts them takes little.
    wait_until(lambda: seen("proc_cpu_pct") > 25.0 and seen("proc_nprocs") >= 2, "the children's time")
    wait_until(lambda: len(rows_of(ranks)) >= 5, "some rows")
    _, errors = process.communicate(timeout=HANG_S)
    assert (process.returncode, errors) == (0, b"")
    for kind, columns in COLUMNS.items():
        rows = rows_of(tmp_path / f"{kind}_stageA_7_0_here.csv")
        assert list(rows[0]) == columns.split()
        assert len(rows) >= 3
        assert all(datetime.datetime.fromisoformat(row["timestamp"]).tzinfo for row in rows)
    cores = rows_of(tmp_path / "cpu_percore_stageA_7_0_here.csv")
    assert list(cores[0]) == ["timestamp"] + [f"cpu{i}_pct" for i in range(psutil.cpu_count())]
    assert {int(row["pid"]) for row in rows_of(ranks)} == {busy_rank.pid}


def test_it_ends_with_the_rank_that_holds_its_input(tmp_path):
    process = start(tmp_path, os.getpid(), interval=60)
    process.stdin.close()
    assert process.wait(timeout=HANG_S) == 0
    process.stderr.close()


def test_a_rank_that_goes_away_is_a_gap(tmp_path, busy_rank):
    samples = sampler.Sampler(tmp_path, "stageA_7_0_here", [busy_rank.pid, os.getpid(), 2**22 - 1])
    samples.sample()
    busy_rank.kill()
    busy_rank.wait(timeout=HANG_S)
    samples.sample()
    pids = [int(row["pid"]) for row in rows_of(tmp_path / "proc_metrics_stageA_7_0_here.csv")]
    assert pids.count(busy_rank.pid) == 1
    assert pids.count(os.getpid()) == 2


@pytest.mark.parametrize("answer", [None, OSError("no such file")])
def test_a_container_without_disk_counters_is_a_gap(tmp_path, monkeypatch, answer):
    def counters():
        if answer is not None:
            raise answer

    monkeypatch.setattr(psutil, "disk_io_counters", counters)
    sampler.Sampler(tmp_path, "stageA_7_0_here", []).sample()
    (row,) = rows_of(tmp_path / "disk_io_stageA_7_0_here.csv")
    assert {row[name] for name in sampler.DISK} == {""}


def test_two_runs_on_a_node_write_what_concerns_the_node_once(tmp_path):
    first, second = (sampler.Sampler(tmp_path, "stageA_7_0_here", [os.getpid()]) for _ in range(2))
    for samples in (first, second, first):
        samples.sample()
    assert len(rows_of(tmp_path / "sys_metrics_stageA_7_0_here.csv")) == 2
    assert len(rows_of(tmp_path / "proc_metrics_stageA_7_0_here.csv")) == 3


def test_names_say_job_task_and_host(monkeypatch):
    for variable in ("SLURM_ARRAY_JOB_ID", "SLURM_ARRAY_TASK_ID", "SLURM_JOB_ID"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("SLURMD_NODENAME", "node_01.cluster")
    assert file_names.samples_prefix() == "stageA_local_0_node-01.cluster"
    monkeypatch.setenv("SLURM_JOB_ID", "17")
    assert file_names.events_name(3) == "events_17_0_node-01.cluster_3.jsonl"
    monkeypatch.setenv("SLURM_ARRAY_JOB_ID", "16")
    monkeypatch.setenv("SLURM_ARRAY_TASK_ID", "5")
    assert file_names.samples_prefix() == "stageA_16_5_node-01.cluster"
