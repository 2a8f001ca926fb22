"""The graphs of a run as data: `Run(run_root)`, its `models` as a table, `run["model"]` as one graph.

Names of models are looked up in the shards' lists, graphs are read from packed.h5 when they are asked for, and every
file is closed again at once; MPI is not started.
"""

from __future__ import annotations

import difflib
import functools
import gzip
import numbers
import re
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, overload

import numpy as np

from ..config.paths import given
from ..errors import ConfigError, RunFolderError
from ..rundir.folders import RunFolder, ShardFolder
from ..storage.packed_reader import PackedFile, reading
from ..storage.schema import CLUSTERS, POINTERS, SCORE_TABLE, SCORES, TARGETS
from . import graph_tables
from .model_graph import InterfaceGraph

if TYPE_CHECKING:
    import pandas as pd

#: Columns of packed.h5 that flag a model (docs/inputs.md).
QUALITY_FLAGS = ("low_heavy_light", "vdw_clash", "modified_interface")
#: Targets that have another name in tables, where "problem" would say too little.
_TARGET_NAMES = {"problem": "target_problem"}
#: Names that one which is none is compared with.
_MOST_COMPARED = 10_000


class Run(Mapping):
    """The graphs of a run by their models' names; a mapping.

    A key may also be (shard, name), which spares the search for the shard.

    Parameters
    ----------
    run_root : path
        Output folder of a run, also of one that is not finished: the published shards are read.

    Raises
    ------
    RunFolderError
        No shard is published there.
    """

    def __init__(self, run_root: str | Path):
        folder = RunFolder(given(run_root, "run_root"))
        self.root = folder.root
        self._shards = published_shards(folder)
        self._names: dict[int, list[str]] = {}

    def __getitem__(self, key: str | tuple[int, str]) -> InterfaceGraph:
        shard, name = key if isinstance(key, tuple) else (self._shard_with(key), key)
        if shard not in self._shards:
            raise KeyError(f"shard {shard} is not published")
        with reading(self._shards[shard].packed) as packed:
            names, statuses = packed.names, packed.statuses
            index = names.index(name) if name in names else None
            if index is not None and statuses[index] == "ok":
                clusters = packed.clusters(index) if packed.is_clustered else None
                return InterfaceGraph.of(packed.graph(index), name, clusters)
        if index is None:
            raise KeyError(f"{name} is no model of shard {shard}; near are {_near(name, names)}")
        raise KeyError(f"{name} has no graph: {statuses[index]}")

    def __iter__(self) -> Iterator[str]:
        """Names of the models that have a graph."""
        return (name for shard in self._shards for name in self._names_of(shard))

    def __len__(self) -> int:
        return sum(len(self._names_of(shard)) for shard in self._shards)

    def __contains__(self, key: object) -> bool:
        if isinstance(key, tuple):
            return len(key) == 2 and key[0] in self._shards and key[1] in self._names_of(key[0])
        return any(key in self._names_of(shard) for shard in self._shards)

    # A mapping's own would read all graphs of both.
    __eq__ = object.__eq__
    __hash__ = object.__hash__

    def __repr__(self) -> str:
        n_failed = sum(len(_failures_of(shard)) for shard in self._shards.values())
        n_models = f"{len(self)} graphs of {len(self) + n_failed} models"
        return f"Run({str(self.root)!r}): {n_models} in {len(self._shards)} shards"

    def _names_of(self, shard: int) -> list[str]:
        """Names of a shard's models that have a graph, from its manifest where that can be read."""
        if shard not in self._names:
            self._names[shard] = _listed_names(self._shards[shard])
        return self._names[shard]

    def _shard_with(self, name: str) -> int:
        for shard in self._shards:
            if name in self._names_of(shard):
                return shard
        for folder in self._shards.values():
            if name in (failures := _failures_of(folder)):
                raise KeyError(f"{name} has no graph: {failures[name]}")
        raise KeyError(f"{name} is no model of this run; near are {_near(name, list(self))}")

    @functools.cached_property
    def models(self) -> pd.DataFrame:
        """A row for each model.

        Returns
        -------
        table : DataFrame
            Index: the name. `target` (what was predicted or docked), `seed` and `sample` (NaN where there is none) by
            the layout of the input folder, `shard`, `status` (ok, or why it has no graph), `n_atoms` of the complex,
            `dropped_locations` (atoms that gave way to another location of them), `heavy_type` and `light_type`
            (ANARCI's, of the labelled domains), `n_nodes`, `n_edges` and `n_internal_edges` of the graph, `n_clusters`
            (depth 0), `contact_area` (Å², Voronoi, over the interface), `elec` and `vdw` (kcal/mol, sums over the
            interface), the flags `low_heavy_light`, `vdw_clash` and `modified_interface`, `left_out` (what of the
            interface is in no graph, by name), `seconds` to build, `source`. Then the scores of
            `storage.schema.SCORES`, those of one program alone as `score_<name>`, NaN where a model has none, and
            `score_problem` (what could not be read). Then how near the model is to the run's reference, if it has one:
            `dockq`, `fnat`, `fnonnat`, `irmsd` and `lrmsd` (Å), `capri_class` (0 incorrect to 3 high), `h3_rmsd` (Å),
            NaN where it could not be compared, and `target_problem` (why not).
        """
        pd = graph_tables.pandas_module()
        table = pd.concat([_models_of(shard) for shard in self._shards.values()]).set_index("model")
        others = sorted(name for name in table.columns if name.startswith("score_") and name != "score_problem")
        targets = [_TARGET_NAMES.get(column.name, column.name) for column in TARGETS]
        last = [*SCORES, *others, "score_problem", *targets]
        return table.reindex(columns=[*(name for name in table.columns if name not in last), *last])

    @overload
    def nodes(self, chunks: None = None) -> pd.DataFrame: ...

    @overload
    def nodes(self, chunks: int) -> Iterator[pd.DataFrame]: ...

    def nodes(self, chunks: int | None = None) -> pd.DataFrame | Iterator[pd.DataFrame]:
        """A row for each node of all graphs.

        Parameters
        ----------
        chunks : int, optional
            Models at once: a run may have more than memory takes. A table is of one shard, so it may have fewer.

        Returns
        -------
        table : DataFrame, or an iterator of them
            `model`, `node` (its number in the graph, as edges name it), and the columns of `InterfaceGraph.nodes`.
        """
        return _whole_or_chunks(self._tables(_node_table, chunks), chunks)

    @overload
    def edges(self, internal: bool = False, chunks: None = None) -> pd.DataFrame: ...

    @overload
    def edges(self, internal: bool = False, *, chunks: int) -> Iterator[pd.DataFrame]: ...

    def edges(self, internal: bool = False, chunks: int | None = None) -> pd.DataFrame | Iterator[pd.DataFrame]:
        """A row for each edge of all graphs.

        Parameters
        ----------
        internal : bool
            Pairs within one chain instead of contacts across the interface.
        chunks : int, optional
            As in `nodes`.

        Returns
        -------
        table : DataFrame, or an iterator of them
            `model`, and the columns of `InterfaceGraph.edges`.
        """
        tables = self._tables(_internal_edge_table if internal else _interface_edge_table, chunks)
        return _whole_or_chunks(tables, chunks)

    def _tables(
        self, table_of: Callable[[PackedFile, int, int], pd.DataFrame], chunks: int | None
    ) -> Iterator[pd.DataFrame]:
        is_number = isinstance(chunks, numbers.Integral) and not isinstance(chunks, bool)
        if chunks is not None and not (is_number and chunks >= 1):
            raise ConfigError(f"chunks: expected a number of models, from 1 on, found {chunks!r}")
        return self._read_tables(table_of, chunks)

    def _read_tables(
        self, table_of: Callable[[PackedFile, int, int], pd.DataFrame], chunks: int | None
    ) -> Iterator[pd.DataFrame]:
        for shard in self._shards.values():
            with reading(shard.packed) as packed:
                has_graph = np.flatnonzero(np.array(packed.statuses) == "ok")
            for first in range(0, len(has_graph), chunks or len(has_graph)):
                part = has_graph[first:][:chunks]
                with reading(shard.packed) as packed:
                    table = table_of(packed, int(part[0]), int(part[-1]) + 1)
                yield table

    def similarity(self, names: Iterable[str]) -> pd.DataFrame:
        """How alike the interfaces of some models are.

        Returns
        -------
        table : DataFrame
            Models × models: of the pairs of residues in contact in either, the share in contact in both (Jaccard, 0 to
            1).
        """
        pd = graph_tables.pandas_module()
        if isinstance(names, str):
            raise ConfigError(f"similarity: expected several names of models, found {names!r}")
        names = list(names)
        contacts = [self[name].residue_pairs for name in names]
        values = [[len(a & b) / max(1, len(a | b)) for b in contacts] for a in contacts]
        return pd.DataFrame(values, index=names, columns=names)


