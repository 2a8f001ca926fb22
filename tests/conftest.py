"""What many tests need: docking poses, configurations, and a launcher with a time limit."""

import subprocess
import sys
from pathlib import Path

import pytest
from holding import HANG_S
from hypothesis import HealthCheck, settings
from launching import ROOT, launch_environment, mpiexec, write_run_yaml

from stagea_mpi.antibody.complexes import Chains
from stagea_mpi.config.run_config import RunConfig, StageA
from stagea_mpi.demo.poses import COMPLEXES, write_poses

# Examples may take what they take, to be made as well as to be tried.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")


@pytest.fixture(scope="session")
def poses(tmp_path_factory) -> Path:
    """A folder with six poses of the Fab complex."""
    folder = tmp_path_factory.mktemp("input") / "poses"
    write_poses(folder, COMPLEXES["7DAA"], 6, seed=11)
    return folder


@pytest.fixture
def config_for(tmp_path):
    """Makes the configuration of a run on some folder."""

    def make(pdb_root: Path, run_root: Path | None = None, **stage_a) -> RunConfig:
        return RunConfig(run_root or tmp_path / "run", pdb_root, Chains("H", "L", ("A",)), StageA(**stage_a))

    return make


@pytest.fixture
def run_yaml(tmp_path):
    """Writes run.yaml for a folder of poses and returns its path."""

    def write(pdb_root: Path, name: str = "run", **stage_a) -> Path:
        return write_run_yaml(tmp_path / f"{name}.yaml", pdb_root, **stage_a)

    return write


@pytest.fixture
def launch():
    """Runs ``python -m stagea_mpi`` under so many ranks (0: without a launcher); ends it after a time limit."""
    children = []

    def start(
        ranks: int, *arguments, timeout: float = HANG_S, wait: bool = True, module: str = "stagea_mpi", **environment
    ):
        command = [sys.executable, "-m", module, *map(str, arguments)]
        if ranks:
            command = [mpiexec(), "-n", str(ranks), "--oversubscribe", *command]
        child = subprocess.Popen(
            command,
            env={**launch_environment(), **environment},
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        children.append(child)
        if not wait:
            return child
        try:
            output, _ = child.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            child.kill()
            pytest.fail(f"{' '.join(command)} did not end within {timeout:.0f} s:\n{child.communicate()[0]}")
        return subprocess.CompletedProcess(command, child.returncode, output)

    yield start
    for child in children:
        if child.poll() is None:
            child.kill()
            child.wait(timeout=HANG_S)
