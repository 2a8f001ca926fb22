import threading

import pytest
from holding import HANG_S, HeldModel, HeldPython

from stagea_mpi.errors import ConfigError, LaunchError
from stagea_mpi.notebook import launch

CHAINS = {"heavy": "H", "light": "L", "antigen": "A"}


@pytest.fixture
def written(poses, tmp_path):
    """The path of a configuration of six models in three shards."""
    settings = {"run_root": str(tmp_path / "run"), "pdb_root": str(poses), "chains": CHAINS}
    launch.write_config(tmp_path / "run.yaml", settings | {"stage_a": {"max_per_shard": 2, "min_per_shard": 1}})
    return tmp_path / "run.yaml"


def test_a_wrong_key_is_told_when_the_configuration_is_written(tmp_path):
    settings = {"run_root": "r", "pdb_root": "p", "chains": CHAINS, "stage_a": {"core": 3}}
    with pytest.raises(ConfigError, match="did you mean stage_a.cores"):
        launch.write_config(tmp_path / "run.yaml", settings)


def test_a_run_is_stopped_and_finished_by_starting_it_again(written, tmp_path, monkeypatch):
    hold = HeldModel(tmp_path / "held")
    monkeypatch.setenv("PYTHONPATH", str(hold.folder))
    running = launch.LocalRun(written, 2, limit_s=HANG_S)
    hold.wait(2, running.output)
    running.stop()
    hold.let_go()
    assert running.wait() == 75, running.output()
    assert not launch.is_done(tmp_path / "run")
    again = launch.LocalRun(written, 2, limit_s=HANG_S)
    assert again.wait() == 0, again.output()
    assert launch.is_done(tmp_path / "run")
    assert again.progress()["models_taken"] == 6
    assert "ended with exit code 0: 3 of 3 shards, 6 of 6 models" in repr(again)


def test_a_run_past_its_limit_is_stopped(written, tmp_path, monkeypatch):
    hold = HeldModel(tmp_path / "held")
    monkeypatch.setenv("PYTHONPATH", str(hold.folder))
    running = launch.LocalRun(written, 1, limit_s=0.0)
    stop = running.stop

    def stop_and_let_go():
        stop()
        hold.let_go()

    monkeypatch.setattr(running, "stop", stop_and_let_go)
    hold.wait(1, running.output)
    assert running.wait() == 75, running.output()


@pytest.mark.parametrize(("ranks", "place"), [(1, "start"), (2, "start"), (2, "stagea_mpi.pipeline.run")])
def test_a_run_that_is_stopped_while_it_starts_ends_with_75(place, ranks, written, tmp_path, monkeypatch):
    hold = HeldPython(tmp_path / "held", place)
    monkeypatch.setenv("PYTHONPATH", str(hold.folder))
    running = launch.LocalRun(written, ranks, limit_s=HANG_S)
    hold.wait(ranks, running.output)
    stopping = threading.Thread(target=running.stop)
    stopping.start()
    hold.let_go()
    assert running.wait() == 75, running.output()
    stopping.join(timeout=HANG_S)


@pytest.mark.parametrize("ranks", [1, 2])
def test_a_run_that_is_stopped_when_it_has_finished_has_finished(ranks, written, tmp_path, monkeypatch):
    hold = HeldPython(tmp_path / "held", "end")
    monkeypatch.setenv("PYTHONPATH", str(hold.folder))
    running = launch.LocalRun(written, ranks, limit_s=HANG_S)
    hold.wait(ranks, running.output)
    running.stop()
    hold.let_go()
    assert running.wait() == 0, running.output()
    assert launch.is_done(tmp_path / "run")


def test_a_command_that_refuses_is_told_with_its_reason(tmp_path):
    (tmp_path / "run.yaml").write_text("run_root: r\n")
    with pytest.raises(LaunchError, match="pdb_root is missing"):
        launch.submit(tmp_path / "run.yaml", dry_run=True)
    assert "pdb_root is missing" in launch.try_submit(tmp_path / "run.yaml")
