"""Runs with a reference: each model's nearness to it, in the files and tables, at once and later."""

import csv
import dataclasses
import shutil
from pathlib import Path
from unittest.mock import ANY

import h5py
import numpy as np
import pytest
from dockq_cases import MEASURES, atom_lines, shifted
from made import changed, entries_of, fv_lines, write
from shipped import FAB_CHAINS, STRUCTURES
from without_graphs import contents, stamps, start, verified

import stagea_mpi
from stagea_mpi.cli import main
from stagea_mpi.config.references import parse_reference
from stagea_mpi.config.run_config import RunConfig, StageA
from stagea_mpi.demo.poses import COMPLEXES, read_complex, write_poses
from stagea_mpi.errors import ConfigError, RunFolderError
from stagea_mpi.mpi.guard import StopRequest
from stagea_mpi.mpi.teams import SerialComm
from stagea_mpi.pipeline import compute_model as computing
from stagea_mpi.pipeline.build_shard import build_model
from stagea_mpi.pipeline.context import Options
from stagea_mpi.pipeline.inventory import with_domains
from stagea_mpi.pipeline.references import prepare
from stagea_mpi.pipeline.score_reference import score_reference
from stagea_mpi.pipeline.shared_numbering import Numbering
from stagea_mpi.rundir import records
from stagea_mpi.rundir.folders import RunFolder
from stagea_mpi.rundir.shard_meta import ShardMeta
from stagea_mpi.storage.deeprank_writer import score_datasets
from stagea_mpi.storage.packed_copy import write_targets
from stagea_mpi.storage.packed_reader import PackedFile

DOCKQ_TABLE = Path(__file__).parents[1] / "data" / "dockq.tsv"
FAB, NANOBODY = STRUCTURES / "7DAA_model.pdb.gz", STRUCTURES / "7CFN.cif.gz"
COLUMNS = ("dockq", "fnat", "fnonnat", "irmsd", "lrmsd")
#: Chains of the nanobody's complex, in run.yaml's shape.
NANOBODY_STATED = {"heavy": "N", "light": "-", "antigen": ["A", "B", "G", "R"]}


def said_by_dockq(case: str) -> list[float]:
    with DOCKQ_TABLE.open() as file:
        (row,) = [row for row in csv.DictReader(file, delimiter="\t") if row["case"] == case]
    return [float(row[key]) for key in MEASURES]


def with_reference(config: RunConfig, value, root: Path) -> RunConfig:
    return dataclasses.replace(config, run_root=root, reference=parse_reference(value, "reference"))


def targets_of(root: Path) -> dict[str, np.ndarray]:
    """All shards' columns, behind each other."""
    parts = []
    for path in sorted(root.glob("shards/*/packed.h5")):
        with PackedFile(path) as packed:
            parts.append(packed.targets)
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def same_targets(one: Path, other: Path) -> bool:
    a, b = targets_of(one), targets_of(other)
    return a.keys() == b.keys() and all(np.array_equal(a[k], b[k], equal_nan=a[k].dtype.kind == "f") for k in a)


@pytest.fixture(scope="session")
def fab_poses(tmp_path_factory) -> Path:
    """The poses of which DockQ's numbers are known, one that touches nothing, and one file that is no structure."""
    folder = tmp_path_factory.mktemp("targets") / "poses"
    write_poses(folder, COMPLEXES["7DAA"], 6, seed=5)
    write(folder / "far.pdb", shifted(atom_lines(read_complex(COMPLEXES["7DAA"])), "A", 300.0))
    (folder / "odd.pdb").write_text("no structure\n")
    return folder


@pytest.fixture(scope="session")
def plain(fab_poses) -> RunConfig:
    """A finished run without a reference."""
    stage_a = StageA(glob=("*.pdb",), max_per_shard=5, min_per_shard=1, max_failed_fraction=0.9)
    config = RunConfig(fab_poses.parent / "plain", fab_poses, FAB_CHAINS, stage_a, collect_metrics=False)
    assert start(config, graphs=True).exit_code == 0
    return config


