"""The run that others are compared with."""

import subprocess
import sys

import pytest
from holding import HANG_S
from launching import ROOT, launch_environment, write_run_yaml


@pytest.fixture(scope="session")
def undisturbed(poses, tmp_path_factory):
    """A finished run on one rank."""
    path = write_run_yaml(
        tmp_path_factory.mktemp("whole") / "undisturbed.yaml", poses, max_per_shard=3, min_per_shard=1
    )
    command = [sys.executable, "-m", "stagea_mpi", "run", str(path)]
    subprocess.run(command, check=True, timeout=HANG_S, cwd=ROOT, env=launch_environment())
    return path
