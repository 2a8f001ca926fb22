import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from holding import HANG_S, wait_until

#: A rank that waits for a child, and whose child writes its process number into a file.
RANK = """
import sys
from stagea_mpi.mpi.child_process import Child
Child(["sh", "-c", 'echo $$ > "$0.part"; mv "$0.part" "$0"; exec sleep 100000', sys.argv[1]]).wait()
"""
#: Counts what fork handlers, registered as libraries do it, see of a child of ours and of a plain fork.
FORK_HANDLERS = """
import ctypes, os
from stagea_mpi.mpi.child_process import Child
seen = []
handler = ctypes.CFUNCTYPE(None)(lambda: seen.append("fork"))
assert ctypes.CDLL(None).__register_atfork(handler, None, None, None) == 0
Child(["true"]).wait()
child = len(seen)
if (process := os.fork()) == 0:
    os._exit(0)
os.waitpid(process, 0)
print(child, len(seen))
"""


def is_running(process):
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.skipif(shutil.which("setpriv") is None, reason="the kernel is asked through setpriv")
def test_a_child_ends_with_the_rank_that_started_it(tmp_path):
    note = tmp_path / "pid"
    rank = subprocess.Popen([sys.executable, "-c", RANK, str(note)])
    try:
        wait_until(note.exists, "the child")
        child = int(note.read_text())
        assert is_running(child)
    finally:
        os.kill(rank.pid, signal.SIGKILL)
        rank.wait()
    wait_until(lambda: not is_running(child), "the end of the child")


def test_fork_handlers_of_libraries_do_not_run():
    result = subprocess.run(
        [sys.executable, "-c", FORK_HANDLERS], capture_output=True, text=True, check=True, timeout=HANG_S
    )
    assert result.stdout.split() == ["0", "1"]
