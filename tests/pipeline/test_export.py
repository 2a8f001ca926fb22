"""`export` writes what a run has left out, and says of every other shard why it does not."""

import dataclasses
import json
import os
import shutil
from pathlib import Path

import pytest
from without_graphs import contents, stamps, start, verified

from stagea_mpi.cli import main
from stagea_mpi.errors import StorageError
from stagea_mpi.pipeline.context import Options
from stagea_mpi.rundir.checksums import checksummed
from stagea_mpi.rundir.folders import DONE, RunFolder
from stagea_mpi.rundir.lock import ShardLock
from stagea_mpi.storage import deeprank_writer


def export(root: Path, capsys, *options: str) -> tuple[int, str]:
    """Exit code and words of the command."""
    capsys.readouterr()
    code = main(["export", str(root), *options])
    out, err = capsys.readouterr()
    return code, out + err


def test_exported_graphs_are_those_that_the_run_would_have_written_and_are_recorded(copied, finished, capsys):
    root = copied(False).run_root
    others = stamps(root, "packed.h5") | stamps(root, "*.tsv*") | stamps(root, "STAGEA_*")
    code, words = export(root, capsys)
    assert code == 0
    assert f"4 models are in {root}/shards/*/graphs.h5 (2 of 2 shards; 2 written)" in words
    assert contents(root) == contents(finished[True].run_root)
    assert verified(root)[0] == 0
    assert {path: stamp for path, stamp in stamps(root).items() if path in others} == others
    assert not list(root.glob("shards/*/.*"))
    assert not list(root.glob("shards/*/progress.json"))
    RunFolder(root).shard(0).graphs.write_bytes(b"something else")
    assert verified(root)[0] == 1


def test_shards_that_have_it_are_left_alone(copied, capsys):
    root = copied(True).run_root
    before = stamps(root)
    code, words = export(root, capsys)
    assert (code, "2 skipped" in words) == (0, True)
    assert stamps(root) == before


def test_graphs_that_somebody_has_removed_are_written_again(copied, finished, capsys):
    root = copied(True).run_root
    RunFolder(root).shard(1).graphs.unlink()
    code, words = export(root, capsys)
    assert (code, "1 skipped, 1 written" in words) == (0, True)
    assert contents(root) == contents(finished[True].run_root)


def test_exported_without_clusters_graphs_are_as_a_run_without_writes_them(finished, tmp_path, capsys):
    roots = []
    for graphs in (True, False):
        config = dataclasses.replace(finished[True], run_root=tmp_path / f"run_{graphs}")
        start(config, graphs=graphs, options=Options(cluster=False))
        roots.append(config.run_root)
    assert export(roots[1], capsys)[0] == 0
    assert contents(roots[1]) == contents(roots[0])


def test_only_the_shards_that_are_asked_for_are_exported(copied, capsys):
    root = copied(False).run_root
    assert export(root, capsys, "--shards", "1")[0] == 0
    assert list(contents(root)) == ["shard_000001"]
    assert verified(root)[0] == 0
    code, words = export(root, capsys, "--shards", "0,2")
    assert code == 2
    assert "--shards: there is no shard 2; the run has the shards 0 to 1" in words
    assert list(contents(root)) == ["shard_000001"]


def test_what_is_no_folder_of_a_run_is_refused(tmp_path, capsys):
    code, words = export(tmp_path, capsys)
    assert code == 2
    assert f"{tmp_path}: is not the folder of a run: {tmp_path}/shard_lists/shards.params is missing" in words


