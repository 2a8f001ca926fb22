"""`verify` finds every damage, repairs by removing only what is wrong, and a rerun brings back the same bytes."""

import shutil
from pathlib import Path

import h5py
import pytest
from damages import DAMAGES, SHARD, change_byte, replace_by_folder

from stagea_mpi.checks import verify as verify_module
from stagea_mpi.checks.verify import verify
from stagea_mpi.errors import StageAError
from stagea_mpi.mpi.guard import StopRequest
from stagea_mpi.mpi.teams import SerialComm
from stagea_mpi.pipeline.context import Options
from stagea_mpi.pipeline.run import run
from stagea_mpi.rundir.folders import DONE

pytestmark = pytest.mark.slow

PUBLISHED = ("graphs.h5", "failures.tsv", "manifest.tsv.gz")


@pytest.fixture(scope="module")
def finished(poses, tmp_path_factory):
    """A finished run with three shards, one model failed, and its configuration."""
    from stagea_mpi.antibody.complexes import Chains
    from stagea_mpi.config.run_config import RunConfig, StageA

    folder = tmp_path_factory.mktemp("finished")
    inputs = folder / "poses"
    shutil.copytree(poses, inputs)
    (inputs / "pose_0004.pdb").write_text("REMARK nothing\n")
    stage_a = StageA(max_per_shard=2, min_per_shard=1, max_failed_fraction=0.5)
    config = RunConfig(folder / "run", inputs, Chains("H", "L", ("A",)), stage_a, collect_metrics=False)
    assert run(SerialComm(), config, Options(), StopRequest()).exit_code == 0
    return config


@pytest.fixture
def damaged(finished):
    """The run folder, to be damaged; it is put back afterwards."""
    root, kept = finished.run_root, finished.run_root.with_name("kept")
    shutil.copytree(root, kept)
    yield root
    shutil.rmtree(root)
    kept.rename(root)


def told(root: Path, repair: bool = False, deep: bool = True) -> tuple[int, str]:
    lines: list[str] = []
    code = verify(root, repair=repair, deep=deep, tell=lines.append)
    return code, "\n".join(lines)


def contents(root: Path) -> dict[str, bytes]:
    return {
        f"{path.parent.name}/{path.name}": path.read_bytes()
        for name in PUBLISHED
        for path in root.glob(f"shards/*/{name}")
    }


def test_a_finished_run_is_whole(finished):
    code, lines = told(finished.run_root)
    assert code == 0, lines
    assert "0 problems; 3 of 3 shards are whole and right" in lines


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damage_is_named_and_repaired_and_a_rerun_brings_back_the_same(damage, damaged, finished):
    expected = contents(damaged)
    words, make = DAMAGES[damage]
    make(damaged)
    code, lines = told(damaged)
    assert code == 1
    assert words in lines
    untouched = {path: path.stat().st_mtime_ns for path in damaged.glob("shards/shard_00000[02]/*")}
    assert told(damaged, repair=True)[0] == 1
    assert told(damaged)[0] in (0, 75), "what is left is right"
    assert run(SerialComm(), finished, Options(), StopRequest()).exit_code == 0
    assert told(damaged)[0] == 0
    assert contents(damaged) == expected
    assert {path: path.stat().st_mtime_ns for path in damaged.glob("shards/shard_00000[02]/*")} == untouched


#: What only a comparison of every dataset finds: files that were wrong when their SHA-256 was recorded.
DEEP = [name for name in DAMAGES if name.startswith("graphs.h5 with ") and name != "graphs.h5 with another model"]


@pytest.mark.parametrize("damage", DAMAGES)
def test_without_a_deep_check_all_is_named_but_what_its_record_vouches_for(damage, damaged):
    words, make = DAMAGES[damage]
    make(damaged)
    code, lines = told(damaged, deep=False)
    assert (code, words in lines) == ((0, False) if damage in DEEP else (1, True)), lines


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_run_that_meets_a_damage_goes_on_or_says_what_to_do(damage, damaged, finished):
    DAMAGES[damage][1](damaged)
    message = ""
    try:
        assert run(SerialComm(), finished, Options(), StopRequest()).exit_code == 0
    except StageAError as error:
        message = str(error)
    assert not message or any(words in message for words in ("--repair", "remove it", "--force"))


@pytest.mark.parametrize("name", [f"{SHARD}/packed.h5", f"{SHARD}/{DONE}", "run.yaml", f"{SHARD}/meta_stageA.json"])
def test_a_folder_under_a_files_name_is_told_and_left_to_a_person(name, damaged):
    replace_by_folder(name)(damaged)
    (damaged / name / "kept").write_text("something of somebody's")
    code, lines = told(damaged, repair=True)
    assert code == 1
    assert f"{name}: is a folder, expected a file; remove it by hand" in lines
    assert (damaged / name / "kept").exists()


def test_a_missing_last_marker_is_unfinished_and_not_wrong(damaged):
    (damaged / SHARD / "STAGEA_DONE").unlink()
    code, lines = told(damaged)
    assert code == 75
    assert "shard_000001: not finished" in lines


def test_a_missing_run_yaml_is_told_and_the_next_run_writes_it(damaged, finished):
    (damaged / "run.yaml").unlink()
    code, lines = told(damaged)
    assert code == 75
    assert "run.yaml is missing; the next run writes it" in lines
    run(SerialComm(), finished, Options(), StopRequest())
    assert told(damaged)[0] == 0


def test_graphs_are_not_made_again_where_only_graphs_h5_was_damaged(damaged, finished):
    before = (damaged / SHARD / "packed.h5").stat().st_mtime_ns
    change_byte(damaged / SHARD / "graphs.h5")
    told(damaged, repair=True)
    run(SerialComm(), finished, Options(), StopRequest())
    assert (damaged / SHARD / "packed.h5").stat().st_mtime_ns == before


@pytest.mark.parametrize("damage", ["a list of inputs cut", "a list of inputs gone", "parameters of the cut damaged"])
def test_lists_that_were_damaged_are_written_again_and_no_shard_is_made_again(damage, damaged, finished):
    before = {path: path.stat().st_mtime_ns for path in damaged.glob("shards/*/*")}
    DAMAGES[damage][1](damaged)
    told(damaged, repair=True)
    run(SerialComm(), finished, Options(), StopRequest())
    assert {path: path.stat().st_mtime_ns for path in damaged.glob("shards/*/*")} == before


def test_many_shards_are_checked_on_all_cores_with_the_same_words(damaged, monkeypatch):
    change_byte(damaged / SHARD / "graphs.h5")
    expected = told(damaged)
    monkeypatch.setattr(verify_module, "_SHARDS_A_WORKER", 1)
    assert told(damaged) == expected


def test_a_damaged_file_is_not_opened(damaged, monkeypatch):
    change_byte(damaged / SHARD / "graphs.h5")
    opened = []
    whole = h5py.File

    def note(path, *arguments, **options):
        opened.append(str(path))
        return whole(path, *arguments, **options)

    monkeypatch.setattr(h5py, "File", note)
    assert told(damaged)[0] == 1
    assert any(path.endswith(f"{SHARD}/packed.h5") for path in opened)
    assert not any(path.endswith(f"{SHARD}/graphs.h5") for path in opened)


def test_verify_without_repair_changes_nothing(damaged):
    change_byte(damaged / SHARD / "packed.h5")
    before = {path: (path.stat().st_mtime_ns, path.stat().st_ino) for path in damaged.rglob("*") if path.is_file()}
    told(damaged)
    assert {
        path: (path.stat().st_mtime_ns, path.stat().st_ino) for path in damaged.rglob("*") if path.is_file()
    } == before
