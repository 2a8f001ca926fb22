"""What a run publishes with `write_graphs: 0`, and when it is switched between two runs on one folder."""

import dataclasses
import shutil

import pytest
from without_graphs import contents, stamps, start, verified

from stagea_mpi.checks import consistency
from stagea_mpi.notebook.explore import Run
from stagea_mpi.pipeline import build_shard
from stagea_mpi.pipeline.context import Options
from stagea_mpi.rundir.folders import RunFolder
from stagea_mpi.rundir.shard_meta import ShardMeta
from stagea_mpi.rundir.shard_state import Published, ShardState
from stagea_mpi.slurm.status import read_status, table


@pytest.fixture
def nothing_is_built(monkeypatch):
    """A run that builds a graph fails."""
    monkeypatch.delattr(build_shard.GraphBuilder, "build")


def test_without_graphs_all_else_is_published_and_right(finished):
    root, other = finished[False].run_root, finished[True].run_root
    assert contents(root) == {}
    assert len(contents(other)) == 2
    for name in ("failures.tsv", "manifest.tsv.gz"):
        assert contents(root, name) == contents(other, name)
    shard = RunFolder(root).shard(0)
    assert ShardState(shard).published is Published.DONE
    assert sorted(ShardMeta.read(shard).files) == ["failures.tsv", "manifest.tsv.gz", "packed.h5"]
    assert verified(root)[0] == 0
    assert Run(root)["pose_0001"] == Run(other)["pose_0001"]


def test_status_tells_which_shards_are_without_and_what_writes_it(finished):
    without, others = (read_status(RunFolder(finished[graphs].run_root)) for graphs in (False, True))
    assert without["total"]["shards"] == {"done": 2}
    assert (without["total"]["without_graphs"], others["total"]["without_graphs"]) == (2, 0)
    told = "2 shards are without graphs.h5, as write_graphs: 0 has it; `python -m stagea_mpi export "
    assert told + without["run_root"] in table(without)
    assert "graphs.h5" not in table(others)


@pytest.mark.parametrize("graphs", [False, True])
def test_repeated_as_it_was_a_run_changes_nothing(graphs, copied):
    config = copied(graphs)
    before = stamps(config.run_root)
    assert [o.action for o in start(config, graphs=graphs).outcomes] == ["skipped", "skipped"]
    assert stamps(config.run_root) == before


@pytest.mark.usefixtures("nothing_is_built")
def test_graphs_that_are_wanted_later_are_written_from_packed_h5(copied, finished):
    config = copied(False)
    before = stamps(config.run_root, "packed.h5")
    assert start(config, graphs=True).exit_code == 0
    assert contents(config.run_root) == contents(finished[True].run_root)
    assert stamps(config.run_root, "packed.h5") == before
    assert verified(config.run_root)[0] == 0


def test_graphs_that_are_there_stay_when_none_are_wanted_any_more(copied):
    config = copied(True)
    before = stamps(config.run_root)
    assert start(config, graphs=False).exit_code == 0
    assert stamps(config.run_root) == before
    assert verified(config.run_root)[0] == 0


@pytest.mark.usefixtures("nothing_is_built")
def test_graphs_that_somebody_has_removed_are_written_again_only_where_they_are_wanted(copied, finished):
    config, graphs = copied(True), RunFolder(finished[True].run_root).shard(1).graphs
    removed = RunFolder(config.run_root).shard(1).graphs
    removed.unlink()
    assert verified(config.run_root)[0] == 1
    assert start(config, graphs=False).exit_code == 0
    assert not removed.exists()
    assert verified(config.run_root)[0] == 0
    assert start(config, graphs=True).exit_code == 0
    assert removed.read_bytes() == graphs.read_bytes()


def test_clusters_come_to_graphs_that_are_there_as_well(finished, tmp_path):
    config = dataclasses.replace(finished[True], run_root=tmp_path / "run")
    start(config, graphs=True, phase="prep_graphs")
    assert contents(config.run_root).keys() == contents(finished[True].run_root).keys()
    assert start(config, graphs=False, phase="cluster_only").exit_code == 0
    assert contents(config.run_root) == contents(finished[True].run_root)
    assert verified(config.run_root)[0] == 0


def test_prepared_without_graphs_a_shard_is_clustered_without(finished, tmp_path):
    config = dataclasses.replace(finished[True], run_root=tmp_path / "run")
    start(config, graphs=False, phase="prep_graphs")
    assert ShardState(RunFolder(config.run_root).shard(0)).published is Published.GRAPHS
    assert verified(config.run_root)[0] == 75
    assert start(config, graphs=False, phase="cluster_only").exit_code == 0
    assert contents(config.run_root) == {}
    assert verified(config.run_root)[0] == 0


def test_computed_again_without_graphs_a_shard_keeps_none_of_before(copied):
    config = copied(True)
    assert start(config, graphs=False, options=Options(force=True)).exit_code == 0
    assert contents(config.run_root) == {}
    assert verified(config.run_root)[0] == 0


def test_too_many_failures_are_told_without_graphs_as_well(finished, tmp_path):
    inputs = tmp_path / "poses"
    inputs.mkdir()
    shutil.copy(finished[True].pdb_root / "pose_0001.pdb", inputs)
    (inputs / "pose_0002.pdb").write_text("REMARK nothing\n")
    config = dataclasses.replace(finished[True], run_root=tmp_path / "run", pdb_root=inputs)
    assert start(config, graphs=False).exit_code == 4
    assert ShardState(RunFolder(config.run_root).shard(0)).published is Published.TOO_MANY_FAILED
    assert verified(config.run_root)[0] == 75
    allowed = dataclasses.replace(config, stage_a=dataclasses.replace(config.stage_a, max_failed_fraction=0.5))
    assert start(allowed, graphs=False).exit_code == 0
    assert contents(config.run_root) == {}


def test_graphs_that_nothing_vouches_for_are_named_and_replaced_by_those_that_are_wanted(copied, finished):
    config = copied(False)
    stray = RunFolder(config.run_root).shard(0).graphs
    shutil.copy(RunFolder(finished[True].run_root).shard(1).graphs, stray)
    code, words = verified(config.run_root)
    assert code == 1
    assert f"{stray}: has no record in the metadata" in words
    assert start(config, graphs=True).exit_code == 0
    assert contents(config.run_root) == contents(finished[True].run_root)


def test_a_deep_check_compares_graphs_that_are_there_alone(finished, monkeypatch):
    looked_at = []
    monkeypatch.setattr(consistency, "_check_graphs", lambda path, packed, meta: looked_at.append(path) or iter(()))
    verified(finished[False].run_root)
    assert looked_at == []
    verified(finished[True].run_root)
    assert len(looked_at) == 2
