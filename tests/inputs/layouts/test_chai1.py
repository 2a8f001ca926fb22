import io
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from stagea_mpi.inputs.layouts import recognised

from .finding import expected, found_in, found_in_zip, paths_below
from .made_folders import chai1, zipped

DATA = Path(__file__).parents[2] / "data"


@pytest.mark.parametrize("n_trunks", [1, 2])
def test_each_model_counts_with_the_programs_scores(tmp_path, few, n_trunks):
    made = chai1(tmp_path, few, n_trunks=n_trunks)
    found = found_in(tmp_path)
    assert recognised(paths_below(tmp_path)) == ("chai1",)
    assert found.listed == expected(made)
    for model in made:
        scores = found.scores(model.path)
        assert scores.values == model.values
        assert scores.problems == ()
        assert np.array_equal(scores.pair_iptm, model.pair_iptm)
        assert scores.pae is None


@pytest.mark.parametrize("n_trunks", [1, 2])
def test_the_folder_is_the_target_also_where_it_is_given_itself_and_in_an_archive(tmp_path, few, n_trunks):
    made = chai1(tmp_path, few, "a", 2, n_trunks=n_trunks)
    assert found_in(tmp_path / "a").listed == expected(made, "a/")
    assert found_in_zip(zipped(tmp_path / "a", tmp_path / "a.zip")).listed == expected(made, "a/")


def test_what_the_server_gives_is_read(tmp_path, few):
    made = chai1(tmp_path, few, n_models=1)
    folder = tmp_path / "target"
    (folder / "pred.model_idx_0.cif").rename(folder / "pred.rank_0.cif")
    arrays = np.load(folder / "scores.model_idx_0.npz")
    said = {name: arrays[name].tolist() for name in ("aggregate_score", "ptm", "iptm", "per_chain_pair_iptm")}
    (folder / "scores.rank_0.json").write_text(json.dumps(said))
    found = found_in(tmp_path)
    assert [place.name for place in found.places.values()] == ["target_rank_0"]
    scores = found.scores("target/pred.rank_0.cif")
    assert scores.values == {key: made[0].values[key] for key in ("ranking_score", "ptm", "iptm")}
    assert np.array_equal(scores.pair_iptm, made[0].pair_iptm)


def test_a_file_of_the_program_is_read_as_numpy_reads_it(tmp_path, few):
    chai1(tmp_path, few, n_models=1)
    real = np.load(DATA / "chai1_scores.npz")
    shutil.copy(DATA / "chai1_scores.npz", tmp_path / "target" / "scores.model_idx_0.npz")
    scores = found_in(tmp_path).scores("target/pred.model_idx_0.cif")
    assert scores.problems == ()
    assert scores.values == {
        "ranking_score": real["aggregate_score"].item(), "ptm": real["ptm"].item(), "iptm": real["iptm"].item(),
        "score_has_inter_chain_clashes": 0.0,
    }  # fmt: skip
    assert np.array_equal(scores.pair_iptm, real["per_chain_pair_iptm"][0])
    assert scores.values["ranking_score"] == pytest.approx(
        0.2 * scores.values["ptm"] + 0.8 * scores.values["iptm"], abs=1e-6
    )


def _npz(**arrays) -> bytes:
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def test_a_missing_or_damaged_file_costs_the_scores_and_is_said(tmp_path, few):
    made = chai1(tmp_path, few)
    path = tmp_path / "target" / "scores.model_idx_1.npz"
    whole = path.read_bytes()
    name, objects = "target/scores.model_idx_1.npz", np.array([{}, None], dtype=object)
    for content, said in (
        (whole[:-40], "is no npz archive, or cut short"),
        (b"", "is no npz archive, or cut short"),
        (whole.replace(b"NUMPY", b"NUMPI", 1), ""),
        (_npz(ptm=objects), "Python's objects"),
        (_npz(ptm=np.array([0.5]), iptm=np.array([0.5])), "has no aggregate_score; found ptm, iptm"),
    ):
        path.write_bytes(content)
        found = found_in(tmp_path)
        assert found.listed == expected(made)
        scores = found.scores("target/pred.model_idx_1.cif")
        assert "ranking_score" not in scores.values
        assert [problem.startswith(f"{name}: ") and said in problem for problem in scores.problems] == [True]
    path.unlink()
    assert found_in(tmp_path).scores("target/pred.model_idx_1.cif").problems == (
        f"{name}: is not there; the model has no scores",
    )


def test_nan_is_left_out_and_infinity_is_said(tmp_path, few):
    chai1(tmp_path, few, n_models=1)
    content = _npz(
        aggregate_score=np.array([0.5]), ptm=np.array([np.inf]), iptm=np.array([np.nan]), has_clash=np.array([True])
    )
    (tmp_path / "target" / "scores.model_idx_0.npz").write_bytes(content)
    scores = found_in(tmp_path).scores("target/pred.model_idx_0.cif")
    assert scores.values == {"ranking_score": 0.5, "score_has_clash": 1.0}
    assert scores.problems == ("target/scores.model_idx_0.npz: ptm: found inf, expected a finite number",)


@pytest.mark.parametrize(
    "path", ["pred.cif", "pred.model_0.pdb", "x.pred.model_idx_0.cif", "model_idx_0.cif", "scores.npz"]
)
def test_files_of_other_programs_are_not_recognised(path):
    assert recognised([path, f"a/{path}"]) == ()
