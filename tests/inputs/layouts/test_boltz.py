import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from stagea_mpi.inputs.layouts import place_of, recognised

from .finding import expected, found_in, found_in_zip, paths_below
from .made_folders import boltz, zipped

DATA = Path(__file__).parents[2] / "data"
OWN = "boltz_results_run/predictions/target"
#: As in docs/prediction.md of Boltz (MIT).
DOCUMENTED = """{
    "confidence_score": 0.8367, "ptm": 0.8425, "iptm": 0.8225, "ligand_iptm": 0.0, "protein_iptm": 0.8225,
    "complex_plddt": 0.8402, "complex_iplddt": 0.8241, "complex_pde": 0.8912, "complex_ipde": 5.1650,
    "chains_ptm": {"0": 0.8533, "1": 0.8330},
    "pair_chains_iptm": {"0": {"0": 0.8533, "1": 0.8090}, "1": {"0": 0.8225, "1": 0.8330}}
}"""


@pytest.mark.parametrize("has_pae", [True, False])
@pytest.mark.parametrize("form", ["cif", "pdb"])
def test_each_model_counts_with_the_programs_scores(tmp_path, few, form, has_pae):
    made = boltz(tmp_path, few, form=form, has_pae=has_pae)
    found = found_in(tmp_path)
    assert recognised(paths_below(tmp_path)) == ("boltz",)
    assert found.listed == expected(made)
    for model in made:
        scores = found.scores(model.path)
        assert scores.values == model.values
        assert scores.problems == ()
        assert np.array_equal(scores.pair_iptm, model.pair_iptm)
        assert scores.pair_chains == ()
        if has_pae:
            forward, backward = scores.pae.read(np.arange(6), np.arange(6, 12))
            assert np.array_equal(forward, model.pae[:6, 6:12].astype(np.float32))
            assert np.array_equal(backward, model.pae[6:12, :6].astype(np.float32))
        else:
            assert scores.pae is None


@pytest.mark.parametrize("below", ["boltz_results_run", "boltz_results_run/predictions", OWN])
def test_any_folder_of_a_run_may_be_given(tmp_path, few, below):
    made = boltz(tmp_path, few)
    assert found_in(tmp_path / below).listed == expected(made, f"{below}/")


def test_each_folder_of_predictions_is_a_target_also_in_an_archive(tmp_path, few):
    made = [model for target in ("a", "a_model_1") for model in boltz(tmp_path / "all", few, target)]
    assert found_in(tmp_path / "all").listed == expected(made)
    found = found_in_zip(zipped(tmp_path / "all", tmp_path / "all.zip"))
    assert found.listed == expected(made)
    assert all(found.scores(model.path).values == model.values for model in made)


def test_what_the_programs_documentation_shows_is_read_as_it_says(tmp_path, few):
    boltz(tmp_path, few, n_models=1)
    (tmp_path / OWN / "confidence_target_model_0.json").write_text(DOCUMENTED)
    (tmp_path / OWN / "affinity_target.json").write_text(
        '{"affinity_pred_value": -1.5, "affinity_probability_binary": 0.5}'
    )
    scores = found_in(tmp_path).scores(f"{OWN}/target_model_0.cif")
    assert scores.values == {
        "ranking_score": 0.8367, "ptm": 0.8425, "iptm": 0.8225, "score_ligand_iptm": 0.0, "score_protein_iptm": 0.8225,
        "score_complex_plddt": 0.8402, "score_complex_iplddt": 0.8241, "score_complex_pde": 0.8912,
        "score_complex_ipde": 5.165, "score_affinity_pred_value": -1.5, "score_affinity_probability_binary": 0.5,
    }  # fmt: skip
    assert scores.pair_iptm.tolist() == [[0.8533, 0.8090], [0.8225, 0.8330]]


def test_a_file_of_the_program_is_read_as_it_stands(tmp_path, few):
    boltz(tmp_path, few, n_models=1)
    shutil.copy(DATA / "boltz_confidence.json", tmp_path / OWN / "confidence_target_model_0.json")
    scores = found_in(tmp_path).scores(f"{OWN}/target_model_0.cif")
    assert scores.problems == ()
    assert scores.values["ranking_score"] == 0.961685299873352
    assert scores.values["iptm"] == 0.9584617614746094
    assert scores.values["score_complex_ipde"] == 1.0419797897338867
    assert scores.pair_iptm[0].tolist() == [
        0.9811314344406128,
        0.9623807668685913,
        0.8155078291893005,
        0.7073389291763306,
    ]
    assert scores.pair_iptm[3, 0] == 0.9467982053756714


