import gzip
import os
import socket
import subprocess
import sys

import pytest

from stagea_mpi.rundir.folders import RunFolder, publish, write_table, write_texts


def test_a_file_has_its_final_name_only_when_it_is_whole(tmp_path):
    path = tmp_path / "data.txt"
    with publish(path) as part:
        part.write_text("all of it")
        assert not path.exists()
    assert path.read_text() == "all of it"
    assert list(tmp_path.iterdir()) == [path]


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "data.txt"
    path.write_text("old")

    def write():
        with publish(path) as part:
            part.write_text("half of the new")
            raise RuntimeError("the disk is full")

    with pytest.raises(RuntimeError):
        write()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_of_many_files_none_has_its_name_before_all_are_written(tmp_path):
    def texts():
        yield tmp_path / "one.lst", "one\n"
        yield tmp_path / "two.lst", "two\n"
        assert not list(tmp_path.glob("*.lst"))
        raise RuntimeError("the disk is full")

    with pytest.raises(RuntimeError):
        write_texts(texts())
    assert list(tmp_path.iterdir()) == []
    write_texts([(tmp_path / "one.lst", "one\n"), (tmp_path / "two.lst", "caf\udce9\n")])
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {
        "one.lst": b"one\n",
        "two.lst": b"caf\xe9\n",
    }


def test_equal_rows_give_equal_bytes_also_when_gzipped(tmp_path):
    for name in ("a.tsv.gz", "b.tsv.gz"):
        write_table(tmp_path / name, ("x", "y"), [(1, "one"), (2, "two")])
    assert (tmp_path / "a.tsv.gz").read_bytes() == (tmp_path / "b.tsv.gz").read_bytes()
    assert gzip.decompress((tmp_path / "a.tsv.gz").read_bytes()) == b"x\ty\n1\tone\n2\ttwo\n"


def test_a_line_break_or_a_tab_in_a_value_does_not_break_the_table(tmp_path):
    write_table(tmp_path / "t.tsv", ("a", "b"), [("two\nlines", "a\ttab")])
    assert (tmp_path / "t.tsv").read_text() == "a\tb\ntwo lines\ta tab\n"


def test_what_a_killed_run_left_half_written_is_removed(tmp_path):
    folder = RunFolder(tmp_path)
    folder.create()
    shard = folder.shard(0)
    shard.path.mkdir()
    for suffix in (".tmp", ".part"):  # the second one was left by 0.1.0
        (shard.path / f".packed.h5.host.1{suffix}").write_text("half")
    shard.packed.write_text("whole")
    shard.remove_drafts()
    assert [path.name for path in shard.path.iterdir()] == ["packed.h5"]


def test_what_killed_runs_left_beside_the_shards_is_removed_and_what_others_are_writing_stays(tmp_path):
    folder = RunFolder(tmp_path)
    folder.create()
    child = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
    dead, host = int(child.stdout), socket.gethostname()
    lists = folder.shard_lists
    gone = [
        tmp_path / f".run.yaml.{host}.{dead}.tmp",
        *(lists / f".one.lst.{host}.{dead}{s}" for s in (".tmp", ".part")),
    ]
    stays = [tmp_path / f".run.yaml.{host}.{os.getpid()}.tmp", tmp_path / f".run.yaml.elsewhere.{dead}.tmp"]
    for path in gone + stays:
        path.write_text("half")
    folder.remove_drafts()
    assert [path for path in gone + stays if path.exists()] == stays
