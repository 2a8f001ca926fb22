"""Clusters that the tests start themselves, and what runs on them."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from holding import HANG_S, HeldModel
from private_slurm import ROOT, PrivateSlurm, missing_programs


@pytest.fixture(scope="session")
def _slurm_installed() -> None:
    if missing_programs() and os.getuid() == 0 and shutil.which("apt-get"):
        subprocess.run(["bash", ".ci/test_packages.sh"], cwd=ROOT, timeout=HANG_S, check=True)
    if missing := missing_programs():
        pytest.skip(f"Slurm cannot be installed here (missing: {', '.join(missing)})")


@pytest.fixture(scope="session")
def two_nodes(_slurm_installed):
    """A cluster of two nodes, without binding."""
    slurm = PrivateSlurm(2)
    try:
        yield slurm.start()
    finally:
        slurm.stop()


@pytest.fixture(scope="session")
def one_node(_slurm_installed):
    """A cluster of one node that binds tasks to CPUs."""
    slurm = PrivateSlurm(1, binds=True)
    try:
        yield slurm.start()
    finally:
        slurm.stop()


@pytest.fixture
def write_run(tmp_path):
    """Writes a configuration for the small nodes of the tests; returns its path and the run folder."""

    def write(pdb_root: Path, name: str = "run", top: dict | None = None, **stage_a) -> tuple[Path, Path]:
        run_root = tmp_path / name
        small = {
            "partition": "main",
            "cores": 2,
            "mem_gb": 1,
            "time": "01:00:00",
            "min_per_shard": 1,
            "max_per_shard": 2,
            "team": "node",
        }
        content = {
            "run_root": str(run_root),
            "pdb_root": str(pdb_root),
            "chains": {"heavy": "H", "light": "L", "antigen": "A"},
            "collect_metrics": False,
            "stage_a": {**small, **stage_a},
            **(top or {}),
        }
        path = tmp_path / f"{name}.yaml"
        path.write_text(yaml.safe_dump(content))
        return path, run_root

    return write


@pytest.fixture
def held_model(tmp_path):
    """Holds a job's first start in its models; gives what does, and an activation under which it is found."""

    def make(**options) -> tuple[HeldModel, str]:
        hold = HeldModel(tmp_path / "held", **options)
        return hold, f'source "{ROOT}/.venv/bin/activate"\nexport PYTHONPATH="{hold.folder}"'

    return make