@pytest.fixture(scope="session")
def compared(plain) -> RunConfig:
    """A finished run with the shipped complex as the reference of all models."""
    config = with_reference(plain, str(FAB), plain.run_root.with_name("compared"))
    assert start(config, graphs=True).exit_code == 0
    return config


@pytest.fixture
def copy(tmp_path):
    """Makes a copy of a run that a test may change; its configuration."""

    def of(config: RunConfig) -> RunConfig:
        shutil.copytree(config.run_root, tmp_path / "run")
        return dataclasses.replace(config, run_root=tmp_path / "run")

    return of


@pytest.fixture
def score(capsys):
    """Runs `score-reference`; its exit code and words."""

    def run(root: Path, *options: str) -> tuple[int, str]:
        capsys.readouterr()
        code = main(["score-reference", str(root), *options])
        out, err = capsys.readouterr()
        return code, out + err

    return run


# In a run


def test_the_numbers_of_a_runs_models_are_dockqs(compared):
    models = stagea_mpi.Run(compared.run_root).models
    for k in range(1, 7):
        found = models.loc[f"pose_{k:04d}"]
        assert found[list(COLUMNS)].tolist() == pytest.approx(said_by_dockq(f"7DAA pose_{k:04d}"), abs=2e-4)
        assert found["h3_rmsd"] == pytest.approx(0.0, abs=1e-6)  # the antibody has stayed where it was
        assert found["target_problem"] == ""


def test_a_model_without_an_interface_is_compared_and_one_that_cannot_be_read_says_so(compared):
    models = stagea_mpi.Run(compared.run_root).models
    far, odd = models.loc["far"], models.loc["odd"]
    assert (far["status"], far["fnat"], far["capri_class"], far["target_problem"]) == ("no_interface", 0.0, 0, "")
    assert far["dockq"] < 0.01
    assert far["lrmsd"] == pytest.approx(300.0 * (0.36 + 0.2304 + 0.4096) ** 0.5, abs=0.01)
    assert odd[["dockq", "capri_class"]].isna().all()
    assert odd["target_problem"] == f"the model could not be read as a complex ({odd['status']})"
    assert verified(compared.run_root)[0] == 0


def test_graphs_have_the_targets_that_deeprank_ab_reads_and_everything_else_as_without(compared, plain):
    models = stagea_mpi.Run(compared.run_root).models
    for path in compared.run_root.glob("shards/*/graphs.h5"):
        shard = path.parent.name
        with h5py.File(path) as file, h5py.File(plain.run_root / "shards" / shard / "graphs.h5") as without:
            assert list(file) == list(without)
            for name in file:
                found = {key: values[()] for key, values in file[f"{name}/score"].items()}
                expected = models.loc[name]
                assert {k: found[k] for k in ("dockq", "fnat", "irmsd", "lrmsd")} == {
                    k: expected[k] for k in ("dockq", "fnat", "irmsd", "lrmsd")
                }
                assert found["bin_class"] == (expected["irmsd"] < 4.0)
                assert list(without[f"{name}/score"]) == []
                assert np.array_equal(file[f"{name}/nodes"], without[f"{name}/nodes"])


@pytest.mark.parametrize(
    ("irmsd", "expected"), [(0.5, (1, 1)), (1.0, (2, 1)), (3.99, (3, 1)), (4.0, (4, 0)), (5.9, (4, 0)), (6.0, (5, 0))]
)
def test_classes_in_graphs_are_deepranks(irmsd, expected):
    """As Deeprank-GNN makes them: below 1, 2, 4 and 6 Å, and beyond; binders below 4 Å."""
    found = score_datasets({"dockq": 0.5, "fnat": 0.5, "lrmsd": 2.0, "irmsd": irmsd})
    assert (found["score/capri_class"], found["score/bin_class"]) == expected