def published_shards(folder: RunFolder) -> dict[int, ShardFolder]:
    """The published shards of a run by their numbers, ascending.

    Raises
    ------
    RunFolderError
        There is none.
    """
    found = (re.fullmatch(r"shard_(\d{6,})", path.parent.name) for path in folder.shards.glob("shard_*/packed.h5"))
    indices = sorted(int(match[1]) for match in found if match is not None)
    if not indices:
        raise RunFolderError(f"{folder.root}: no shard is published (no shards/*/packed.h5); run it first")
    return {index: folder.shard(index) for index in indices}


def _whole_or_chunks(tables: Iterator[pd.DataFrame], chunks: int | None) -> pd.DataFrame | Iterator[pd.DataFrame]:
    if chunks is not None:
        return tables
    pd = graph_tables.pandas_module()
    found = list(tables)
    return pd.concat(found, ignore_index=True) if found else pd.DataFrame()


def _node_table(packed: PackedFile, first: int, stop: int) -> pd.DataFrame:
    """Nodes of the models from the first to the one before `stop`; those that failed have none."""
    bounds = packed.bounds("node", first, stop)
    columns = packed.rows("node", first, stop, graph_tables.NODE_COLUMNS)
    cluster = packed.node_clusters(first, stop) if packed.is_clustered else None
    table = graph_tables.node_table(columns, cluster)
    table.insert(0, "model", _names_of_rows(packed, first, bounds))
    table.insert(1, "node", np.arange(bounds[-1] - bounds[0]) - np.repeat(bounds[:-1] - bounds[0], np.diff(bounds)))
    return table


