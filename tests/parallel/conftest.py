"""Tests that run on several ranks at once: ``mpiexec -n 2 python -m pytest --with-mpi -m mpi tests/parallel``."""

import sys

import pytest


@pytest.fixture
def comm():
    from mpi4py import MPI

    return MPI.COMM_WORLD.Dup()


@pytest.fixture
def shared_tmp_path(comm, tmp_path):
    """The first rank's temporary folder, for all."""
    path = comm.bcast(tmp_path)
    yield path
    comm.barrier()  # nobody's folder goes away while another rank is in it


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """A failure on one rank ends all: the others may be waiting for it."""
    report = yield
    if report.failed and "mpi" in item.keywords:
        from mpi4py import MPI

        if MPI.COMM_WORLD.size > 1:
            capture = item.config.pluginmanager.getplugin("capturemanager")
            capture.suspend_global_capture()
            print(
                f"rank {MPI.COMM_WORLD.rank}: {item.nodeid} failed\n{report.longreprtext}", file=sys.stderr, flush=True
            )
            MPI.COMM_WORLD.Abort(1)
    return report