def test_without_a_comparison_a_graph_has_no_target():
    assert score_datasets({"dockq": np.nan, "fnat": np.nan, "lrmsd": np.nan, "irmsd": np.nan}) == {}


def test_without_a_reference_the_columns_are_of_tables_alone(plain):
    models = stagea_mpi.Run(plain.run_root).models
    assert models["dockq"].isna().all()
    assert set(models["target_problem"]) == {""}
    for path in plain.run_root.glob("shards/*/packed.h5"):
        with h5py.File(path) as file:
            assert "target" not in file
            assert "reference_sha256" not in file.attrs


def test_another_complex_is_a_reason_in_the_table_and_no_failed_model(plain, tmp_path):
    config = with_reference(plain, {"structure": str(NANOBODY), "chains": NANOBODY_STATED}, tmp_path / "run")
    assert start(config, graphs=True).exit_code == 0
    models = stagea_mpi.Run(config.run_root).models
    assert models["dockq"].isna().all()
    (problem,) = set(models.loc[models.index != "odd", "target_problem"])
    assert problem.startswith("the heavy chain: 69 of 123 aligned residues are equal")
    assert problem.endswith("State the model's own complex as its reference, not 7CFN.cif.gz")
    assert (models["status"] == stagea_mpi.Run(plain.run_root).models["status"]).all()
    assert contents(config.run_root) == contents(plain.run_root)
    assert verified(config.run_root)[0] == 0


def test_a_reference_without_an_interface_is_a_reason_in_the_table(plain, tmp_path):
    native = write(tmp_path / "apart.pdb", shifted(fv_lines(), "A", 300.0))
    stated = {"structure": native, "chains": {"heavy": "H", "light": "L", "antigen": "A"}}
    config = with_reference(plain, stated, tmp_path / "run")
    assert start(config, graphs=False).exit_code == 0
    (problem,) = set(stagea_mpi.Run(config.run_root).models["target_problem"].drop("odd"))
    assert problem == (
        "the reference apart.pdb has no contact of antibody and antigen, so no model can be compared with it"
    )


@pytest.mark.parametrize(
    ("make", "stated", "said"),
    [
        (None, {}, "native.pdb is not there; expected the structure of the known complex"),
        ("folder", {}, "native.pdb is no file"),
        ("no structure\n", {}, "native.pdb cannot be a reference: "),
        ("antigen alone", {}, "native.pdb cannot be a reference: "),
        ("whole", {"chains": {"heavy": "X", "light": "L", "antigen": "A"}}, "no chain X"),
        ("twice", {}, "2 models; expected one of them as model: native_model_1 (1), native_model_2 (2)"),
        ("twice", {"model": 3}, "no model is '3'; expected one of native_model_1 (1), native_model_2 (2)"),
    ],
)
def test_a_reference_that_cannot_be_used_ends_the_run_before_it_begins(plain, tmp_path, make, stated, said):
    native = tmp_path / "native.pdb"
    if make == "folder":
        native.mkdir()
    elif make == "antigen alone":
        write(native, [line for line in fv_lines() if line[21] == "A"])
    elif make == "whole":
        write(native, fv_lines())
    elif make == "twice":
        native.write_text("".join(f"MODEL {k}\n" + "\n".join(fv_lines()) + "\nENDMDL\n" for k in (1, 2)) + "END\n")
    elif make is not None:
        native.write_text(make)
    config = with_reference(plain, {"structure": str(native), **stated}, tmp_path / "run")
    with pytest.raises(ConfigError) as refused:
        start(config, graphs=True)
    assert str(refused.value).startswith("reference: ")
    assert str(native) in str(refused.value)
    assert said in str(refused.value)
    assert not config.run_root.exists()


