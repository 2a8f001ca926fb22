"""Folders of each structure predictor on their whole way through a run."""

import math

import pytest
from inputs.layouts import made_folders, samples
from made import fv_lines

import stagea_mpi
from stagea_mpi.antibody.chain_rules import AUTO, ChainRule
from stagea_mpi.config.run_config import RunConfig, StageA
from stagea_mpi.mpi.guard import StopRequest
from stagea_mpi.mpi.teams import SerialComm
from stagea_mpi.pipeline.context import Options
from stagea_mpi.pipeline.run import run


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Two models of each program, all below one folder, Chai-1's in an archive; and the run of them."""
    folder, structure = tmp_path_factory.mktemp("predictors"), samples.structure_of(fv_lines())
    below = folder / "in"
    found = [
        *made_folders.alphafold3(below / "af3", structure, "one", seeds=(3,), is_packed=True),
        *made_folders.alphafold_multimer(below / "afm", structure, "two", 2),
        *made_folders.colabfold(below / "cf", structure, "three", 2),
        *made_folders.boltz(below / "bz", structure, "four", 2),
        *made_folders.chai1(folder, structure, "five", 2),
    ]
    made_folders.zipped(folder / "five", below / "five.zip")
    config = RunConfig(folder / "run", below, ChainRule(AUTO, AUTO, AUTO), StageA(), collect_metrics=False)
    assert run(SerialComm(), config, Options(), StopRequest()).exit_code == 0
    return found, stagea_mpi.Run(config.run_root).models


def test_a_run_has_each_model_once_with_its_target_seed_and_sample(made):
    expected, models = made
    assert sorted(models.index) == sorted(model.name for model in expected)
    assert set(models["status"]) == {"ok"}
    for model in expected:
        row = models.loc[model.name]
        assert row["target"] == model.target
        for column in ("seed", "sample"):
            said, wanted = row[column], getattr(model, column)
            assert math.isnan(said) if wanted is None else said == wanted


def test_a_run_has_the_programs_scores_of_each_model_and_no_others(made):
    expected, models = made
    columns = [
        c for c in models.columns if c.startswith("score_") and c not in ("score_chain_pair_iptm", "score_problem")
    ]
    for model in expected:
        row = models.loc[model.name, ["ptm", "iptm", "ranking_score", *columns]].astype(float).dropna()
        assert row.to_dict() == pytest.approx(model.values, rel=1e-6)
    assert not models["score_problem"].astype(bool).any()


def test_a_run_has_interface_errors_where_the_program_gives_any_and_plddt_from_b_factors(made):
    expected, models = made
    for model in expected:
        row = models.loc[model.name]
        assert math.isnan(row["interface_pae"]) == (model.pae is None)
        assert 40 <= row["interface_plddt"] <= 98
