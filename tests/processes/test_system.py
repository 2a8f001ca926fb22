"""What other systems than Linux answer. Where macOS has something of its own, its manual says what."""

import ctypes
import json
import os
import resource
import subprocess
import sys

import psutil
import pytest
from holding import HANG_S

from stagea_mpi import system
from stagea_mpi.errors import ShardBusyError
from stagea_mpi.mpi import pool, resources, worker
from stagea_mpi.rundir.lock import ShardLock


@pytest.fixture
def macos(monkeypatch):
    """No sets of CPUs and no /proc; psutil, which has its own ways there, answers."""

    def no_file(name, *arguments):
        raise FileNotFoundError(2, "No such file or directory", name)

    monkeypatch.setattr(system.sys, "platform", "darwin")
    monkeypatch.setattr(system, "open", no_file, raising=False)
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.delattr(os, "sched_setaffinity")


def test_all_cpus_are_taken_where_there_are_no_sets_of_them(macos):
    assert system.usable_cpus() == list(range(os.cpu_count()))
    system.use_all_cpus()
    assert any("no sets of CPUs" in gap for gap in system.gaps())


def test_peak_memory_is_in_bytes_whatever_the_system_counts_in(monkeypatch):
    """getrusage(2): ru_maxrss is in kilobytes on Linux, in bytes on macOS."""
    counted = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    monkeypatch.setattr(resource, "getrusage", lambda who: type("Usage", (), {"ru_maxrss": counted}))
    assert system.peak_memory() == counted * 1024 >= psutil.Process().memory_info().rss * 0.5
    monkeypatch.setattr(system.sys, "platform", "darwin")
    assert system.peak_memory() == counted


def test_a_process_is_told_from_a_later_one_by_psutil_where_there_is_no_proc(macos):
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        assert system.start_of(child.pid) == psutil.Process(child.pid).create_time()
        assert system.exists(child.pid)
        assert not system.is_zombie(child.pid)
    finally:
        child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert system.is_zombie(child.pid)
    child.communicate(timeout=HANG_S)
    assert not system.exists(child.pid)
    with pytest.raises(ProcessLookupError):
        system.start_of(child.pid)


def test_a_lock_is_taken_over_from_a_dead_holder_and_left_to_a_living_one_without_proc(macos, tmp_path):
    lock = ShardLock(tmp_path)
    lock.acquire()
    path = tmp_path / ".lock"
    os.utime(path, (1.0, 1.0))  # no heartbeat for long, and yet its process runs
    with pytest.raises(ShardBusyError, match=f"process {os.getpid()} on "):
        ShardLock(tmp_path).acquire()
    lock.release()
    holder = {**json.loads(lock_text(tmp_path)), "started": 1.0}
    path.write_text(json.dumps(holder))
    ShardLock(tmp_path).acquire()


def lock_text(folder) -> str:
    """What this process writes into a lock."""
    lock = ShardLock(folder)
    lock.acquire()
    text = (folder / ".lock").read_text()
    lock.release()
    return text


def test_a_holder_is_believed_by_its_heartbeats_where_nothing_is_told_of_processes(monkeypatch, tmp_path):
    text = lock_text(tmp_path)

    def no_file(name, *arguments):
        raise FileNotFoundError(2, "No such file or directory", name)

    monkeypatch.setattr(system, "open", no_file, raising=False)
    monkeypatch.setattr(psutil, "boot_time", lambda: no_file("/proc/stat"))
    assert system.boot() == ""
    (tmp_path / ".lock").write_text(json.dumps({**json.loads(text), "boot": "", "started": None, "pid": 2**22 + 1}))
    with pytest.raises(ShardBusyError):
        ShardLock(tmp_path).acquire()


def test_files_are_closed_by_their_numbers_where_nobody_lists_them(monkeypatch):
    source, sink = os.pipe()

    def no_folder(name):
        raise FileNotFoundError(2, "No such file or directory", name)

    monkeypatch.setattr(os, "listdir", no_folder)
    assert {0, 1, 2, source, sink} <= set(system.descriptors())
    os.close(source)
    os.close(sink)


def test_where_nothing_can_be_forked_the_worker_is_a_process_of_its_own_and_work_stays_here(monkeypatch):
    monkeypatch.setattr(system, "CAN_FORK", False)
    with worker.WorkerProcess(module="stagea_mpi.mpi.worker") as process:
        process.fork_off()
        assert process.call(60.0, os.getppid) == os.getpid()
        assert isinstance(process._process, subprocess.Popen)
    assert set(pool.on_all_cores(process_of, range(8))) == {os.getpid()}


def process_of(item: int) -> int:
    return os.getpid()


def test_no_folder_of_shared_memory_is_looked_at_where_there_is_none(monkeypatch):
    monkeypatch.setattr(resources, "SHM", None)
    assert resources.needs({}, "MPICH Version: 4.2", 4) == []
    folders = {need.folder for need in resources.needs({"TMPDIR": "/"}, "Open MPI v5.0.3", 4)}
    assert folders == {"/"}  # Open MPI keeps its shared memory in the session's folder where there is no /dev/shm


FREED = """
import psutil
from stagea_mpi import system
{keep}
before = psutil.Process().memory_info().rss
blocks = [b"1" * 2**23 for _ in range(4)]
del blocks
print(psutil.Process().memory_info().rss - before)
"""


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallopt"), reason="the C library is not glibc")
def test_freed_memory_is_kept():
    given, kept = (
        int(subprocess.check_output([sys.executable, "-c", FREED.format(keep=keep)], timeout=HANG_S))
        for keep in ("", "system.keep_freed_memory()")
    )
    assert kept > 3 * 2**23 > 2**23 > given  # some of the 32 MB the heap had before
