"""What docs/tables.md shows, tried."""

import shutil
import subprocess
import sys

import pytest
from holding import HANG_S
from launching import ROOT, launch_environment

from stagea_mpi.antibody.chain_rules import ChainRule
from stagea_mpi.config.run_config import RunConfig
from stagea_mpi.demo.poses import COMPLEXES
from stagea_mpi.demo.predictions import write_predictions
from stagea_mpi.mpi.guard import StopRequest
from stagea_mpi.mpi.teams import SerialComm
from stagea_mpi.notebook.interface_tables import CONTACT_COLUMNS, RESIDUE_COLUMNS
from stagea_mpi.notebook.table_files import ROWS
from stagea_mpi.notebook.table_files import main as write_table
from stagea_mpi.pipeline.context import Options
from stagea_mpi.pipeline.run import run

PAGE = ROOT / "docs" / "tables.md"


@pytest.mark.slow
def test_the_examples_print_what_the_page_says(tmp_path):
    pytest.importorskip("duckdb")
    pytest.importorskip("pyarrow")
    for name in ("7DAA", "7CFN"):
        write_predictions(tmp_path / "predicted" / name.lower(), COMPLEXES[name])
    config = RunConfig(tmp_path / "results", tmp_path / "predicted", ChainRule(), collect_metrics=False)
    assert run(SerialComm(), config, Options(), StopRequest()).exit_code == 0
    for rows in ROWS:
        assert write_table(tmp_path / "results", str(tmp_path / f"{rows}.parquet"), rows) == 0
    shutil.copy(PAGE, tmp_path)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(tmp_path)]
    options = ["--doctest-glob=*.md", "-o", "doctest_optionflags=NUMBER NORMALIZE_WHITESPACE", "-o", "addopts="]
    done = subprocess.run(
        [*command, *options, "tables.md"],
        cwd=tmp_path,
        env=launch_environment() | {"PYTHONPATH": str(ROOT), "COLUMNS": "120"},
        capture_output=True,
        text=True,
        timeout=HANG_S,
    )
    assert done.returncode == 0, done.stdout
    assert "1 passed" in done.stdout


def test_the_page_has_all_columns():
    text = PAGE.read_text(encoding="utf-8")
    for name in (*RESIDUE_COLUMNS, *CONTACT_COLUMNS, "b_factor"):
        assert f"`{name}`" in text
