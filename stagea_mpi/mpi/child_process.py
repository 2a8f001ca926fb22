"""Processes that a rank starts: no fork handlers, and an end with the rank that started them."""

import contextlib
import functools
import gc
import os
import shutil
import signal
import subprocess
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Any, NoReturn

from .. import system
from .guard import STOP_SIGNALS

#: What `ps -o comm` and /proc show of a process with its parent's command line.
_FORKED_NAME = b"stagea_worker"


class Child(subprocess.Popen[bytes]):
    """A child process that is killed when its rank dies.

    CPython starts it by vfork as long as no `preexec_fn` is given, so the handlers that MPI libraries register for fork
    do not run; util-linux' setpriv asks the kernel for the signal on the parent's death. Where there is none,
    children see the end of what they read instead, once they have done what they have in hand.
    """

    def __init__(self, args: Sequence[str], **options: Any):
        # A batch system signals every process of a step. A child that died of it would make its model fail, when the
        # rank is just to finish the model in hand: children inherit these signals as blocked (a shell script would
        # unblock them).
        before = signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
        try:
            super().__init__([*die_with_parent(), *args], **options)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


class ForkedChild:
    """A child process that is a copy of this one, and runs a function there; it is killed when this process dies.

    For a process with nothing but Python's own threads that wait, and before libraries with handlers for fork are
    loaded. It has no file of this process's open but stderr; it inherits the signals of a batch system as blocked.

    Parameters
    ----------
    work : callable
        What is run there; then the process ends.

    Attributes
    ----------
    pid : int
    stdin, stdout : binary files, unbuffered
        This process's ends of its pipes.
    """

    def __init__(self, work: Callable[[], None]):
        source, stdin = os.pipe()
        stdout, sink = os.pipe()
        parent = os.getpid()
        gc.freeze()  # a collection there would touch, and so copy, all memory that is shared
        before = signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
        try:
            self.pid = os.fork()
            if not self.pid:
                _run_forked(work, source, sink, parent)
        except OSError:
            os.close(stdin)
            os.close(stdout)
            raise
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
            os.close(source)
            os.close(sink)
        self.stdin, self.stdout = open(stdin, "wb", buffering=0), open(stdout, "rb", buffering=0)
        self._code: int | None = None

    def kill(self) -> None:
        if self._code is None:
            with contextlib.suppress(ProcessLookupError):  # gone already, as where its end was not kept for us
                os.kill(self.pid, signal.SIGKILL)

    def wait(self, timeout: float | None = None) -> int:
        """Its exit code, as `subprocess.Popen.wait` has it; 0 where nobody can tell.

        The system keeps no child's end for a process that was started with SIGCHLD ignored.

        Raises
        ------
        subprocess.TimeoutExpired
            It has not ended within so many seconds.
        """
        end = None if timeout is None else time.monotonic() + timeout
        while self._code is None:
            try:
                pid, status = os.waitpid(self.pid, 0 if end is None else os.WNOHANG)
            except ChildProcessError:
                pid, status = self.pid, 0
            if pid:
                self._code = os.waitstatus_to_exitcode(status)
            elif end is not None and time.monotonic() > end:
                raise subprocess.TimeoutExpired("a forked process", timeout or 0.0)
            else:
                time.sleep(0.005)
        return self._code


def _run_forked(work: Callable[[], None], source: int, sink: int, parent: int) -> NoReturn:
    """The life of a forked child. Nothing of it may come back to what its parent has had in hand."""
    code = 1
    try:
        system.die_with_parent(signal.SIGKILL, _FORKED_NAME)
        if os.getppid() != parent:
            raise ChildProcessError("the process that has forked this one is gone")
        signal.set_wakeup_fd(-1)
        for number in STOP_SIGNALS:
            signal.signal(number, signal.SIG_DFL)
        os.dup2(source, 0)
        os.dup2(sink, 1)
        for opened in system.descriptors():
            if opened > 2:
                with contextlib.suppress(OSError):  # the one of the listing is closed already
                    os.close(opened)
        work()
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


def piped(end: IO[bytes] | None) -> IO[bytes]:
    """This process's end of a pipe that a child was given when it was started."""
    assert end is not None
    return end


def package_environment(without: tuple[str, ...] = (), **more: str) -> dict[str, str]:
    """Variables for a child that imports this package: this process's, with the package found where this one has it.

    Parameters
    ----------
    without : tuple of str
        Beginnings of names to be left out.
    **more
        Variables that are added.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith(without)}
    package = str(Path(__file__).resolve().parents[2])
    kept["PYTHONPATH"] = os.pathsep.join(filter(None, (package, kept.get("PYTHONPATH"))))
    return kept | more


@functools.cache
def die_with_parent() -> tuple[str, ...]:
    """What stands before a command so that it is killed when its parent dies; nothing where there is no setpriv."""
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        return ()
    command = (setpriv, "--pdeathsig", "KILL")
    works = subprocess.run([*command, "true"], capture_output=True, timeout=60, check=False).returncode == 0
    return command if works else ()
