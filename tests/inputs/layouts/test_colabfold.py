import json

import numpy as np
import pytest

from stagea_mpi.inputs.layouts import place_of, recognised

from .finding import expected, found_in, found_in_zip, paths_below
from .made_folders import colabfold, zipped


@pytest.mark.parametrize("is_old", [False, True])
@pytest.mark.parametrize("n_relaxed", [0, 1, 5])
def test_each_model_counts_once_relaxed_where_it_is_with_the_programs_scores(tmp_path, few, n_relaxed, is_old):
    made = colabfold(tmp_path, few, n_relaxed=n_relaxed, is_old=is_old)
    found = found_in(tmp_path)
    assert recognised(paths_below(tmp_path)) == ("colabfold",)
    assert found.listed == expected(made)
    for model in made:
        scores = found.scores(model.path)
        assert scores.values == pytest.approx(model.values, abs=1e-12)
        assert scores.problems == ()
        forward, backward = scores.pae.read(np.arange(6), np.arange(6, 12))
        assert np.array_equal(forward, model.pae[:6, 6:12].astype(np.float32))
        assert np.array_equal(backward, model.pae[6:12, :6].astype(np.float32))


def test_jobs_of_a_folder_are_targets_and_seeds_are_told_apart(tmp_path, few):
    made = [*colabfold(tmp_path / "all", few, "a_b", 2), *colabfold(tmp_path / "all", few, "a", 2, seed=13)]
    assert found_in(tmp_path / "all").listed == expected(made)
    assert {model.seed for model in made} == {0, 13}
    assert found_in_zip(zipped(tmp_path / "all", tmp_path / "all.zip")).listed == expected(made)


def test_scores_of_pairs_of_chains_are_read(tmp_path, few):
    made = colabfold(tmp_path, few, n_models=2, has_extra_ptm=True)
    found = found_in(tmp_path)
    for model in made:
        scores = found.scores(model.path)
        assert np.array_equal(scores.pair_iptm, model.pair_iptm)
        assert scores.values["score_actifptm"] == model.values["score_actifptm"]


def test_a_run_that_was_interrupted_has_models_without_ranks(tmp_path, few):
    (best, *_) = colabfold(tmp_path, few, n_relaxed=0)
    for path in list(tmp_path.glob("*_rank_001_*")):
        path.rename(tmp_path / path.name.replace("rank_001_", ""))
    found = found_in(tmp_path)
    path = best.path.replace("rank_001_", "")
    assert found.places[path].name == f"job_model_{best.sample}_seed_000"
    assert found.scores(path).values == pytest.approx(best.values)


def test_a_missing_or_damaged_file_costs_the_scores_and_is_said(tmp_path, few):
    made = colabfold(tmp_path, few, n_relaxed=0)
    path = tmp_path / made[1].path.replace("unrelaxed", "scores").replace(".pdb", ".json")
    whole = path.read_bytes()
    for content in (whole[:200], whole[:-1], b"", b"null"):
        path.write_bytes(content)
        found = found_in(tmp_path)
        assert found.listed == expected(made)
        scores = found.scores(made[1].path)
        assert scores.values == {}
        assert scores.pae is None
        assert len(scores.problems) == 1
        assert scores.problems[0].startswith(f"{path.name}: ")
    path.unlink()
    assert found_in(tmp_path).scores(made[1].path).problems == (f"{path.name}: is not there; the model has no scores",)


def test_damaged_errors_cost_these_alone(tmp_path, few):
    made = colabfold(tmp_path, few, n_relaxed=0)
    path = tmp_path / made[1].path.replace("unrelaxed", "scores").replace(".pdb", ".json")
    path.write_text(json.dumps(json.loads(path.read_text()) | {"pae": [[1.0, 2.0], [3.0]]}))
    scores = found_in(tmp_path).scores(made[1].path)
    assert scores.values["ptm"] == made[1].values["ptm"]


def test_the_best_models_errors_are_in_a_file_of_their_own_too(tmp_path, few):
    (best, second, *_) = colabfold(tmp_path, few, n_relaxed=0)
    for model in (best, second):
        path = tmp_path / model.path.replace("unrelaxed", "scores").replace(".pdb", ".json")
        said = json.loads(path.read_text())
        del said["pae"]
        path.write_text(json.dumps(said))
    found = found_in(tmp_path)
    assert np.array_equal(found.scores(best.path).pae.read([0, 1], [7])[0], best.pae[:2, 7:8].astype(np.float32))
    assert found.scores(second.path).pae is None


def test_a_file_of_the_program_is_read_as_it_stands(tmp_path):
    # The beginning and the end of test_a5e17_25_scores_rank_001_alphafold2_ptm_model_3_seed_000.json of ColabFold's
    # repository (MIT), of its first four residues.
    (tmp_path / "t_scores_rank_001_alphafold2_ptm_model_3_seed_000.json").write_text(
        '{"plddt": [97.44, 98.44, 98.5, 98.69], "max_pae": 17.5625, "pae": [[0.25, 0.84, 0.99, 1.51], '
        '[0.77, 0.25, 0.79, 1.02], [0.94, 0.76, 0.25, 0.78], [1.22, 0.94, 0.77, 0.25]], "ptm": 0.78}'
    )
    (tmp_path / "t_unrelaxed_rank_001_alphafold2_ptm_model_3_seed_000.pdb").write_text("END\n")
    found = found_in(tmp_path)
    scores = found.scores("t_unrelaxed_rank_001_alphafold2_ptm_model_3_seed_000.pdb")
    assert scores.values == {"ptm": 0.78, "score_max_pae": 17.5625}
    assert scores.pae.read([0, 1], [3])[0].tolist() == [[np.float32(1.51)], [np.float32(1.02)]]


@pytest.mark.parametrize(
    "path",
    ["job_unrelaxed_rank_001_alphafold2_multimer_v3_model_1_seed_000.r3.pdb", "job_env/templates_101/1abc.cif",
     "relaxed_model_1_multimer_v3_pred_0.pdb", "job_model_1.pdb", "job_all_rank_001_model_1_seed_000.pickle"],
)  # fmt: skip
def test_other_files_are_no_models(path):
    assert place_of(path, "root", ["colabfold"]) is None


@pytest.mark.parametrize(
    "path", ["x_model_1.pdb", "rank_001.pdb", "x_scores.json", "pose_rank_1_model_1.pdb", "x_relaxed.pdb"]
)
def test_files_of_other_programs_are_not_recognised(path):
    assert recognised([path, f"a/{path}"]) == ()
