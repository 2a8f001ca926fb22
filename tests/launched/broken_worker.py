"""A worker process with a fault in one model: when its graph is built, already when its file is read for the list, or
when its sequences are numbered, of which one has a tag; or when any sequence is numbered.
"""

import ctypes
import os
import signal
from pathlib import Path

from stagea_mpi.antibody import numbering
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
_LISTING, _NUMBERING, _ALL_NUMBERING = ", in the listing", ", in the numbering", ", in all numbering"
FAULTS = tuple(kind + place for place in ("", _LISTING, _NUMBERING, _ALL_NUMBERING) for kind in _KINDS)
MODEL = "pose_0002"
#: What the model's light chain ends with, where the fault is in its numbering.
TAG = "HHHHHH"


def never_returns(work: bytes) -> bool:
    """Whether this is the call, as a rank sends it, that keeps the worker process for ever."""
    fault = os.environ[VARIABLE]
    if "does not return" not in fault:
        return False
    if fault.endswith((_NUMBERING, _ALL_NUMBERING)):
        return b"find_domains" in work and (fault.endswith(_ALL_NUMBERING) or TAG.encode() in work)
    readers = (b"_list_and_describe", b"_sequences") if fault.endswith(_LISTING) else (b"compute_model",)
    return MODEL.encode() in work and any(reader in work for reader in readers)


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
    if fault.endswith((_NUMBERING, _ALL_NUMBERING)):
        break_numbering(fault)
    else:
        break_reading(fault)
    worker.serve()


def break_numbering(fault: str) -> None:
    kind, _, place = fault.partition(",")
    whole_search = numbering._search

    def search(sequences):
        if f",{place}" == _ALL_NUMBERING or any(TAG in sequence for sequence in sequences):
            break_something(kind, Path())
        return whole_search(sequences)

    numbering._search = search


def break_reading(fault: str) -> None:
    module = inventory if fault.endswith(_LISTING) else compute_model
    whole_read = module.read_model

    def read_model(ref, text=None):
        if ref.name == MODEL:
            break_something(fault.removesuffix(_LISTING), Path(ref.path))
            text = None  # the file as it is now
        return whole_read(ref, text)

    module.read_model = read_model


if __name__ == "__main__":
    main()
