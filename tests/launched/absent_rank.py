"""The command line with a second rank that stays away, or fails, where the variable STAGEA_ABSENT says."""

import os
import sys
import threading
from types import SimpleNamespace

from stagea_mpi import cli
from stagea_mpi.parallel import files, schedule, teams


def main() -> int:
    if os.environ["OMPI_COMM_WORLD_RANK"] == "1":
        HOLD[os.environ["STAGEA_ABSENT"]]()
    return cli.main(sys.argv[1:])


def stay_away(*args, **options) -> None:
    """Until it is killed."""
    threading.Event().wait()


def fail(*args, **options) -> None:
    raise OSError("made for the test")


HOLD = {
    "starting MPI": lambda: setattr(teams, "first_problem", stay_away),
    "making the counter of models": lambda: setattr(schedule, "window_problem", stay_away),
    "opening ": lambda: setattr(files, "h5py", SimpleNamespace(File=stay_away)),
    "fails": lambda: setattr(files, "h5py", SimpleNamespace(File=fail)),
}


if __name__ == "__main__":
    sys.exit(main())
