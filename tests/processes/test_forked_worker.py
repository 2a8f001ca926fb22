"""A worker process that is forked off its rank before MPI is loaded; each case is a process of its own."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from forking import CASES
from holding import HANG_S, wait_until

pytestmark = pytest.mark.slow


def run(case, folder):
    command = [sys.executable, "-c", f"import forking; forking.main({case!r}, {str(folder)!r})"]
    here = Path(__file__).parent
    path = os.pathsep.join(map(str, (here, here.parent, here.parents[1])))
    environment = {**os.environ, "PYTHONPATH": path}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=HANG_S, check=False)


@pytest.mark.parametrize("case", [case for case in CASES if case != "dies_with_its_parent"])
def test_a_forked_worker(case, tmp_path):
    done = run(case, tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""


def test_a_forked_worker_dies_with_its_rank(tmp_path):
    assert run("dies_with_its_parent", tmp_path).returncode == -signal.SIGKILL
    pid = int((tmp_path / "pid").read_text())

    def is_gone():
        return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE

    wait_until(is_gone, f"the end of process {pid}", lambda: "")
