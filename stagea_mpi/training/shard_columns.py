"""Columns of many shards' packed.h5, read by model: whole shards are kept in memory up to a limit.

Columns are compressed in chunks of thousands of rows, so that reading one model costs as much as reading some hundred
of them. A shard is therefore read whole where the limit allows; of a larger one, neighbouring models are read at once.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import RunFolderError
from ..storage.packed_reader import PackedFile, reading


@dataclass(frozen=True)
class ShardSize:
    """What is known of a shard before it is read.

    Attributes
    ----------
    path : Path
        Its packed.h5.
    n_models : int
    n_bytes : int
        Of the wanted columns in memory.
    """

    path: Path
    n_models: int
    n_bytes: int


@dataclass
class _Block:
    """Columns of neighbouring models, and where each begins.

    Attributes
    ----------
    columns : dict of str to ndarray
        By path.
    bounds : dict of str to list of int
        By pointer: rows at which the models begin and the last one ends, counted in the columns.
    first : int
        The shard's model that is the first here.
    """

    columns: dict[str, np.ndarray]
    bounds: dict[str, list[int]]
    first: int


class ShardColumns:
    """Columns of shards by model.

    No file stays open, so that processes may be forked. A copy that is sent to another process starts without what is
    held here.

    Parameters
    ----------
    shards : sequence of ShardSize
    pointers : mapping of str to str
        By path of each wanted column the path of its row pointers.
    memory : int
        Bytes of columns that are held at most.
    """

    def __init__(self, shards: Sequence[ShardSize], pointers: Mapping[str, str], memory: int):
        self.shards, self.pointers, self.memory = tuple(shards), dict(pointers), memory
        self._held: OrderedDict[int, _Block] = OrderedDict()

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_held": OrderedDict()}

    @property
    def n_bytes_held(self) -> int:
        return sum(self.shards[shard].n_bytes for shard in self._held)

    def rows(self, shards: np.ndarray, places: np.ndarray) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        """Rows of some models, behind each other in the order asked for.

        Parameters
        ----------
        shards, places : ndarray of int, shape=(m,)
            Of each model its shard and its place there.

        Returns
        -------
        columns : dict of str to ndarray
            By path; copies.
        lengths : dict of str to ndarray of int, shape=(m,)
            By pointer, how many rows each model has.

        Raises
        ------
        RunFolderError
            A file is missing or damaged, or another one than it was.
        """
        asked = list(zip(shards.tolist(), places.tolist(), strict=True))
        blocks = {shard: self._blocks(shard, places[shards == shard]) for shard in dict.fromkeys(shards.tolist())}
        found = [blocks[shard][place] for shard, place in asked]
        slices: dict[str, list[slice]] = {}
        for pointer in dict.fromkeys(self.pointers.values()):
            begin_end = []
            for (_, place), block in zip(asked, found, strict=True):
                k = place - block.first
                begin_end.append(slice(*block.bounds[pointer][k : k + 2]))
            slices[pointer] = begin_end
        columns = {
            path: np.concatenate(
                [block.columns[path][rows] for block, rows in zip(found, slices[pointer], strict=True)]
            )
            for path, pointer in self.pointers.items()
        }
        lengths = {p: np.array([rows.stop - rows.start for rows in part]) for p, part in slices.items()}
        return columns, lengths

    def _blocks(self, shard: int, places: np.ndarray) -> dict[int, _Block]:
        """The block that each of these models of a shard is in."""
        if shard in self._held:
            self._held.move_to_end(shard)
            return dict.fromkeys(places.tolist(), self._held[shard])
        size = self.shards[shard]
        with reading(size.path) as packed:
            if packed.n_models != size.n_models:
                raise RunFolderError(
                    f"{size.path}: has {packed.n_models} models, and had {size.n_models} when the data set was made; "
                    "make it anew"
                )
            if size.n_bytes > self.memory:
                return self._runs(packed, np.unique(places))
            while self._held and self.n_bytes_held + size.n_bytes > self.memory:
                self._held.popitem(last=False)
            self._held[shard] = self._read(packed, 0, size.n_models)
        return dict.fromkeys(places.tolist(), self._held[shard])

    def _runs(self, packed: PackedFile, places: np.ndarray) -> dict[int, _Block]:
        found = {}
        for run in np.split(places, np.flatnonzero(np.diff(places) > 1) + 1):
            block = self._read(packed, int(run[0]), int(run[-1]) + 1)
            found.update(dict.fromkeys(run.tolist(), block))
        return found

    def _read(self, packed: PackedFile, first: int, stop: int) -> _Block:
        bounds = {p: packed.dataset(p)[first : stop + 1] for p in dict.fromkeys(self.pointers.values())}
        columns = {
            path: packed.dataset(path)[bounds[pointer][0] : bounds[pointer][-1]]
            for path, pointer in self.pointers.items()
        }
        return _Block(columns, {pointer: (rows - rows[0]).tolist() for pointer, rows in bounds.items()}, first)
