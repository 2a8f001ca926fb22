"""Runs that start their ranks themselves: ``run --ranks N``."""

import contextlib
import os
import signal
import time

import psutil
import pytest
from holding import HeldModel, HeldPython, end_of, wait_until
from launching import published

SMALL = {"max_per_shard": 3, "min_per_shard": 1}


def test_a_run_starts_its_ranks_and_gives_the_same_files(poses, run_yaml, launch, undisturbed):
    path = run_yaml(poses, "own_ranks", **SMALL)
    done = launch(0, "run", path, "--ranks", "2")
    assert done.returncode == 0, done.stdout
    assert "rank 0 phase full on 2 ranks" in done.stdout
    assert published(path) == published(undisturbed)


def test_the_exit_code_is_the_runs(poses, run_yaml, launch, tmp_path):
    wrong = run_yaml(poses, "wrong", core=3)
    done = launch(0, "run", wrong, "--ranks", "2")
    assert done.returncode == 2, done.stdout
    assert "did you mean stage_a.cores" in done.stdout


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGUSR1])
def test_a_signal_reaches_the_ranks_and_the_same_command_finishes(
    number, poses, run_yaml, launch, undisturbed, tmp_path
):
    path = run_yaml(poses, "stopped", **SMALL)
    hold = HeldModel(tmp_path / "held")
    child = launch(0, "run", path, "--ranks", "2", wait=False, PYTHONPATH=str(hold.folder))
    hold.wait(2)
    child.send_signal(number)
    wait_for_line(child, f"{number.name} is handed on to 2 ranks")
    hold.let_go()
    code, output = end_of(child)
    assert code == 75, output
    assert f"stopped early by {number.name}" in output
    if number != signal.SIGTERM:
        return  # what they leave is the same
    again = launch(0, "run", path, "--ranks", "2")
    assert again.returncode == 0, again.stdout
    assert published(path) == published(undisturbed)


@pytest.mark.parametrize("place", ["stagea_mpi.cli", "mpi4py"])
def test_a_signal_waits_for_ranks_that_still_start(place, poses, run_yaml, launch, tmp_path):
    hold = HeldPython(tmp_path / "held", place, which="'--ranks' not in sys.orig_argv")
    child = launch(0, "run", run_yaml(poses, **SMALL), "--ranks", "2", wait=False, PYTHONPATH=str(hold.folder))
    hold.wait(2)
    child.send_signal(signal.SIGTERM)
    hold.let_go()
    code, output = end_of(child)
    assert code == 75, output
    assert "stopped early by SIGTERM" in output


def test_a_second_signal_ends_all_at_once(poses, run_yaml, launch, tmp_path):
    hold = HeldModel(tmp_path / "held", goes_when_told=False)
    child = launch(0, "run", run_yaml(poses, **SMALL), "--ranks", "2", wait=False, PYTHONPATH=str(hold.folder))
    hold.wait(2)
    below = psutil.Process(child.pid).children(recursive=True)
    with contextlib.suppress(ProcessLookupError):
        while child.poll() is None:  # whenever the second one comes
            os.kill(child.pid, signal.SIGTERM)
            time.sleep(0.2)
    code, output = end_of(child)
    assert code == 75, output
    wait_until(lambda: not any(map(is_there, below)), "the ranks to be gone")


def test_ranks_end_when_the_process_that_has_started_them_is_killed(poses, run_yaml, launch, undisturbed, tmp_path):
    path = run_yaml(poses, "killed", **SMALL)
    hold = HeldModel(tmp_path / "held")
    child = launch(0, "run", path, "--ranks", "2", wait=False, PYTHONPATH=str(hold.folder))
    hold.wait(2)
    below = psutil.Process(child.pid).children(recursive=True)
    assert len(below) >= 5  # the launcher, and two ranks with a process each
    child.kill()
    end_of(child)
    wait_until(lambda: not any(map(is_there, below)), "the ranks to be gone")
    again = launch(0, "run", path, "--ranks", "2")
    assert again.returncode == 0, again.stdout
    assert published(path) == published(undisturbed)


def test_a_rank_that_is_killed_is_told_by_the_exit_code(poses, run_yaml, launch, tmp_path):
    path = run_yaml(poses, "dead_rank", **SMALL)
    hold = HeldModel(tmp_path / "held")
    child = launch(0, "run", path, "--ranks", "2", wait=False, PYTHONPATH=str(hold.folder))
    hold.wait(2)
    beside = psutil.Process(hold.held()[0])
    beside.parent().kill()
    code, output = end_of(child)
    assert code == 137, output


def wait_for_line(child, line: str) -> None:
    """Reads what a run prints up to a line."""
    assert any(line in found for found in child.stdout), f"it has ended without: {line}"


def is_there(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False