def change_byte(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0x40
    path.write_bytes(content)


def half_replaced(meta: Path) -> None:
    values = json.loads(meta.read_text())
    meta.write_text(json.dumps(checksummed(values | {"replaced": {"packed.h5": None}})))


def stop_in_the_middle(shard) -> None:
    """Leaves a shard as a run that was stopped while it built the graphs."""
    shutil.rmtree(shard.path)
    shard.path.mkdir()
    shard.progress.write_text(json.dumps({"stage": "stopped", "n_models": 2}))
    (shard.path / ".packed.h5.elsewhere.1.tmp").write_bytes(b"half")


#: What is done to a shard, and what is said of it.
OBSTACLES = {
    "damaged": (lambda shard: change_byte(shard.packed), "packed.h5: its SHA-256 is "),
    "no packed.h5": (lambda shard: shard.packed.unlink(), "packed.h5: is missing, though the shard is marked as done"),
    "no metadata": (lambda shard: shard.meta.unlink(), "meta_stageA.json: is missing or damaged, though the shard is"),
    "graphs of unknown origin": (lambda shard: shard.graphs.write_bytes(b"x"), "graphs.h5: has no record in the meta"),
    "not begun": (lambda shard: shutil.rmtree(shard.path), "is not done: nothing of it is published; finish the run"),
    "stopped": (stop_in_the_middle, "is not done: nothing of it is published; finish the run"),
    "to be clustered": (lambda shard: (shard.path / DONE).unlink(), "is not done: its graphs are still to be clustere"),
    "not marked": (lambda shard: shard.unmark(), "since more models failed than max_failed_fraction allows"),
    "half replaced": (lambda shard: half_replaced(shard.meta), "a run has ended while its files were being replaced"),
}


@pytest.mark.parametrize("obstacle", OBSTACLES)
def test_a_shard_that_cannot_be_exported_is_named_and_the_others_are(obstacle, copied, finished, capsys):
    root = copied(False).run_root
    shard = RunFolder(root).shard(0)
    hinder, told = OBSTACLES[obstacle]
    hinder(shard)
    before = {path: stamp for path, stamp in stamps(root).items() if path.parent == shard.path}
    code, words = export(root, capsys)
    assert code == 2
    assert told in words
    assert str(shard.path) in words
    assert "2 models are in" in words
    assert "(1 of 2 shards; 1 refused, 1 written)" in words
    assert {path: stamp for path, stamp in stamps(root).items() if path.parent == shard.path} == before
    assert contents(root)["shard_000001"] == contents(finished[True].run_root)["shard_000001"]
    assert not list(root.glob("shards/*/.lock"))


def test_a_shard_that_another_process_writes_is_left_to_it(copied, capsys):
    root = copied(False).run_root
    lock = ShardLock(RunFolder(root).shard(0).path)
    lock.acquire()
    try:
        code, words = export(root, capsys)
        assert (code, f"is being written by process {os.getpid()}" in words) == (1, True)
        assert list(contents(root)) == ["shard_000001"]
    finally:
        lock.release()


def test_what_an_export_leaves_that_was_killed_goes_with_the_next(copied, finished, capsys, monkeypatch):
    root = copied(False).run_root
    folder = RunFolder(root).shard(0)
    (folder.path / ".graphs.h5.elsewhere.1.tmp").write_bytes(b"half")
    lock = folder.path / ".lock"
    lock.write_text(json.dumps({"host": "elsewhere"}))
    os.utime(lock, (0, 0))
    monkeypatch.setattr("stagea_mpi.rundir.lock.WATCH_S", 0.1)
    assert export(root, capsys)[0] == 0
    assert contents(root) == contents(finished[True].run_root)
    assert not list(root.glob("shards/*/.*"))


def test_a_full_disk_is_told_and_the_next_export_finishes(copied, finished, capsys, monkeypatch):
    root = copied(False).run_root

    def full(self, path):
        raise StorageError(f"{path}: No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(deeprank_writer.MemoryFile, "close_to", full)
        code, words = export(root, capsys)
    assert (code, "No space left on device" in words) == (1, True)
    assert verified(root)[0] == 0
    assert not list(root.glob("shards/*/.*"))
    assert export(root, capsys)[0] == 0
    assert contents(root) == contents(finished[True].run_root)


def test_a_run_and_an_export_take_turns(copied, finished, capsys):
    config = copied(False)
    assert export(config.run_root, capsys, "--shards", "0")[0] == 0
    before = stamps(config.run_root)
    assert start(config, graphs=False).exit_code == 0
    assert stamps(config.run_root) == before
    assert start(config, graphs=True).exit_code == 0
    assert contents(config.run_root) == contents(finished[True].run_root)
    assert export(config.run_root, capsys)[1].count("2 skipped") == 1
