import pytest

from stagea_mpi.mpi.shared_counter import SharedCounter

pytestmark = pytest.mark.mpi


def test_every_value_is_given_out_once(comm):
    with SharedCounter(comm, 100) as counter:
        mine = list(iter(counter.take, None))
    assert sorted(value for part in comm.allgather(mine) for value in part) == list(range(100))


def test_a_counter_of_nothing_gives_nothing(comm):
    with SharedCounter(comm, 0) as counter:
        assert counter.take() is None


def test_after_a_rank_closes_the_counter_no_rank_gets_a_value(comm):
    with SharedCounter(comm, 10**6) as counter:
        first = counter.take()
        comm.barrier()
        if comm.rank == comm.size - 1:
            counter.close()
        comm.barrier()
        assert first is not None
        assert counter.take() is None


def test_taken_counts_what_all_ranks_have_taken(comm):
    with SharedCounter(comm, 50) as counter:
        counter.take()
        comm.barrier()
        assert counter.taken() == comm.size
        comm.barrier()
