"""packed.h5, read again."""

import contextlib
import functools
import math
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from h5py import h5d, h5s

from ..errors import RunFolderError
from ..graph.features import EDGE_FEATURES
from ..graph.interface_graph import Edges, GraphArrays
from .schema import (
    CLUSTERS,
    POINTERS,
    REFERENCE_HASH,
    SCHEMA,
    SCHEMA_VERSION,
    SCORE_PROBLEM,
    SCORE_TABLE,
    STATUS,
    TARGET_TABLE,
)  # fmt: skip

#: Bytes of columns that are read at once where one model after the other is wanted: a read costs more than its bytes.
_BLOCK_BYTES = 8 * 2**20

_ALL_COLUMNS: Mapping[str, Iterable[str] | None] = dict.fromkeys(POINTERS)

#: What HDF5 and NumPy raise of damaged content.
_DAMAGE = (OSError, RuntimeError, KeyError, ValueError, IndexError, TypeError)
#: Of a file that is none of ours.
_EXPECTED = "expected a shard's packed.h5 or a saved graph; if it was one, run the shard again or save the graph again"


class PackedFile:
    """packed.h5, read. A context manager.

    Parameters
    ----------
    path : str or Path

    Raises
    ------
    RunFolderError
        The file is missing, damaged, or of another schema.
    """

    def __init__(self, path: str | Path):
        self.path = path
        try:
            self._file = h5py.File(path, "r")
        except OSError as error:
            if os.path.isfile(path) and not h5py.is_hdf5(path):
                raise RunFolderError(f"{path}: is no HDF5 file; {_EXPECTED}") from error
            raise RunFolderError(
                f"{path}: cannot be opened ({error}); remove it and run the shard (or save the graph) again"
            ) from error
        self._datasets: dict[str, h5py.Dataset] = {}
        self._columns: dict[str, list[str]] = {}
        found = self._attribute("schema"), self._attribute("schema_version")
        if found != (SCHEMA, str(SCHEMA_VERSION)):
            self._file.close()
            if found == (None, None):
                raise RunFolderError(
                    f"{path}: is an HDF5 file without the attribute schema, as graphs.h5 is one; {_EXPECTED}"
                )
            raise RunFolderError(
                f"{path}: schema is {found}, expected {(SCHEMA, str(SCHEMA_VERSION))}; run the shard again"
            )

    def __enter__(self) -> "PackedFile":
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()

    @property
    def attributes(self) -> dict[str, str]:
        return {key: _as_text(value) for key, value in self._file.attrs.items()}

    @property
    def raw_attributes(self) -> dict[str, Any]:
        """As h5py reads them."""
        return dict(self._file.attrs)

    def _attribute(self, name: str) -> str | None:
        """One attribute; all take as long as all columns of the models."""
        value = self._file.attrs.get(name)
        return None if value is None else _as_text(value)

    def dataset(self, path: str) -> h5py.Dataset:
        """A dataset by its path; looking one up costs as much as reading it, and by h5py's own way twice as much."""
        if path not in self._datasets:
            self._datasets[path] = h5py.Dataset(h5d.open(self._file.id, path.encode()), readonly=True)
        return self._datasets[path]

    def columns(self, table: str) -> list[str]:
        """Names of the datasets of a table."""
        if table not in self._columns:
            scores = SCORE_TABLE.rpartition("/")
            self._columns[table] = [name for name in self._file[table] if (table, name) != (scores[0], scores[2])]
        return self._columns[table]

    @property
    def score_problems(self) -> list[str]:
        """What could not be read of each model's scores; empty where nothing is wrong."""
        if SCORE_PROBLEM.name not in self.columns(SCORE_PROBLEM.table):
            return [""] * self.n_models
        return [problem.decode(errors="replace") for problem in self.column(SCORE_PROBLEM.path).tolist()]

    @functools.cached_property
    def scores(self) -> tuple[str, ...]:
        """Names of the models' scores, each a dataset below `schema.SCORE_TABLE`."""
        return tuple(self._file[SCORE_TABLE]) if SCORE_TABLE in self._file else ()

    @property
    def reference_sha256(self) -> str:
        """Hash of what decides the models' targets; empty where there are none."""
        return self._attribute(REFERENCE_HASH) or ""

    @functools.cached_property
    def targets(self) -> dict[str, np.ndarray]:
        """How near each model is to its reference, by names of `schema.TARGETS`; empty where the run has none."""
        if not self.reference_sha256:
            return {}
        return {name: self.column(f"{TARGET_TABLE}/{name}") for name in self.columns(TARGET_TABLE)}

    @property
    def n_models(self) -> int:
        """How many models there are, with a graph or without."""
        return len(self.dataset("model/name"))

    @property
    def names(self) -> list[str]:
        """Names of all models, also of those without a graph."""
        return [name.decode("utf-8", errors="surrogateescape") for name in self.column("model/name").tolist()]

    @property
    def statuses(self) -> list[str]:
        return [STATUS[code] for code in self.column("model/status").tolist()]

    @property
    def is_clustered(self) -> bool:
        return CLUSTERS[0] in self._file

    def column(self, path: str) -> np.ndarray:
        """All of a dataset, by a shorter way than `dataset`'s: a report reads some of each of ten thousand files."""
        if path in self._datasets:
            return self._datasets[path][()]
        found = h5d.open(self._file.id, path.encode())
        values = np.empty(found.shape, found.dtype)
        found.read(h5s.ALL, h5s.ALL, values)
        return values

    def graph(self, index: int) -> GraphArrays:
        """Graph of the index-th model."""
        ((_, columns),) = self._models(index, index + 1)
        return _graph_of(columns)

    def graphs(self) -> Iterator[tuple[int, str, GraphArrays]]:
        """Index, name and graph of every model that has one."""
        names, statuses = self.names, self.statuses
        for index, columns in self._models(0, len(names)):
            if statuses[index] == "ok":
                yield index, names[index], _graph_of(columns)

    def nodes(self, names: Iterable[str]) -> Iterator[tuple[int, dict[str, np.ndarray]]]:
        """Index and some columns of the nodes of every model that has a graph."""
        statuses = self.statuses
        for index, columns in self._models(0, len(statuses), {"node": tuple(names)}):
            if statuses[index] == "ok":
                yield index, columns["node"]

    def internal_edges(self) -> Iterator[tuple[int, int, np.ndarray]]:
        """Index, number of nodes and internal edges (pairs of nodes) of every model that has a graph."""
        statuses, nodes = self.statuses, self.bounds("node", 0, self.n_models)
        n_nodes = np.diff(nodes).tolist()
        for index, columns in self._models(0, len(statuses), {"internal_edge": ("nodes",)}):
            if statuses[index] == "ok":
                yield index, n_nodes[index], columns["internal_edge"]["nodes"]

    def _models(
        self, first: int, stop: int, wanted: Mapping[str, Iterable[str] | None] = _ALL_COLUMNS
    ) -> Iterator[tuple[int, dict[str, dict[str, np.ndarray]]]]:
        """Each model from the first to the one before `stop` with its columns by table; many are read at once."""
        bounds = {table: self.bounds(table, first, stop) for table in wanted}
        size = np.sum([bounds[table] * self._row_bytes(table, names) for table, names in wanted.items()], axis=0)
        begin = 0
        while begin < stop - first:
            end = max(begin + 1, int(np.searchsorted(size, size[begin] + _BLOCK_BYTES, side="right")) - 1)
            block = {table: self.rows(table, first + begin, first + end, names) for table, names in wanted.items()}
            starts = {table: bounds[table] - bounds[table][begin] for table in wanted}
            for k in range(begin, end):
                yield (
                    first + k,
                    {
                        table: {
                            name: column[starts[table][k] : starts[table][k + 1]] for name, column in columns.items()
                        }
                        for table, columns in block.items()
                    },
                )
            begin = end

    def _row_bytes(self, table: str, names: Iterable[str] | None) -> int:
        columns = (self.dataset(f"{table}/{name}") for name in (self.columns(table) if names is None else names))
        return sum(column.dtype.itemsize * math.prod(column.shape[1:]) for column in columns)

    def clusters(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Labels of depth 0 (of nodes) and of depth 1 (of depth-0 clusters) of the index-th model."""
        start, stop = self.dataset(POINTERS["node"])[index : index + 2]
        first, last = self.dataset(CLUSTERS[2])[index : index + 2]
        return self.dataset(CLUSTERS[0])[start:stop], self.dataset(CLUSTERS[1])[first:last]

    def bounds(self, table: str, first: int, stop: int) -> np.ndarray:
        """Rows of a table at which each model from the first on begins, and where the last one before `stop` ends."""
        return self.dataset(POINTERS[table])[first : stop + 1]

    def rows(self, table: str, first: int, stop: int, names: Iterable[str] | None = None) -> dict[str, np.ndarray]:
        """Columns of a table for the models from the first to the one before `stop`, behind each other.

        Parameters
        ----------
        table : str
            One of `POINTERS`.
        first, stop : int
        names : iterable of str, optional
            Columns; all that there are by default, and of those asked for what there is.
        """
        begin, *_, end = self.bounds(table, first, stop)
        known = self.columns(table)
        wanted = known if names is None else [name for name in names if name in known]
        return {name: self.dataset(f"{table}/{name}")[begin:end] for name in wanted}

    def node_clusters(self, first: int, stop: int) -> np.ndarray:
        """Labels of depth 0 of the nodes of these models."""
        begin, *_, end = self.bounds("node", first, stop)
        return self.dataset(CLUSTERS[0])[begin:end]

    def check(self) -> None:
        """Raises RunFolderError where pointers and columns do not fit together."""
        n = self.n_models
        for table, path in POINTERS.items():
            pointer = self.column(path)
            rows = {len(self.dataset(f"{table}/{name}")) for name in self.columns(table)}
            if len(pointer) != n + 1 or pointer[0] != 0 or (np.diff(pointer) < 0).any() or rows != {int(pointer[-1])}:
                raise RunFolderError(f"{self.path}: {path} and the columns of {table} do not fit; run the shard again")
        for name, values in self.targets.items():
            if len(values) != n:
                raise RunFolderError(
                    f"{self.path}: {TARGET_TABLE}/{name} has {len(values)} rows for {n} models; run the shard again"
                )


@contextlib.contextmanager
def reading(path: str | Path) -> Iterator[PackedFile]:
    """A packed.h5 for those who do not look for damage: what HDF5 raises of it is an error of ours.

    Raises
    ------
    RunFolderError
        The file is missing, damaged, or of another schema.
    """
    if not os.path.isfile(path):
        raise RunFolderError(f"{path}: is missing, or is no file; expected a packed.h5")
    try:
        with PackedFile(path) as packed:
            yield packed
    except _DAMAGE as error:
        raise RunFolderError(
            f"{path}: cannot be read: {' '.join(str(error).split())}; it is damaged: `python -m stagea_mpi verify "
            "RUN_ROOT --repair` for a run's file, or write it anew"
        ) from error


def _as_text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _graph_of(columns: dict[str, dict[str, np.ndarray]]) -> GraphArrays:
    """A graph from its columns by table."""
    internal = columns["internal_edge"]
    lacking = [f for f in EDGE_FEATURES if not f.on_internal]
    internal = internal | {f.name: np.zeros((len(internal["nodes"]), *f.row), dtype=f.dtype) for f in lacking}
    interface, internal_edges = (
        Edges(**{f.name: edges[f.name] for f in EDGE_FEATURES}) for edges in (columns["edge"], internal)
    )
    graph: dict[str, Any] = {**columns["node"], "interface": interface, "internal": internal_edges}
    return GraphArrays(**graph)
