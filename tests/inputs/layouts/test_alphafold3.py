import json
import shutil

import numpy as np
import pytest

from stagea_mpi.inputs.layouts import layout, place_of, recognised

from .finding import expected, found_in, found_in_zip, paths_below
from .made_folders import alphafold3, alphafold_server, zipped

SUMMARY = "job/seed-1_sample-0/job_seed-1_sample-0_summary_confidences.json"
MODEL = "job/seed-1_sample-0/job_seed-1_sample-0_model.cif"


@pytest.mark.parametrize("is_packed", [False, True])
@pytest.mark.parametrize("is_old", [False, True])
def test_each_sample_is_a_model_with_the_programs_scores_and_the_best_ones_copy_is_none(
    tmp_path, few, is_old, is_packed
):
    made = alphafold3(tmp_path, few, is_old=is_old, is_packed=is_packed)
    found = found_in(tmp_path)
    assert recognised(paths_below(tmp_path)) == ("alphafold3",)
    assert found.listed == expected(made)
    for model in made:
        scores = found.scores(model.path)
        assert scores.values == model.values
        assert scores.problems == ()
        assert np.array_equal(scores.pair_iptm, model.pair_iptm)
        assert scores.pair_chains == tuple(few.chains)


def test_aligned_errors_are_those_of_the_models_own_file(tmp_path, few):
    made = alphafold3(tmp_path, few)
    found, n = found_in(tmp_path), len(few.chain)
    for model in made:
        pae = found.scores(model.path).pae
        assert pae.n_tokens == n
        assert pae.chain.tolist() == [chain.encode() for chain in few.chain]
        assert pae.number.tolist() == few.number.tolist()
        forward, backward = pae.read(np.arange(6), np.arange(6, n))
        assert np.array_equal(forward, model.pae[:6, 6:].astype(np.float32))
        assert np.array_equal(backward, model.pae[6:, :6].astype(np.float32))


def test_names_are_the_same_where_the_folder_of_the_job_is_given_itself(tmp_path, few):
    made = alphafold3(tmp_path, few)
    assert found_in(tmp_path / "job").listed == expected(made, "job/")
    assert found_in(tmp_path / "job", root="other").listed == expected(made, "job/")  # the files say what it is


def test_an_old_job_is_called_as_its_folder_is(tmp_path, few):
    alphafold3(tmp_path, few, is_old=True, seeds=(7,), n_samples=1)
    (tmp_path / "job" / "job_model.cif").unlink()
    found = found_in(tmp_path / "job")
    assert found.listed == [("seed-7_sample-0/model.cif", "job", "job_seed-7_sample-0", 7, 0)]


def test_the_best_samples_copy_is_the_model_where_the_samples_have_been_deleted(tmp_path, few):
    made = alphafold3(tmp_path, few)
    for folder in (tmp_path / "job").glob("seed-*"):
        shutil.rmtree(folder)
    found = found_in(tmp_path)
    assert found.listed == [("job/job_model.cif", "job", "job_model", None, None)]
    best = max(made, key=lambda model: model.values["ranking_score"])
    assert found.scores("job/job_model.cif").values == best.values


def test_best_models_of_many_jobs_in_one_folder_count_each(tmp_path, few):
    for job in ("one", "two"):
        alphafold3(tmp_path / "all", few, job, seeds=(1,), n_samples=1)
        for path in (tmp_path / "all" / job).glob(f"{job}_*"):
            path.rename(tmp_path / "all" / path.name)
    shutil.rmtree(tmp_path / "all" / "two")  # of the other one a sample is left
    (tmp_path / "all" / "one_seed-1_sample-0_model.cif").write_bytes((tmp_path / "all" / "one_model.cif").read_bytes())
    shutil.rmtree(tmp_path / "all" / "one")
    assert [place.name for place in found_in(tmp_path).places.values()] == ["one_seed-1_sample-0", "two_model"]


