import json
import os
import socket
import subprocess
import sys
import threading
import time

import pytest
from holding import HANG_S, wait_until

from stagea_mpi.errors import ShardBusyError
from stagea_mpi.rundir import lock as lock_module
from stagea_mpi.rundir.lock import SILENCE_LIMIT, ShardLock, holder_of


def holder(**changes) -> str:
    mine = {"host": socket.gethostname(), "boot": boot_id(), "pids": os.readlink("/proc/self/ns/pid")}
    return json.dumps({**mine, "pid": os.getpid(), "started": start_ticks(os.getpid()), "job_id": "77", **changes})


def boot_id() -> str:
    return open("/proc/sys/kernel/random/boot_id").read().strip()


def start_ticks(pid: int) -> int:
    """Field 22 of proc(5)'s stat."""
    return int(open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()[19])


def test_a_lock_is_taken_once_and_free_after_its_release(tmp_path):
    lock = ShardLock(tmp_path)
    lock.acquire()
    with pytest.raises(ShardBusyError, match=f"process {os.getpid()} on {socket.gethostname()}"):
        ShardLock(tmp_path).acquire()
    lock.release()
    ShardLock(tmp_path).acquire()


def test_a_holder_that_has_ended_is_replaced(tmp_path):
    child = subprocess.Popen([sys.executable, "-c", "pass"])
    started = start_ticks(child.pid)
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # a zombie, which still has its number
    (tmp_path / ".lock").write_text(holder(pid=child.pid, started=started))
    ShardLock(tmp_path).acquire()
    child.wait(timeout=HANG_S)


def test_another_process_with_the_holders_number_is_not_the_holder(tmp_path):
    (tmp_path / ".lock").write_text(holder(started=1))
    ShardLock(tmp_path).acquire()


def test_a_holder_on_another_host_is_believed_while_it_gives_signs_of_life(tmp_path, monkeypatch):
    monkeypatch.setattr(lock_module, "WATCH_S", 0.5)
    path = tmp_path / ".lock"
    path.write_text(holder(host="elsewhere"))
    with pytest.raises(ShardBusyError, match="on elsewhere in job 77"):
        ShardLock(tmp_path).acquire()
    os.utime(path, (time.time() - SILENCE_LIMIT - 1,) * 2)
    ShardLock(tmp_path).acquire()


def test_the_number_of_a_process_says_nothing_of_a_holder_in_another_container(tmp_path):
    (tmp_path / ".lock").write_text(holder(pids="pid:[1]", started=1))
    with pytest.raises(ShardBusyError):
        ShardLock(tmp_path).acquire()


def test_a_damaged_lock_is_replaced_when_it_is_old(tmp_path, monkeypatch):
    monkeypatch.setattr(lock_module, "WATCH_S", 0.5)
    path = tmp_path / ".lock"
    path.write_text("{")
    with pytest.raises(ShardBusyError):
        ShardLock(tmp_path).acquire()
    os.utime(path, (time.time() - SILENCE_LIMIT - 1,) * 2)
    ShardLock(tmp_path).acquire()


def test_a_clock_that_jumps_ahead_makes_no_living_holder_dead(tmp_path, monkeypatch):
    path = tmp_path / ".lock"
    path.write_text(holder())
    os.utime(path, (time.time() - 10 * SILENCE_LIMIT,) * 2)
    assert holder_of(tmp_path)[2], "its process is here and runs"
    path.write_text(holder(host="elsewhere"))
    os.utime(path, (time.time() - 10 * SILENCE_LIMIT,) * 2)
    monkeypatch.setattr(lock_module, "WATCH_S", HANG_S)
    pauses, sleep = [], time.sleep

    def sleep_while_the_holder_gives_a_sign(seconds):
        pauses.append(seconds)
        if len(pauses) == 3:
            os.utime(path, (time.time() - 9 * SILENCE_LIMIT,) * 2)
        sleep(0.001)

    monkeypatch.setattr(time, "sleep", sleep_while_the_holder_gives_a_sign)
    with pytest.raises(ShardBusyError, match="on elsewhere"):
        ShardLock(tmp_path).acquire()
    assert len(pauses) == 3


def test_a_holder_gives_signs_of_life_by_itself(tmp_path, monkeypatch):
    monkeypatch.setattr(lock_module, "HEARTBEAT_S", 0.05)
    lock = ShardLock(tmp_path)
    lock.acquire()
    os.utime(tmp_path / ".lock", (1.0, 1.0))
    wait_until(lambda: (tmp_path / ".lock").stat().st_mtime > 1.0, "a heartbeat")
    assert holder_of(tmp_path)[1] < HANG_S
    lock.release()
    assert holder_of(tmp_path) is None


def test_a_holder_that_was_taken_for_dead_notices_it_and_leaves_the_other_alone(tmp_path):
    lock = ShardLock(tmp_path)
    lock.acquire()
    lock.check()
    (tmp_path / ".lock").unlink()
    other = ShardLock(tmp_path)
    other.acquire()
    with pytest.raises(ShardBusyError, match="no longer held by this process"):
        lock.check()
    lock.release()
    other.check()


def test_of_many_that_find_a_holder_dead_one_gets_the_lock(tmp_path):
    for _ in range(20):
        (tmp_path / ".lock").write_text(holder(started=1))
        locks, won = [ShardLock(tmp_path) for _ in range(8)], []
        start = threading.Barrier(len(locks))

        def contend(lock, start=start, won=won):
            start.wait(timeout=HANG_S)
            try:
                lock.acquire()
            except ShardBusyError:
                return
            won.append(lock)

        threads = [threading.Thread(target=contend, args=(lock,)) for lock in locks]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout=HANG_S)
        holding = [lock for lock in won if lock._read() == lock._content]
        assert len(holding) == 1
        for lock in won:
            lock.release()
        (tmp_path / ".lock").unlink(missing_ok=True)
        assert list(tmp_path.iterdir()) == []
