"""What README.md and docs/python.md show of Python, tried."""

import shutil
import subprocess
import sys

import pytest
from holding import HANG_S
from launching import ROOT, launch_environment

from stagea_mpi.demo.poses import COMPLEXES, write_poses

pytestmark = pytest.mark.slow


def test_the_examples_print_what_the_docs_say(tmp_path):
    write_poses(tmp_path / "demo" / "poses", COMPLEXES["7DAA"], 16)  # each is the same however many there are
    for path in ("README.md", "docs/python.md"):
        shutil.copy(ROOT / path, tmp_path)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(tmp_path)]
    options = ["--doctest-glob=*.md", "-o", "doctest_optionflags=NUMBER NORMALIZE_WHITESPACE", "-o", "addopts="]
    done = subprocess.run(
        [*command, *options, "."],
        cwd=tmp_path,
        env=launch_environment() | {"PYTHONPATH": str(ROOT), "COLUMNS": "120"},
        capture_output=True,
        text=True,
        timeout=HANG_S,
    )
    assert done.returncode == 0, done.stdout
    assert "2 passed" in done.stdout
