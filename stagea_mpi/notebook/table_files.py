"""Tables of a run in files: ``python -m stagea_mpi table RUN_ROOT [-o FILE] [--residues | --contacts]``.

One shard is in memory at a time, or some models of it. A file gets its name when it is whole.
"""

from __future__ import annotations

import contextlib
import gzip
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Protocol

import numpy as np

from .. import __version__
from ..errors import DONE, ConfigError, LaunchError, RunFolderError, StorageError, escape_unprintable, listed
from ..rundir.folders import RunFolder, publish, table_cell
from ..rundir.sharding import read_params
from . import interface_tables
from .explore import Run
from .graph_tables import pandas_module

if TYPE_CHECKING:
    import pandas as pd

#: What a table's rows may be.
ROWS = ("models", "residues", "contacts")
#: Letter between the cells of a text, by the file's ending; .gz may follow.
_SEPARATORS = {".csv": ",", ".tsv": "\t"}
_PARQUET = ".parquet"
_ENDINGS = (_PARQUET, *(f"{ending}{gz}" for ending in _SEPARATORS for gz in ("", ".gz")))

#: Models whose residues or contacts are in memory at once, at most.
_MODELS_AT_ONCE = 2000
#: Rows that a group of rows of a Parquet file has at least; readers skip groups, and each costs some kB at the end.
_GROUP_ROWS = 65_536
#: Whole numbers of models that some models may not have.
_COUNTS = ("seed", "sample", "n_clusters", "capri_class")
#: Columns by which an earlier table of the same rows is known.
_FIRST_COLUMNS = 3


class _Sink(Protocol):
    """Where tables go, one behind the other."""

    def write(self, table: pd.DataFrame) -> None: ...


def main(run_root: str | Path, output: str | None, rows: str) -> int:
    """Writes a table of a run's published shards, and says on stderr what it is of.

    Parameters
    ----------
    run_root : path
    output : str, optional
        The file; its ending says what it becomes: .parquet, .csv, .tsv, .csv.gz or .tsv.gz. Tab-separated to standard
        output without.
    rows : str
        One of `ROWS`.

    Returns
    -------
    code : int

    Raises
    ------
    ConfigError
        The ending is another, or the file is there and no such table.
    RunFolderError
        No shard is published there, or one is damaged.
    LaunchError
        pandas, or for Parquet pyarrow, is not installed.
    StorageError
    """
    ending = "" if output is None else _ending(output)
    pandas_module()
    if ending == _PARQUET:
        _parquet_module()
    run = Run(run_root)
    tables = _tables(run, rows)
    first = next(tables)
    if output is None:
        n_rows = _write(_Text(sys.stdout.buffer, "\t"), first, tables)
        sys.stdout.flush()
    else:
        path = Path(output)
        _refuse_another(path, ending, first.columns.tolist(), rows)
        try:
            with publish(path) as draft, _opened(draft, ending, first) as sink:
                n_rows = _write(sink, first, tables)
        except OSError as error:
            raise StorageError.of(error, path) from error
    for line in _told(run, rows, n_rows, output):
        print(f"stagea_mpi: {escape_unprintable(line)}", file=sys.stderr)
    return DONE


def _ending(output: str) -> str:
    name = output.lower()
    for ending in _ENDINGS:
        if name.endswith(ending):
            return ending
    raise ConfigError(
        f"-o {output}: expected a file that ends in one of {listed(_ENDINGS)}; without -o a .tsv is printed"
    )


def _tables(run: Run, rows: str) -> Iterator[pd.DataFrame]:
    """A table in parts, all with the same columns of the same types; the first may be empty."""
    if rows == "models":
        for table in run.model_tables():
            yield _cleaned(table.astype(dict.fromkeys(_COUNTS, "Int64")))
        return
    if rows == "residues":
        extra = ["b_factor"] if run.has_b_factors else []
        columns, parts = [*interface_tables.RESIDUE_COLUMNS, *extra], run.residues(chunks=_MODELS_AT_ONCE)
    else:
        columns, parts = list(interface_tables.CONTACT_COLUMNS), run.contacts(chunks=_MODELS_AT_ONCE)
    yield interface_tables.empty_table(columns)
    for table in parts:
        yield _cleaned(table.reindex(columns=columns))


def _cleaned(table: pd.DataFrame) -> pd.DataFrame:
    """A table of which every cell is in one line and printable, as those of a shard are."""
    for name in table:
        if _is_text(table[name]) and not "".join(table[name].unique()).isprintable():
            table[name] = table[name].map(table_cell)
    return table


def _is_text(column: pd.Series) -> bool:
    return not isinstance(column.dtype, np.dtype) and column.dtype.kind == "O" or column.dtype == object


def _write(sink: _Sink, first: pd.DataFrame, rest: Iterator[pd.DataFrame]) -> int:
    """Writes all parts of a table; the number of its rows."""
    sink.write(first)
    n_rows = len(first)
    for table in rest:
        sink.write(table)
        n_rows += len(table)
    return n_rows


