"""A rank raises, dies or is told to stop before and after each stage, and at each operation that changes the folder."""

import random
import shutil
import subprocess
import sys

import pytest
from holding import HANG_S
from launching import ROOT, launch_environment, write_run_yaml

from tests.launched.broken_rank import ROOT_ONLY, STAGES

from .victims import LONG, SEED, SETTINGS, Victim, check_what_is_there, left_behind, published

BROKEN = "tests.launched.broken_rank"
FAULTS = [
    f"{kind} {when} {stage} on {rank}"
    for stage in STAGES
    for rank in ("first", "last")
    for when in ("before", "after")
    for kind in ("raises", "dies", "stops")
    if rank == "first" or stage not in ROOT_ONLY
]
SHORT = ("raises before list on last", "raises after models on last", "raises before columns on last")
CODES = {"raises": {1}, "stops": {0, 75}}  # after the last shard has begun, there is nothing left to stop
#: More operations than a run of two shards has.
OPERATIONS = 150
#: Of a model each.
TWO_SHARDS = {"glob": '"pose_000[12].pdb"', "max_per_shard": 1, "min_per_shard": 1}


def test_a_run_comes_to_every_stage_on_the_ranks_that_have_it(poses, tmp_path):
    """Or a fault there would never happen, and the tests of it would prove nothing."""
    path, folder = write_run_yaml(tmp_path / "run.yaml", poses, **SETTINGS), tmp_path / "stages"
    folder.mkdir()
    noted = Victim(2, f"noted {folder}", "run", path, module=BROKEN)
    assert noted.wait() == 0, noted.output
    ranks = {stage: (0,) if stage in ROOT_ONLY else (0, 1) for stage in STAGES}
    expected = {f"{stage}.{rank}" for stage in STAGES for rank in ranks[stage]}
    assert {path.name for path in folder.iterdir()} - {"model.1"} == expected - {"model.1"}  # one rank may take all


@pytest.mark.parametrize("fault", FAULTS if LONG else SHORT)
def test_a_fault_of_one_rank_ends_all_soon_and_a_rerun_finishes(fault, poses, tmp_path, undisturbed):
    path = write_run_yaml(tmp_path / "run.yaml", poses, **SETTINGS)
    broken = Victim(2, fault, "run", path, module=BROKEN)
    code, kind = broken.wait(), fault.split()[0]
    assert code in CODES.get(kind, {code} - {0, 75}), broken.output
    if kind == "raises":
        rank = {"first": 0, "last": 1}[fault.split()[-1]]
        assert f"rank {rank}: unexpected error" in broken.output
        assert "a fault made for the test" in broken.output
    assert ("stopped early by" in broken.output) == (code == 75), broken.output
    check_what_is_there(path.with_suffix(""))
    finish_and_compare(Victim(2, "run", path), path, undisturbed)


@pytest.fixture(scope="module")
def two_shards(poses, tmp_path_factory):
    """A finished run of two shards with a model each, and one without its clusters."""
    folder, expected = tmp_path_factory.mktemp("two_shards"), {}
    for name, options in (("whole", ()), ("prepared", ("--prep-graphs-only",))):
        path = write_two_shards(folder / f"{name}.yaml", poses)
        command = [sys.executable, "-m", "stagea_mpi", "run", str(path), *options]
        subprocess.run(command, check=True, timeout=HANG_S, cwd=ROOT, env=launch_environment(), capture_output=True)
        expected[name] = published(folder / name)
    return folder, expected["whole"]


def write_two_shards(path, poses):
    return write_run_yaml(path, poses, **TWO_SHARDS)


@pytest.mark.parametrize(
    ("start", "options"),
    [(None, ()), ("whole", ("--force",)), ("prepared", ())],
    ids=["first run", "made again by force", "only clustered"],
)
@pytest.mark.parametrize(
    "number", range(1, OPERATIONS) if LONG else sorted(random.Random(SEED).sample(range(1, 60), 2))
)
def test_killed_before_any_operation_on_files_a_rerun_ends_with_the_same_files(
    number, start, options, poses, tmp_path, two_shards
):
    folder, expected = two_shards
    path = write_two_shards(tmp_path / "run.yaml", poses)
    if start is not None:
        shutil.copytree(folder / start, path.with_suffix(""))
    killed = Victim(0, f"dies at file operation {number}", "run", path, *options, module=BROKEN)
    code = killed.wait()
    if code == 0:
        pytest.skip(f"a run has fewer than {number} operations")
    assert code == -9, killed.output
    check_what_is_there(path.with_suffix(""))
    finish_and_compare(Victim(0, "run", path), path, expected)


@pytest.fixture(scope="module")
def without_graphs(poses, tmp_path_factory):
    """A finished run of the same two shards without graphs.h5."""
    path = write_run_yaml(tmp_path_factory.mktemp("without") / "run.yaml", poses, **TWO_SHARDS, write_graphs=0)
    command = [sys.executable, "-m", "stagea_mpi", "run", str(path)]
    subprocess.run(command, check=True, timeout=HANG_S, cwd=ROOT, env=launch_environment(), capture_output=True)
    return path.with_suffix("")


@pytest.mark.parametrize("next_start", ["export", "run"])
@pytest.mark.parametrize("number", range(1, 60) if LONG else sorted(random.Random(SEED).sample(range(1, 30), 2)))
def test_an_export_killed_before_any_operation_on_files_is_finished_by_another_or_by_a_run(
    number, next_start, poses, tmp_path, two_shards, without_graphs
):
    path = write_two_shards(tmp_path / "run.yaml", poses)
    root = path.with_suffix("")
    shutil.copytree(without_graphs, root)
    killed = Victim(0, f"dies at file operation {number}", "export", root, module=BROKEN)
    code = killed.wait()
    if code == 0:
        pytest.skip(f"an export has fewer than {number} operations")
    assert code == -9, killed.output
    check_what_is_there(root)
    finish_and_compare(Victim(0, next_start, root if next_start == "export" else path), path, two_shards[1])


def finish_and_compare(again: Victim, path, expected: dict[str, bytes]) -> None:
    root = path.with_suffix("")
    assert again.wait() == 0, again.output
    assert published(root) == expected
    assert check_what_is_there(root) == 0
    assert not left_behind(root)
