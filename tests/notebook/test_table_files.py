"""What `table` writes, read again by pandas, DuckDB and Python's own libraries."""

import csv
import gzip
import io
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from holding import HANG_S
from launching import ROOT, launch_environment
from made_run import HOSTILE_SOURCE, ODD, write_run

from stagea_mpi.cli import main
from stagea_mpi.errors import ConfigError, LaunchError, RunFolderError, StorageError
from stagea_mpi.notebook import table_files
from stagea_mpi.notebook.explore import Run
from stagea_mpi.notebook.interface_tables import CONTACT_COLUMNS, RESIDUE_COLUMNS

TABLES = {"models": (), "residues": ("--residues",), "contacts": ("--contacts",)}
#: Scores of the made run's models, each of some shards alone.
SCORES = ("iptm", "pdockq2", "score_another", "score_own")


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return write_run(tmp_path_factory.mktemp("made") / "run")


@pytest.fixture
def table(root, tmp_path):
    """Writes a table of the made run and returns its path."""

    def write(name: str, rows: str = "models"):
        assert main(["table", str(root), *TABLES[rows], "-o", str(tmp_path / name)]) == 0
        return tmp_path / name

    return write


def of_run(root, rows: str) -> pd.DataFrame:
    """The same from `Run`, with every cell in one line."""
    run = Run(root)
    found = run.models.reset_index() if rows == "models" else getattr(run, rows)()
    if rows == "models":
        found["source"] = found["source"].replace(HOSTILE_SOURCE, "/in put/\\x1b[31mred line.pdb")
    return found


def assert_same(found: pd.DataFrame, expected: pd.DataFrame) -> None:
    assert found.columns.tolist() == expected.columns.tolist()
    for name in expected:
        if pd.api.types.is_numeric_dtype(expected[name]):
            values = found[name].astype(float).to_numpy(), expected[name].astype(float).to_numpy()
            assert np.allclose(*values, rtol=1e-6, atol=0, equal_nan=True), name
        else:
            assert found[name].fillna("").tolist() == expected[name].tolist(), name


@pytest.mark.parametrize("rows", TABLES)
def test_parquet_is_read_by_pandas_as_the_tables_of_the_run(rows, table, root):
    pytest.importorskip("pyarrow")
    assert_same(pd.read_parquet(table("table.parquet", rows)), of_run(root, rows))


@pytest.mark.parametrize("rows", TABLES)
@pytest.mark.parametrize(("ending", "separator"), [("csv", ","), ("tsv", "\t"), ("csv.gz", ","), ("TSV.gz", "\t")])
def test_text_is_read_by_pandas_as_the_tables_of_the_run(rows, ending, separator, table, root):
    expected = of_run(root, rows)
    text = {name: str for name in expected if not pd.api.types.is_numeric_dtype(expected[name])}
    found = pd.read_csv(
        table(f"table.{ending}", rows), sep=separator, dtype=text, keep_default_na=False, na_values=[""]
    )
    assert_same(found, expected.astype(dict.fromkeys(text, str)))


@pytest.mark.parametrize("rows", TABLES)
def test_parquet_is_read_by_duckdb_as_the_tables_of_the_run(rows, table, root):
    duckdb, expected = pytest.importorskip("duckdb"), of_run(root, rows)
    path = table("table.parquet", rows)
    assert_same(duckdb.sql(f"SELECT * FROM '{path}'").df(), expected)


def test_duckdb_finds_types_and_missing_values_in_the_models(table):
    duckdb = pytest.importorskip("duckdb")
    path = table("models.parquet")
    types = {name: kind for name, kind, *_ in duckdb.sql(f"DESCRIBE SELECT * FROM '{path}'").fetchall()}
    assert {
        types[name] for name in ("model", "status", "source", "input_chains", "score_problem", "target_problem")
    } == {"VARCHAR"}
    assert {types[name] for name in ("seed", "sample", "shard", "n_atoms", "n_clusters", "capri_class")} == {"BIGINT"}
    assert {types[name] for name in ("vdw_clash", "low_heavy_light")} == {"BOOLEAN"}
    assert {types[name] for name in ("contact_area", *SCORES)} == {"DOUBLE"}
    query = f"SELECT count(*), count(seed), count(iptm), count(score_own), avg(iptm), avg(capri_class) FROM '{path}'"
    assert duckdb.sql(query).fetchall() == [(7, 4, 2, 1, 0.375, 2.5)]
    clustered = duckdb.sql(f"SELECT model FROM '{path}' WHERE n_clusters IS NOT NULL ORDER BY model").fetchall()
    assert clustered == [("fab_with_b_factors",), (ODD,)]