def test_jobs_beside_each_other_are_targets_and_a_job_run_again_is_the_same_target(tmp_path, few):
    for folder in ("job", "other"):
        alphafold3(tmp_path, few, folder, seeds=(1,), n_samples=1)
    alphafold3(tmp_path / "x", few, "job", seeds=(1,), n_samples=1)
    (tmp_path / "x" / "job").rename(tmp_path / "job_20260101_101500")
    assert sorted((place.target, place.name) for place in found_in(tmp_path).places.values()) == [
        ("job", "job_20260101_101500_seed-1_sample-0"),
        ("job", "job_seed-1_sample-0"),
        ("other", "other_seed-1_sample-0"),
    ]


def test_folders_that_a_user_has_renamed_are_targets_of_their_own(tmp_path, few):
    for folder in ("7abc", "7abd"):
        alphafold3(tmp_path, few, "job", seeds=(1,), n_samples=1)
        (tmp_path / "job").rename(tmp_path / folder)
    assert sorted((place.target, place.name) for place in found_in(tmp_path).places.values()) == [
        ("7abc", "7abc_seed-1_sample-0"), ("7abd", "7abd_seed-1_sample-0"),
    ]  # fmt: skip


@pytest.mark.parametrize("is_zip", [False, True])
def test_the_servers_models_count_and_its_templates_do_not(tmp_path, few, is_zip):
    made = alphafold_server(tmp_path / "fold_job", few)
    found = (
        found_in_zip(zipped(tmp_path / "fold_job", tmp_path / "fold_job.zip"))
        if is_zip
        else found_in(tmp_path / "fold_job")
    )
    assert found.listed == expected(made)
    for model in made:
        scores = found.scores(model.path)
        assert scores.values == model.values
        assert scores.problems == ()
        assert np.array_equal(scores.pair_iptm, model.pair_iptm)
        forward, _ = scores.pae.read(np.arange(6), np.arange(6, 12))
        assert np.array_equal(forward, model.pae[:6, 6:12].astype(np.float32))


def test_jobs_of_the_server_in_a_folder_that_is_called_templates_count(tmp_path, few):
    made = alphafold_server(tmp_path / "templates" / "fold_job", few)
    listed = [(f"templates/fold_job/{path}", *rest) for path, *rest in expected(made)]
    assert found_in(tmp_path).listed == listed
    assert len(found_in(tmp_path / "templates").places) == len(made)


def test_models_of_the_server_count_where_all_score_files_have_been_deleted(tmp_path, few):
    made = alphafold_server(tmp_path, few)
    for path in tmp_path.glob("*_[0-9].json"):
        path.unlink()
    found = found_in(tmp_path)
    assert found.listed == expected(made)
    assert [len(found.scores(model.path).problems) for model in made] == [2] * 5


def test_an_archive_of_a_users_jobs_is_as_their_folder(tmp_path, few):
    made = alphafold3(tmp_path / "jobs", few, "a") + alphafold3(tmp_path / "jobs", few, "b", is_packed=True)
    found = found_in_zip(zipped(tmp_path / "jobs", tmp_path / "jobs.zip"))
    assert found.listed == expected(made)
    for model in made:
        assert found.scores(model.path).values == model.values


def test_a_missing_summary_costs_its_scores_but_not_what_the_table_says(tmp_path, few):
    made = alphafold3(tmp_path, few)
    (tmp_path / SUMMARY).unlink()
    found = found_in(tmp_path)
    assert found.listed == expected(made)
    scores = found.scores(MODEL)
    assert scores.values == {"ranking_score": made[0].values["ranking_score"]}
    assert scores.pair_iptm is None
    assert scores.problems == (f"{SUMMARY}: is not there; the model has no scores",)


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[1]", b'{"ptm": ', b"\xff\xfe\x00", b"[" * 100_000, b"\x28\xb5\x2f\xfd1234567"]
)
def test_a_damaged_summary_costs_its_scores_and_is_said(tmp_path, few, content):
    alphafold3(tmp_path, few)
    (tmp_path / SUMMARY).write_bytes(content)
    scores = found_in(tmp_path).scores(MODEL)
    assert list(scores.values) == ["ranking_score"]
    assert len(scores.problems) == 1
    assert SUMMARY in scores.problems[0]
    assert scores.pae is not None


