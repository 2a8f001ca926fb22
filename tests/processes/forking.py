"""What a process does that forks its worker off, for `test_forked_worker`."""

import os
import signal
import sys
from pathlib import Path

import numpy as np
import pytest
from holding import HANG_S

from stagea_mpi.errors import ModelError
from stagea_mpi.mpi.guard import STOP_SIGNALS, StopRequest
from stagea_mpi.mpi.worker import WorkerProcess
from stagea_mpi.pipeline.beside import forked_worker


def double(values):
    return values * 2


def die(number):
    os.kill(os.getpid(), number)


def open_files():
    """What this process has open beside its pipes and stderr."""
    links = {}
    for name in os.listdir("/proc/self/fd"):
        try:
            links[int(name)] = os.readlink(f"/proc/self/fd/{name}")
        except OSError:
            continue
    return [target for number, target in links.items() if number > 2 and not target.startswith(("pipe:", "/proc/"))]


def command_line():
    return Path("/proc/self/cmdline").read_bytes()


def loaded(module):
    return module in sys.modules


def is_forked(worker) -> bool:
    return worker.call(HANG_S, command_line) == command_line()


def answers(worker, folder):
    values = np.arange(200_000.0)  # more than a pipe holds
    assert np.array_equal(worker.call(HANG_S, double, values), values * 2)
    assert worker.call(HANG_S, os.getpid) == worker.call(HANG_S, os.getpid) != os.getpid()
    assert worker.call(HANG_S, os.getppid) == os.getpid()
    assert is_forked(worker)
    assert Path(f"/proc/{worker.call(HANG_S, os.getpid)}/comm").read_text() == "stagea_worker\n"
    assert worker.call(HANG_S, loaded, "colorsys")  # one of its imports


def prints_nothing(worker, folder):
    assert worker.call(HANG_S, print, "noise") is None
    assert worker.call(HANG_S, os.system, "echo more noise") == 0


def crashes(worker, folder):
    with pytest.raises(ModelError, match="was ended by SIGSEGV") as caught:
        worker.call(HANG_S, die, signal.SIGSEGV)
    assert caught.value.reason == "crashed"
    assert worker.call(HANG_S, double, 1) == 2
    assert not is_forked(worker)


def is_asked_to_stop(worker, folder):
    pid = worker.call(HANG_S, os.getpid)
    for number in STOP_SIGNALS:
        os.kill(pid, number)
    assert worker.call(HANG_S, os.getpid) == pid


def has_no_files(worker, folder):
    assert worker.call(HANG_S, open_files) == []


def is_stopped(worker, folder):
    pid = worker.call(HANG_S, os.getpid)
    worker.stop()
    assert not Path(f"/proc/{pid}").exists()
    assert str(len(os.listdir("/proc/self/fd"))) == (folder / "files").read_text()


def is_stopped_where_ends_are_not_kept(worker, folder):
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # some launchers and services leave their programs with that
    is_stopped(worker, folder)


def crashes_where_ends_are_not_kept(worker, folder):
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    with pytest.raises(ModelError) as caught:
        worker.call(HANG_S, die, signal.SIGSEGV)
    assert caught.value.reason == "crashed"
    assert worker.call(HANG_S, double, 1) == 2


def dies_with_its_parent(worker, folder):
    (folder / "pid").write_text(str(worker.call(HANG_S, os.getpid)))
    die(signal.SIGKILL)


def is_not_forked_beside_mpi(worker, folder):
    worker.stop()
    from mpi4py import MPI

    worker.fork_off()
    assert MPI.VERSION
    assert not is_forked(worker)


def is_forked_for_a_run(worker, folder):
    worker.stop()
    with forked_worker() as own:
        assert is_forked(own)
        assert own.call(HANG_S, loaded, "stagea_mpi.pipeline.compute_model")
        assert not own.call(HANG_S, loaded, "mpi4py.MPI")
    assert not loaded("mpi4py.MPI")


CASES = {
    case.__name__: case
    for case in (
        answers, prints_nothing, crashes, is_asked_to_stop, has_no_files, is_stopped,
        is_stopped_where_ends_are_not_kept, crashes_where_ends_are_not_kept, dies_with_its_parent,
        is_not_forked_beside_mpi, is_forked_for_a_run,
    )
}  # fmt: skip


def main(case: str, folder: str) -> None:
    with StopRequest(), open(__file__) as _, WorkerProcess(("colorsys",)) as worker:
        (Path(folder) / "files").write_text(str(len(os.listdir("/proc/self/fd"))))
        worker.fork_off()
        CASES[case](worker, Path(folder))