def test_duckdb_joins_tables_and_reads_the_text_too(table):
    duckdb = pytest.importorskip("duckdb")
    models, contacts, text = table("m.parquet"), table("c.parquet", "contacts"), table("c.csv.gz", "contacts")
    areas = "SELECT model, sum(contact_area) AS area FROM '{}' GROUP BY model"
    for path in (contacts, text):
        query = f"SELECT m.contact_area, c.area FROM '{models}' m JOIN ({areas.format(path)}) c USING (model)"
        rows = duckdb.sql(query).fetchall()
        assert len(rows) == 4
        assert [row[0] for row in rows] == pytest.approx([row[1] for row in rows], rel=1e-5)


def test_a_table_has_the_scores_of_all_shards_and_the_models_without_a_graph(table):
    with open(table("models.tsv"), encoding="utf-8", newline="") as file:
        rows = {row["model"]: row for row in csv.DictReader(file, delimiter="\t")}
    assert [rows[name]["score_another"] for name in ("pose_a", "far_away", ODD)] == ["", "", "3.0"]
    assert [rows[name]["score_own"] for name in ("pose_a", "far_away", ODD)] == ["-1.5", "", ""]
    assert [rows[name]["iptm"] for name in ("pose_a", "pose_b", ODD)] == ["0.25", "0.5", ""]
    assert [rows[name]["seed"] for name in ("pose_b", "pose_c", ODD)] == ["", "7", "1"]
    assert rows["pose_b"]["status"] == "no_interface"
    assert rows["pose_c"]["score_problem"] == "PAE: none"
    assert rows["no_file"]["source"] == "/in put/\\x1b[31mred line.pdb"


def test_without_o_a_table_is_printed_with_tabs_and_nothing_else(root, table, capsysbinary):
    for rows, options in TABLES.items():
        assert main(["table", str(root), *options]) == 0
        printed, said = capsysbinary.readouterr()
        assert printed == table(f"{rows}.tsv", rows).read_bytes()
        capsysbinary.readouterr()
        assert said.decode().endswith(f"{rows} of 3 shards are in the table\n")


def test_a_gzipped_table_has_the_same_bytes_whenever_it_is_written(table):
    one, other = table("one.csv.gz"), table("other.csv.gz")
    assert one.read_bytes() == other.read_bytes()
    assert gzip.decompress(one.read_bytes()) == table("plain.csv").read_bytes()


def test_a_run_without_residues_gives_a_table_without_rows(tmp_path):
    root = write_run(tmp_path / "run", shards=("failed", "none"))
    for rows, columns in (("residues", RESIDUE_COLUMNS), ("contacts", CONTACT_COLUMNS)):
        assert main(["table", str(root), *TABLES[rows], "-o", str(tmp_path / f"{rows}.csv")]) == 0
        assert (tmp_path / f"{rows}.csv").read_text() == ",".join(columns) + "\n"
        pytest.importorskip("pyarrow")
        assert main(["table", str(root), *TABLES[rows], "-o", str(tmp_path / f"{rows}.parquet")]) == 0
        found = pd.read_parquet(tmp_path / f"{rows}.parquet")
        assert (len(found), tuple(found.columns)) == (0, columns)


def test_shards_without_models_change_no_types(tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    schemas = []
    for k, shards in enumerate([("none", "poses", "odd"), ("odd", "poses", "failed")]):
        root = write_run(tmp_path / f"run{k}", shards=shards)
        assert main(["table", str(root), "-o", str(tmp_path / f"{k}.parquet")]) == 0
        schemas.append({f.name: str(f.type) for f in parquet.read_schema(tmp_path / f"{k}.parquet")})
    assert schemas[0] == schemas[1]


def test_of_a_run_under_way_the_published_shards_are_in_it_and_the_others_are_counted(tmp_path, capsys):
    root = write_run(tmp_path / "run", n_planned=8)
    assert main(["table", str(root), "-o", str(tmp_path / "models.csv")]) == 0
    said = capsys.readouterr().err
    assert "3 of 8 shards are published: models of the other 5 are not in the table" in said
    assert f"7 models of 3 shards are in {tmp_path / 'models.csv'}" in said


def test_a_folder_without_shards_is_refused(tmp_path):
    with pytest.raises(RunFolderError, match="no shard is published"):
        table_files.main(tmp_path, str(tmp_path / "t.csv"), "models")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["models.xlsx", "models", "models.parquet.gz", "models.csv.zst"])
