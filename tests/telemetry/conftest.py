"""Runs to look at: one on two ranks that finished, and what may be left of one."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from holding import HANG_S
from launching import ROOT, launch_environment, mpiexec


@pytest.fixture(scope="session")
def two_rank_run(poses, tmp_path_factory) -> Path:
    """A finished run of six poses and one file that is no structure, in two shards on two ranks."""
    folder = tmp_path_factory.mktemp("telemetry")
    shutil.copytree(poses, folder / "input")
    (folder / "input" / "broken.pdb").write_text("no structure\n")
    settings = {
        "run_root": str(folder / "run"),
        "pdb_root": str(folder / "input"),
        "chains": {"heavy": "H", "light": "L", "antigen": "A"},
        "metrics_interval": 0.2,
        "stage_a": {
            "max_per_shard": 4,
            "min_per_shard": 1,
            "max_failed_fraction": 0.5,
            "graph_writer_log_every_s": 0.2,
        },
    }
    (folder / "run.yaml").write_text(yaml.safe_dump(settings))
    command = [
        mpiexec(),
        "-n",
        "2",
        "--oversubscribe",
        sys.executable,
        "-m",
        "stagea_mpi",
        "run",
        str(folder / "run.yaml"),
    ]
    done = subprocess.run(command, env=launch_environment(), cwd=ROOT, capture_output=True, text=True, timeout=HANG_S)
    assert done.returncode == 0, done.stderr
    return folder / "run"


@pytest.fixture
def run_copy(two_rank_run, tmp_path) -> Path:
    """A copy of the run that a test may damage."""
    return shutil.copytree(two_rank_run, tmp_path / "copy")


@pytest.fixture
def cut_short(run_copy) -> Path:
    """What a kill in the second shard would have left: no end, a line cut through, the shard not published."""
    for path in (run_copy / "telemetry").glob("events_*.jsonl"):
        lines = path.read_text().splitlines()
        second = [i for i, line in enumerate(lines) if '"shard":1' in line]
        # The other rank may have taken all its models.
        last = max((i for i in second if '"stage":"burial"' in lines[i]), default=second[0])
        path.write_text("\n".join(lines[:last]) + "\n" + lines[last][:40])
    shutil.rmtree(run_copy / "shards" / "shard_000001")
    return run_copy
