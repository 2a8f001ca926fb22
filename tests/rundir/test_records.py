import os

import pytest
from made import meta_of

from stagea_mpi.rundir.folders import DONE, GRAPHS_DONE, RunFolder, write_together
from stagea_mpi.rundir.records import mismatch, publish_together, published_files, record, recorded_files, unpublish
from stagea_mpi.rundir.shard_meta import ShardMeta


@pytest.fixture
def shard(tmp_path):
    folder = RunFolder(tmp_path)
    folder.create()
    made = folder.shard(0)
    made.path.mkdir()
    made.packed.write_bytes(b"old")
    meta_of(files={"packed.h5": record(made.packed)}).write(made)
    return made


def test_a_record_is_size_and_hash(tmp_path):
    (tmp_path / "file").write_bytes(b"abc")
    expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"  # FIPS 180-2, appendix B.1
    assert record(tmp_path / "file") == {"bytes": 3, "sha256": expected}


@pytest.mark.parametrize(
    ("content", "sizes_only", "words"),
    [
        (b"old", False, None),
        (b"odd", False, "its content has changed"),
        (b"odd", True, None),
        (b"older", True, "has 5 bytes, recorded are 3"),
        (None, True, "is missing"),
    ],
)
def test_a_file_is_compared_with_its_record(content, sizes_only, words, shard):
    shard.packed.unlink()
    if content is not None:
        shard.packed.write_bytes(content)
    told = mismatch(shard.packed, ShardMeta.read(shard), sizes_only=sizes_only)
    assert (told is None) if words is None else (words in told)


@pytest.mark.parametrize("replaced_before_the_end", [0, 1, 2])
def test_the_metadata_vouch_for_what_is_there_wherever_replacing_is_interrupted(
    replaced_before_the_end, shard, monkeypatch
):
    parts = {shard.packed: shard.path / ".packed.tmp", shard.graphs: shard.path / ".graphs.tmp"}
    for part in parts.values():
        part.write_bytes(b"new content")
    meta, renamed = ShardMeta.read(shard), []
    rename = os.replace

    def replace_some(source, target):
        if target in parts:
            if len(renamed) == replaced_before_the_end:
                raise KeyboardInterrupt
            renamed.append(target)
        rename(source, target)

    monkeypatch.setattr(os, "replace", replace_some)
    try:
        publish_together(shard, meta, parts)
    except KeyboardInterrupt:
        assert replaced_before_the_end < 2
    left = ShardMeta.read(shard)
    assert [mismatch(path, left) for path in parts] == [None, None]
    assert left.replaced.keys() == {"packed.h5", "graphs.h5"}
    shard.packed.write_bytes(b"neither")
    assert mismatch(shard.packed, left) is not None


def test_graphs_that_were_not_to_be_written_need_no_record_unless_they_are_there(shard):
    named = {graphs_bytes: {p.name for p in recorded_files(shard, meta_of(graphs_bytes=graphs_bytes))}
             for graphs_bytes in (None, 0, 7)}  # fmt: skip
    assert named[None] == named[7] == {path.name for path in published_files(shard)}
    assert named[None] - named[0] == {"graphs.h5"}
    shard.graphs.write_bytes(b"something")
    assert shard.graphs in recorded_files(shard, meta_of(graphs_bytes=0))


def test_what_is_unpublished_is_gone_markers_and_all(shard):
    write_together(shard.marks(GRAPHS_DONE, DONE))
    unpublish(shard)
    assert list(shard.path.iterdir()) == []
