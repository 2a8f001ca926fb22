import pytest

from stagea_mpi.errors import ConfigError, RunFolderError
from stagea_mpi.mpi.guard import raise_on_any_rank

pytestmark = pytest.mark.mpi


def test_an_error_of_one_rank_is_raised_on_all(comm):
    error = RunFolderError("the last rank's") if comm.rank == comm.size - 1 else None
    with pytest.raises(RunFolderError, match="the last rank's"):
        raise_on_any_rank(comm, error)


def test_of_two_errors_all_ranks_raise_the_lowest_ranks(comm):
    with pytest.raises(ConfigError, match="of rank 0"):
        raise_on_any_rank(comm, ConfigError(f"of rank {comm.rank}"))


def test_without_an_error_nothing_is_raised(comm):
    raise_on_any_rank(comm, None)
