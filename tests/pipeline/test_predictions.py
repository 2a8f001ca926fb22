"""A predictor's output folder on its whole way: models, names, targets, scores, graphs, what is said of them."""

import dataclasses
import json
import shutil
import zipfile

import gemmi
import numpy as np
import pytest

import stagea_mpi
from stagea_mpi.antibody.chain_rules import AUTO, ChainRule
from stagea_mpi.checks.verify import verify
from stagea_mpi.config.run_config import RunConfig, StageA
from stagea_mpi.demo.poses import COMPLEXES
from stagea_mpi.demo.predictions import write_predictions
from stagea_mpi.mpi.guard import StopRequest
from stagea_mpi.mpi.teams import SerialComm
from stagea_mpi.pipeline.context import Options
from stagea_mpi.pipeline.last_lines import last_lines
from stagea_mpi.pipeline.plan import describe_plan, plan_run
from stagea_mpi.pipeline.run import run
from stagea_mpi.rundir.folders import RunFolder
from stagea_mpi.storage.packed_reader import PackedFile

NAMES = [f"fab_seed-{seed}_sample-{sample}" for seed in (1, 2) for sample in (0, 1)]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The output of two predictions: a Fab on its antigen, and a nanobody on its four chains."""
    folder = tmp_path_factory.mktemp("predicted") / "out"
    write_predictions(folder / "fab", COMPLEXES["7DAA"], seeds=2, samples=2)
    write_predictions(folder / "nanobody", COMPLEXES["7CFN"], seeds=1, samples=1)
    return folder


def config_of(folder, root, **stage_a):
    return RunConfig(root, folder, ChainRule(AUTO, AUTO, AUTO), StageA(**stage_a), collect_metrics=False)


def run_of(config, **options):
    summary = run(SerialComm(), config, Options(**options), StopRequest())
    assert summary.exit_code == 0
    return summary


@pytest.fixture(scope="module")
def finished(made, tmp_path_factory):
    config = config_of(made, tmp_path_factory.mktemp("runs") / "run", b_factors=True)
    run_of(config)
    return config


@pytest.fixture(scope="module")
def models(finished):
    return stagea_mpi.Run(finished.run_root).models


def summary_of(made, name):
    folder = name.removeprefix("fab_").removeprefix("nanobody_")
    return json.loads((made / name.split("_")[0] / folder / f"{name}_summary_confidences.json").read_text())


def test_every_sample_is_a_model_once_and_the_copy_of_the_best_is_none(models):
    assert list(models.index) == [*NAMES, "nanobody_seed-1_sample-0"]
    assert models["target"].tolist() == ["fab"] * 4 + ["nanobody"]
    assert models["seed"].tolist() == [1, 1, 2, 2, 1]
    assert models["sample"].tolist() == [0, 1, 0, 1, 0]
    assert set(models["status"]) == {"ok"}


def test_its_scores_are_those_of_its_files(models, made):
    for name, row in models.iterrows():
        said = summary_of(made, name)
        for column in ("ptm", "iptm", "ranking_score"):
            assert row[column] == said[column]
        assert row["score_has_clash"] == said["has_clash"]
    said = summary_of(made, NAMES[0])
    pairs, antigen = np.array(said["chain_pair_iptm"]), said["chain_ids"].index("C")
    best = max(pairs[k, antigen] for k in range(antigen)), max(pairs[antigen, k] for k in range(antigen))
    assert models.loc[NAMES[0], "score_chain_pair_iptm"] == max(best)


def test_confidences_are_those_of_the_interface(models, made):
    assert models[["interface_plddt", "interface_pae", "h3_plddt", "pdockq2", "ipsae", "lis"]].notna().all().all()
    graph = stagea_mpi.build_graph(made / "fab" / "seed-1_sample-0" / f"{NAMES[0]}_model.cif")
    told = json.loads((made / "fab" / "seed-1_sample-0" / f"{NAMES[0]}_confidences.json").read_text())
    chains, pae = np.array(told["token_chain_ids"]), np.array(told["pae"])
    antigen = np.flatnonzero(chains == "C")[0]  # residues of A and B, and those of C, follow each other as merged
    errors = [(pae[a - 1, antigen + b - 1] + pae[antigen + b - 1, a - 1]) / 2 for a, b in sorted(graph.residue_pairs)]
    assert models.loc[NAMES[0], "interface_pae"] == pytest.approx(np.mean(errors), rel=1e-5)


def test_b_factors_of_nodes_are_kept_where_they_are_asked_for(finished, made):
    with PackedFile(RunFolder(finished.run_root).shard(0).packed) as packed:
        graph = packed.graph(0)
    assert graph.b_factor is not None
    assert len(graph.b_factor) == len(graph)
    told = json.loads((made / "fab" / "seed-1_sample-0" / f"{NAMES[0]}_confidences.json").read_text())
    assert set(np.round(graph.b_factor, 2).astype("f4")) <= set(np.array(told["atom_plddts"], dtype="f4"))


def test_the_graph_is_that_of_the_bare_file(finished, made):
    graphs = stagea_mpi.Run(finished.run_root)
    for name in (NAMES[1], "nanobody_seed-1_sample-0"):
        target, _, folder = name.partition("_")
        assert stagea_mpi.build_graph(made / target / folder / f"{name}_model.cif") == graphs[name]


def test_the_run_is_whole_and_goes_on_from_itself(finished):
    assert verify(finished.run_root, deep=True, tell=lambda line: None) == 0
    assert {outcome.action for outcome in run_of(finished).outcomes} == {"skipped"}


def test_plan_shows_what_is_recognised(finished):
    text = describe_plan(plan_run(finished), finished, "run.yaml")
    assert "5 files" in text
    assert "models of AlphaFold 3" in text
    assert "left out 2 .cif" in text
    assert "of 2 targets" in text
    assert "ranking_score" in text


@pytest.mark.parametrize("harm", ["missing", "cut", "no numbers", "another matrix"])
def test_a_damaged_score_file_costs_the_scores_and_is_said(made, tmp_path, harm):
    shutil.copytree(made / "fab", tmp_path / "fab")
    where = tmp_path / "fab" / "seed-1_sample-1"
    summary, pae = (where / f"{NAMES[1]}_{kind}.json" for kind in ("summary_confidences", "confidences"))
    if harm == "missing":
        summary.unlink()
        pae.unlink()
    elif harm == "cut":
        for path in (summary, pae):
            path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    elif harm == "no numbers":
        summary.write_text(json.dumps(json.loads(summary.read_text()) | {"iptm": "high"}))
    else:
        told = json.loads(pae.read_text())
        pae.write_text(json.dumps(told | {"pae": [row[:-1] for row in told["pae"][:-1]]}))
    config = config_of(tmp_path, tmp_path / "run")
    summary_ = run_of(config)
    models = stagea_mpi.Run(config.run_root).models
    assert (models["status"] == "ok").all()
    assert len(models) == 4
    assert models["score_problem"].astype(bool).tolist() == [False, True, False, False]
    assert NAMES[1] in models.loc[NAMES[1], "score_problem"]
    assert models.loc[[NAMES[0], NAMES[2], NAMES[3]], ["iptm", "ipsae"]].notna().all().all()
    lost = {"missing": ["iptm", "ipsae"], "cut": ["iptm", "ipsae"], "no numbers": ["iptm"], "another matrix": ["ipsae"]}
    assert models.loc[NAMES[1], lost[harm]].isna().all()
    said = "\n".join(last_lines(summary_, RunFolder(config.run_root), "graphs", StopRequest()))
    assert f"scores of 1 of 4 models could not be read, the first of {NAMES[1]}" in said
    assert "Mended files are read by the same command with --force" in said
    for path in (summary, pae):
        shutil.copy(made / "fab" / where.name / path.name, path)
    run_of(config, force=True)
    assert not stagea_mpi.Run(config.run_root).models["score_problem"].any()
    assert verify(config.run_root, tell=lambda line: None) == 0


def test_a_pattern_decides_where_it_is_given_and_names_and_scores_stay(made, tmp_path):
    config = config_of(made, tmp_path / "run", glob=("fab/seed-2*/*.cif",))
    run_of(config)
    models = stagea_mpi.Run(config.run_root).models
    assert list(models.index) == NAMES[2:]
    assert models["iptm"].notna().all()


def test_without_a_layout_files_are_files(made, tmp_path):
    config = config_of(made, tmp_path / "run", layout="files", glob=("fab/seed-2*/*.cif",))
    run_of(config)
    models = stagea_mpi.Run(config.run_root).models
    assert list(models.index) == [f"{name}_model" for name in NAMES[2:]]
    assert models["iptm"].isna().all()
    assert models["target"].tolist() == ["fab__seed-2_sample-0", "fab__seed-2_sample-1"]


@pytest.mark.parametrize("form", ["zip", "tar", "gztar"])
def test_names_and_scores_are_the_same_from_an_archive(form, made, tmp_path, finished):
    shutil.make_archive(str(tmp_path / "in" / "download"), form, made, "fab")
    config = config_of(tmp_path / "in", tmp_path / "run", glob=("*",))
    run_of(config)
    models, plain = stagea_mpi.Run(config.run_root).models, stagea_mpi.Run(finished.run_root).models
    models = models.sort_index()  # make_archive packs the second seed first
    assert list(models.index) == NAMES
    columns = ["target", "seed", "sample", "iptm", "interface_pae", "ipsae", "score_problem"]
    assert models[columns].equals(plain.loc[NAMES, columns])


def test_a_run_says_what_it_leaves_out(made, tmp_path, caplog):
    with caplog.at_level("INFO"):
        run_of(config_of(made, tmp_path / "run", max_per_shard=3, min_per_shard=1), shards=(0,))
    assert "of pdb_root are left out 2 .cif: copies, inputs or of another origin" in caplog.text


def test_another_layout_needs_force(finished, made):
    other = dataclasses.replace(finished.stage_a, layout="files", glob=("**/*.cif",))
    other = dataclasses.replace(finished, stage_a=other)
    with pytest.raises(stagea_mpi.StageAError, match="layout was 'auto', is 'files'"):
        run(SerialComm(), other, Options(), StopRequest())


def test_a_layout_that_is_stated_and_not_there_is_an_error(poses, tmp_path):
    with pytest.raises(stagea_mpi.StageAError, match=r"stage_a.layout: no file below .* AlphaFold 3's output"):
        run(SerialComm(), config_of(poses, tmp_path / "run", layout="alphafold3"), Options(), StopRequest())


def test_targets_of_one_name_in_two_folders_are_two(made, tmp_path):
    for series in ("first", "second"):
        shutil.copytree(made / "fab" / "seed-1_sample-0", tmp_path / "in" / series / "fab" / "seed-1_sample-0")
    config = config_of(tmp_path / "in", tmp_path / "run")
    run_of(config)
    models = stagea_mpi.Run(config.run_root).models
    assert models["target"].tolist() == ["first__fab", "second__fab"]
    assert len(set(models.index)) == 2
    assert models["iptm"].notna().all()


def test_targets_of_one_name_in_two_archives_are_two(made, tmp_path):
    (tmp_path / "in").mkdir()
    for archive, sample in (("fab.zip", 0), ("fab (1).zip", 1)):
        with zipfile.ZipFile(tmp_path / "in" / archive, "w") as file:
            for path in sorted((made / "fab" / f"seed-1_sample-{sample}").iterdir()):
                file.write(path, path.relative_to(made))
    config = config_of(tmp_path / "in", tmp_path / "run")
    run_of(config)
    models = stagea_mpi.Run(config.run_root).models
    assert models["target"].to_dict() == {NAMES[0]: "fab__fab", NAMES[1]: "fab (1)__fab"}
    assert models["iptm"].notna().all()
    assert plan_run(config).n_targets == 2


def test_a_plan_counts_the_targets_in_an_archive(made, tmp_path):
    (tmp_path / "in").mkdir()
    with zipfile.ZipFile(tmp_path / "in" / "all.zip", "w") as file:
        for path in (*(made / "fab" / "seed-1_sample-0").iterdir(), *(made / "nanobody").glob("seed-*/*")):
            file.write(path, path.relative_to(made))
    for glob in ((), ("*.zip",)):
        plan = plan_run(config_of(tmp_path / "in", tmp_path / "run", glob=glob))
        assert (plan.n_files, plan.n_models, plan.n_targets) == (1, 2, 2)


def test_what_is_wrong_in_an_archive_is_said_with_the_archive(made, tmp_path):
    (tmp_path / "in").mkdir()
    own = made / "fab" / "seed-1_sample-0"
    errors = json.loads((own / f"{NAMES[0]}_confidences.json").read_text())
    errors["pae"][0][-1] = "x"  # of the antibody's first residue and the antigen's last one
    with zipfile.ZipFile(tmp_path / "in" / "a.zip", "w") as file:
        file.write(own / f"{NAMES[0]}_model.cif", f"seed-1_sample-0/{NAMES[0]}_model.cif")
        file.writestr(f"seed-1_sample-0/{NAMES[0]}_confidences.json", json.dumps(errors))
    config = config_of(tmp_path / "in", tmp_path / "run")
    run_of(config)
    (said,) = stagea_mpi.Run(config.run_root).models["score_problem"]
    summary, errors = said.split("; a.zip: ")
    assert (
        summary == f"a.zip: seed-1_sample-0/{NAMES[0]}_summary_confidences.json: is not there; the model has no scores"
    )
    assert errors.startswith(f"seed-1_sample-0/{NAMES[0]}_confidences.json: pae: ")


def test_all_that_is_wrong_has_room_also_with_long_names(made, tmp_path):
    job = "a_heavy_and_a_light_chain_on_their_antigen_with_its_glycans_of_2026_11_27"
    own = tmp_path / "in" / "predictions_of_a_campaign" / job / "seed-1234567890_sample-0"
    own.mkdir(parents=True)
    shutil.copy(made / "fab" / "seed-1_sample-0" / f"{NAMES[0]}_model.cif", own / f"{job}_{own.name}_model.cif")
    config = config_of(tmp_path / "in", tmp_path / "run")
    run_of(config)
    (said,) = stagea_mpi.Run(config.run_root).models["score_problem"]
    assert said.count(": is not there") == 2
    assert said.endswith("_confidences.json: is not there; the model has no predicted aligned errors")


def test_a_model_without_an_interface_has_the_scores_that_need_none(made, models, tmp_path):
    shutil.copytree(made / "fab" / "seed-1_sample-0", tmp_path / "in" / "fab" / "seed-1_sample-0")
    path = tmp_path / "in" / "fab" / "seed-1_sample-0" / f"{NAMES[0]}_model.cif"
    structure = gemmi.read_structure(str(path))
    structure[0]["C"].whole().transform_pos_and_adp(gemmi.Transform(gemmi.Mat33(), gemmi.Vec3(500, 0, 0)))
    structure.make_mmcif_document().write_file(str(path))
    config = config_of(tmp_path / "in", tmp_path / "run", max_failed_fraction=1.0)
    run_of(config)
    (row,) = stagea_mpi.Run(config.run_root).models.to_dict("records")
    near = models.loc[NAMES[0]]
    assert row["status"] == "no_interface"
    same = ["iptm", "ranking_score", "ipsae", "lis", "score_chain_pair_iptm", "h3_plddt"]
    assert [row[column] for column in same] == pytest.approx(near[same].tolist(), nan_ok=False)
    assert np.isnan([row["interface_pae"], row["interface_plddt"]]).all()
    assert row["score_problem"] == ""


def test_a_model_that_cannot_be_read_is_of_its_target_all_the_same(made, tmp_path):
    shutil.copytree(made / "fab", tmp_path / "in" / "fab")
    path = tmp_path / "in" / "fab" / "seed-2_sample-1" / f"{NAMES[3]}_model.cif"
    path.write_bytes(b"")
    config = config_of(tmp_path / "in", tmp_path / "run", max_failed_fraction=1.0)
    run_of(config)
    row = stagea_mpi.Run(config.run_root).models.loc[NAMES[3]]
    assert row["status"] == "no_models"
    assert (row["target"], row["seed"], row["sample"]) == ("fab", 2, 1)
