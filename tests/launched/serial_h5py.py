"""The command line with an h5py that has no parallel HDF5, as PyPI's wheels have none."""

import sys
from types import SimpleNamespace

import h5py

from stagea_mpi import cli

_whole_open = h5py.File.__init__


def open_alone(self, *args, driver=None, **options) -> None:
    if driver == "mpio":
        raise ValueError("h5py was built without MPI support, can't use mpio driver")
    _whole_open(self, *args, driver=driver, **options)


if __name__ == "__main__":
    h5py.get_config = lambda: SimpleNamespace(mpi=False)
    h5py.File.__init__ = open_alone
    sys.exit(cli.main(sys.argv[1:]))
