"""A worker process with a fault in one model, when its graph is built or already when its file is read for the list."""

import ctypes
import os
import signal
from pathlib import Path

from stagea_mpi.mpi import worker
from stagea_mpi.pipeline import compute_model, inventory

VARIABLE = "STAGEA_BROKEN_WORKER"
_KINDS = (
    "a bug in one model",
    "a native call that does not return",
    "a library that crashes",
    "out of memory",
    "a file that vanishes",
)
_LISTING = ", in the listing"
FAULTS = (*_KINDS, *(kind + _LISTING for kind in _KINDS))
MODEL = "pose_0002"


def never_returns(work: bytes) -> bool:
    """Whether this is the call, as a rank sends it, that keeps the worker process for ever."""
    fault = os.environ[VARIABLE]
    readers = (b"_list_and_describe", b"_sequences") if fault.endswith(_LISTING) else (b"compute_model",)
    return "does not return" in fault and MODEL.encode() in work and any(reader in work for reader in readers)


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


def main() -> None:
    fault = os.environ[VARIABLE]
    module = inventory if fault.endswith(_LISTING) else compute_model
    whole_read = module.read_model

    def read_model(ref):
        if ref.name == MODEL:
            break_something(fault.removesuffix(_LISTING), Path(ref.path))
        return whole_read(ref)

    module.read_model = read_model
    worker.serve()


if __name__ == "__main__":
    main()
