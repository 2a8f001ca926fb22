"""Ends that all ranks share: an error of one stops all at once, a signal lets all finish what they have in hand."""

import contextlib
import ctypes
import errno
import os
import queue
import signal
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from types import FrameType

from ..errors import FAILED, STOPPED_EARLY, ModelError, StageAError, StorageError, escape_unprintable
from .communicator import Communicator

#: Signals that ask for an early, orderly end: Slurm's, a user's, a time limit's forerunner.
STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)
#: Those that end the process at once when they come again. Before its time limit a job gets SIGUSR1 and then SIGTERM.
_INSISTING = (signal.SIGTERM, signal.SIGINT)
#: Seconds within which they are the same request, which Slurm, srun, mpiexec and a terminal may each hand on.
ONE_REQUEST_S = 2.0

#: What file systems say when they are full, read-only, forbidden or failing, or have a folder where a file should be.
_STORAGE = (
    errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO, errno.ESTALE,
    errno.EISDIR, errno.ENOTDIR, errno.EEXIST, errno.ENOTEMPTY,
)  # fmt: skip


@contextlib.contextmanager
def abort_on_error(comm: Communicator) -> Iterator[None]:
    """Aborts all ranks when one raises, with the reason first.

    It must stand *inside* the scope of an open parallel file: closing that is collective and would wait for ever.
    """
    try:
        yield
    except BaseException as error:
        if comm.size == 1 or (isinstance(error, SystemExit) and not error.code):
            raise
        report(error, comm.rank)
        comm.Abort(getattr(error, "exit_code", FAILED))


def report(error: BaseException, rank: int | None = None) -> None:
    """Prints an error: one line for those that we know, the traceback for all others."""
    who = "stagea_mpi: " if rank is None else f"stagea_mpi: rank {rank}: "
    if isinstance(error, OSError) and error.errno in _STORAGE:
        error = StorageError.of(error, error.filename2 or error.filename or "writing")
    if isinstance(error, StageAError):
        print(f"{who}error: {escape_unprintable(str(error))}", file=sys.stderr, flush=True)
    else:
        print(who + "unexpected error\n" + "".join(traceback.format_exception(error)), file=sys.stderr, flush=True)


def raise_on_any_rank(comm: Communicator, error: StageAError | None) -> None:
    """Raises on all ranks when any rank has an error; collective. The lowest rank's error is the one that is raised."""
    errors = [e for e in comm.allgather(error) if e is not None]
    if errors:
        errors[0].raised_on = comm.size
        raise errors[0]


