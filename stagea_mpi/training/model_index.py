"""The models of a run that have a graph: their names, where they are, and what is known of them beside the graph."""

from __future__ import annotations

import gzip
import itertools
import math
import numbers
import zlib
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import ConfigError, RunFolderError, listed
from ..notebook.explore import Run, published_shards
from ..rundir.folders import RunFolder, ShardFolder, table_cell
from ..storage.packed_reader import PackedFile, reading
from ..storage.schema import CLUSTERS, POINTERS
from .shard_columns import ShardSize


@dataclass(frozen=True)
class ShardContent:
    """What a shard's packed.h5 has.

    Attributes
    ----------
    folder : ShardFolder
    n_models : int
        With a graph or without.
    n_bytes : dict of str to int
        What each column of nodes, edges and clusters takes in memory, by path.
    """

    folder: ShardFolder
    n_models: int
    n_bytes: dict[str, int]


@dataclass(frozen=True, eq=False)
class ModelIndex:
    """The models with a graph, in the order of the shards.

    Attributes
    ----------
    shards : tuple of ShardContent
    names : list of str
    shard, place : ndarray of int, shape=(n,)
        Where in `shards`, and which model there.
    """

    shards: tuple[ShardContent, ...]
    names: list[str]
    shard: np.ndarray
    place: np.ndarray

    def has(self, path: str) -> bool:
        """Whether every shard has a column."""
        return all(path in shard.n_bytes for shard in self.shards)

    def sizes(self, paths: Iterable[str]) -> list[ShardSize]:
        """What some columns of each shard take.

        Raises
        ------
        ConfigError
            A shard lacks a column.
        """
        paths = tuple(paths)
        for shard, path in itertools.product(self.shards, paths):
            if path not in shard.n_bytes:
                raise ConfigError(
                    f"{shard.folder.packed}: has no {path}, which the data set was to read; choose other features, or "
                    "run all shards with it"
                )
        return [
            ShardSize(shard.folder.packed, shard.n_models, sum(shard.n_bytes[path] for path in paths))
            for shard in self.shards
        ]


def read_index(folder: RunFolder) -> ModelIndex:
    """Lists the models of a run's published shards.

    Raises
    ------
    RunFolderError
        No shard is published, or a file is missing or damaged.
    """
    contents, names, shards, places = [], list[str](), [], []
    for k, shard in enumerate(published_shards(folder).values()):
        with reading(shard.packed) as packed:
            found = np.flatnonzero(packed.column("model/status") == 0)
            of_shard = packed.names
            contents.append(ShardContent(shard, len(of_shard), _column_bytes(packed)))
        names += [of_shard[place] for place in found.tolist()]
        shards.append(np.full(len(found), k))
        places.append(found)
    return ModelIndex(tuple(contents), names, np.concatenate(shards), np.concatenate(places))


def _column_bytes(packed: PackedFile) -> dict[str, int]:
    paths = [f"{table}/{name}" for table in POINTERS for name in packed.columns(table)]
    paths += CLUSTERS[:2] if packed.is_clustered else ()
    datasets = {path: packed.dataset(path) for path in paths}
    return {path: column.dtype.itemsize * math.prod(column.shape) for path, column in datasets.items()}


