"""packed.h5: all graphs of a shard as columns over its models, written by all ranks at once.

Models are in input order whatever rank built them, so the file's content does not depend on the number of ranks. Graph k's nodes
are rows `node_ptr[k]:node_ptr[k + 1]` of every `node` column, and likewise its edges. Each undirected edge stands once.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields

import h5py
import numpy as np

from ..errors import REASONS, RunFolderError
from ..graphs import Edges, InterfaceGraph
from ..parallel.guard import abort_on_error
from ..timing import STAGES

SCHEMA = "stagea_mpi.packed"
SCHEMA_VERSION = 1

#: Codes of `/model/status`: 0 is a model with a graph, k > 0 one that failed for the k-th reason.
STATUS = ("ok", *REASONS)


@dataclass(frozen=True)
class Column:
    """One dataset: its path, the dtype, the shape of a row, the unit, and what it holds."""

    path: str
    dtype: str
    row: tuple[int, ...]
    unit: str
    meaning: str

    @property
    def table(self) -> str:
        return self.path.split("/")[0]

    @property
    def name(self) -> str:
        return self.path.split("/")[1]


#: Every dataset of the file; `S` columns are as wide as their longest value.
COLUMNS = (
    Column("model/name", "S", (), "", "key of the model, as in graphs.h5 and the manifest (UTF-8)"),
    Column("model/source", "S", (), "", "input file (UTF-8)"),
    Column("model/digest", "S64", (), "", "SHA-256 of the unpacked input file"),
    Column("model/status", "u1", (), "", "0: has a graph; else a position in the attribute `status` of the file"),
    Column("model/n_atoms", "i4", (), "", "atoms of the merged complex, ATOM records only"),
    Column("model/rank", "i4", (), "", "rank of the team that built the graph"),
    Column("model/heavy_light_contacts", "i4", (), "", "Cα pairs under 8 Å of heavy and light chain; -1 without one"),
    Column("model/vdw_outside", "f4", (), "", "share of interface edges with vdw outside quality.VDW_BOUNDS; -1: no graph"),
    Column("model/low_heavy_light", "u1", (), "", "1: heavy_light_contacts is under 15"),
    Column("model/vdw_clash", "u1", (), "", "1: vdw_outside is over 0.05"),
    Column("model/seconds", "f4", (len(STAGES),), "s", "wall time by stage, in the order of the attribute `stages` of the file"),
    Column("node/chain", "u1", (), "", "0 antibody, 1 antigen"),
    Column("node/residue_number", "i4", (), "", "number in the merged chain, from 1"),
    Column("node/residue_type", "u1", (), "", "position in residues.RESIDUE_TYPES"),
    Column("node/atom_type", "u1", (), "", "position in residues.ATOM_TYPES"),
    Column("node/region", "u1", (), "", "position in residues.REGIONS"),
    Column("node/serial", "i4", (), "", "number of the atom in the merged complex, from 1"),
    Column("node/position", "f4", (3,), "Å", "coordinates"),
    Column("node/bsa", "f4", (), "Å²", "buried surface area of the atom's residue"),
    Column("edge/nodes", "i4", (2,), "", "nodes of the edge, counted within the graph; antibody first"),
    Column("edge/dist", "f4", (), "Å", "distance"),
    Column("edge/elec", "f4", (), "kcal/mol", "Coulomb energy"),
    Column("edge/vdw", "f4", (), "kcal/mol", "Lennard-Jones energy"),
    Column("edge/voro_area", "f4", (), "Å²", "Voronoi contact area"),
    Column("edge/orientation", "f4", (2, 3), "", "direction in the residue frame of the first and of the second node"),
    Column("internal_edge/nodes", "i4", (2,), "", "nodes of the edge, counted within the graph; lower first"),
    Column("internal_edge/dist", "f4", (), "Å", "distance (elec and vdw are 0 on internal edges)"),
    Column("internal_edge/voro_area", "f4", (), "Å²", "Voronoi contact area"),
    Column("internal_edge/orientation", "f4", (2, 3), "", "direction in the residue frame of the first and of the second node"),
)
#: Row pointers, int64, one more than there are models.
POINTERS = {"node": "model/node_ptr", "edge": "model/edge_ptr", "internal_edge": "model/internal_edge_ptr"}
#: Added by clustering: labels of nodes (rows of `node`), labels of depth-0 clusters, and the pointers into these.
CLUSTERS = ("cluster/depth_0", "cluster/depth_1", "model/depth_1_ptr")

#: Rows of a chunk in a file that is written in several rounds.
_CHUNK_ROWS = 4096
#: In the clustered file, which one rank writes, columns of so many bytes are compressed, in chunks of so many rows.
_COMPRESS_FROM = 1024
_COMPRESSED_CHUNK_ROWS = 16384


@dataclass(frozen=True)
class ModelRecord:
    """One model's row: its graph, or the reason why it has none.

    Attributes
    ----------
    index : int
        Its place in the shard's input order.
    name, source, digest : str
    n_atoms, rank : int
    seconds : tuple of float
        By stage, in the order of `timing.STAGES`.
    graph : InterfaceGraph or None
    reason : str or None
        Key of `errors.REASONS` where there is no graph.
    heavy_light_contacts, vdw_outside, low_heavy_light, vdw_clash
        See `quality.Quality`.
    """

    index: int
    name: str
    source: str
    digest: str
    n_atoms: int
    rank: int
    seconds: tuple[float, ...]
    graph: InterfaceGraph | None
    reason: str | None = None
    heavy_light_contacts: int = -1
    vdw_outside: float = -1.0
    low_heavy_light: bool = False
    vdw_clash: bool = False


class PackedWriter:
    """Writes packed.h5 from all ranks of a communicator. Every call is collective.

    Parameters
    ----------
    path : str
        A new file.
    comm : communicator
    attributes : dict of str to str
        For the file's root; equal on all ranks.
    text_widths : dict of str to int
        Bytes of the longest value of ``model/name`` and ``model/source``; equal on all ranks.
    rounds : int
        How often `append` will be called. One round gives contiguous datasets of their final size.
    """

    def __init__(self, path: str, comm, attributes: dict[str, str], text_widths: dict[str, int], rounds: int):
        self._comm = comm
        self._widths = text_widths
        self._growing = rounds > 1
        self._ends = dict.fromkeys(("model", *POINTERS), 0)
        parallel = {"driver": "mpio", "comm": comm} if comm.size > 1 else {}
        self._file = h5py.File(path, "w", **parallel)
        with abort_on_error(comm):
            for key, value in attributes.items():
                self._file.attrs[key] = np.bytes_(value.encode())

    def append(self, records: Sequence[ModelRecord]) -> int:
        """Writes one round of models.

        Parameters
        ----------
        records : sequence of ModelRecord
            This rank's share. Shares follow each other in rank order, models in input order; a share may be empty.

        Returns
        -------
        bytes : int
            What this rank has written.
        """
        with abort_on_error(self._comm):
            values = _columns_of(records, self._widths)
            lengths = {table: _length(values, table) for table in self._ends}
            all_lengths = self._comm.allgather(lengths)
            written = 0
            first_round = self._ends["model"] == 0 and "model" not in self._file
            starts, totals = {}, {}
            for table, end in self._ends.items():
                starts[table] = end + sum(other[table] for other in all_lengths[: self._comm.rank])
                totals[table] = end + sum(other[table] for other in all_lengths)
            for column in COLUMNS:
                data = values[column.path]
                dataset = self._dataset(column.path, data.dtype, totals[column.table], column.row, first_round, column)
                if totals[column.table] > self._ends[column.table]:  # HDF5 refuses a collective write of nothing at all
                    written += self._write(dataset, starts[column.table], data)
            for table, path in POINTERS.items():
                dataset = self._dataset(path, np.dtype(np.int64), totals["model"] + 1, (), first_round)
                ends = starts[table] + np.cumsum(_graph_lengths(records, table), dtype=np.int64)
                leads = first_round and self._comm.rank == 0
                data = np.concatenate([[0], ends]).astype(np.int64) if leads else ends
                written += self._write(dataset, starts["model"] + (0 if leads else 1), data)
            self._ends = totals
            return written

    def close(self) -> None:
        with abort_on_error(self._comm):
            self._file.flush()
            self._file.close()

    def _dataset(self, path, dtype, rows, row_shape, first_round, column: Column | None = None) -> h5py.Dataset:
        if not first_round:
            dataset = self._file[path]
            dataset.resize(rows, axis=0)
            return dataset
        shape = (rows, *row_shape)
        grown = {"maxshape": (None, *row_shape), "chunks": (_CHUNK_ROWS, *row_shape)} if self._growing else {}
        dataset = self._file.create_dataset(path, shape=shape, dtype=dtype, **grown)
        if column is not None and column.unit:
            dataset.attrs["unit"] = np.bytes_(column.unit.encode())
        return dataset

    def _write(self, dataset: h5py.Dataset, start: int, data: np.ndarray) -> int:
        """One collective write of one plain hyperslab, or of nothing: a rank without rows must take part, too."""
        data = np.ascontiguousarray(data)
        transfer = h5py.h5p.create(h5py.h5p.DATASET_XFER)
        if self._comm.size > 1:
            transfer.set_dxpl_mpio(h5py.h5fd.MPIO_COLLECTIVE)
        in_file = dataset.id.get_space()
        if len(data):
            in_file.select_hyperslab((start, *(0,) * (data.ndim - 1)), data.shape)
            in_memory = h5py.h5s.create_simple(data.shape)
        else:
            in_file.select_none()
            in_memory = h5py.h5s.create_simple((1, *data.shape[1:]))
            in_memory.select_none()
            data = np.zeros((1, *data.shape[1:]), dtype=data.dtype)
        dataset.id.write(in_memory, in_file, data, dxpl=transfer)
        return data.nbytes if in_memory.get_select_npoints() else 0


def _columns_of(records: Sequence[ModelRecord], widths: dict[str, int]) -> dict[str, np.ndarray]:
    graphs = [record.graph for record in records if record.graph is not None]
    values = {}
    for column in COLUMNS:
        if column.table == "model":
            width = widths.get(column.path)
            dtype = np.dtype(f"S{max(width, 1)}" if width is not None else column.dtype)
            rows = [_model_value(record, column.name) for record in records]
        else:
            dtype = np.dtype(column.dtype)
            rows = [_graph_values(graph, column) for graph in graphs]
        if column.table == "model":
            values[column.path] = np.array(rows, dtype=dtype).reshape(len(rows), *column.row)
        else:
            values[column.path] = np.concatenate([np.zeros((0, *column.row), dtype), *rows]).astype(dtype, copy=False)
    return values


def _model_value(record: ModelRecord, name: str):
    if name == "status":
        return STATUS.index(record.reason) if record.reason else 0
    value = getattr(record, name)
    return value.encode("utf-8", errors="surrogateescape") if isinstance(value, str) else value


def _graph_values(graph: InterfaceGraph, column: Column) -> np.ndarray:
    owner = {"node": graph, "edge": graph.interface, "internal_edge": graph.internal}[column.table]
    return getattr(owner, column.name)


def _length(values: dict[str, np.ndarray], table: str) -> int:
    return len(next(data for path, data in values.items() if path.startswith(table + "/")))


def _graph_lengths(records: Sequence[ModelRecord], table: str) -> list[int]:
    def length(graph: InterfaceGraph | None) -> int:
        if graph is None:
            return 0
        return len({"node": graph, "edge": graph.interface, "internal_edge": graph.internal}[table])

    return [length(record.graph) for record in records]


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

    def __init__(self, path):
        self.path = path
        try:
            self._file = h5py.File(path, "r")
        except OSError as error:
            raise RunFolderError(f"{path}: cannot be opened ({error}); remove it and run the shard again") from error
        found = self.attributes.get("schema"), self.attributes.get("schema_version")
        if found != (SCHEMA, str(SCHEMA_VERSION)):
            self._file.close()
            raise RunFolderError(f"{path}: schema is {found}, expected {(SCHEMA, str(SCHEMA_VERSION))}; run the shard again")

    def __enter__(self) -> "PackedFile":
        return self

    def __exit__(self, *error) -> None:
        self._file.close()

    @property
    def attributes(self) -> dict[str, str]:
        return {key: value.decode() if isinstance(value, bytes) else str(value) for key, value in self._file.attrs.items()}

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

    def graph(self, index: int) -> InterfaceGraph:
        """Graph of the index-th model."""
        node = self._rows("node", index)
        edge, internal = (self._rows(table, index) for table in ("edge", "internal_edge"))
        zero = np.zeros(len(internal["nodes"]), dtype=np.float32)
        internal |= {"elec": zero, "vdw": zero}
        interface, internal = (Edges(**{f.name: columns[f.name] for f in fields(Edges)}) for columns in (edge, internal))
        return InterfaceGraph(**node, interface=interface, internal=internal)

    def graphs(self) -> Iterator[tuple[int, str, InterfaceGraph]]:
        """Index, name and graph of every model that has one."""
        for index, (name, status) in enumerate(zip(self.names, self.statuses, strict=True)):
            if status == "ok":
                yield index, name, self.graph(index)

    def clusters(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Labels of depth 0 (of nodes) and of depth 1 (of depth-0 clusters) of the index-th model."""
        start, stop = self._file[POINTERS["node"]][index : index + 2]
        first, last = self._file[CLUSTERS[2]][index : index + 2]
        return self._file[CLUSTERS[0]][start:stop], self._file[CLUSTERS[1]][first:last]

    def _rows(self, table: str, index: int) -> dict[str, np.ndarray]:
        start, stop = self._file[POINTERS[table]][index : index + 2]
        return {name: dataset[start:stop] for name, dataset in self._file[table].items()}

    def check(self) -> None:
        """Raises RunFolderError where pointers and columns do not fit together."""
        n = len(self._file["model/name"])
        for table, path in POINTERS.items():
            pointer = self._file[path][()]
            rows = {len(dataset) for dataset in self._file[table].values()}
            if len(pointer) != n + 1 or pointer[0] != 0 or (np.diff(pointer) < 0).any() or rows != {int(pointer[-1])}:
                raise RunFolderError(f"{self.path}: {path} and the columns of {table} do not fit; run the shard again")


def write_clustered(source: PackedFile, path, clusters: dict[int, tuple[np.ndarray, np.ndarray]]) -> None:
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
    with h5py.File(path, "w", libver="latest") as new:  # HDF5 1.10 and later; a tenth of the overhead
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


def _create_compressed(file: h5py.File, path: str, data: np.ndarray) -> h5py.Dataset:
    """A dataset of one rank's file; small ones are not worth a chunk's overhead."""
    if data.nbytes < _COMPRESS_FROM:
        return file.create_dataset(path, data=data)
    chunks = (min(len(data), _COMPRESSED_CHUNK_ROWS), *data.shape[1:])
    return file.create_dataset(path, data=data, chunks=chunks, shuffle=True, compression="gzip", compression_opts=1)


def root_attributes(versions: str, config_hash: str, input_hash: str) -> dict[str, str]:
    """Attributes of the file's root."""
    return {
        "schema": SCHEMA,
        "schema_version": str(SCHEMA_VERSION),
        "versions": versions,
        "science_sha256": config_hash,
        "inputs_sha256": input_hash,
        "stages": " ".join(STAGES),
        "status": " ".join(STATUS),
    }