def _interface_edge_table(packed: PackedFile, first: int, stop: int) -> pd.DataFrame:
    return _edge_table(packed, "edge", first, stop)


def _internal_edge_table(packed: PackedFile, first: int, stop: int) -> pd.DataFrame:
    return _edge_table(packed, "internal_edge", first, stop)


def _edge_table(packed: PackedFile, table_name: str, first: int, stop: int) -> pd.DataFrame:
    columns = packed.rows(table_name, first, stop, graph_tables.EDGE_COLUMNS)
    table = graph_tables.edge_table(columns, internal=table_name == "internal_edge")
    table.insert(0, "model", _names_of_rows(packed, first, packed.bounds(table_name, first, stop)))
    return table


def _names_of_rows(packed: PackedFile, first: int, bounds: np.ndarray) -> np.ndarray:
    names = np.array(packed.names[first : first + len(bounds) - 1], dtype=object)
    return np.repeat(names, np.diff(bounds))


def _listed_names(shard: ShardFolder) -> list[str]:
    """Names of the models that have a graph: the manifest's, or where it cannot be read those of packed.h5."""
    try:
        with gzip.open(shard.manifest, "rt", encoding="utf-8", newline="\n") as file:
            place = next(file).split("\t").index("mol")
            return list(dict.fromkeys(line.split("\t", place + 1)[place] for line in file))
    except (OSError, EOFError, zlib.error, ValueError, LookupError, StopIteration):
        with reading(shard.packed) as packed:
            return [name for name, status in zip(packed.names, packed.statuses, strict=True) if status == "ok"]


