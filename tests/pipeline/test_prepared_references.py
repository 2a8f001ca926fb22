"""The references of a run: which can be used, which one each model has, and what is said of the others."""

import dataclasses

import numpy as np
import pytest
from compared_runs import FAB, NANOBODY, NANOBODY_STATED, with_reference
from dockq_cases import COLUMNS, said_by_dockq, shifted
from made import changed, entries_of, fv_lines, write
from without_graphs import contents, start, verified

import stagea_mpi
from stagea_mpi.cli import main
from stagea_mpi.config.references import parse_reference
from stagea_mpi.demo.poses import COMPLEXES, write_poses
from stagea_mpi.errors import ConfigError
from stagea_mpi.mpi.teams import SerialComm
from stagea_mpi.pipeline import compute_model as computing
from stagea_mpi.pipeline.build_shard import build_model
from stagea_mpi.pipeline.inventory import with_domains
from stagea_mpi.pipeline.plan import plan_run
from stagea_mpi.pipeline.references import prepare
from stagea_mpi.pipeline.shared_numbering import Numbering


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
def test_a_reference_that_cannot_be_used_ends_a_run_and_its_plan_before_they_begin(plain, tmp_path, make, stated, said):
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
    with pytest.raises(ConfigError) as foreseen:
        plan_run(config)
    assert str(foreseen.value) == str(refused.value)
    assert not config.run_root.exists()


def test_where_nothing_is_compared_no_reference_is_asked_for(copy, plain, tmp_path):
    """Of a run whose graphs are there and are only to be clustered."""
    config = dataclasses.replace(copy(plain), phase="cluster_only")
    config = with_reference(config, str(tmp_path / "native.pdb"), config.run_root)
    assert plan_run(config).n_files == 8
    assert start(config, graphs=True, phase="cluster_only").exit_code == 0


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
        assert models.loc[name, list(COLUMNS)].tolist() == pytest.approx(said_by_dockq()[case], abs=2e-4)
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