def test_a_table_gives_each_target_its_own_reference(tmp_path):
    """A Fab and a nanobody on four antigen chains, each in a folder that is its target; and one without a row."""
    root = tmp_path / "in"
    write_poses(root / "fab", COMPLEXES["7DAA"], 1, seed=5)
    write_poses(root / "vhh", COMPLEXES["7CFN"], 2, seed=5)
    (root / "fab" / "pose_0001.pdb").rename(root / "fab" / "fab_1.pdb")
    write(root / "none" / "other.pdb", fv_lines())
    (tmp_path / "references.csv").write_text(
        f"target,structure,heavy,light,antigen\nfab,{FAB},,,\nvhh,{NANOBODY},N,-,A B G R\n"
    )
    (tmp_path / "chains.csv").write_text("model,heavy,light,antigen\npose_*,N,-,A B G R\n*,H,L,A\n")
    (tmp_path / "run.yaml").write_text(
        f"run_root: {tmp_path}/run\npdb_root: {root}\nchains: {{table: {tmp_path}/chains.csv}}\n"
        f"reference: {{table: {tmp_path}/references.csv}}\n"
    )
    assert main(["run", str(tmp_path / "run.yaml")]) == 0
    models = stagea_mpi.Run(tmp_path / "run").models
    for name, case in (("fab_1", "7DAA pose_0001"), ("pose_0001", "7CFN pose_0001"), ("pose_0002", "7CFN pose_0002")):
        assert models.loc[name, list(COLUMNS)].tolist() == pytest.approx(said_by_dockq(case), abs=2e-4)
    assert np.isnan(models.loc["other", "dockq"])
    assert models.loc["other", "target_problem"] == (
        f"{tmp_path}/references.csv has no row for other or its target none"
    )
    assert verified(tmp_path / "run")[0] == 0


def test_an_error_of_our_own_costs_the_comparison_and_not_the_model(tmp_path, monkeypatch):
    native = write(tmp_path / "native.pdb", fv_lines())
    references = prepare(SerialComm(), parse_reference(native, "reference"))
    (entry,) = with_domains(entries_of(native), Numbering(SerialComm()))
    monkeypatch.setattr(computing, "compare", lambda *arguments: 1 / 0)
    record, failure = build_model(entry, 0, 0, 60.0, references=references)
    assert failure is None
    assert record.graph is not None
    assert record.comparison["problem"].startswith("error of the program: ZeroDivisionError: division by zero")


def test_a_reference_is_known_by_its_content(tmp_path):
    """Elsewhere, packed or with other names it is the same; with another place of an atom it is not."""

    def sha256(*tables):
        return [prepare(SerialComm(), parse_reference(value, "reference")).sha256 for value in tables]

    (tmp_path / "elsewhere").mkdir()
    native, other = write(tmp_path / "native.pdb", fv_lines()), write(tmp_path / "elsewhere" / "x.pdb", fv_lines())
    moved = write(tmp_path / "moved.pdb", [changed(fv_lines()[0], 30, "  11.234"), *fv_lines()[1:]])
    stated = {"heavy": "H", "light": "L", "antigen": "A"}
    one, same, again, differs = sha256(native, other, {"structure": native, "chains": stated}, moved)
    assert one == same == again != differs


# A restart


def test_the_same_run_again_does_nothing_and_one_without_a_reference_leaves_it(copy, compared):
    config = copy(compared)
    before = stamps(config.run_root)
    for again in (config, dataclasses.replace(config, reference=None)):
        assert [outcome.action for outcome in start(again, graphs=True).outcomes] == ["skipped"] * 2
    assert stamps(config.run_root) == before


def test_another_reference_is_refused_with_what_to_do_and_computed_by_force(copy, compared, plain, tmp_path):
    config = copy(compared)
    native = write(tmp_path / "native.pdb", fv_lines())
    other = with_reference(config, native, config.run_root)
    with pytest.raises(RunFolderError, match="score-reference") as refused:
        start(other, graphs=True)
    assert f"reference was {compared.reference.as_dict()!r}, is {other.reference.as_dict()!r}" in str(refused.value)
    start(other, graphs=True, options=Options(force=True))
    assert not same_targets(config.run_root, compared.run_root)
    shutil.rmtree(config.run_root)
    config = copy(plain)
    with pytest.raises(RunFolderError, match="reference was 'none', is"):
        start(with_reference(config, native, config.run_root), graphs=True)


