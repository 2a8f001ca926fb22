"""Output folders of docking and design programs on their whole way: models, names, targets, scores."""

import math

import pytest
from inputs.layouts.made_docking_folders import MAKERS

import stagea_mpi
from stagea_mpi.antibody.chain_rules import AUTO, ChainRule
from stagea_mpi.checks.verify import verify
from stagea_mpi.config.run_config import RunConfig, StageA
from stagea_mpi.mpi.guard import StopRequest
from stagea_mpi.mpi.teams import SerialComm
from stagea_mpi.pipeline.context import Options
from stagea_mpi.pipeline.run import run

#: Of a Quiver file, the names that stand in it.
QUIVER = ("samples_design_0", "samples_design_1")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """All of them in one input folder, by the name of the model."""
    root = tmp_path_factory.mktemp("docked") / "input"
    folders = [make(root) for make in MAKERS.values()]
    targets, scores = {}, {}
    for folder in folders:
        for path, name in folder.names.items():
            for model in QUIVER if path.endswith(".qv") else (name,):
                targets[model] = folder.targets[path]
                scores[model] = folder.in_text.get(model, {}) | folder.scores[path]
    config = RunConfig(root.parent / "run", root, ChainRule(AUTO, AUTO, AUTO), StageA(), collect_metrics=False)
    return config, targets, scores


@pytest.fixture(scope="module")
def models(made):
    config, _, _ = made
    assert run(SerialComm(), config, Options(), StopRequest()).exit_code == 0
    return stagea_mpi.Run(config.run_root).models


def test_every_model_of_each_program_has_a_graph_under_its_own_name(models, made):
    config, targets, _ = made
    assert models["target"].to_dict() == targets
    assert set(models["status"]) == {"ok"}
    assert verify(config.run_root, tell=lambda line: None) == 0


def test_scores_are_those_of_the_programs_and_none_else(models, made):
    _, _, scores = made
    columns = [name for name in models.columns if name.startswith("score_") and name != "score_problem"]
    assert {name for said in scores.values() for name in said} <= set(columns)
    for model, said in scores.items():
        found = {name: value for name, value in models.loc[model, columns].items() if not math.isnan(value)}
        assert found == said, model
    assert not models["score_problem"].astype(bool).any()