class StopRequest:
    """Notes a stop signal instead of dying of it; a second SIGTERM or SIGINT ends the process at once.

    Second is what comes more than `ONE_REQUEST_S` after the first. A context manager that listens, and puts the earlier
    handlers back.
    """

    def __init__(self) -> None:
        self.signal: signal.Signals | None = None
        self._previous: dict = {}
        self._first: float | None = None
        self._wakeup: tuple[int, int, threading.Thread] | None = None
        self._others: queue.SimpleQueue[int] | None = None

    def __bool__(self) -> bool:
        return self.signal is not None

    def __enter__(self) -> "StopRequest":
        return self.listen()

    def __exit__(self, *error: object) -> None:
        self._put_back()

    def listen(self) -> "StopRequest":
        """Installs the handlers."""
        if threading.current_thread() is threading.main_thread():
            # The main thread may wait in MPI, and Python's handlers with it: a second signal is for another thread.
            source, sink = os.pipe()
            os.set_blocking(sink, False)
            watch = threading.Thread(target=self._watch, args=(source,), name="second stop signal", daemon=True)
            watch.start()
            self._wakeup = sink, signal.set_wakeup_fd(sink, warn_on_full_buffer=False), watch
            self._previous = {number: signal.signal(number, self._note) for number in STOP_SIGNALS}
        return self

    def decline(self) -> None:
        """Puts the earlier handlers back, for what may be ended at any moment; a signal noted so far gets its way."""
        self._put_back()
        if self.signal is not None:
            signal.raise_signal(self.signal)

    def hand_on(self) -> "queue.SimpleQueue[int]":
        """Where signals come from here on, for a process that hands them on; a second one does not end it then.

        One that has come already is the first in it.
        """
        self._others = queue.SimpleQueue()
        if self.signal is not None:
            self._others.put(self.signal)
        return self._others

    def ignore(self) -> None:
        """Lets signals pass from here on: all is done, and what the process still needs to end must not undo it.

        Python takes its own handlers away before MPI is finalized, which may wait for other ranks; what is ignored
        stays so.
        """
        for number in self._previous:
            signal.signal(number, signal.SIG_IGN)

    def is_second(self, number: int, now: float) -> bool:
        """Whether a signal that comes now asks once more for what an earlier one has asked; `now` in seconds."""
        if number not in _INSISTING:
            return False
        if self._first is None:
            self._first = now
        return now - self._first > ONE_REQUEST_S

    def _put_back(self) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        self._previous = {}
        if self._wakeup is not None:
            sink, earlier, watch = self._wakeup
            signal.set_wakeup_fd(earlier)
            os.close(sink)  # upon which the thread ends
            watch.join()
            self._wakeup = None

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.signal = signal.Signals(number)
        if self._others is not None:
            self._others.put(number)

    def _watch(self, source: int) -> None:
        """Reads the numbers of the signals that come, and ends the process by the second of its kind."""
        with open(source, "rb", buffering=0) as numbers:
            while number := numbers.read(1):
                if self._others is None and self.is_second(number[0], time.monotonic()):
                    name = signal.Signals(number[0]).name
                    line = f"stagea_mpi: ended at once by a second stop signal, {name}; run the same command again\n"
                    with contextlib.suppress(OSError):
                        os.write(2, line.encode())
                    os._exit(STOPPED_EARLY)


@contextlib.contextmanager
def time_limit(seconds: float | None, what: str, key: str = "model_timeout_s") -> Iterator[None]:
    """Ends the block with ModelError ``timeout`` when it takes longer.

    On the main thread a signal does it, which also ends a system call that waits. Python has no such thing for other
    threads: there the error is raised before the next Python instruction, so a call into a library is waited for. The
    package's own kernels run one now and then, and look for signals: they end in either case.

    Parameters
    ----------
    seconds : float or None
        None for no limit.
    what : str
        The model, for the message.
    key : str
        The setting that the limit is from, for the message.
    """
    if seconds is None:
        yield
        return
    limit = _on_main_thread if threading.current_thread() is threading.main_thread() else _on_this_thread
    with limit(seconds, f"{what} took longer than {key} = {seconds:g} s"):
        yield


@contextlib.contextmanager
def _on_main_thread(seconds: float, message: str) -> Iterator[None]:
    def expire(number: int, frame: FrameType | None) -> None:
        raise ModelError("timeout", message)

    previous, started = signal.signal(signal.SIGALRM, expire), time.monotonic()
    left, interval = signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, previous)
        if left:  # the caller's own alarm, which may be due by now
            signal.setitimer(signal.ITIMER_REAL, max(left - (time.monotonic() - started), 1e-6), interval)


@contextlib.contextmanager
def _on_this_thread(seconds: float, message: str) -> Iterator[None]:
    class Expired(ModelError):
        """Python raises a class in another thread, and calls it without arguments."""

        def __init__(self) -> None:
            super().__init__("timeout", message)

    thread, lock, is_over = threading.get_ident(), threading.Lock(), False

    def expire() -> None:
        with lock:  # so that no error can come after the block's end, and hit what follows it
            if not is_over:
                _raise_in(thread, Expired)

    timer = threading.Timer(seconds, expire)
    timer.daemon = True
    timer.start()
    try:
        try:
            yield
        finally:
            with lock:
                is_over = True
            timer.cancel()
            _raise_in(thread, None)  # one that is on its way does not arrive any more
    except Expired as expired:
        raise ModelError("timeout", message).with_traceback(expired.__traceback__) from None


def _raise_in(thread: int, error: type[BaseException] | None) -> None:
    """Has another thread raise an error; None takes back one that it has not raised yet."""
    value = None if error is None else ctypes.py_object(error)
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), value)