def test_another_ending_is_refused(name, root, tmp_path):
    with pytest.raises(ConfigError, match=r"expected a file that ends in one of .parquet, .csv, .csv.gz"):
        table_files.main(root, str(tmp_path / name), "models")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("residues.csv", b"model,target,side\n"),
        ("note.tsv", b"my own\n"),
        ("m.csv.gz", b"no gzip"),
        ("m.parquet", b"PAR1 no"),
    ],
)
def test_a_file_that_is_no_such_table_is_kept(name, content, root, tmp_path):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ConfigError, match="is there, and is no table of models: .* remove it, or choose another name"):
        table_files.main(root, str(tmp_path / name), "models")
    assert (tmp_path / name).read_bytes() == content
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("name", ["t.csv", "t.tsv.gz", "t.parquet"])
def test_an_earlier_table_of_the_same_rows_is_replaced_and_one_of_others_is_not(name, root, tmp_path):
    path = str(tmp_path / name)
    assert main(["table", str(root), "--residues", "-o", path]) == 0
    first = (tmp_path / name).read_bytes()
    assert main(["table", str(root), "--residues", "-o", path]) == 0
    assert main(["table", str(root), "--contacts", "-o", path]) == 2
    assert (tmp_path / name).read_bytes() == first


@pytest.mark.parametrize("name", ["t.csv", "t.parquet"])
def test_a_table_that_breaks_off_leaves_neither_file_nor_draft(name, tmp_path):
    root = write_run(tmp_path / "run")
    packed = root / "shards" / "shard_000002" / "packed.h5"
    content = bytearray(packed.read_bytes())
    content[100:160] = b"\xff" * 60
    packed.write_bytes(content)
    with pytest.raises(RunFolderError, match="shard_000002"):
        table_files.main(root, str(tmp_path / name), "contacts")
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_a_folder_that_is_missing_or_takes_no_file_is_told(root, tmp_path, monkeypatch):
    with pytest.raises(ConfigError, match="there is no folder"):
        table_files.main(root, str(tmp_path / "none" / "t.csv"), "models")

    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(table_files._Text, "write", full)
    with pytest.raises(StorageError, match="t.csv: No space left on device"):
        table_files.main(root, str(tmp_path / "t.csv"), "models")
    assert list(tmp_path.iterdir()) == []


def test_without_pyarrow_parquet_is_refused_and_text_is_written(root, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(LaunchError, match="pip install pyarrow"):
        table_files.main(root, str(tmp_path / "t.parquet"), "models")
    assert table_files.main(root, str(tmp_path / "t.tsv"), "models") == 0


@pytest.mark.parametrize("rows", TABLES)
def test_a_part_is_written_before_the_next_one_is_read(rows, root, monkeypatch):
    """So that memory holds one shard, however many there are."""
    steps = []
    run = Run(root)

    def noted(parts):
        for part in parts:
            steps.append("read")
            yield part

    class Sink:
        def write(self, part):
            steps.append("written")

    for name in ("residues", "contacts"):
        method = getattr(Run, name)
        monkeypatch.setattr(Run, name, lambda self, chunks, method=method: noted(method(self, chunks)))
    monkeypatch.setattr(Run, "model_tables", lambda self, parts=Run.model_tables: noted(parts(self)))
    tables = table_files._tables(run, rows)
    table_files._write(Sink(), next(tables), tables)
    first = [] if rows == "models" else ["written"]  # no rows, which give the columns
    n_parts = 3 if rows == "models" else 2  # the failed models' shard has no interface
    assert steps == first + ["read", "written"] * n_parts


def test_parquet_has_few_groups_of_rows_which_hold_whole_shards(table, monkeypatch):
    parquet = pytest.importorskip("pyarrow.parquet")
    few = parquet.ParquetFile(table("few.parquet", "residues"))
    assert few.num_row_groups == 1
    monkeypatch.setattr(table_files, "_GROUP_ROWS", 10)
    many = parquet.ParquetFile(table("many.parquet", "residues"))
    assert many.num_row_groups == 2
    assert many.read().equals(few.read())


@pytest.mark.slow
def test_a_reader_that_ends_early_costs_no_traceback(root):
    command = [sys.executable, "-m", "stagea_mpi", "table", str(root), "--contacts"]
    shell = f"{' '.join(command)} | head -1"
    done = subprocess.run(
        ["bash", "-c", shell], cwd=ROOT, env=launch_environment(), capture_output=True, text=True, timeout=HANG_S
    )
    assert done.stdout == "\t".join(CONTACT_COLUMNS) + "\n"
    assert "Traceback" not in done.stderr
    assert "Exception" not in done.stderr


def test_what_is_printed_is_utf_8_whatever_the_locale(root):
    command = [sys.executable, "-m", "stagea_mpi", "table", str(root), "--residues"]
    environment = launch_environment() | {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, timeout=HANG_S)
    assert done.returncode == 0, done.stderr
    found = pd.read_csv(io.BytesIO(done.stdout), sep="\t", dtype=str, encoding="utf-8")
    assert "Ω" in set(found["chain"])
