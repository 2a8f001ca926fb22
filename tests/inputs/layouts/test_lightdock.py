"""LightDock: copies of its poses, its rankings, and outputs of its swarms that are damaged."""

import shutil

import pytest

from stagea_mpi.inputs.layouts import layout, recognised
from stagea_mpi.inputs.layouts.beside import FolderBeside

from .docking import found_in, paths_below, said_of
from .made_docking_folders import lightdock, put


def test_copies_of_lightdock_are_models_where_there_is_nothing_else(tmp_path):
    root = tmp_path / "input"
    lightdock(root)
    for path in root.rglob("lightdock_[01].pdb"):
        path.unlink()
    beside = FolderBeside(str(root))
    found = found_in(root, "lightdock")
    assert {path: place.name for path, place in found.items()} == {"4IZ7/filtered/swarm_0_0.pdb": "4IZ7_swarm_0_0"}
    assert layout("lightdock").scores(beside, "4IZ7/filtered/swarm_0_0.pdb").values["score_lightdock"] == 20.01712344
    (root / "4IZ7/filtered/swarm_0_0.pdb").unlink()
    found = found_in(root, "lightdock")
    assert {path: place.name for path, place in found.items()} == {"4IZ7/top_1.pdb": "4IZ7_top_1"}
    assert layout("lightdock").scores(beside, "4IZ7/top_1.pdb").values["score_lightdock"] == 20.017


def test_a_ranking_with_the_poses_that_were_written_after_it_is_lightdocks(tmp_path):
    root = tmp_path / "input"
    lightdock(root)
    for path in (root / "4IZ7").iterdir():
        if path.name not in ("top_1.pdb", "rank_by_scoring.list"):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    assert recognised(paths_below(root)) == ("lightdock",)
    found = found_in(root, "lightdock")
    assert {path: place.name for path, place in found.items()} == {"4IZ7/top_1.pdb": "4IZ7_top_1"}


def test_the_ranking_of_lightdock_tells_what_a_swarms_output_does_not(tmp_path):
    root = tmp_path / "input"
    lightdock(root)
    (root / "4IZ7/swarm_0/gso_100.out").unlink()
    beside = FolderBeside(str(root))
    one, other = "4IZ7/swarm_0/lightdock_0.pdb", "4IZ7/swarm_0/lightdock_1.pdb"
    ranked = {"score_lightdock": 20.017, "score_lightdock_luciferin": 10.00856}
    assert said_of("lightdock", beside, one) == (ranked, ())
    values, problems = said_of("lightdock", beside, other)
    assert (values, len(problems)) == ({}, 1)
    assert problems[0].startswith("4IZ7/rank_by_scoring.list: has no line for 0_1")
    (root / "4IZ7/rank_by_scoring.list").unlink()
    values, problems = said_of("lightdock", beside, one)
    assert (values, len(problems)) == ({}, 1)
    assert problems[0].startswith("4IZ7/swarm_0/gso_*.out: is not there")


@pytest.mark.parametrize("damage", [b"", b"#Coordinates\n(1, 2", b"\xff" * 50])
def test_a_damaged_output_of_a_swarm_is_named_and_the_ranking_read(tmp_path, damage):
    root = tmp_path / "input"
    lightdock(root)
    put(root, "4IZ7/swarm_0/gso_100.out", damage)
    beside = FolderBeside(str(root))
    values, problems = said_of("lightdock", beside, "4IZ7/swarm_0/lightdock_0.pdb")
    assert (values["score_lightdock"], len(problems)) == (20.017, 1)
    assert problems[0].startswith("4IZ7/swarm_0/gso_100.out: ")
    values, problems = said_of("lightdock", beside, "4IZ7/swarm_0/lightdock_1.pdb")
    assert (values, len(problems)) == ({}, 2)
