"""`verify` finds every damage, repairs by removing only what is wrong, and a rerun brings back the same bytes."""

import gzip
import json
import shutil
from pathlib import Path

import h5py
import pytest

from stagea_mpi.checks import verify as verify_module
from stagea_mpi.checks.verify import verify
from stagea_mpi.errors import StageAError
from stagea_mpi.mpi.guard import StopRequest
from stagea_mpi.mpi.teams import SerialComm
from stagea_mpi.pipeline.context import Options
from stagea_mpi.pipeline.run import run
from stagea_mpi.rundir.checksums import checksummed
from stagea_mpi.rundir.folders import DONE
from stagea_mpi.rundir.records import record

pytestmark = pytest.mark.slow

SHARD = "shards/shard_000001"
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


def change_byte(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0x40
    path.write_bytes(content)


def change_meta(path: Path, change) -> None:
    meta = json.loads(path.read_text())
    change(meta)
    path.write_text(json.dumps(checksummed(meta)))


def vouch_for(root: Path, name: str) -> None:
    """Makes the record fit a file that was changed: what is left to find is that files do not fit each other."""
    shard = root / SHARD
    change_meta(shard / "meta_stageA.json", lambda meta: meta["files"].update({name: record(shard / name)}))


def move_pointer(root: Path) -> None:
    with h5py.File(root / SHARD / "packed.h5", "r+") as file:
        pointer = file["model/node_ptr"][()]
        pointer[-1] -= 1
        file["model/node_ptr"][...] = pointer
    vouch_for(root, "packed.h5")


def point_beyond(root: Path) -> None:
    with h5py.File(root / SHARD / "packed.h5", "r+") as file:
        ends = file["edge/nodes"][()]
        ends[0, 1] = 10**6
        file["edge/nodes"][...] = ends
    vouch_for(root, "packed.h5")


def drop_model(root: Path) -> None:
    with h5py.File(root / SHARD / "graphs.h5", "r+") as file:
        del file["pose_0003"]
    vouch_for(root, "graphs.h5")


def rename_model(root: Path) -> None:
    with h5py.File(root / SHARD / "graphs.h5", "r+") as file:
        file.move("pose_0003", "pose_9999")
    vouch_for(root, "graphs.h5")


def move_atom(root: Path) -> None:
    with h5py.File(root / SHARD / "graphs.h5", "r+") as file:
        file["pose_0003/node_data/pos"][0, 0] += 1
    vouch_for(root, "graphs.h5")


def change_dataset(name: str, change):
    def damage(root: Path) -> None:
        with h5py.File(root / SHARD / "graphs.h5", "r+") as file:
            values = file[f"pose_0003/{name}"][()]
            file[f"pose_0003/{name}"][...] = change(values)
        vouch_for(root, "graphs.h5")

    return damage


def add_dataset(root: Path) -> None:
    with h5py.File(root / SHARD / "graphs.h5", "r+") as file:
        file["pose_0003/node_data/more"] = [1.0]
    vouch_for(root, "graphs.h5")


def rewrite_manifest(change):
    def damage(root: Path) -> None:
        path = root / SHARD / "manifest.tsv.gz"
        lines = gzip.decompress(path.read_bytes()).splitlines(keepends=True)
        path.write_bytes(gzip.compress(b"".join(change(lines))))
        vouch_for(root, "manifest.tsv.gz")

    return damage


def shift_sequence(lines: list[bytes]) -> list[bytes]:
    """The last chain's sequence, its first residue put behind its last."""
    cells = lines[-1].split(b"\t")
    cells[4] = cells[4][1:] + cells[4][:1]
    return [*lines[:-1], b"\t".join(cells)]


def take_another_shards(*names: str):
    def damage(root: Path) -> None:
        for name in names:
            shutil.copy(root / "shards/shard_000000" / name, root / SHARD / name)

    return damage


def replace_by_folder(name: str):
    def damage(root: Path) -> None:
        (root / name).unlink()
        (root / name).mkdir()

    return damage


def write_into(name: str, change):
    return lambda root: (root / name).write_text(change((root / name).read_text()))


def drop_failure(root: Path) -> None:
    path = root / SHARD / "failures.tsv"
    path.write_text(path.read_text().splitlines()[0] + "\n")
    vouch_for(root, "failures.tsv")


def miscount(root: Path) -> None:
    change_meta(root / SHARD / "meta_stageA.json", lambda meta: meta["result"].update(n_ok=7))


DAMAGES = {
    "packed.h5 changed": ("packed.h5", lambda root: change_byte(root / SHARD / "packed.h5")),
    "packed.h5 cut": ("packed.h5", lambda root: (root / SHARD / "packed.h5").write_bytes(b"\x89HDF\r\n")),
    "packed.h5 gone": ("packed.h5", lambda root: (root / SHARD / "packed.h5").unlink()),
    "packed.h5 with wrong pointers": ("node_ptr", move_pointer),
    "packed.h5 with edges to nowhere": ("edge/nodes points beyond", point_beyond),
    "graphs.h5 changed": ("graphs.h5", lambda root: change_byte(root / SHARD / "graphs.h5")),
    "graphs.h5 gone": ("graphs.h5", lambda root: (root / SHARD / "graphs.h5").unlink()),
    "graphs.h5 without a model": ("1 of 1 models are missing", drop_model),
    "graphs.h5 with another model": ("pose_9999", rename_model),
    "graphs.h5 with other numbers": ("pose_0003: node_data/pos", move_atom),
    "manifest changed": ("manifest.tsv.gz", lambda root: change_byte(root / SHARD / "manifest.tsv.gz")),
    "manifest gone": ("manifest.tsv.gz", lambda root: (root / SHARD / "manifest.tsv.gz").unlink()),
    "manifest without a row": ("1 of 2 rows are missing", rewrite_manifest(lambda lines: lines[:-1])),
    "manifest with a sequence that is shifted": ("pose_0003.B has ", rewrite_manifest(shift_sequence)),
    "graphs.h5 with other areas": (
        "pose_0003: edge_data/voro_area",
        change_dataset("edge_data/voro_area", lambda area: area + 1),
    ),
    "graphs.h5 with other residues": (
        "pose_0003: node_data/res_type",
        change_dataset("node_data/res_type", lambda hot: hot[:, ::-1]),
    ),
    "graphs.h5 with other clusters": (
        "pose_0003: clustering/mcl/depth_0",
        change_dataset("clustering/mcl/depth_0", lambda labels: labels + 1),
    ),
    "graphs.h5 with more than is asked for": ("not of this shard, the first 'node_data/more'", add_dataset),
    "graphs.h5 of another shard": ("graphs.h5: ", take_another_shards("graphs.h5")),
    "everything of another shard": (
        "shard_id is 'shard_000000', expected 'shard_000001'",
        take_another_shards("packed.h5", "graphs.h5", "manifest.tsv.gz", "failures.tsv", "meta_stageA.json"),
    ),
    "failures empty": ("failures.tsv", lambda root: (root / SHARD / "failures.tsv").write_text("")),
    "failures without a row": ("1 of 1 rows are missing", drop_failure),
    "meta cut": (
        "meta_stageA.json: is damaged",
        lambda root: (root / SHARD / "meta_stageA.json").write_text('{"stage"'),
    ),
    "meta changed": (
        "meta_stageA.json: is damaged",
        write_into(f"{SHARD}/meta_stageA.json", lambda text: text.replace('"num_cores": 1', '"num_cores": 2')),
    ),
    "meta gone": ("meta_stageA.json: is missing", lambda root: (root / SHARD / "meta_stageA.json").unlink()),
    "meta miscounts": ("result.n_ok is 7, packed.h5 has 1", miscount),
    "marker empty": ("STAGEA_DONE: is not as it was written", write_into(f"{SHARD}/STAGEA_DONE", lambda text: "")),
    "marker changed": (
        "STAGEA_GRAPHS_DONE: is not as it was written",
        write_into(f"{SHARD}/STAGEA_GRAPHS_DONE", lambda text: text.replace("2", "1", 1)),
    ),
    "marker of another shard": ("STAGEA_DONE: is not as it was written", take_another_shards("STAGEA_DONE")),
    "run.yaml changed": (
        "run.yaml: has been damaged or changed",
        write_into("run.yaml", lambda text: text.replace("max_failed_fraction: 0.5", "max_failed_fraction: 0.6")),
    ),
    "first marker gone": ("without STAGEA_GRAPHS_DONE", lambda root: (root / SHARD / "STAGEA_GRAPHS_DONE").unlink()),
    "a list of inputs cut": ("shard_lists", lambda root: (root / "shard_lists/shard_000001.lst").write_text("")),
    "a list of inputs gone": ("shard_000001.lst", lambda root: (root / "shard_lists/shard_000001.lst").unlink()),
    "parameters of the cut damaged": (
        "shards.params",
        lambda root: (root / "shard_lists/shards.params").write_text("{"),
    ),
    "parameters of the cut changed": (
        "shards.params: has been damaged or changed",
        write_into("shard_lists/shards.params", lambda text: text.replace('"min_per_shard": 1', '"min_per_shard": 2')),
    ),
    "cache with a line of something else": (
        "team_0000_0.jsonl: 1 lines",
        write_into("annotations/team_0000_0.jsonl", lambda text: text + "something else"),
    ),
    "cache changed": (
        "team_0000_0.jsonl: 1 lines",
        lambda root: [
            path.write_text(path.read_text().replace(",[1,", ",[2,", 1))
            for path in root.glob("annotations/*.jsonl")
        ],
    ),
}  # fmt: skip


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
