"""What many tests need: docking poses, configurations, and a launcher with a time limit."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from holding import HANG_S
from hypothesis import HealthCheck, settings
from launching import ROOT, launch_environment, mpiexec, write_run_yaml

from stagea_mpi.antibody.complexes import Chains
from stagea_mpi.config.run_config import RunConfig, StageA
from stagea_mpi.demo.poses import COMPLEXES, write_poses

# Examples may take what they take, to be made as well as to be tried.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")


#: Folders whose tests start ranks, Slurm or Jupyter, and fixtures that do: `make check` leaves them out.
SLOW_FOLDERS = {"faults", "fuzz", "image", "launched", "notebook", "parallel", "slurm"}
SLOW_FIXTURES = {"launch", "two_rank_run"}


def pytest_collection_modifyitems(items):
    """Marks as slow what starts whole runs; other slow tests say so themselves."""
    for item in items:
        if SLOW_FOLDERS & set(item.path.parts) or SLOW_FIXTURES & set(item.fixturenames):
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session")
def poses(tmp_path_factory) -> Path:
    """A folder with six poses of the Fab complex."""
    folder = tmp_path_factory.mktemp("input") / "poses"
    write_poses(folder, COMPLEXES["7DAA"], 6, seed=11)
    return folder


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
            "team": "node",
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
def interrupted_run(run_copy) -> Path:
    """What a kill in the second shard would have left: no end, a line cut through, the shard not published."""
    for path in (run_copy / "telemetry").glob("events_*.jsonl"):
        lines = path.read_text().splitlines()
        second = [i for i, line in enumerate(lines) if '"shard":1' in line]
        # The other rank may have taken all its models.
        last = max((i + 1 for i in second if '"stage":"models"' in lines[i]), default=second[0])
        path.write_text("\n".join(lines[:last]) + "\n" + lines[last][:40])
    shutil.rmtree(run_copy / "shards" / "shard_000001")
    return run_copy


@pytest.fixture
def config_for(tmp_path):
    """Makes the configuration of a run on some folder, for one team on a node (see `write_run_yaml`)."""

    def make(pdb_root: Path, run_root: Path | None = None, **stage_a) -> RunConfig:
        return RunConfig(
            run_root or tmp_path / "run", pdb_root, Chains("H", "L", ("A",)), StageA(**{"team": "node"} | stage_a)
        )

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
