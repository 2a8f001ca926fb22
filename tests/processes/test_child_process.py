import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from holding import HANG_S, wait_until

from stagea_mpi.errors import LaunchError, ModelError
from stagea_mpi.mpi.child_process import run_child

#: A rank that waits for a child, and whose child writes its process number into a file.
RANK = """
import sys
from stagea_mpi.mpi.child_process import run_child
run_child(["sh", "-c", 'echo $$ > "$0.part"; mv "$0.part" "$0"; exec sleep 100000', sys.argv[1]], b"")
"""
#: Counts what fork handlers, registered as libraries do it, see of a child of ours and of a plain fork.
FORK_HANDLERS = """
import ctypes, os
from stagea_mpi.mpi.child_process import run_child
seen = []
handler = ctypes.CFUNCTYPE(None)(lambda: seen.append("fork"))
assert ctypes.CDLL(None).__register_atfork(handler, None, None, None) == 0
run_child(["true"], b"")
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


def test_a_child_gets_its_input_and_its_output_is_returned():
    text = b"x" * 1_000_000  # more than a pipe holds
    assert run_child(["cat"], text) == text


def test_no_shell_reads_the_arguments():
    assert run_child(["printf", "%s", "$HOME; *"], b"") == b"$HOME; *"


def test_a_program_that_is_not_there_is_told_with_what_to_do():
    with pytest.raises(LaunchError, match=r"no-such-program is not on PATH; install it .* doctor"):
        run_child(["no-such-program"], b"")


def test_an_exit_code_fails_the_model_with_what_the_program_said():
    with pytest.raises(ModelError, match="sh ended with exit code 7: it is broken") as failure:
        run_child(["sh", "-c", "echo it is; echo broken; echo 'it is\nbroken' >&2; exit 7"], b"")
    assert failure.value.reason == "child_failed"


def test_a_silent_failure_is_told_too():
    with pytest.raises(ModelError, match=r"exit code 1: \(no message\)"):
        run_child(["false"], b"")


def test_a_child_killed_from_outside_fails_the_model():
    with pytest.raises(ModelError, match="exit code -9") as failure:
        run_child(["sh", "-c", "kill -9 $$"], b"")
    assert failure.value.reason == "child_failed"


def test_past_its_time_limit_a_child_is_killed_and_the_model_fails(tmp_path):
    note = tmp_path / "pid"
    with pytest.raises(ModelError, match="sh did not end within 1 s") as failure:
        run_child(["sh", "-c", 'echo $$ > "$0"; exec sleep 100000', str(note)], b"", timeout=1.0)
    assert failure.value.reason == "timeout"
    # It may have been killed before it wrote: on a busy machine a program takes a second to start.
    number = note.read_text() if note.exists() else ""
    assert not number or not is_running(int(number))


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
