"""The graphs of a run as data: `Run(run_root)`, its `models` as a table, `run["model"]` as one graph.

Names of models are looked up in the shards' lists, graphs are read from packed.h5 when they are asked for, and every
file is closed again at once; MPI is not started.
"""

from __future__ import annotations

import difflib
import functools
import gzip
import math
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
from ..storage.schema import B_FACTOR, SCORES
from . import graph_tables, interface_tables, model_table, run_rows
from .model_graph import InterfaceGraph
from .run_sources import InRun

if TYPE_CHECKING:
    import pandas as pd

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
                return InterfaceGraph.of(packed.graph(index), name, clusters, InRun(self.root, shard))
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
            (ANARCI's, of the labelled domains), `input_chains` (as H,L,A: heavy, light, the antigen's), `n_nodes`,
            `n_edges` and `n_internal_edges` of the graph, `n_clusters` (depth 0), `contact_area` (Å², Voronoi, over the
            interface), `elec` and `vdw` (kcal/mol, sums over the interface), the flags `low_heavy_light`, `vdw_clash`
            and `modified_interface`, `left_out` (what of the interface is in no graph, by name), `seconds` to build,
            `source`. Then the scores of `storage.schema.SCORES`, those of one program alone as `score_<name>`, NaN
            where a model has none, and `score_problem` (what could not be read). Then how near the model is to the
            run's reference, if it has one: `dockq`, `fnat`, `fnonnat`, `irmsd` and `lrmsd` (Å), `capri_class`
            (0 incorrect to 3 high), `h3_rmsd` (Å), NaN where it could not be compared, and `target_problem` (why not).
        """
        return graph_tables.pandas_module().concat(self.model_tables()).set_index("model")

    def model_tables(self) -> Iterator[pd.DataFrame]:
        """`models` shard by shard, all with the same columns, of which the name is the first."""
        optional: dict[str, float | str] = dict.fromkeys(SCORES, math.nan)  # and what stands there without a value
        optional |= model_table.NO_TARGETS
        for shard in self._shards.values():
            with reading(shard.packed) as packed:
                for name, values in model_table.optional_columns(packed).items():
                    optional[name] = "" if values.dtype.kind == "O" else math.nan
        scores = [name for name in optional if name not in model_table.NO_TARGETS]
        last = [*model_table.ordered_scores(scores), "score_problem", *model_table.NO_TARGETS]
        for shard in self._shards.values():
            with reading(shard.packed) as packed:
                table = model_table.model_table(packed, shard.index)
            first = [name for name in table if name not in last]
            missing = {name: value for name, value in optional.items() if name not in table}
            yield table.assign(**missing)[[*first, *last]]

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
        return _whole_or_chunks(self._tables(run_rows.node_table, chunks), chunks)

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
        tables = self._tables(run_rows.internal_edge_table if internal else run_rows.interface_edge_table, chunks)
        return _whole_or_chunks(tables, chunks)

    @overload
    def residues(self, chunks: None = None) -> pd.DataFrame: ...

    @overload
    def residues(self, chunks: int) -> Iterator[pd.DataFrame]: ...

    def residues(self, chunks: int | None = None) -> pd.DataFrame | Iterator[pd.DataFrame]:
        """A row for each residue with an atom in contact, of all models.

        Parameters
        ----------
        chunks : int, optional
            As in `nodes`.

        Returns
        -------
        table : DataFrame, or an iterator of them
            `model`, `target`, `side` (antibody or antigen), `chain` and `number` (with insertion code) in the input,
            `imgt` (IMGT number with insertion letter, empty outside the labelled domains), `residue`, `region`, `bsa`
            (buried area, Å²), `n_contacts` (pairs of atoms in contact), `n_partners` (residues that it is in contact
            with), and over its contacts the sums `contact_area` (Å², Voronoi), `elec` and `vdw` (kcal/mol). Where B
            factors were kept (`stage_a.b_factors`) `b_factor`, the mean of its atoms in contact.
        """
        return _whole_or_chunks(self._tables(interface_tables.residue_table, chunks), chunks)

    @overload
    def contacts(self, chunks: None = None) -> pd.DataFrame: ...

    @overload
    def contacts(self, chunks: int) -> Iterator[pd.DataFrame]: ...

    def contacts(self, chunks: int | None = None) -> pd.DataFrame | Iterator[pd.DataFrame]:
        """A row for each pair of residues in contact across the interface, of all models.

        Parameters
        ----------
        chunks : int, optional
            As in `nodes`.

        Returns
        -------
        table : DataFrame, or an iterator of them
            `model`, `target`; of the antibody's residue `antibody_chain`, `antibody_number`, `antibody_imgt`,
            `antibody_residue` and `antibody_region`, of the antigen's `antigen_chain`, `antigen_number` and
            `antigen_residue`, as in `residues`; `n_contacts` (pairs of atoms), `distance` (Å, of the nearest pair), and
            the sums `contact_area` (Å²), `elec` and `vdw` (kcal/mol) over these pairs.
        """
        return _whole_or_chunks(self._tables(interface_tables.contact_table, chunks), chunks)

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
                has_graph = np.flatnonzero(np.array(packed.statuses, dtype=object) == "ok")
            for first in range(0, len(has_graph), chunks or max(1, len(has_graph))):
                part = has_graph[first:][:chunks]
                with reading(shard.packed) as packed:
                    table = table_of(packed, int(part[0]), int(part[-1]) + 1)
                yield table

    @property
    def n_shards(self) -> int:
        """How many shards are published."""
        return len(self._shards)

    @property
    def has_b_factors(self) -> bool:
        """Whether B factors were kept in some shard, so that `residues` has them."""
        for shard in self._shards.values():
            with reading(shard.packed) as packed:
                if B_FACTOR.name in packed.columns(B_FACTOR.table):
                    return True
        return False

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
