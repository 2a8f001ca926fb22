"""What a process makes of signals that ask it to stop."""

import os
import signal
import threading

import pytest

from stagea_mpi.mpi.guard import ONE_REQUEST_S, StopRequest

TERM, INT, USR1 = signal.SIGTERM, signal.SIGINT, signal.SIGUSR1
LATER = ONE_REQUEST_S + 0.5


@pytest.mark.parametrize(
    ("signals", "is_second"),
    [
        ([(TERM, 0.0), (TERM, LATER)], True),
        ([(INT, 0.0), (INT, LATER)], True),
        ([(TERM, 0.0), (INT, LATER)], True),
        ([(TERM, 0.0), (TERM, 0.1), (TERM, ONE_REQUEST_S)], False),  # of Slurm, of srun, of a launcher
        ([(TERM, 0.0), (TERM, 0.1), (TERM, LATER)], True),
        ([(USR1, 0.0), (TERM, LATER)], False),  # ahead of a time limit, and at it
        ([(USR1, 0.0), (TERM, LATER), (TERM, 2 * LATER)], True),
        ([(TERM, 0.0), (USR1, LATER)], False),
    ],
)
def test_only_a_request_that_is_made_again_is_a_second_one(signals, is_second):
    stop = StopRequest()
    assert [stop.is_second(number, now) for number, now in signals][-1] == is_second


def test_afterwards_everything_is_as_before():
    descriptors, threads = len(os.listdir("/proc/self/fd")), threading.active_count()
    handlers = [signal.getsignal(number) for number in (TERM, INT, USR1)]
    with StopRequest() as stop:
        os.kill(os.getpid(), TERM)
        assert stop.signal == TERM
    assert [signal.getsignal(number) for number in (TERM, INT, USR1)] == handlers
    assert signal.set_wakeup_fd(-1) == -1
    assert (len(os.listdir("/proc/self/fd")), threading.active_count()) == (descriptors, threads)