def test_what_is_no_number_is_said_and_what_programs_write_for_no_score_is_left_out(tmp_path, few):
    alphafold3(tmp_path, few)
    said = json.loads((tmp_path / SUMMARY).read_text())
    said |= {
        "ptm": "high",
        "iptm": None,
        "fraction_disordered": float("nan"),
        "has_clash": True,
        "chain_pair_iptm": [[1], []],
    }
    (tmp_path / SUMMARY).write_text(json.dumps(said))
    scores = found_in(tmp_path).scores(MODEL)
    assert scores.values == {"ranking_score": said["ranking_score"], "score_has_clash": 1.0}
    ptm, pairs = scores.problems
    assert ptm == f"{SUMMARY}: ptm: found 'high', expected a number"
    assert pairs.startswith(f"{SUMMARY}: chain_pair_iptm: found ")


def test_a_missing_or_damaged_file_of_errors_costs_these_alone(tmp_path, few):
    made = alphafold3(tmp_path, few)
    path = MODEL.replace("_model.cif", "_confidences.json")
    (tmp_path / path).unlink()
    scores = found_in(tmp_path).scores(MODEL)
    assert scores.values == made[0].values
    assert scores.problems == (f"{path}: is not there; the model has no predicted aligned errors",)
    (tmp_path / path).write_text('{"atom_plddts": [1.0]}')
    scores = found_in(tmp_path).scores(MODEL)
    assert (scores.values, scores.pae, len(scores.problems)) == (made[0].values, None, 1)


def test_without_a_score_in_the_summary_that_of_the_table_counts(tmp_path, few):
    alphafold3(tmp_path, few, is_old=True)
    for path in tmp_path.rglob("*summary_confidences.json"):
        said = json.loads(path.read_text())
        del said["ranking_score"]
        path.write_text(json.dumps(said))
    (tmp_path / "job" / "ranking_scores.csv").write_bytes(
        b"seed,sample,ranking_score\r\n1,0,0.25\r\n20,1,0.75\r\n1,1,nan\r\n"
    )
    found = found_in(tmp_path)
    scores = {path: found.scores(path) for path in found.places}
    assert scores["job/seed-1_sample-0/model.cif"].values["ranking_score"] == 0.25
    assert scores["job/seed-20_sample-1/model.cif"].values["ranking_score"] == 0.75
    for path in ("job/seed-1_sample-1/model.cif", "job/seed-20_sample-0/model.cif"):
        assert "ranking_score" not in scores[path].values
        assert "has no ranking_score" in scores[path].problems[0]
    assert layout("alphafold3").scores(found.beside, "job/job_model.cif").values["ranking_score"] == 0.75
    (tmp_path / "job" / "ranking_scores.csv").write_text("seed,score\n1,2\n")
    problems = found_in(tmp_path).scores("job/seed-1_sample-0/model.cif").problems
    assert problems[0].startswith(
        "job/ranking_scores.csv: begins with 'seed,score', expected seed,sample,ranking_score"
    )


def test_a_model_that_lies_there_packed_and_unpacked_or_converted_counts_once(tmp_path, few):
    made = alphafold3(tmp_path, few, seeds=(1,), n_samples=1)
    path = tmp_path / MODEL
    for other in (".cif.zst", ".pdb"):
        path.with_suffix(other).write_bytes(path.read_bytes())
    assert found_in(tmp_path).listed == expected(made)


@pytest.mark.parametrize(
    "path",
    ["model.cif", "job/model.cif", "job/seed-1_sample-0/x.cif", "templates/fold_job_model_0.cif", "job/job_data.json",
     "job/seed-1_sample-0/embeddings.npz", "job/seed-1_sample-0/._job_seed-1_sample-0_model.cif", "job/._job_model.cif",
     "predictions/fold_x/fold_x_model_0.cif", "job/x_model_1.pdb"],
)  # fmt: skip
def test_other_files_are_no_models(path):
    assert place_of(path, "root", ["alphafold3"]) is None
