"""A time limit on what ranks do together when they start: MPI waits for ever for a rank that has failed on its way."""

import contextlib
import faulthandler
import math
import os
import subprocess
from collections.abc import Iterator

#: Seconds that starting MPI, making a window or opening a file may take.
LIMIT_VARIABLE = "STAGEA_START_LIMIT_S"
_LIMIT_S = 300.0
#: Of ranks that wait together the first one reports; the others, so much later, only where it has not (s).
_LATER_S = 3.0

#: Tells when something comes, and nothing when the other end is closed.
_TELL = 'trap "" INT TERM USR1; read -r _ && printf "%s\\n" "$1" >&2'


@contextlib.contextmanager
def start_limit(what: str, advice: str, is_first: bool) -> Iterator[None]:
    """Ends the process with exit code 1 and a line when the block takes too long.

    MPI and HDF5 hold the interpreter while they wait, so no thread or signal handler of Python's could do it: the
    watchdog of `faulthandler` needs no interpreter. What it writes, a traceback, goes to a process that prints the line
    instead.

    Parameters
    ----------
    what : str
        What the block does.
    advice : str
        Where to look.
    is_first : bool
        Whether this rank is the one to report.
    """
    limit = _limit()
    line = (
        f"stagea_mpi: error: {what} has not ended within {limit:g} s ({LIMIT_VARIABLE}): a rank is missing, or waits "
        f"for another that has failed. {advice}"
    )
    # No `child_process.Child`: it has to outlive this process, by a line.
    with subprocess.Popen(["/bin/sh", "-c", _TELL, "sh", line], stdin=subprocess.PIPE) as teller:
        assert teller.stdin is not None
        faulthandler.dump_traceback_later(
            limit + (0.0 if is_first else _LATER_S), exit=True, file=teller.stdin.fileno()
        )
        try:
            yield
        finally:
            faulthandler.cancel_dump_traceback_later()


def _limit() -> float:
    try:
        limit = float(os.environ.get(LIMIT_VARIABLE, _LIMIT_S))
    except ValueError:
        return _LIMIT_S
    return limit if math.isfinite(limit) and limit > 0 else _LIMIT_S