# Later


def test_scored_later_a_run_has_the_files_of_one_with_a_reference(copy, plain, compared, score):
    config = copy(plain)
    code, words = score(config.run_root, "--reference", str(FAB))
    assert code == 0
    assert f"6 models have their targets in {config.run_root}/shards/*/packed.h5 (2 of 2 shards; 2 written)" in words
    assert contents(config.run_root) == contents(compared.run_root)
    assert same_targets(config.run_root, compared.run_root)
    for path in config.run_root.glob("shards/*/packed.h5"):
        with h5py.File(path) as ours, h5py.File(compared.run_root / path.relative_to(config.run_root)) as theirs:
            assert dict(ours.attrs) == dict(theirs.attrs)
            names, others = [], []
            ours.visit(names.append)
            theirs.visit(others.append)
            assert names == others
    assert verified(config.run_root)[0] == 0
    assert not list(config.run_root.glob("shards/*/.*"))
    before = stamps(config.run_root)
    assert "2 skipped" in score(config.run_root, "--reference", str(FAB))[1]
    same = dataclasses.replace(config, reference=compared.reference)
    assert [outcome.action for outcome in start(same, graphs=True).outcomes] == ["skipped"] * 2
    assert stamps(config.run_root) == before


def test_scored_with_another_reference_the_columns_are_replaced(copy, compared, plain, score, tmp_path):
    config = copy(compared)
    native = write(tmp_path / "native.pdb", fv_lines())
    code, words = score(config.run_root, "--reference", native, "--chains", "{heavy: H, light: L, antigen: A}")
    assert (code, "2 written" in words) == (0, True)
    assert not same_targets(config.run_root, compared.run_root)
    code, words = score(config.run_root)  # by the run's own configuration
    assert (code, "2 written" in words) == (0, True)
    assert same_targets(config.run_root, compared.run_root)
    assert contents(config.run_root) == contents(compared.run_root)
    assert datasets_of(config.run_root) == datasets_of(compared.run_root)  # old h5py notes other properties of the same


def datasets_of(root):
    """Every dataset of every packed.h5, and the attributes of the files, by their paths."""
    found = {}
    for path in sorted(root.glob("shards/*/packed.h5")):
        with h5py.File(path) as file:
            names = []
            file.visit(names.append)
            items = {name: file[name] for name in names if isinstance(file[name], h5py.Dataset)}
            found |= {(path.parent.name, key): value for key, value in file.attrs.items()}
            found |= {(path.parent.name, name): (i.dtype.str, i[()].tobytes()) for name, i in items.items()}
    return found


def test_without_graphs_and_clusters_targets_are_there_when_these_come(copy, plain, compared, score, tmp_path):
    config = dataclasses.replace(plain, run_root=tmp_path / "phases")
    start(config, graphs=False, phase="prep_graphs")
    assert score(config.run_root, "--reference", str(FAB))[0] == 0
    assert not contents(config.run_root)
    start(config, graphs=True, phase="cluster_only")
    assert contents(config.run_root) == contents(compared.run_root)
    assert same_targets(config.run_root, compared.run_root)
    assert verified(config.run_root)[0] == 0


class KilledError(Exception):
    """In place of a process that ends at once."""


