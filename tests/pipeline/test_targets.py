"""Runs with a reference: each model's nearness to it, in the files and tables, and when they are started again."""

import dataclasses
import shutil

import h5py
import numpy as np
import pytest
from compared_runs import same_targets, with_reference
from dockq_cases import COLUMNS, said_by_dockq
from made import fv_lines, write
from without_graphs import stamps, start, verified

import stagea_mpi
from stagea_mpi.errors import RunFolderError
from stagea_mpi.pipeline.context import Options
from stagea_mpi.rundir import records
from stagea_mpi.rundir.folders import RunFolder
from stagea_mpi.rundir.shard_meta import ShardMeta
from stagea_mpi.storage.deeprank_writer import score_datasets
from stagea_mpi.storage.packed_copy import write_targets
from stagea_mpi.storage.packed_reader import PackedFile


def test_the_numbers_of_a_runs_models_are_dockqs(compared):
    models = stagea_mpi.Run(compared.run_root).models
    for k in range(1, 7):
        found = models.loc[f"pose_{k:04d}"]
        assert found[list(COLUMNS)].tolist() == pytest.approx(said_by_dockq()[f"7DAA pose_{k:04d}"], abs=2e-4)
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
