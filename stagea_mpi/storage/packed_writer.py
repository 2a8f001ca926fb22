"""Writes packed.h5 from all ranks at once, or from the first, which gathers, where h5py is built without MPI."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import h5py
import numpy as np

from ..graph.interface_graph import Edges, GraphArrays
from ..mpi.communicator import Communicator
from ..mpi.files import close_together, open_on_first, open_together, writes_together
from ..mpi.guard import abort_on_error
from .memory import MemoryFile, check_space
from .schema import B_FACTOR, COLUMNS, POINTERS, SCORE_PROBLEM, SCORE_TABLE, STATUS, TARGET_TABLE, TARGETS, Column

#: Rows of a chunk in a file that is written in several rounds.
_CHUNK_ROWS = 4096


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
        By stage, in the order of `graph.timing.STAGES`.
    graph : GraphArrays or None
    reason : str or None
        Key of `errors.REASONS` where there is no graph.
    heavy_light_contacts, vdw_outside, low_heavy_light, vdw_clash, left_out, left_out_names, modified_interface,
    dropped_locations
        See `quality.Quality`.
    heavy_type, light_type : str
        ANARCI's type of the chain's labelled domain; ``-`` where it has none, empty where there is no such chain, or
        nothing is known of it.
    input_chains : str
        Names of the input's chains (`schema.joined_names`); empty where they are not known.
    target : str
    seed, sample : int
        -1 where there is none.
    scores : mapping of str to float
        By the names that they have below `schema.SCORE_TABLE`.
    score_problem : str
    comparison : mapping of str to object, or None
        How near the model is to its reference, by names of `schema.TARGETS`; None where the run has no reference.
    """

    index: int
    name: str
    source: str
    digest: str
    n_atoms: int
    rank: int
    seconds: tuple[float, ...]
    graph: GraphArrays | None
    reason: str | None = None
    heavy_light_contacts: int = -1
    vdw_outside: float = -1.0
    low_heavy_light: bool = False
    vdw_clash: bool = False
    left_out: int = -1
    left_out_names: str = ""
    modified_interface: bool = False
    heavy_type: str = ""
    light_type: str = ""
    input_chains: str = ""
    dropped_locations: int = -1
    target: str = ""
    seed: int = -1
    sample: int = -1
    scores: Mapping[str, float] = field(default_factory=dict)
    score_problem: str = ""
    comparison: Mapping[str, Any] | None = None


class PackedWriter:
    """Writes packed.h5 from all ranks of a communicator. Every call is collective.

    Each rank writes its rows of a column, collectively. Where h5py is built without MPI, the first rank writes them
    all: it gathers one column of a round after the other, and the file has the same bytes.

    Parameters
    ----------
    path : str
        A new file.
    comm : communicator
    attributes : dict of str to str
        For the file's root; equal on all ranks.
    text_widths : dict of str to int
        Bytes of the longest value of ``model/name``, ``model/source``, ``model/target`` and ``model/input_chains``, 1
        where none is given; equal on all ranks.
    rounds : int
        How often `append` will be called. One round gives contiguous datasets of their final size.
    """

    def __init__(
        self, path: str, comm: Communicator, attributes: dict[str, str], text_widths: dict[str, int], rounds: int
    ):
        self._comm = comm
        self._widths = text_widths
        self._growing, self._is_first_round = rounds > 1, True
        self._ends = dict.fromkeys(("model", *POINTERS), 0)
        self._optional: dict[str, Column] = {}
        self._path = path
        self._together = writes_together(comm)
        self._file: h5py.File | None  # None on a rank whose rows another one writes
        if comm.size == 1:
            self._file = MemoryFile()
        else:
            self._file = open_together(path, comm) if self._together else open_on_first(path, comm)
        with abort_on_error(comm):
            if self._file is not None:
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
            columns = self._columns(records)
            values = _columns_of(records, columns, self._widths)
            lengths = {table: _length(values, table) for table in self._ends}
            all_lengths = self._comm.allgather(lengths)
            written = 0
            starts, totals = {}, {}
            for table, end in self._ends.items():
                starts[table] = end + sum(other[table] for other in all_lengths[: self._comm.rank])
                totals[table] = end + sum(other[table] for other in all_lengths)
            n_bytes = sum(self._comm.allgather(sum(data.nbytes for data in values.values())))
            if self._comm.size > 1 and self._comm.rank == 0:
                check_space(self._path, n_bytes)
            for column in columns:
                has_rows = totals[column.rows_of] > self._ends[column.rows_of]
                start, data = self._own_rows(starts[column.rows_of], values[column.path])
                dataset = self._dataset(column.path, data.dtype, totals[column.rows_of], column.row, column)
                if dataset is not None and has_rows:  # HDF5 refuses a collective write of nothing at all
                    written += self._write(dataset, start, data)
            for table, path in POINTERS.items():
                ends = starts[table] + np.cumsum(_graph_lengths(records, table), dtype=np.int64)
                leads = self._is_first_round and self._comm.rank == 0
                rows = np.concatenate([[0], ends]).astype(np.int64) if leads else ends
                start, data = self._own_rows(starts["model"] + (0 if leads else 1), rows)
                dataset = self._dataset(path, np.dtype(np.int64), totals["model"] + 1, ())
                if dataset is not None:
                    written += self._write(dataset, start, data)
            self._ends, self._is_first_round = totals, False
            return written

    def _columns(self, records: Sequence[ModelRecord]) -> tuple[Column, ...]:
        """The columns of a round: those that every file has, and those that some model so far has, of any rank."""
        for part in self._comm.allgather({column.path: column for column in _optional_columns(records)}):
            self._optional |= part
        return (*COLUMNS, *(self._optional[path] for path in sorted(self._optional)))

    def close(self) -> None:
        with abort_on_error(self._comm):
            if isinstance(self._file, MemoryFile):
                self._file.close_to(self._path)
                return
            if self._together and self._file is not None:
                close_together(self._file, self._path, self._comm)
                return
            if self._file is not None:
                self._file.flush()
                self._file.close()
            self._comm.barrier()  # nobody takes for whole what the first rank still writes

    def _own_rows(self, start: int, rows: np.ndarray) -> tuple[int, np.ndarray]:
        """Of a column the rows that this rank writes, and their place; of a file that one rank writes, all or none."""
        if self._together or self._comm.size == 1:
            return start, rows
        parts = self._comm.gather(rows)
        return start, rows[:0] if parts is None else np.concatenate(parts)

    def _dataset(
        self,
        path: str,
        dtype: np.dtype,
        rows: int,
        row_shape: tuple[int, ...],
        column: Column | None = None,
    ) -> h5py.Dataset | None:
        if self._file is None:
            return None
        if not self._is_first_round and path in self._file:
            dataset = self._file[path]
            dataset.resize(rows, axis=0)
            return dataset
        shape = (rows, *row_shape)
        options: dict[str, Any] = (
            {"maxshape": (None, *row_shape), "chunks": (_CHUNK_ROWS, *row_shape)} if self._growing else {}
        )
        if self._comm.size > 1:  # what parallel HDF5 always does, and other files are to have the same bytes
            options["dcpl"] = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
            options["dcpl"].set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
        if column is not None and column.path in self._optional and dtype.kind == "f":
            options["fillvalue"] = np.nan  # of models in rounds before, of which nothing is written
        dataset = self._file.create_dataset(path, shape=shape, dtype=dtype, **options)
        if column is not None and column.unit:
            dataset.attrs["unit"] = np.bytes_(column.unit.encode())
        return dataset

    def _write(self, dataset: h5py.Dataset, start: int, data: np.ndarray) -> int:
        """One write of one plain hyperslab, or of nothing: a rank without rows must take part in a collective one."""
        data = np.ascontiguousarray(data)
        transfer = h5py.h5p.create(h5py.h5p.DATASET_XFER)
        if self._together:
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


