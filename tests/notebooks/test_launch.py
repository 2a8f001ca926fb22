import os
import time

import pytest

from stagea_mpi import launch
from stagea_mpi.errors import ConfigError, LaunchError

CHAINS = {"heavy": "H", "light": "L", "antigen": "A"}


@pytest.fixture
def many(poses, tmp_path):
    """Enough models for some seconds."""
    (tmp_path / "many").mkdir()
    for turn in range(12):
        for path in poses.glob("*.pdb"):
            os.symlink(path, tmp_path / "many" / f"{turn}_{path.name}")
    return tmp_path / "many"


def test_a_wrong_key_is_told_when_the_configuration_is_written(tmp_path):
    settings = {"run_root": "r", "pdb_root": "p", "chains": CHAINS, "stage_a": {"core": 3}}
    with pytest.raises(ConfigError, match="did you mean stage_a.cores"):
        launch.write_config(tmp_path / "run.yaml", settings)


def test_a_run_is_stopped_and_finished_by_starting_it_again(many, tmp_path):
    settings = {"run_root": str(tmp_path / "run"), "pdb_root": str(many), "chains": CHAINS}
    config = launch.write_config(tmp_path / "run.yaml", settings | {"stage_a": {"max_per_shard": 24}})
    assert launch.input_table(config)["files"].tolist() == [24, 24, 24]
    running = launch.LocalRun(tmp_path / "run.yaml", 2, limit_s=100)
    while running.is_running and not list(tmp_path.glob("run/telemetry/*")):
        time.sleep(0.1)
    time.sleep(1.0)
    running.stop()
    assert running.wait() == 75, running.output()
    assert not launch.is_done(tmp_path / "run")
    again = launch.LocalRun(tmp_path / "run.yaml", 2, limit_s=100)
    assert again.wait() == 0, again.output()
    assert launch.is_done(tmp_path / "run")
    assert again.progress()["models_taken"] == 72
    assert "ended with exit code 0: 3 of 3 shards, 72 of 72 models" in repr(again)


def test_a_run_past_its_limit_is_stopped(many, tmp_path):
    settings = {"run_root": str(tmp_path / "run"), "pdb_root": str(many), "chains": CHAINS}
    launch.write_config(tmp_path / "run.yaml", settings)
    assert launch.LocalRun(tmp_path / "run.yaml", 1, limit_s=2.0).wait() == 75


def test_a_command_that_refuses_is_told_with_its_reason(tmp_path):
    (tmp_path / "run.yaml").write_text("run_root: r\n")
    with pytest.raises(LaunchError, match="pdb_root is missing"):
        launch.submit(tmp_path / "run.yaml", dry_run=True)
    assert "pdb_root is missing" in launch.try_submit(tmp_path / "run.yaml")
