import gzip
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from stagea_mpi.rundir import folders
from stagea_mpi.rundir.folders import RunFolder, publish, table_bytes, write_together


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
        yield tmp_path / "one.lst", b"one\n"
        yield tmp_path / "two.lst", b"two\n"
        assert not list(tmp_path.glob("*.lst"))
        raise RuntimeError("the disk is full")

    with pytest.raises(RuntimeError):
        write_together(texts())
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "made").write_bytes(b"two\n")
    write_together([(tmp_path / "one.lst", b"one\n"), (tmp_path / "two.lst", tmp_path / "made")])
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"one.lst": b"one\n", "two.lst": b"two\n"}


def test_files_get_their_names_in_order_when_all_are_on_disk_and_then_the_folder_is_flushed(tmp_path, monkeypatch):
    done, fsync, replace = [], os.fsync, os.replace

    def note_fsync(handle):
        done.append(("on disk", Path(os.readlink(f"/proc/self/fd/{handle}")).name.split(f".{socket.gethostname()}")[0]))
        fsync(handle)

    def note_replace(source, target):
        done.append(("named", target.name))
        replace(source, target)

    monkeypatch.setattr(os, "fsync", note_fsync)
    monkeypatch.setattr(os, "replace", note_replace)
    monkeypatch.setattr(folders, "_OPEN_AT_ONCE", 2)
    names = ("b", "a", "c")
    write_together((tmp_path / name, name.encode()) for name in names)
    assert sorted(done[:3]) == [("on disk", f".{name}") for name in sorted(names)]
    assert done[3:] == [*(("named", name) for name in names), ("on disk", tmp_path.name)]
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {name: name for name in names}


def test_equal_rows_give_equal_bytes_also_when_gzipped():
    one, other = (table_bytes(("x", "y"), [(1, "one"), (2, "two")], gzipped=True) for _ in range(2))
    assert one == other
    assert gzip.decompress(one) == b"x\ty\n1\tone\n2\ttwo\n"


def test_a_line_break_or_a_tab_in_a_value_does_not_break_the_table():
    assert table_bytes(("a", "b"), [("two\nlines", "a\ttab")], gzipped=False) == b"a\tb\ntwo lines\ta tab\n"


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
