import pytest

from stagea_mpi.mpi.teams import split_into_teams

pytestmark = pytest.mark.mpi


def test_the_world_is_one_team(comm):
    team, index, count = split_into_teams(comm, "world")
    assert (team.size, index, count) == (comm.size, 0, 1)


def test_a_number_cuts_consecutive_ranks_into_teams(comm):
    team, index, count = split_into_teams(comm, 2)
    assert index == comm.rank // 2
    assert count == (comm.size + 1) // 2
    assert team.size == min(2, comm.size - 2 * index)


def test_the_ranks_of_a_node_are_a_team(comm, monkeypatch):
    monkeypatch.setenv("SLURMD_NODENAME", f"n{comm.rank % 2}")
    team, index, count = split_into_teams(comm, "node")
    assert count == min(2, comm.size)
    assert team.allgather(comm.rank % 2) == [comm.rank % 2] * team.size


def test_teams_may_be_listed_by_rank(comm):
    listed = [(rank + 1) // 2 for rank in range(comm.size)]  # the first rank alone, the others in pairs
    team, index, count = split_into_teams(comm, listed)
    assert (index, count) == (listed[comm.rank], listed[-1] + 1)
    assert team.allgather(comm.rank) == [rank for rank, number in enumerate(listed) if number == index]
