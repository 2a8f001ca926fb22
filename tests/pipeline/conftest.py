"""Finished runs: with graphs.h5 and without, with a reference and without; complexes to compare."""

import dataclasses
import shutil
from pathlib import Path

import pytest
from compared_runs import FAB, with_reference
from dockq_cases import atom_lines, read_lines, shifted
from made import fv_lines, write
from shipped import FAB_CHAINS
from without_graphs import start

from stagea_mpi.antibody.complexes import Chains
from stagea_mpi.config.run_config import RunConfig, StageA
from stagea_mpi.demo.poses import COMPLEXES, read_complex, write_poses


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
def copy(tmp_path):
    """Makes a copy of a run that a test may change; its configuration."""

    def of(config: RunConfig) -> RunConfig:
        shutil.copytree(config.run_root, tmp_path / "run")
        return dataclasses.replace(config, run_root=tmp_path / "run")

    return of


@pytest.fixture
def copied(finished, copy):
    """A copy of one of the two, to be run again; its configuration."""
    return lambda graphs: copy(finished[graphs])


@pytest.fixture(scope="session")
def fab_poses(tmp_path_factory) -> Path:
    """The poses of which DockQ's numbers are known, one that touches nothing, and one file that is no structure."""
    folder = tmp_path_factory.mktemp("targets") / "poses"
    write_poses(folder, COMPLEXES["7DAA"], 6, seed=5)
    write(folder / "far.pdb", shifted(atom_lines(read_complex(COMPLEXES["7DAA"])), "A", 300.0))
    (folder / "odd.pdb").write_text("no structure\n")
    return folder


@pytest.fixture(scope="session")
def plain(fab_poses) -> RunConfig:
    """A finished run without a reference."""
    stage_a = StageA(glob=("*.pdb",), max_per_shard=5, min_per_shard=1, max_failed_fraction=0.9)
    config = RunConfig(fab_poses.parent / "plain", fab_poses, FAB_CHAINS, stage_a, collect_metrics=False)
    assert start(config, graphs=True).exit_code == 0
    return config


@pytest.fixture(scope="session")
def compared(plain) -> RunConfig:
    """A finished run with the shipped complex as the reference of all models."""
    config = with_reference(plain, str(FAB), plain.run_root.with_name("compared"))
    assert start(config, graphs=True).exit_code == 0
    return config


@pytest.fixture(scope="session")
def fv(tmp_path_factory):
    """The Fv of the shipped Fab and its antigen."""
    return read_lines(tmp_path_factory.mktemp("fv"), fv_lines(), FAB_CHAINS)


@pytest.fixture
def of_lines(tmp_path):
    """Makes the complex of ATOM lines."""
    return lambda lines, chains=FAB_CHAINS: read_lines(tmp_path, lines, chains)
