import json
import os
import socket
import subprocess
import sys
import time

import psutil
import pytest

from stagea_mpi.errors import ShardBusyError
from stagea_mpi.store.lock import SILENCE_LIMIT, ShardLock


def holder(**changes) -> str:
    mine = {"host": socket.gethostname(), "pid": os.getpid(), "started": psutil.Process().create_time(), "job_id": "77"}
    return json.dumps({**mine, **changes})


def test_a_lock_is_taken_once_and_free_after_its_release(tmp_path):
    lock = ShardLock(tmp_path)
    lock.acquire()
    with pytest.raises(ShardBusyError, match=f"process {os.getpid()} on {socket.gethostname()}"):
        ShardLock(tmp_path).acquire()
    lock.release()
    ShardLock(tmp_path).acquire()


def test_a_holder_that_has_ended_is_replaced(tmp_path):
    child = subprocess.Popen([sys.executable, "-c", "pass"])
    started = psutil.Process(child.pid).create_time()
    time.sleep(0.5)  # ended, but not waited for: a zombie still has its number
    (tmp_path / ".lock").write_text(holder(pid=child.pid, started=started))
    ShardLock(tmp_path).acquire()
    child.wait(timeout=10)


def test_another_process_with_the_holders_number_is_not_the_holder(tmp_path):
    (tmp_path / ".lock").write_text(holder(started=1.0))
    ShardLock(tmp_path).acquire()


def test_a_holder_on_another_host_is_believed_while_it_gives_signs_of_life(tmp_path):
    path = tmp_path / ".lock"
    path.write_text(holder(host="elsewhere"))
    with pytest.raises(ShardBusyError, match="on elsewhere in job 77"):
        ShardLock(tmp_path).acquire()
    os.utime(path, (time.time() - SILENCE_LIMIT - 1,) * 2)
    ShardLock(tmp_path).acquire()


def test_a_damaged_lock_is_replaced_when_it_is_old(tmp_path):
    path = tmp_path / ".lock"
    path.write_text("{")
    with pytest.raises(ShardBusyError):
        ShardLock(tmp_path).acquire()
    os.utime(path, (time.time() - SILENCE_LIMIT - 1,) * 2)
    ShardLock(tmp_path).acquire()