def test_pairs_are_in_the_order_of_chains_also_with_more_than_ten(tmp_path, few):
    boltz(tmp_path, few, n_models=1)
    pairs = {str(a): {str(b): (12 * a + b) / 1000 for b in range(12)} for a in range(12)}
    said = json.loads(DOCUMENTED) | {"pair_chains_iptm": dict(sorted(pairs.items()))}
    (tmp_path / OWN / "confidence_target_model_0.json").write_text(json.dumps(said))
    pair_iptm = found_in(tmp_path).scores(f"{OWN}/target_model_0.cif").pair_iptm
    assert np.array_equal(pair_iptm, np.arange(144).reshape(12, 12) / 1000)


def test_a_missing_or_damaged_summary_costs_the_scores_and_is_said(tmp_path, few):
    made = boltz(tmp_path, few)
    path = tmp_path / OWN / "confidence_target_model_1.json"
    path.write_text(path.read_text()[:100])
    found = found_in(tmp_path)
    assert found.listed == expected(made)
    scores = found.scores(made[1].path)
    assert scores.values == {}
    assert scores.pae is not None
    assert [problem.startswith(f"{OWN}/{path.name}: is no JSON, or cut short") for problem in scores.problems] == [True]
    path.unlink()
    assert found_in(tmp_path).scores(made[1].path).problems == (
        f"{OWN}/{path.name}: is not there; the model has no scores",
    )


def test_affinity_that_was_asked_for_is_missed_and_is_the_best_models(tmp_path, few):
    made = boltz(tmp_path, few)
    (tmp_path / OWN / "pre_affinity_target.npz").write_bytes(b"")
    path = tmp_path / OWN / "affinity_target.json"
    assert found_in(tmp_path).scores(made[0].path).problems == (
        f"{OWN}/{path.name}: is not there; the model has no affinity",
    )
    assert found_in(tmp_path).scores(made[1].path).problems == ()
    for said, problem in (
        ({"affinity_pred_value": "-1.5", "affinity_probability_binary": 0.5}, "affinity_pred_value: found '-1.5'"),
        ({"affinity_probability_binary": 0.5}, "has no affinity_pred_value"),
    ):
        path.write_text(json.dumps(said))
        scores = found_in(tmp_path).scores(made[0].path)
        assert scores.values == made[0].values | {"score_affinity_probability_binary": 0.5}
        assert [problem in found for found in scores.problems] == [True]


def test_affinity_of_a_target_that_is_called_as_a_model_of_another_is_its_own(tmp_path, few):
    own = "boltz_results_run/predictions"
    made = boltz(tmp_path, few, "a", n_models=2) + boltz(tmp_path, few, "a_model_1", n_models=1)
    said = '{"affinity_pred_value": -1.5, "affinity_probability_binary": 0.5}'
    (tmp_path / own / "a_model_1" / "affinity_a_model_1.json").write_text(said)
    for path in (tmp_path / own / "a_model_1").iterdir():
        path.rename(tmp_path / own / "a" / path.name)  # a user has put all into one folder
    found = found_in(tmp_path)
    assert found.scores(made[1].path).values == made[1].values
    assert found.scores(f"{own}/a/a_model_1_model_0.cif").values["score_affinity_pred_value"] == -1.5


def test_missing_and_damaged_errors_are_said(tmp_path, few):
    made = boltz(tmp_path, few)
    path = tmp_path / OWN / "pae_target_model_1.npz"
    path.write_bytes(path.read_bytes()[:50])
    scores = found_in(tmp_path).scores(made[1].path)
    assert (scores.values, scores.pae, len(scores.problems)) == (made[1].values, None, 1)
    assert path.name in scores.problems[0]
    path.unlink()
    scores = found_in(tmp_path).scores(made[1].path)
    assert scores.problems == (f"{OWN}/{path.name}: is not there; the model has no predicted aligned errors",)


@pytest.mark.parametrize("below", ["msa", "templates/x"])
def test_runs_in_folders_that_are_called_as_inputs_of_a_run_are_found(tmp_path, few, below):
    made = boltz(tmp_path / below, few)
    assert found_in(tmp_path).listed == [(f"{below}/{path}", *rest) for path, *rest in expected(made)]


@pytest.mark.parametrize("folder", ["processed/templates", "boltz_results_run/msa", "predictions/run/processed"])
def test_inputs_of_a_run_are_no_models(folder):
    assert place_of(f"{folder}/x_model_0.cif", "root", ["boltz"]) is None


@pytest.mark.parametrize(
    "path", ["x_model_1.pdb", "x_model_0.cif", "x/x_model_0.cif", "confidence_x.json", "predictions/x/y_model_0.cif"]
)
def test_files_of_other_programs_are_not_recognised(path):
    assert recognised([path]) == ()
