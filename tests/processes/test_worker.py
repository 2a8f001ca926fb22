import ctypes
import os
import signal
from pathlib import Path

import numpy as np
import psutil
import pytest
from holding import HANG_S

from stagea_mpi.errors import LaunchError, ModelError
from stagea_mpi.mpi import worker as worker_module
from stagea_mpi.mpi.lasting import MOST_KEPT, Lasting
from stagea_mpi.mpi.worker import InlineWorker, WorkerProcess

pytestmark = pytest.mark.slow


@pytest.fixture
def worker(monkeypatch):
    here = Path(__file__).parent  # where it finds the functions below
    monkeypatch.setenv("PYTHONPATH", f"{here}{os.pathsep}{here.parent}")
    made = WorkerProcess()
    yield made
    made.stop()


def double(values):
    return values * 2


def fail(error):
    raise error


def hold_the_lock(seconds):
    """Sleeps in C with the interpreter's lock, so that no signal handler of Python's gets a turn."""
    ctypes.PyDLL(None).sleep(seconds)


def die(number):
    os.kill(os.getpid(), number)


def die_once(number, note):
    if not note.exists():
        note.touch()
        die(number)


def is_alive(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def test_arrays_go_there_and_come_back(worker):
    values = np.arange(200_000.0)  # more than a pipe holds
    assert np.array_equal(worker.call(HANG_S, double, values), values * 2)
    assert worker.call(HANG_S, os.getpid) == worker.call(HANG_S, os.getpid) != os.getpid()


@pytest.mark.parametrize("error", [ModelError("no_interface", "told", "read"), LaunchError("told"), ValueError("told")])
def test_errors_come_back_as_they_are(worker, error):
    with pytest.raises(type(error), match="told") as caught:
        worker.call(HANG_S, fail, error)
    assert getattr(caught.value, "reason", None) == getattr(error, "reason", None)
    assert worker.call(HANG_S, double, 1) == 2


def test_what_libraries_print_does_not_disturb(worker, capfd):
    assert worker.call(HANG_S, print, "noise") is None
    assert worker.call(HANG_S, os.system, "echo more noise") == 0
    assert worker.call(HANG_S, double, 1) == 2
    assert capfd.readouterr().out == ""


def test_a_call_that_does_not_return_is_ended_and_the_next_one_is_answered(worker, monkeypatch):
    monkeypatch.setattr(worker_module, "GRACE_S", 0.5)
    before = worker.call(HANG_S, os.getpid)
    with pytest.raises(ModelError, match="did not return within model_timeout_s = 1 s") as caught:
        worker.call(1, hold_the_lock, 600)
    assert caught.value.reason == "timeout"
    assert not is_alive(before)
    assert worker.call(HANG_S, double, 1) == 2


def test_a_process_that_takes_nothing_in_is_ended_too(worker, monkeypatch):
    monkeypatch.setattr(worker_module, "GRACE_S", 0.5)
    pid = worker.call(HANG_S, os.getpid)
    os.kill(pid, signal.SIGSTOP)
    with pytest.raises(ModelError, match="did not return"):
        worker.call(1, double, np.arange(200_000.0))  # more than a pipe holds
    assert worker.call(HANG_S, os.getpid) != pid


def test_a_crash_is_the_models_only_the_second_time(worker, tmp_path):
    with pytest.raises(ModelError, match="was ended by SIGSEGV") as caught:
        worker.call(HANG_S, die, signal.SIGSEGV)
    assert caught.value.reason == "crashed"
    pid = worker.call(HANG_S, os.getpid)
    worker.call(HANG_S, die_once, signal.SIGKILL, tmp_path / "died")  # as when somebody else kills it
    assert worker.call(HANG_S, os.getpid) != pid


def test_a_signal_that_asks_a_rank_to_stop_does_not_stop_what_it_has_in_hand(worker):
    pid = worker.call(HANG_S, os.getpid)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1):
        os.kill(pid, number)
    assert worker.call(HANG_S, os.getpid) == pid


def test_cleared_it_is_gone_and_no_descriptor_is_left():
    before, worker = len(os.listdir("/proc/self/fd")), WorkerProcess()
    pid = worker.call(HANG_S, os.getpid)
    worker.stop()
    assert not is_alive(pid)
    assert len(os.listdir("/proc/self/fd")) == before


def lengths(*texts):
    return [len(text) for text in texts]


def test_a_lasting_argument_is_sent_once_to_each_process(worker, monkeypatch):
    sent = []
    send = worker_module._send
    monkeypatch.setattr(worker_module, "_send", lambda *message: sent.append(len(message[1])) or send(*message))
    many = [Lasting(f"key {k}", "x" * (10_000 + k)) for k in range(MOST_KEPT + 1)]
    assert worker.call(HANG_S, lengths, many[0], "ab") == [10_000, 2]
    assert worker.call(HANG_S, lengths, "a", many[0]) == [1, 10_000]
    assert sent[0] > 10_000 > 1000 > sent[1]
    assert [worker.call(HANG_S, lengths, each) for each in many] == [[10_000 + k] for k in range(len(many))]
    sent.clear()
    assert worker.call(HANG_S, lengths, many[-1], many[0]) == [10_000 + MOST_KEPT, 10_000]  # the first gave way
    assert 10_000 < sent[0] < 20_000
    with pytest.raises(ModelError, match="crashed|ended"):
        worker.call(HANG_S, die, signal.SIGKILL)
    assert worker.call(HANG_S, lengths, many[-1]) == [10_000 + MOST_KEPT]


def test_inline_a_lasting_argument_is_its_value():
    assert InlineWorker().call(HANG_S, lengths, Lasting("a", "abc"), "ab") == [3, 2]
