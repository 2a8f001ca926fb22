"""The command line with a second rank that stays away, or fails, where the variable STAGEA_ABSENT says.

The limit is short there and nowhere else: before, ranks may be as late as a busy machine makes them.
"""

import os
import sys
import threading
from types import SimpleNamespace

import h5py

from stagea_mpi import cli
from stagea_mpi.mpi import files, shared_counter, teams
from stagea_mpi.mpi.limits import LIMIT_VARIABLE, start_limit

_SHORT_S, _LONG_S = "5", "600"


def main() -> int:
    for module in (files, shared_counter, teams):
        module.start_limit = short_where_one_stays_away
    if os.environ["OMPI_COMM_WORLD_RANK"] == "1":
        HOLD[os.environ["STAGEA_ABSENT"]]()
    return cli.main(sys.argv[1:])


def short_where_one_stays_away(what: str, advice: str, is_first: bool):
    os.environ[LIMIT_VARIABLE] = _SHORT_S if what.startswith(os.environ["STAGEA_ABSENT"]) else _LONG_S
    return start_limit(what, advice, is_first)


def stay_away(*args, **options) -> None:
    """Until it is killed."""
    threading.Event().wait()


def fail(*args, **options) -> None:
    raise OSError("made for the test")


def h5py_with(file) -> SimpleNamespace:
    """h5py that opens files by a function of ours."""
    return SimpleNamespace(**{**vars(h5py), "File": file})


HOLD = {
    "starting MPI": lambda: setattr(teams, "first_problem", stay_away),
    "making the counter of models": lambda: setattr(shared_counter, "window_problem", stay_away),
    "opening ": lambda: setattr(files, "h5py", h5py_with(stay_away)),
    "fails": lambda: setattr(files, "h5py", h5py_with(fail)),
}


if __name__ == "__main__":
    sys.exit(main())