def target_values(root: Path, index: ModelIndex, target: str | Mapping[str, float]) -> np.ndarray:
    """The target of each model, NaN where it has none.

    Parameters
    ----------
    root : path
        The run's folder.
    index : ModelIndex
    target : str or mapping
        A column of `Run.models`, or numbers by model.

    Raises
    ------
    ConfigError
        There is no such column, or it has no numbers; or no model has a target.
    """
    keys: list[Any] = index.names
    if isinstance(target, str):
        table = Run(root).models
        known = [name for name in table.columns if table[name].dtype.kind in "fiub"]
        if target not in known:
            raise ConfigError(
                f"target: {target!r} is no column of numbers of the run's models; there are {listed(known, len(known))}"
            )
        # Of two models of one name the one without a graph does not count.
        table = table[table["status"] == "ok"]
        value_of: dict[Any, Any] = dict(
            zip(zip(table["shard"], table.index, strict=True), table[target].astype(float), strict=True)
        )
        numbers_of_shards = [shard.folder.index for shard in index.shards]
        keys = [(numbers_of_shards[shard], name) for shard, name in zip(index.shard.tolist(), keys, strict=True)]
    else:
        value_of = dict(target.items())
    values = np.full(len(keys), np.nan)
    for k, key in enumerate(keys):
        value = value_of.get(key)
        value = math.nan if value is None else value
        if not isinstance(value, numbers.Real | np.number | np.bool_):
            raise ConfigError(f"target: expected a number of {index.names[k]}, found {value!r}")
        values[k] = value
    if len(values) and np.isnan(values).all():
        what = f"column {target!r}" if isinstance(target, str) else f"mapping of {len(value_of)} names"
        raise ConfigError(f"target: none of the {len(values)} models of {root} has a number in the {what}")
    return values


def group_keys(index: ModelIndex, rows: np.ndarray, by: str | Callable[[str], Hashable]) -> list[Any]:
    """What models of one group have in common.

    Parameters
    ----------
    index : ModelIndex
    rows : ndarray of int
        Which models.
    by : str or callable
        ``antigen`` or ``antibody``: the merged chain's sequence; ``target``: by the layout of the input folder; else
        what a function makes of the model's name.

    Raises
    ------
    ConfigError
        The way of grouping is not known, or a model has no target.
    RunFolderError
        A shard's manifest cannot be read, or lacks a model.
    """
    if callable(by):
        return [by(index.names[row]) for row in rows.tolist()]
    if by in ("antigen", "antibody"):
        return _sequences(index, rows, "B" if by == "antigen" else "A")
    if by != "target":
        raise ConfigError(f"by: expected antigen, antibody, target or a function of a model's name, found {by!r}")
    keys = _input_targets(index)[rows].tolist()
    if not all(keys):
        raise ConfigError(
            f"by: {keys.count('')} of {len(keys)} models have no target by the layout of the input folder; "
            "group them by antigen, or by a function of the name"
        )
    return keys


def _sequences(index: ModelIndex, rows: np.ndarray, chain: str) -> list[str]:
    """The merged chain's sequence of each of these models, of the manifests of their shards."""
    found = np.full(len(rows), "", dtype=object)
    for shard in np.unique(index.shard[rows]).tolist():
        path = index.shards[shard].folder.manifest
        sequence_of = _manifest(path, chain)
        for k in np.flatnonzero(index.shard[rows] == shard).tolist():
            name = table_cell(index.names[rows[k]])
            if name not in sequence_of:
                raise RunFolderError(f"{path}: has no sequence of {name}, which has a graph; run the shard again")
            found[k] = sequence_of[name]
    return found.tolist()


def _manifest(path: Path, chain: str) -> dict[str, str]:
    """Sequences of a merged chain by model."""
    try:
        with gzip.open(path, "rt", encoding="utf-8", errors="surrogateescape", newline="\n") as file:
            names = next(file).removesuffix("\n").split("\t")
            model, of, sequence = (names.index(name) for name in ("mol", "chain", "sequence"))
            cells = (line.removesuffix("\n").split("\t") for line in file)
            return {row[model]: row[sequence] for row in cells if row[of] == chain}
    except (OSError, EOFError, zlib.error, ValueError, LookupError, StopIteration) as error:
        raise RunFolderError(
            f"{path}: cannot be read ({error}), and the sequences are there; `python -m stagea_mpi verify RUN_ROOT "
            "--repair` removes a damaged shard, and running again fills it in"
        ) from error


def _input_targets(index: ModelIndex) -> np.ndarray:
    """`model/target` of each model, shape=(n,)."""
    targets = np.full(len(index.names), "", dtype=object)
    for k, shard in enumerate(index.shards):
        of_shard = np.flatnonzero(index.shard == k)
        with reading(shard.folder.packed) as packed:
            column = packed.column("model/target")[index.place[of_shard]]
        targets[of_shard] = [value.decode(errors="surrogateescape") for value in column.tolist()]
    return targets
