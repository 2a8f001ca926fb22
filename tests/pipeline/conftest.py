"""A run with graphs.h5 and one without, for tests of what finishes and exports them."""

import dataclasses
import shutil

import pytest
from without_graphs import start

from stagea_mpi.antibody.complexes import Chains
from stagea_mpi.config.run_config import RunConfig, StageA


@pytest.fixture(scope="session")
def finished(poses, tmp_path_factory):
    """A finished run of two shards with graphs.h5, and one without; their configurations, by whether they have it."""
    configs = {}
    for graphs, name in ((True, "with"), (False, "without")):
        stage_a = StageA(glob=("pose_000[1-4].pdb",), max_per_shard=2, min_per_shard=1)
        root = tmp_path_factory.mktemp("finished") / name
        configs[graphs] = RunConfig(root, poses, Chains("H", "L", ("A",)), stage_a, collect_metrics=False)
        assert start(configs[graphs], graphs=graphs).exit_code == 0
    return configs


@pytest.fixture
def copied(finished, tmp_path):
    """A copy of one of the two, to be run again; its configuration."""

    def copy(graphs: bool):
        shutil.copytree(finished[graphs].run_root, tmp_path / "run")
        return dataclasses.replace(finished[graphs], run_root=tmp_path / "run")

    return copy
