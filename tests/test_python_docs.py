"""What README.md and the pages in `docs` show of Python, tried."""

import dataclasses
import shutil
import subprocess
import sys

import pytest
from holding import HANG_S
from launching import ROOT, launch_environment
from shipped import FAB_CHAINS

from stagea_mpi.antibody.chain_rules import ChainRule
from stagea_mpi.config.references import parse_reference
from stagea_mpi.config.run_config import RunConfig
from stagea_mpi.demo.poses import COMPLEXES, write_complex, write_poses
from stagea_mpi.demo.predictions import write_predictions
from stagea_mpi.mpi.guard import StopRequest
from stagea_mpi.mpi.teams import SerialComm
from stagea_mpi.pipeline.context import Options
from stagea_mpi.pipeline.run import run

pytestmark = pytest.mark.slow


def test_the_examples_print_what_the_docs_say(tmp_path):
    write_poses(tmp_path / "demo" / "poses", COMPLEXES["7DAA"], 16)  # each is the same however many there are
    write_predictions(tmp_path / "predicted" / "7daa", COMPLEXES["7DAA"])
    write_predictions(tmp_path / "predicted" / "7cfn", COMPLEXES["7CFN"])
    config = RunConfig(tmp_path / "results", tmp_path / "predicted", ChainRule(), collect_metrics=False)
    assert run(SerialComm(), config, Options(), StopRequest()).exit_code == 0
    scored = RunConfig(tmp_path / "scored", tmp_path / "demo" / "poses", FAB_CHAINS, collect_metrics=False)
    native = write_complex(tmp_path / "native.pdb", COMPLEXES["7DAA"])
    scored = dataclasses.replace(scored, reference=parse_reference(str(native), "reference"))
    assert run(SerialComm(), scored, Options(), StopRequest()).exit_code == 0
    for path in ("README.md", "docs/python.md", "docs/predictors.md", "docs/targets.md"):
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
    assert "4 passed" in done.stdout
