"""A workbench with a fault in one model."""

import ctypes
import os
import signal
from pathlib import Path

from stagea_mpi import single, workbench

VARIABLE = "STAGEA_BROKEN_BENCH"
FAULTS = (
    "a bug in one model",
    "a native call that does not return",
    "a library that crashes",
    "out of memory",
    "a file that vanishes",
)
MODEL = "pose_0002"


def read_model(ref):
    if ref.name == MODEL:
        break_something(os.environ[VARIABLE], Path(ref.path))
    return whole_read(ref)


def break_something(fault: str, file: Path) -> None:
    if fault == "a file that vanishes":
        file.rename(file.parents[1] / file.name)
        return
    if fault == "a bug in one model":
        raise ZeroDivisionError("a fault made for the test")
    if fault == "a native call that does not return":
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGALRM])
        ctypes.PyDLL(None).sleep(100_000)  # keeps the interpreter's lock: no handler and no thread gets a turn
    os.kill(os.getpid(), {"a library that crashes": signal.SIGSEGV, "out of memory": signal.SIGKILL}[fault])


if __name__ == "__main__":
    whole_read, single.read_model = single.read_model, read_model
    workbench.serve()
