"""A process beside each rank in which its models are computed, so that none can take the rank with it.

A native call that does not return cannot be interrupted from Python, and one that crashes or takes all memory ends its
process. Here it ends the worker process: the rank sets up another one, and the model has failed.
"""

import functools
import importlib
import io
import os
import pickle
import select
import signal
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import IO, Any, BinaryIO

from .. import system
from ..errors import LaunchError, ModelError
from .child_process import Child, ForkedChild, package_environment, piped
from .lasting import Kept

#: Seconds beyond a model's time limit after which a worker process is ended: the limit itself stops all that Python can
#: stop.
GRACE_S = 5.0
#: Seconds that a worker process may take to be set up, on a file system that is busy with all ranks' imports.
_SET_UP_S = 300.0
#: A worker process that somebody has killed says nothing of the model: it is computed again, so often in all.
_ATTEMPTS = 2
_LENGTH = struct.Struct("<Q")


class InlineWorker:
    """Has a worker process's call, and runs functions where they are called: for a few models that somebody watches."""

    def call(self, limit: float, function: Callable, *args: Any) -> Any:
        return function(*Kept().taken(args))


class WorkerProcess:
    """Runs functions in a process of its own, one at a time. A context manager that ends it.

    Parameters
    ----------
    imports : tuple of str
        Modules that it loads while it starts, so that the first call need not wait for them.
    module : str
        The module that is run there.
    """

    def __init__(self, imports: tuple[str, ...] = (), module: str = "stagea_mpi.mpi.worker"):
        self._imports, self._module = imports, module
        self._process: Child | ForkedChild | None = None
        self._is_ready = False
        self._kept = Kept()  # what the process has

    def __enter__(self) -> "WorkerProcess":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def fork_off(self) -> None:
        """Forks the process off this one, so that it has what this one has loaded, and shares its memory.

        Not once MPI is loaded, whose handlers for fork would run: then, and where it has to be set up anew, it is a
        process of its own from the start.
        """
        is_main = threading.current_thread() is threading.main_thread()
        if self._process is not None or not is_main or "mpi4py.MPI" in sys.modules or not system.CAN_FORK:
            self.set_up()
            return
        self._process = ForkedChild(functools.partial(serve, self._imports))
        os.set_blocking(self._process.stdin.fileno(), False)
        self._is_ready = False

    def set_up(self) -> "Child | ForkedChild":
        """Starts the process, if it does not run; returns at once, while it is still importing."""
        if self._process is not None:
            return self._process
        self._process = Child(
            [sys.executable, "-m", self._module, *self._imports],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
            env=package_environment(),
        )
        os.set_blocking(
            piped(self._process.stdin).fileno(), False
        )  # more than a pipe holds must not wait for ever either
        self._is_ready = False
        return self._process

    def call(self, limit: float, function: Callable, *args: Any) -> Any:
        """What a function gives there.

        Parameters
        ----------
        limit : float
            Seconds; the process is ended when the function takes `GRACE_S` more.
        function : callable
            Of a module's top level.
        *args
            To be pickled; of a `lasting.Lasting` one the function gets the value.

        Raises
        ------
        ModelError
            ``timeout``, or ``crashed`` where the process ended.
        LaunchError
            The process cannot be started.
        """
        for attempt in range(_ATTEMPTS):
            process = self.set_up()
            try:
                self._wait_until_ready(process)
                deadline = time.monotonic() + limit + GRACE_S
                message = pickle.dumps((function, self._kept.sent(args)), protocol=pickle.HIGHEST_PROTOCOL)
                _send(process, message, deadline)
                is_result, value = pickle.loads(_receive(process, deadline))
            except TimeoutError:
                self.stop()
                raise ModelError(
                    "timeout", f"a call into a library did not return within model_timeout_s = {limit:g} s"
                ) from None
            except (EOFError, BrokenPipeError):
                how = _ended(process)
                self.stop()
                if attempt + 1 == _ATTEMPTS:
                    raise ModelError("crashed", f"the process that computed it was ended by {how}") from None
                continue
            except BaseException:
                self.stop()  # in the middle of an exchange
                raise
            if is_result:
                return value
            raise value

    def stop(self) -> None:
        """Ends the process."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            piped(self._process.stdin).close()
            piped(self._process.stdout).close()
            self._process = None
            self._kept = Kept()

    def _wait_until_ready(self, process: "Child | ForkedChild") -> None:
        if self._is_ready:
            return
        try:
            _receive(process, time.monotonic() + _SET_UP_S)
        except TimeoutError:
            self.stop()
            raise LaunchError(f"`{sys.executable} -m {self._module}` was not ready within {_SET_UP_S:.0f} s") from None
        self._is_ready = True


def _ended(process: Child | ForkedChild) -> str:
    code = process.wait(timeout=60)
    return signal.Signals(-code).name if code < 0 else f"itself, with exit code {code}"


def _send(process: Child | ForkedChild, message: bytes, deadline: float) -> None:
    rest, sink = memoryview(_LENGTH.pack(len(message)) + message), piped(process.stdin)
    while rest:
        _wait_for(sink, select.POLLOUT, deadline)
        rest = rest[sink.write(rest) or 0 :]


def _receive(process: Child | ForkedChild, deadline: float) -> bytes:
    (length,) = _LENGTH.unpack(_read(process, _LENGTH.size, deadline))
    return _read(process, length, deadline)


def _read(process: Child | ForkedChild, n_bytes: int, deadline: float) -> bytes:
    parts, source = io.BytesIO(), piped(process.stdout)
    while parts.tell() < n_bytes:
        _wait_for(source, select.POLLIN | select.POLLHUP, deadline)
        data = source.read(n_bytes - parts.tell())
        if not data:
            raise EOFError
        parts.write(data)
    return parts.getvalue()


def _wait_for(file: IO[bytes], event: int, deadline: float) -> None:
    poll = select.poll()  # select() takes no descriptor from 1024 on
    poll.register(file, event)
    if not poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
        raise TimeoutError


def serve(imports: Sequence[str] | None = None) -> None:
    """Works off what comes on stdin until its end; what libraries print goes to stderr.

    Parameters
    ----------
    imports : sequence of str, optional
        Modules to be loaded first; this process's arguments by default.
    """
    system.keep_freed_memory()
    for module in sys.argv[1:] if imports is None else imports:
        importlib.import_module(module)
    source = os.fdopen(os.dup(0), "rb")
    sink = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    _answer(sink, (True, None))
    kept = Kept()
    while len(head := source.read(_LENGTH.size)) == _LENGTH.size:
        message = source.read(_LENGTH.unpack(head)[0])
        try:
            function, args = pickle.loads(message)
            answer = True, function(*kept.taken(args))
        except Exception as error:
            answer = False, error
        _answer(sink, answer)


def _answer(sink: BinaryIO, answer: tuple[bool, Any]) -> None:
    message = pickle.dumps(answer, protocol=pickle.HIGHEST_PROTOCOL)
    sink.write(_LENGTH.pack(len(message)) + message)
    sink.flush()


if __name__ == "__main__":
    serve()
