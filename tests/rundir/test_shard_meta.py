import json

import pytest
from made import meta_of

from stagea_mpi.rundir.checksums import checksummed
from stagea_mpi.rundir.folders import RunFolder
from stagea_mpi.rundir.shard_meta import ShardMeta

#: Keys and their order as version 0.1.0 has written them.
TEXT = """{
 "stage": "A",
 "shard_id": "shard_000003",
 "shard_list": "/run/shard_lists/shard_000003.lst",
 "chains": {"heavy": "H", "light": "L", "antigen": ["A"]},
 "num_cores": 2,
 "do_cluster": true,
 "stagea_phase": "full",
 "result": {
  "cluster_s": 0.345,
  "shard_id": "shard_000003",
  "n_inputs": 10,
  "prep_s": 1.342,
  "annotate_s": 0.196,
  "n_models": 10,
  "n_ok": 9,
  "n_fail": 1,
  "n_noted": 0,
  "graphs_s": 2.812,
  "graphs_bytes": 2108846
 },
 "science": {"features": "deeprank-ab 1.0.2", "schema_version": 2},
 "science_sha256": "134f",
 "inputs_sha256": "74b3",
 "inputs_stat_sha256": "d21b",
 "versions": {"stagea_mpi": "0.1.0"},
 "wall_s": 4.843,
 "files": {"packed.h5": {"bytes": 132628, "sha256": "0d3b"}},
 "job_id": "",
 "node": "vm"
}"""


@pytest.fixture
def shard(tmp_path):
    folder = RunFolder(tmp_path)
    folder.create()
    made = folder.shard(3)
    made.path.mkdir()
    return made


def write(shard, values) -> bytes:
    shard.meta.write_text(json.dumps(checksummed(values), indent=1, ensure_ascii=False) + "\n")
    return shard.meta.read_bytes()


@pytest.mark.parametrize(
    "more",
    [{}, {"replaced": {"packed.h5": {"bytes": 1, "sha256": "00"}, "graphs.h5": None}}, {"stage_b": {"done": True}}],
    ids=["finished", "while files are replaced", "with a key of a later stage"],
)
def test_metadata_that_are_read_and_written_keep_their_bytes(more, shard):
    before = write(shard, json.loads(TEXT) | more)
    ShardMeta.read(shard).write(shard)
    assert shard.meta.read_bytes() == before


def test_fields_are_those_of_the_file(shard):
    write(shard, json.loads(TEXT))
    meta = ShardMeta.read(shard)
    assert (meta.num_cores, meta.numerics_sha256, meta.result.n_ok, meta.replaced) == (2, "134f", 9, None)


def test_an_unknown_key_of_the_result_survives_a_change(shard):
    values = json.loads(TEXT)
    values["result"]["score"] = 0.5
    write(shard, values)
    meta = ShardMeta.read(shard)
    meta.result.n_ok = 8
    meta.write(shard)
    assert json.loads(shard.meta.read_text())["result"] == values["result"] | {"n_ok": 8}


def test_there_are_none_where_nothing_is_written(shard):
    assert ShardMeta.read(shard) is None


@pytest.mark.parametrize(
    "damage", [lambda text: text[:20], lambda text: text.replace('"num_cores": 2', '"num_cores": 3')]
)
def test_damaged_ones_count_as_none(damage, shard):
    meta_of().write(shard)
    write(shard, json.loads(TEXT))
    shard.meta.write_text(damage(shard.meta.read_text()))
    assert ShardMeta.read(shard) is None


@pytest.mark.parametrize(
    "key",
    ["result", "files", "science", "science_sha256", "inputs_sha256", "do_cluster", "wall_s", "n_models", "n_fail"],
)
def test_those_that_lack_what_all_have_count_as_none(key, shard):
    values = json.loads(TEXT)
    del (values if key in values else values["result"])[key]
    write(shard, values)
    assert ShardMeta.read(shard) is None


@pytest.mark.parametrize(
    "change", [{"files": None}, {"result": []}, {"result": {"n_models": "3", "n_ok": 3, "n_fail": 0}}]
)
def test_those_of_another_shape_count_as_none(change, shard):
    write(shard, json.loads(TEXT) | change)
    assert ShardMeta.read(shard) is None
