"""packed.h5, read again; and written anew with clusters."""

import contextlib
import math
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from ..errors import RunFolderError
from ..graph.features import EDGE_FEATURES
from ..graph.interface_graph import Edges, GraphArrays
from .memory import MemoryFile
from .schema import CLUSTERS, POINTERS, SCHEMA, SCHEMA_VERSION, STATUS

#: In the clustered file, which one rank writes, columns of so many bytes are compressed, in chunks of so many rows.
_COMPRESS_FROM = 1024
_COMPRESSED_CHUNK_ROWS = 16384


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
        found = self.attributes.get("schema"), self.attributes.get("schema_version")
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
        return {
            key: value.decode() if isinstance(value, bytes) else str(value) for key, value in self._file.attrs.items()
        }

    @property
    def names(self) -> list[str]:
        """Names of all models, also of those without a graph."""
        return [name.decode("utf-8", errors="surrogateescape") for name in self._file["model/name"][()].tolist()]

    @property
    def statuses(self) -> list[str]:
        return [STATUS[code] for code in self._file["model/status"][()].tolist()]

    @property
    def is_clustered(self) -> bool:
        return CLUSTERS[0] in self._file

    def column(self, path: str) -> np.ndarray:
        return self._file[path][()]

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

    def internal_edges(self) -> Iterator[tuple[int, int, np.ndarray]]:
        """Index, number of nodes and internal edges (pairs of nodes) of every model that has a graph."""
        statuses, nodes = self.statuses, self.bounds("node", 0, len(self._file["model/name"]))
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
        columns = (self._file[table][name] for name in (self._file[table] if names is None else names))
        return sum(column.dtype.itemsize * math.prod(column.shape[1:]) for column in columns)

    def clusters(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Labels of depth 0 (of nodes) and of depth 1 (of depth-0 clusters) of the index-th model."""
        start, stop = self._file[POINTERS["node"]][index : index + 2]
        first, last = self._file[CLUSTERS[2]][index : index + 2]
        return self._file[CLUSTERS[0]][start:stop], self._file[CLUSTERS[1]][first:last]

    def bounds(self, table: str, first: int, stop: int) -> np.ndarray:
        """Rows of a table at which each model from the first on begins, and where the last one before `stop` ends."""
        return self._file[POINTERS[table]][first : stop + 1]

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
        wanted = self._file[table] if names is None else [name for name in names if name in self._file[table]]
        return {name: self._file[table][name][begin:end] for name in wanted}

    def node_clusters(self, first: int, stop: int) -> np.ndarray:
        """Labels of depth 0 of the nodes of these models."""
        begin, *_, end = self.bounds("node", first, stop)
        return self._file[CLUSTERS[0]][begin:end]

    def check(self) -> None:
        """Raises RunFolderError where pointers and columns do not fit together."""
        n = len(self._file["model/name"])
        for table, path in POINTERS.items():
            pointer = self._file[path][()]
            rows = {len(dataset) for dataset in self._file[table].values()}
            if len(pointer) != n + 1 or pointer[0] != 0 or (np.diff(pointer) < 0).any() or rows != {int(pointer[-1])}:
                raise RunFolderError(f"{self.path}: {path} and the columns of {table} do not fit; run the shard again")


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


def write_clustered(source: PackedFile, path: str | Path, clusters: dict[int, tuple[np.ndarray, np.ndarray]]) -> None:
    """Writes a packed.h5 anew with clusters in it, compressed.

    Parameters
    ----------
    source : PackedFile
    path : str or Path
        A new file.
    clusters : dict
        Labels of depth 0 and 1 by model index.
    """
    old = source._file
    with MemoryFile(libver="latest") as new:  # HDF5 1.10 and later; a tenth of the overhead
        for key in sorted(old.attrs):
            new.attrs[key] = old.attrs[key]
        for table in ("model", *POINTERS):
            for name, dataset in old[table].items():
                copy = _create_compressed(new, f"{table}/{name}", dataset[()])
                for key, value in dataset.attrs.items():
                    copy.attrs[key] = value
        ordered = [clusters.get(index) for index in range(len(old["model/name"]))]
        empty = np.zeros(0, dtype=np.int32)
        for depth in (0, 1):
            labels = np.concatenate([empty, *(c[depth] for c in ordered if c is not None)]).astype(np.int32)
            _create_compressed(new, CLUSTERS[depth], labels)
        lengths = [0 if c is None else len(c[1]) for c in ordered]
        _create_compressed(new, CLUSTERS[2], np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64))
        new.close_to(path)


def _create_compressed(file: h5py.File, path: str, data: np.ndarray) -> h5py.Dataset:
    """A dataset of one rank's file; small ones are not worth a chunk's overhead."""
    if data.nbytes < _COMPRESS_FROM:
        return file.create_dataset(path, data=data)
    chunks = (min(len(data), _COMPRESSED_CHUNK_ROWS), *data.shape[1:])
    return file.create_dataset(path, data=data, chunks=chunks, shuffle=True, compression="gzip", compression_opts=1)
