"""What many tests need: docking poses, configurations, and a launcher with a time limit."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from stagea_mpi.complexes import Chains
from stagea_mpi.config import RunConfig, StageA
from stagea_mpi.poses import COMPLEXES, write_poses

ROOT = Path(__file__).parents[1]


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


def write_run_yaml(path: Path, pdb_root: Path, **stage_a) -> Path:
    """A configuration whose run folder has the file's name without the suffix."""
    lines = [f"run_root: {path.with_suffix('')}", f"pdb_root: {pdb_root}", "chains: {heavy: H, light: L, antigen: A}"]
    lines += ["stage_a:"] + [f"  {key}: {value}" for key, value in stage_a.items()] if stage_a else []
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture
def launch():
    """Runs ``python -m stagea_mpi`` under so many ranks (0: without a launcher); ends it after a time limit."""
    children = []

    def start(
        ranks: int, *arguments, timeout: float = 120.0, wait: bool = True, module: str = "stagea_mpi", **environment
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
            child.wait(timeout=30)


def mpiexec() -> str:
    found = shutil.which("mpiexec.openmpi") or shutil.which("mpiexec")
    assert found, "no mpiexec on PATH; `make env` installs it"
    return found


def launch_environment() -> dict[str, str]:
    """The environment without what an outer launcher has set, so that a test may start ranks of its own."""
    outer = ("OMPI_", "PMIX_", "PMI_", "ORTE_", "SLURM_", "STAGEA_")
    environment = {key: value for key, value in os.environ.items() if not key.startswith(outer)}
    if os.getuid() == 0:
        environment |= {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
    return environment