def _optional_columns(records: Sequence[ModelRecord]) -> list[Column]:
    """Those columns that not every file has, and that some of the records have a value for."""
    names = {name for record in records for name in record.scores}
    scores = [Column(f"{SCORE_TABLE}/{name}", "f8", (), "", "") for name in names]
    has_b_factors = any(record.graph is not None and record.graph.b_factor is not None for record in records)
    has_problems = any(record.score_problem for record in records)
    targets = TARGETS if any(record.comparison is not None for record in records) else ()
    return [*scores, *[B_FACTOR] * has_b_factors, *[SCORE_PROBLEM] * has_problems, *targets]


def _columns_of(
    records: Sequence[ModelRecord], columns: Sequence[Column], widths: dict[str, int]
) -> dict[str, np.ndarray]:
    graphs = [record.graph for record in records if record.graph is not None]
    values = {}
    for column in columns:
        if column.rows_of == "model":
            is_wide = column.dtype == "S"
            dtype = np.dtype(f"S{max(widths.get(column.path, 1), 1)}" if is_wide else column.dtype)
            rows = [_model_value(record, column) for record in records]
        else:
            dtype = np.dtype(column.dtype)
            rows = [_graph_values(graph, column) for graph in graphs]
        if column.rows_of == "model":
            values[column.path] = np.array(rows, dtype=dtype).reshape(len(rows), *column.row)
        else:
            values[column.path] = np.concatenate([np.zeros((0, *column.row), dtype), *rows]).astype(dtype, copy=False)
    return values


def _model_value(record: ModelRecord, column: Column) -> Any:
    if column.path.startswith(f"{SCORE_TABLE}/"):
        return record.scores.get(column.path.removeprefix(f"{SCORE_TABLE}/"), np.nan)
    if column.name == "status":
        return STATUS.index(record.reason) if record.reason else 0
    value = (record.comparison or {})[column.name] if column.table == TARGET_TABLE else getattr(record, column.name)
    return as_bytes(value) if isinstance(value, str) else value


def as_bytes(text: str) -> bytes:
    """A name as the file holds it: in UTF-8 whatever the locale, bytes of file names that are none as they are."""
    return text.encode("utf-8", errors="surrogateescape")


def _graph_values(graph: GraphArrays, column: Column) -> np.ndarray:
    values = getattr(_table_of(graph, column.table), column.name)
    return np.full(len(graph), np.nan) if values is None else values


def _table_of(graph: GraphArrays, table: str) -> GraphArrays | Edges:
    """The part of a graph whose columns a table holds."""
    parts: dict[str, GraphArrays | Edges] = {"node": graph, "edge": graph.interface, "internal_edge": graph.internal}
    return parts[table]


def _length(values: dict[str, np.ndarray], table: str) -> int:
    return len(next(data for path, data in values.items() if path.startswith(table + "/")))


def _graph_lengths(records: Sequence[ModelRecord], table: str) -> list[int]:
    return [0 if record.graph is None else len(_table_of(record.graph, table)) for record in records]
