import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stagea_mpi.antibody.complexes import Chains
from stagea_mpi.config.run_config import RunConfig, StageA
from stagea_mpi.errors import ConfigError, RunFolderError
from stagea_mpi.rundir import sharding
from stagea_mpi.rundir.folders import RunFolder
from stagea_mpi.rundir.sharding import _bounds, ensure_shard_plan, plan_shards


@pytest.fixture
def config(tmp_path):
    """A run over twelve small files in two folders."""
    for folder in ("one", "two"):
        (tmp_path / "in" / folder).mkdir(parents=True)
        for i in range(6):
            (tmp_path / "in" / folder / f"{folder}_{i}.pdb").write_text("ATOM\n" * 100)
    stage_a = StageA(min_per_shard=2, max_per_shard=5)
    return RunConfig(tmp_path / "run", tmp_path / "in", Chains("H", "L", ("A",)), stage_a)


def test_every_file_is_in_one_shard_in_sorted_order(config):
    plan = plan_shards(config)
    files = [path for paths in plan.shards for path in paths]
    assert files == sorted(str(path) for path in config.pdb_root.glob("**/*.pdb"))
    assert [len(paths) for paths in plan.shards] == [5, 5, 2]


@given(
    sizes=st.lists(st.integers(0, 300_000), min_size=1, max_size=300),
    least=st.integers(1, 20),
    most=st.integers(1, 50),
    target=st.floats(1e-6, 1e-2),
)
def test_shards_follow_each_other_and_hold_no_more_than_allowed(sizes, least, most, target):
    stage_a = StageA(min_per_shard=least, max_per_shard=most, target_shard_gb=target)
    bounds = _bounds(sizes, RunConfig(None, None, Chains("H", None, ("A",)), stage_a))
    assert [start for start, _ in bounds] == [0, *(stop for _, stop in bounds[:-1])]
    assert bounds[-1][1] == len(sizes)
    assert all(0 < stop - start <= most for start, stop in bounds)
    assert all(stop - start >= min(least, most) for start, stop in bounds[:-1])


def test_the_cut_is_made_once_and_found_again(config):
    folder = RunFolder(config.run_root)
    plan = ensure_shard_plan(folder, config, force=False)
    written = folder.shard(0).list_path.stat().st_mtime_ns
    assert ensure_shard_plan(folder, config, force=False) == plan
    assert folder.shard(0).list_path.stat().st_mtime_ns == written
    assert folder.shard(2).inputs() == plan_shards(config).shards[2]


def test_another_input_is_refused_by_what_changed_and_split_anew_with_force(config):
    folder = RunFolder(config.run_root)
    ensure_shard_plan(folder, config, force=False)
    (config.pdb_root / "one" / "more.pdb").write_text("ATOM\n")
    with pytest.raises(RunFolderError, match="n_files was 12, is 13.*--force"):
        ensure_shard_plan(folder, config, force=False)
    assert ensure_shard_plan(folder, config, force=True).params["n_files"] == 13


def test_files_of_one_name_get_names_from_their_folders(config):
    (config.pdb_root / "two" / "one_0.pdb").write_text("ATOM\n")
    assert plan_shards(config).params["ambiguous_stems"] == ["one_0"]


def test_a_folder_without_input_says_what_is_there(config):
    for path in config.pdb_root.glob("**/*.pdb"):
        path.rename(path.with_suffix(".ent"))
    with pytest.raises(ConfigError, match=r"no file below .* matches \*\*/\*\.pdb; .*\.ent"):
        plan_shards(config)


def test_a_missing_folder_is_named(tmp_path):
    config = RunConfig(tmp_path / "run", tmp_path / "absent", Chains("H", "L", ("A",)))
    with pytest.raises(ConfigError, match="absent is not a folder"):
        plan_shards(config)


@pytest.mark.parametrize(("limit", "most", "bare"), [("_MOST_LOOKED_INTO", 3, True), ("_MOST_LOOKED_INTO", 2, False),
                                                     ("_MOST_BYTES_LOOKED_AT", 200, True),
                                                     ("_MOST_BYTES_LOOKED_AT", 199, False)])  # fmt: skip
def test_the_names_inside_containers_are_used_of_all_or_of_none(limit, most, bare, config, monkeypatch):
    monkeypatch.setattr(sharding, limit, most)
    for name, size in (("a", 40), ("b", 50), ("c", 110)):
        (config.pdb_root / f"{name}.qv").write_text(f"QV_TAG of_{name}\nATOM\n".ljust(size, " "))
    plan = plan_shards(replace(config, stage_a=replace(config.stage_a, glob=("*.qv",))))
    assert plan.params["bare_containers"] == (["a", "b", "c"] if bare else [])


def crash(path, layouts):
    os.kill(os.getpid(), signal.SIGSEGV)


def test_a_container_that_takes_its_reader_with_it_is_left_to_its_shard(config, monkeypatch):
    here = Path(__file__).parent  # where the process beside this one finds `crash`
    monkeypatch.setenv("PYTHONPATH", f"{here}{os.pathsep}{here.parent}")
    monkeypatch.setattr(sharding, "inner_names", crash)
    (config.pdb_root / "designs.qv").write_text("QV_TAG one\nATOM\n")
    plan = plan_shards(replace(config, stage_a=replace(config.stage_a, glob=("*.qv",))))
    assert plan.shards == [[str(config.pdb_root / "designs.qv")]]
    assert plan.params["bare_containers"] == []