@contextlib.contextmanager
def _opened(path: Path, ending: str, like: pd.DataFrame) -> Iterator[_Sink]:
    if ending == _PARQUET:
        with _Parquet(path, like) as sink:
            yield sink
        return
    with open(path, "wb") as file, contextlib.ExitStack() as opened:
        target: Any = file
        if ending.endswith(".gz"):  # without a name and a time in it
            target = opened.enter_context(gzip.GzipFile("", "wb", compresslevel=6, fileobj=file, mtime=0))
        yield _Text(target, _SEPARATORS[ending.removesuffix(".gz")])


class _Text:
    """A table as text, in UTF-8; the names of its columns are the first line."""

    def __init__(self, file: IO[bytes], separator: str):
        self._file, self._separator, self._is_first = file, separator, True

    def write(self, table: pd.DataFrame) -> None:
        text = table.to_csv(None, sep=self._separator, header=self._is_first, index=False, lineterminator="\n")
        self._file.write(text.encode())
        self._is_first = False


class _Parquet:
    """A table as Parquet, a group of rows for some shards; a context manager."""

    def __init__(self, path: Path, like: pd.DataFrame):
        arrow, parquet = _parquet_module()
        self._arrow, self._schema = arrow, _schema_of(arrow, like)
        self._writer = parquet.ParquetWriter(str(path), self._schema, compression="zstd")
        self._waiting: list[Any] = []

    def __enter__(self) -> _Parquet:
        return self

    def __exit__(self, *error: object) -> None:
        if error[0] is None:
            self._flush()
        self._writer.close()

    def write(self, table: pd.DataFrame) -> None:
        columns = [self._arrow.array(table[f.name], type=f.type, from_pandas=True) for f in self._schema]
        self._waiting.append(self._arrow.Table.from_arrays(columns, schema=self._schema))
        if sum(map(len, self._waiting)) >= _GROUP_ROWS:
            self._flush()

    def _flush(self) -> None:
        if self._waiting:
            self._writer.write_table(self._arrow.concat_tables(self._waiting))
            self._waiting = []


def _schema_of(arrow: Any, table: pd.DataFrame) -> Any:
    """Arrow's types for a table's columns: text, logical, whole numbers of 64 bits, and floats as they are."""

    def type_of(column: pd.Series) -> Any:
        if _is_text(column):
            return arrow.string()
        if column.dtype.kind == "f":
            return arrow.from_numpy_dtype(column.dtype)
        return arrow.bool_() if column.dtype.kind == "b" else arrow.int64()

    fields = [arrow.field(name, type_of(table[name])) for name in table]
    return arrow.schema(fields, metadata={"stagea_mpi": __version__})


def _parquet_module() -> tuple[Any, Any]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise LaunchError(
            "pyarrow, which writes Parquet, is not installed; `pip install pyarrow` installs it (the extra `table` has "
            "it), and .tsv and .csv need none"
        ) from error
    return pyarrow, pyarrow.parquet


def _refuse_another(path: Path, ending: str, columns: list[str], rows: str) -> None:
    """Only an earlier table of the same rows is replaced."""
    if not path.parent.is_dir():
        raise ConfigError(f"-o {path}: there is no folder {path.parent}; make it, or choose another one")
    if not path.exists():
        return
    expected, found = columns[:_FIRST_COLUMNS], _columns_in(path, ending)[:_FIRST_COLUMNS]
    if found != expected:
        raise ConfigError(
            f"-o {path}: is there, and is no table of {rows}: its columns should begin with {listed(expected)}, found "
            f"{listed(found)}; remove it, or choose another name"
        )


def _columns_in(path: Path, ending: str) -> list[str]:
    """Names of the columns of a file; none where it is no table."""
    try:
        if ending == _PARQUET:
            return list(_parquet_module()[1].read_schema(str(path)).names)
        with gzip.open(path, "rb") if ending.endswith(".gz") else open(path, "rb") as file:
            line = file.readline(100_000).decode(errors="replace")
        return line.rstrip("\n").split(_SEPARATORS[ending.removesuffix(".gz")])
    except (OSError, EOFError, ValueError):  # whatever it is, it is none of ours
        return []


def _told(run: Run, rows: str, n_rows: int, output: str | None) -> Iterator[str]:
    """What a person should know of a table that has been written."""
    try:
        n_planned = (read_params(RunFolder(run.root)) or {}).get("n_shards", 0)
    except RunFolderError:  # which `verify` tells of
        n_planned = 0
    if n_planned > run.n_shards:
        missing = n_planned - run.n_shards
        yield f"{run.n_shards} of {n_planned} shards are published: models of the other {missing} are not in the table"
    shards = f"{run.n_shards} shard{'s' if run.n_shards != 1 else ''}"
    yield f"{n_rows} {rows} of {shards} are in {output or 'the table'}"