def _failures_of(shard: ShardFolder) -> dict[str, str]:
    """Reason by model, of those that failed."""
    try:
        header, *rows = shard.failures.read_text(encoding="utf-8").removesuffix("\n").split("\n")
        model, reason = (header.split("\t").index(name) for name in ("model", "reason"))
        return {cells[model]: cells[reason] for cells in (row.split("\t") for row in rows)}
    except (OSError, ValueError, LookupError):
        with reading(shard.packed) as packed:
            found = zip(packed.names, packed.statuses, strict=True)
            return {name: status for name, status in found if status != "ok"}


def _near(name: str, names: list[str]) -> str:
    return ", ".join(difflib.get_close_matches(str(name), names[:_MOST_COMPARED], n=3) or names[:3])


def _models_of(shard: ShardFolder) -> pd.DataFrame:
    pd = graph_tables.pandas_module()
    with reading(shard.packed) as packed:
        pointers = {table: packed.column(pointer) for table, pointer in POINTERS.items()}
        sums = {
            name: _sums(packed.column(f"edge/{column}"), pointers["edge"])
            for name, column in (("contact_area", "voro_area"), ("elec", "elec"), ("vdw", "vdw"))
        }
        n_clusters = np.diff(packed.column(CLUSTERS[2])) if packed.is_clustered else np.nan
        return pd.DataFrame(
            {
                "model": packed.names,
                "target": _as_text(packed.column("model/target")),
                **{name: _or_nan(packed.column(f"model/{name}")) for name in ("seed", "sample")},
                "shard": shard.index,
                "status": packed.statuses,
                "n_atoms": packed.column("model/n_atoms"),
                "dropped_locations": packed.column("model/dropped_locations"),
                **{role: _as_text(packed.column(f"model/{role}")) for role in ("heavy_type", "light_type")},
                **{f"n_{table}s": np.diff(pointer) for table, pointer in pointers.items()},
                "n_clusters": n_clusters,
                **sums,
                **{flag: packed.column(f"model/{flag}").astype(bool) for flag in QUALITY_FLAGS},
                "left_out": _as_text(packed.column("model/left_out_names")),
                "seconds": packed.column("model/seconds").sum(axis=1),
                "source": _as_text(packed.column("model/source")),
                **{name: packed.column(f"{SCORE_TABLE}/{name}") for name in packed.scores},
                "score_problem": packed.score_problems,
                "target_problem": "",
                **{_TARGET_NAMES.get(name, name): _target(values) for name, values in packed.targets.items()},
            }
        )


def _target(values: np.ndarray) -> np.ndarray | list[str]:
    return _as_text(values) if values.dtype.kind == "S" else _or_nan(values) if values.dtype.kind == "i" else values


def _or_nan(numbers: np.ndarray) -> np.ndarray:
    """Numbers from 0 on, as floats where some are missing."""
    return numbers if (numbers >= 0).all() else np.where(numbers < 0, np.nan, numbers)


def _as_text(column: np.ndarray) -> list[str]:
    return [value.decode(errors="replace") for value in column.tolist()]


def _sums(values: np.ndarray, pointer: np.ndarray) -> np.ndarray:
    """Sum of each model's rows."""
    total = np.concatenate([[0.0], np.cumsum(values, dtype=np.float64)])
    return total[pointer[1:]] - total[pointer[:-1]]