@pytest.mark.parametrize("n_steps", [0, 1, 2])
@pytest.mark.parametrize("next_is", ["score", "run", "run with the reference"])
def test_killed_between_two_files_the_next_command_goes_on(copy, plain, compared, score, monkeypatch, n_steps, next_is):
    """Before the metadata that vouch for both files, before these have their names, and before the second has its."""
    config = copy(plain)
    write_together, done = records.write_together, []

    def killed(files):
        files = list(files)
        if len(done) == 1 and n_steps == 2:
            write_together(files[:1])
        if len(done) == min(n_steps, 1):
            raise KilledError
        done.append(files)
        write_together(files)

    with monkeypatch.context() as patch:
        patch.setattr(records, "write_together", killed)
        patch.setattr(Path, "unlink", lambda *arguments, **options: None)  # who is killed clears nothing up
        with pytest.raises(KilledError):
            score_reference(SerialComm(), RunFolder(config.run_root), lambda: compared.reference, None, StopRequest())
    shard = RunFolder(config.run_root).shard(0)
    assert len(list(shard.path.glob(".*.h5.*"))) == (2, 2, 1)[n_steps]
    (shard.path / ".lock").unlink()
    of_first = Options(shards=(0,))
    if next_is == "run":
        assert start(config, graphs=True, options=of_first).exit_code == 0
        assert verified(config.run_root) == (0, ANY)
    elif next_is == "run with the reference" and n_steps < 2:
        with pytest.raises(RunFolderError, match="score-reference"):
            start(with_reference(config, str(FAB), config.run_root), graphs=True, options=of_first)
    elif next_is == "run with the reference":
        start(with_reference(config, str(FAB), config.run_root), graphs=True, options=of_first)
        assert verified(config.run_root) == (0, ANY)
    assert score(config.run_root, "--reference", str(FAB))[0] == 0
    assert contents(config.run_root) == contents(compared.run_root)
    assert same_targets(config.run_root, compared.run_root)
    assert verified(config.run_root)[0] == 0
    assert not list(config.run_root.glob("shards/*/.*"))


def test_what_cannot_be_scored_is_named_and_the_rest_is(copy, plain, compared, score, tmp_path):
    """A shard that is damaged; then one whose input has changed."""
    inputs = shutil.copytree(plain.pdb_root, tmp_path / "in")
    config = dataclasses.replace(plain, run_root=tmp_path / "run", pdb_root=inputs)
    start(config, graphs=True)
    shards = [RunFolder(config.run_root).shard(k) for k in (0, 1)]
    whole = shards[0].packed.read_bytes()
    shards[0].packed.write_bytes(whole[:-1])
    code, words = score(config.run_root, "--reference", str(FAB))
    assert (code, "1 refused, 1 written" in words, "packed.h5: has" in words) == (2, True, True)
    shards[0].packed.write_bytes(whole)
    first = Path(shards[0].inputs()[0])
    first.write_text(first.read_text() + "REMARK\n")
    before = stamps(config.run_root)
    code, words = score(config.run_root, "--reference", str(FAB))
    assert (code, f"its graphs were made from other input: {first}. Restore it" in words) == (2, True)
    assert stamps(config.run_root) == before


def test_a_command_without_a_reference_or_a_run_says_what_is_missing(copy, plain, score, tmp_path):
    config = copy(plain)
    code, words = score(config.run_root)
    assert (code, "no reference is stated; name the known complex as --reference FILE" in words) == (2, True)
    code, words = score(tmp_path, "--reference", str(FAB))
    assert (code, "is not the folder of a run" in words) == (2, True)
    code, words = score(config.run_root, "--reference", str(tmp_path / "none.pdb"))
    assert (code, f"{tmp_path}/none.pdb is not there" in words) == (2, True)


def test_verify_finds_targets_that_cannot_be(copy, compared, tmp_path):
    config = copy(compared)
    shard = RunFolder(config.run_root).shard(0)
    meta = ShardMeta.read(shard)
    with PackedFile(shard.packed) as packed:
        wrong = packed.targets | {"dockq": packed.targets["dockq"] + 1.0}
        write_targets(packed, tmp_path / "packed.h5", wrong, "another")
    shard.packed.write_bytes((tmp_path / "packed.h5").read_bytes())
    meta.files["packed.h5"] = records.record(shard.packed)
    meta.write(shard)
    code, words = verified(config.run_root)
    assert code == 1
    assert "target/dockq is not between 0 and 1 everywhere" in words
