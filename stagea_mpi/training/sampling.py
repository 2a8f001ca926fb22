"""The order in which an epoch visits models, and its batches."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np


class ShardShuffle:
    """A sampler that shuffles shards, and models among those that are in memory together.

    Where memory holds all shards, every order of models may come. Where it does not, each epoch mixes other shards
    with each other, and reads each once. Each pass is another epoch; `set_epoch` states which.

    Parameters
    ----------
    shards : ndarray of int, shape=(n,)
        The shard of each model.
    n_bytes : sequence of int
        What each shard takes in memory.
    memory : int
        Bytes that there are.
    seed : int
    """

    def __init__(self, shards: np.ndarray, n_bytes: Sequence[int], memory: int, seed: int = 0):
        self._shards, self._n_bytes, self._memory, self.seed, self.epoch = shards, n_bytes, memory, seed, 0

    def set_epoch(self, epoch: int) -> None:
        """States which epoch the next pass is, as those do who go on with a training."""
        self.epoch = epoch

    def __len__(self) -> int:
        return len(self._shards)

    def __iter__(self) -> Iterator[int]:
        random = np.random.default_rng([self.seed, self.epoch])
        self.epoch += 1
        shards, n_models = np.unique(self._shards, return_counts=True)
        members = np.split(np.argsort(self._shards, kind="stable"), np.cumsum(n_models)[:-1])
        models_of = dict(zip(shards.tolist(), members, strict=True))
        for block in _blocks(random.permutation(shards).tolist(), self._n_bytes, self._memory):
            yield from random.permutation(np.concatenate([models_of[shard] for shard in block])).tolist()


def _blocks(shards: Iterable[int], n_bytes: Sequence[int], memory: int) -> Iterator[list[int]]:
    """Shards in lists, each of as many as memory holds, and at least one."""
    block: list[int] = []
    left = memory
    for shard in shards:
        left -= n_bytes[shard]
        if block and left < 0:
            yield block
            block, left = [], memory - n_bytes[shard]
        block.append(shard)
    if block:
        yield block


class Batches:
    """The places of a sampler in lists of one length; the last one is shorter, or left out.

    Parameters
    ----------
    sampler : iterable of int
        With a length.
    batch_size : int
    drop_last : bool
    """

    def __init__(self, sampler: Sequence[int] | ShardShuffle, batch_size: int, drop_last: bool = False):
        self.sampler, self.batch_size, self.drop_last = sampler, batch_size, drop_last

    def __len__(self) -> int:
        n = len(self.sampler)
        return n // self.batch_size if self.drop_last else -(-n // self.batch_size)

    def __iter__(self) -> Iterator[list[int]]:
        batch: list[int] = []
        for place in self.sampler:
            batch.append(place)
            if len(batch) == self.batch_size:
                yield batch
                batch = []
        if batch and not self.drop_last:
            yield batch
