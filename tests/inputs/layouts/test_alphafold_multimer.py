import json

import numpy as np
import pytest

from stagea_mpi.inputs.layouts import recognised

from .finding import expected, found_in, found_in_zip, paths_below
from .made_folders import alphafold_multimer, zipped


@pytest.mark.parametrize("is_old", [False, True])
@pytest.mark.parametrize("n_relaxed", [0, 1, 5])
def test_ranked_models_count_with_the_programs_scores(tmp_path, few, n_relaxed, is_old):
    made = alphafold_multimer(tmp_path, few, n_relaxed=n_relaxed, is_old=is_old)
    found = found_in(tmp_path)
    assert recognised(paths_below(tmp_path)) == ("alphafold_multimer",)
    assert found.listed == expected(made)
    for model in made:
        scores = found.scores(model.path)
        assert scores.values == model.values
        assert scores.problems == ()
        if model.pae is None:
            assert scores.pae is None
        else:
            forward, backward = scores.pae.read(np.arange(6), np.arange(6, 12))
            assert np.array_equal(forward, model.pae[:6, 6:12].astype(np.float32))
            assert np.array_equal(backward, model.pae[6:12, :6].astype(np.float32))


def test_targets_are_folders_also_in_an_archive_and_where_one_is_given_itself(tmp_path, few):
    made = [model for target in ("a", "b") for model in alphafold_multimer(tmp_path / "all", few, target, 2)]
    assert found_in(tmp_path / "all").listed == expected(made)
    assert found_in_zip(zipped(tmp_path / "all", tmp_path / "all.zip")).listed == expected(made)
    assert found_in(tmp_path / "all" / "b").listed == expected(made[2:], "b/")


def test_without_ranked_models_the_relaxed_ones_count_and_then_the_others(tmp_path, few):
    made = alphafold_multimer(tmp_path, few, n_models=3, n_relaxed=1)
    scores = {model.values["ranking_score"] for model in made}
    for path in (tmp_path / "target").glob("ranked_*"):
        path.unlink()
    found = found_in(tmp_path)
    assert sorted(path.split("/")[1].split("_")[0] for path in found.places) == ["relaxed", "unrelaxed", "unrelaxed"]
    assert sorted(place.name for place in found.places.values()) == [
        f"target_model_{k}_multimer_v3_pred_0" for k in (1, 2, 3)
    ]
    assert {(place.seed, place.sample) for place in found.places.values()} == {(0, 1), (0, 2), (0, 3)}
    said = [found.scores(path) for path in found.places]
    assert {each.values["ranking_score"] for each in said} == scores
    assert all(each.pae is not None and not each.problems for each in said)


def test_where_some_ranked_models_have_been_deleted_the_others_count(tmp_path, few):
    alphafold_multimer(tmp_path, few, n_models=3, n_relaxed=0, is_old=True)
    (tmp_path / "target" / "ranked_1.pdb").unlink()
    assert all("unrelaxed_model_" in path for path in found_in(tmp_path).places)
    assert len(found_in(tmp_path).places) == 3


def test_pickles_are_not_opened(tmp_path, few):
    made = alphafold_multimer(tmp_path, few)
    for path in tmp_path.rglob("*.pkl"):
        path.unlink()
        path.symlink_to(path)  # whoever opens it fails
    found = found_in(tmp_path)
    assert all(found.scores(model.path).problems == () for model in made)


def test_a_missing_or_damaged_ranking_costs_the_scores_and_is_said(tmp_path, few):
    made = alphafold_multimer(tmp_path, few)
    path = tmp_path / "target" / "ranking_debug.json"
    whole = json.loads(path.read_text())
    for content, said in (
        (b"{", "is no JSON, or cut short"),
        (b"{}", "order: found 0 models, expected one of rank 0"),
        (json.dumps({"order": whole["order"]}).encode(), "found order, expected iptm+ptm or plddts"),
        (json.dumps(whole | {"order": []}).encode(), "order: found 0 models, expected one of rank 0"),
        (json.dumps(whole | {"iptm+ptm": {}}).encode(), "iptm+ptm: has no model_"),
        (json.dumps(whole | {"iptm+ptm": 1}).encode(), "iptm+ptm: found 1, expected an object"),
    ):
        path.write_bytes(content)
        found = found_in(tmp_path)
        assert found.listed == expected(made)
        scores = found.scores("target/ranked_0.pdb")
        assert "ranking_score" not in scores.values
        assert [said in problem for problem in scores.problems] == [True]
        assert scores.problems[0].startswith("target/ranking_debug.json: ")
    path.unlink()
    assert found_in(tmp_path).scores("target/ranked_0.pdb").problems == (
        "target/ranking_debug.json: is not there; the model has no scores",
    )


def test_errors_that_are_there_for_others_are_missed(tmp_path, few):
    alphafold_multimer(tmp_path, few)
    order = json.loads((tmp_path / "target" / "ranking_debug.json").read_text())["order"]
    (tmp_path / "target" / f"pae_{order[2]}.json").unlink()
    scores = found_in(tmp_path).scores("target/ranked_2.pdb")
    assert scores.problems == (f"target/pae_{order[2]}.json: is not there; the model has no predicted aligned errors",)
    assert "ranking_score" in scores.values


def test_monomers_are_ranked_by_their_plddt(tmp_path, few):
    made = alphafold_multimer(tmp_path, few, n_models=1)
    path = tmp_path / "target" / "ranking_debug.json"
    (tmp_path / "target" / "relax_metrics.json").unlink()
    order = json.loads(path.read_text())["order"]
    path.write_text(json.dumps({"plddts": {order[0]: 91.5}, "order": order}))
    assert found_in(tmp_path).scores(made[0].path).values == {"ranking_score": 91.5}


@pytest.mark.parametrize(
    "path", ["ranked_1.pdb", "pose_ranked_0.pdb", "model_1.pdb", "x_relaxed_model_1.pdb", "ranked_a.pdb"]
)
def test_poses_of_other_programs_are_not_recognised(path):
    assert recognised([path, f"a/{path}"]) == ()
