"""Signals that reach a run: before it has begun, in a model, twice, and when all is done."""

import contextlib
import os
import signal
import time

import psutil
import pytest
from holding import HeldModel, HeldPython, Hold, end_of
from launching import published


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGUSR1])
def test_a_stop_signal_ends_with_75_and_the_same_command_finishes(
    number, poses, run_yaml, launch, undisturbed, tmp_path
):
    path = run_yaml(poses, "stopped", max_per_shard=3, min_per_shard=1)
    hold = Hold(tmp_path / "held")
    child = launch(0, f"held {hold.folder}", "run", path, module="tests.launched.broken_rank", wait=False)
    hold.wait()
    child.send_signal(number)
    code, output = end_of(child)
    assert code == 75, output
    assert f"stopped early by {number.name}" in output
    if number != signal.SIGTERM:
        return  # what they leave is the same
    again = launch(2, "run", path)
    assert again.returncode == 0, again.stdout
    assert published(path) == published(undisturbed)


@pytest.mark.parametrize(("ranks", "number"), [(0, signal.SIGTERM), (0, signal.SIGINT), (2, signal.SIGTERM)])
def test_a_second_signal_ends_a_rank_at_once_whatever_it_waits_for(ranks, number, poses, run_yaml, launch, tmp_path):
    path = run_yaml(poses, "twice", glob='"pose_0001.pdb"')
    hold = HeldModel(tmp_path / "held", goes_when_told=False)
    child = launch(ranks, "run", path, wait=False, PYTHONPATH=str(hold.folder))
    hold.wait()
    rank = rank_without(hold.held(), child.pid) if ranks else child.pid  # of two, one waits in MPI for the other
    with contextlib.suppress(ProcessLookupError):
        while child.poll() is None:  # whenever the second one comes
            os.kill(rank, number)
            time.sleep(0.2)
    code, output = end_of(child)
    assert code == 75, output
    assert f"ended at once by a second stop signal, {number.name}" in output
    if ranks:
        assert launch(ranks, "run", path).returncode == 0


def rank_without(children: list[int], launcher: int) -> int:
    """The rank to which none of these processes belongs."""
    ranks = [rank for rank in psutil.Process(launcher).children() if "run" in rank.cmdline()]
    (found,) = [rank for rank in ranks if not {c.pid for c in rank.children(recursive=True)} & set(children)]
    return found.pid


def test_a_signal_to_the_launcher_stops_all_ranks_in_order(poses, run_yaml, launch, tmp_path):
    path = run_yaml(poses, "launcher", max_per_shard=3, min_per_shard=1)
    hold = Hold(tmp_path / "held")
    child = launch(2, f"held {hold.folder}", "run", path, module="tests.launched.broken_rank", wait=False)
    hold.wait(2)
    child.send_signal(signal.SIGUSR1)
    code, output = end_of(child)
    assert code == 75, output
    assert "stopped early" in output


@pytest.mark.parametrize(("ranks", "place"), [(0, "stagea_mpi.cli"), (2, "stagea_mpi.cli"), (2, "mpi4py")])
def test_a_stop_that_comes_while_a_run_starts_ends_with_75(ranks, place, poses, run_yaml, launch, tmp_path):
    hold = HeldPython(tmp_path / "held", place)
    child = launch(ranks, "run", run_yaml(poses), wait=False, PYTHONPATH=str(hold.folder))
    hold.wait(max(1, ranks))
    for rank in hold.held():
        os.kill(rank, signal.SIGTERM)
    hold.let_go()
    code, output = end_of(child)
    assert code == 75, output
    assert "stopped early by SIGTERM" in output


@pytest.mark.parametrize("ranks", [0, 2])
def test_a_stop_that_comes_when_all_is_done_undoes_nothing(ranks, poses, run_yaml, launch, undisturbed, tmp_path):
    hold = HeldPython(tmp_path / "held", "end")
    path = run_yaml(poses, "late", max_per_shard=3, min_per_shard=1)
    child = launch(ranks, "run", path, wait=False, PYTHONPATH=str(hold.folder))
    hold.wait(max(1, ranks))
    for rank in hold.held():
        os.kill(rank, signal.SIGTERM)
    hold.let_go()
    code, output = end_of(child)
    assert code == 0, output
    assert published(path) == published(undisturbed)


def test_other_commands_end_by_the_signal_as_programs_do(poses, run_yaml, launch, tmp_path):
    hold = HeldPython(tmp_path / "held", "stagea_mpi.cli")
    child = launch(0, "plan", run_yaml(poses), wait=False, PYTHONPATH=str(hold.folder))
    hold.wait()
    child.send_signal(signal.SIGTERM)
    hold.let_go()
    assert end_of(child)[0] == -signal.SIGTERM
