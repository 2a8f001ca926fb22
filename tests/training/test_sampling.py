"""Orders of an epoch."""

import numpy as np

from stagea_mpi.training.sampling import Batches, ShardShuffle

SHARDS = np.repeat([0, 1, 2, 3], 25)


def shards_by_place(order: list[int]) -> list[int]:
    """The shards in the order in which they come, one after the other."""
    of_place = SHARDS[order]
    return of_place[np.flatnonzero(np.diff(of_place, prepend=-1))].tolist()


def test_each_model_comes_once_an_epoch_and_in_another_order_in_the_next():
    sampler = ShardShuffle(SHARDS, [10] * 4, memory=100)
    first, second = list(sampler), list(sampler)
    assert sorted(first) == sorted(second) == list(range(100))
    assert first != second
    assert len(sampler) == 100


def test_an_epoch_is_the_same_again_by_its_number_and_seed():
    sampler = ShardShuffle(SHARDS, [10] * 4, memory=100, seed=5)
    epochs = [list(sampler) for _ in range(3)]
    again = ShardShuffle(SHARDS, [10] * 4, memory=100, seed=5)
    again.set_epoch(2)
    assert list(again) == epochs[2]
    assert list(ShardShuffle(SHARDS, [10] * 4, memory=100, seed=6)) != epochs[0]


def test_shards_that_memory_holds_together_are_mixed():
    assert len(shards_by_place(list(ShardShuffle(SHARDS, [10] * 4, memory=40)))) > 20


def test_each_shard_is_read_once_where_memory_holds_one():
    order = shards_by_place(list(ShardShuffle(SHARDS, [10] * 4, memory=0)))
    assert sorted(order) == [0, 1, 2, 3]


def test_where_memory_holds_two_shards_two_are_mixed_and_others_in_the_next_epoch():
    sampler = ShardShuffle(SHARDS, [10] * 4, memory=20)
    halves = set()
    for _ in range(20):
        order = SHARDS[list(sampler)]
        assert len(set(order[:50])) == len(set(order[50:])) == 2
        halves.add(frozenset(order[:50].tolist()))
    assert len(halves) == 6  # any two of four


def test_batches_are_full_but_for_the_last_one():
    assert list(Batches(range(7), 3)) == [[0, 1, 2], [3, 4, 5], [6]]
    assert list(Batches(range(7), 3, drop_last=True)) == [[0, 1, 2], [3, 4, 5]]
    assert [len(Batches(range(7), 3)), len(Batches(range(7), 3, drop_last=True))] == [3, 2]
