"""The run that all disturbed ones are compared with."""

import subprocess
import sys

import pytest
from holding import HANG_S
from launching import ROOT, launch_environment, write_run_yaml

from .victims import SETTINGS, published


@pytest.fixture(scope="session")
def undisturbed(poses, tmp_path_factory) -> dict[str, bytes]:
    path = write_run_yaml(tmp_path_factory.mktemp("undisturbed") / "run.yaml", poses, **SETTINGS)
    command = [sys.executable, "-m", "stagea_mpi", "run", str(path)]
    subprocess.run(command, check=True, timeout=HANG_S, cwd=ROOT, env=launch_environment(), capture_output=True)
    return published(path.with_suffix(""))


@pytest.fixture(scope="session")
def other_hosts():
    """Skips where no namespaces can be made."""
    command = ["unshare", "--uts", "--pid", "--fork", "--mount-proc", "true"]
    made = subprocess.run(command, capture_output=True, timeout=HANG_S)
    if made.returncode:
        pytest.skip(f"no other host can be made here: {made.stderr.decode().strip()}")
