"""What pages of the documentation show of Python, tried: each page in a folder with the files that it speaks of."""

import shutil
import subprocess
import sys
from pathlib import Path

from holding import HANG_S
from launching import ROOT, launch_environment

from stagea_mpi.antibody.chain_rules import ChainRule
from stagea_mpi.config.run_config import RunConfig
from stagea_mpi.demo.poses import COMPLEXES
from stagea_mpi.demo.predictions import write_predictions
from stagea_mpi.mpi.guard import StopRequest
from stagea_mpi.mpi.teams import SerialComm
from stagea_mpi.pipeline.context import Options
from stagea_mpi.pipeline.run import run


def run_alone(config: RunConfig) -> None:
    """A whole run in this process."""
    assert run(SerialComm(), config, Options(), StopRequest()).exit_code == 0


def write_predicted_run(folder: Path) -> None:
    """`predicted/`, what a predictor has written of both shipped complexes, and `results/`, the run of it."""
    for name in ("7DAA", "7CFN"):
        write_predictions(folder / "predicted" / name.lower(), COMPLEXES[name])
    run_alone(RunConfig(folder / "results", folder / "predicted", ChainRule(), collect_metrics=False))


def assert_examples_print_what_they_show(folder: Path, *pages: str) -> None:
    """Tries all examples of some pages of the repository in a folder, as doctest does."""
    for page in pages:
        shutil.copy(ROOT / page, folder)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(folder)]
    options = ["--doctest-glob=*.md", "-o", "doctest_optionflags=NUMBER NORMALIZE_WHITESPACE", "-o", "addopts="]
    done = subprocess.run(
        [*command, *options, "."],
        cwd=folder,
        env=launch_environment() | {"PYTHONPATH": str(ROOT), "COLUMNS": "120"},
        capture_output=True,
        text=True,
        timeout=HANG_S,
    )
    assert done.returncode == 0, done.stdout
    assert f"{len(pages)} passed" in done.stdout
