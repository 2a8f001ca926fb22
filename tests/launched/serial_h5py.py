"""The command line with an h5py that has no parallel HDF5, as PyPI's wheels have none.

Called as `broken_rank` is: ``python -m tests.launched.serial_h5py FAULT run run.yaml``.
"""

import sys
from types import SimpleNamespace

import h5py

from stagea_mpi.mpi.guard import StopRequest
from tests.launched import broken_rank

_whole_open = h5py.File.__init__


def open_alone(self, *args, driver=None, **options) -> None:
    if driver == "mpio":
        raise ValueError("h5py was built without MPI support, can't use mpio driver")
    _whole_open(self, *args, driver=driver, **options)


if __name__ == "__main__":
    h5py.get_config = lambda: SimpleNamespace(mpi=False)
    h5py.File.__init__ = open_alone
    sys.exit(broken_rank.main(StopRequest().listen()))
