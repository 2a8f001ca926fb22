"""Runs with an h5py that is built without MPI."""

import re

import h5py
import numpy as np
import pytest
from launching import published

SERIAL = "tests.launched.serial_h5py"
SMALL = {"max_per_shard": 3, "min_per_shard": 1}
#: Columns that tell of the run, not of the models.
OF_THE_RUN = ("model/rank", "model/seconds")


def packed(run_yaml) -> dict[str, np.ndarray]:
    """Columns of packed.h5 that do not depend on the ranks, by shard and name."""
    found = {}
    for path in sorted(run_yaml.with_suffix("").glob("shards/*/packed.h5")):
        with h5py.File(path) as file:
            file.visititems(
                lambda name, item, shard=path.parent.name: found.update(
                    {f"{shard}/{name}": item[()]} if isinstance(item, h5py.Dataset) and name not in OF_THE_RUN else {}
                )
            )
    return found


def assert_same_run(path, expected) -> None:
    assert published(path) == published(expected)
    ours, theirs = packed(path), packed(expected)
    assert ours.keys() == theirs.keys()
    assert [name for name in ours if not np.array_equal(ours[name], theirs[name])] == []


@pytest.mark.parametrize(
    ("ranks", "team", "a_round"),
    [(2, "node", 1), (3, "world", 1), (3, 2, 100), (3, "auto", 100), (2, 1, 100), (1, "node", 1)],
)
def test_the_first_rank_of_a_team_writes_what_it_gathers(ranks, team, a_round, poses, run_yaml, launch, undisturbed):
    path = run_yaml(poses, f"serial_{team}", team=team, **SMALL, graph_result_queue_maxsize=a_round)
    done = launch(ranks, "no fault", "run", path, module=SERIAL)
    assert done.returncode == 0, done.stdout
    assert_same_run(path, undisturbed)
    said = len(re.findall(r" rank 0 h5py is built without MPI: the first rank of each team gathers", done.stdout))
    assert len(re.findall("gathers", done.stdout)) == said
    assert said == (team != 1 and ranks > 1), done.stdout


@pytest.mark.parametrize(
    "fault", ["dies after columns on first", "dies before close on last", "dies before publish on first"]
)
def test_killed_while_it_gathers_a_rerun_ends_with_the_same_files(fault, poses, run_yaml, launch, undisturbed):
    path = run_yaml(poses, "killed", team="node", **SMALL, graph_result_queue_maxsize=1)  # several rounds a shard
    killed = launch(2, fault, "run", path, module=SERIAL)
    assert killed.returncode not in (0, 75), killed.stdout
    assert published(path) != published(undisturbed)
    again = launch(2, "no fault", "run", path, module=SERIAL)
    assert again.returncode == 0, again.stdout
    assert_same_run(path, undisturbed)


@pytest.mark.parametrize("rank", ["first", "last"])
def test_an_error_while_it_gathers_ends_all_ranks(rank, poses, run_yaml, launch, undisturbed):
    path = run_yaml(poses, "broken", team="node", **SMALL)
    broken = launch(2, f"raises after columns on {rank}", "run", path, module=SERIAL)
    assert broken.returncode == 1, broken.stdout
    assert "a fault made for the test" in broken.stdout


def test_prepared_graphs_are_clustered_with_a_serial_h5py(poses, run_yaml, launch, undisturbed):
    path = run_yaml(poses, "prepared_in_parallel", max_per_shard=3, min_per_shard=1)
    assert launch(2, "run", path, "--phase", "prep_graphs").returncode == 0
    done = launch(2, "no fault", "run", path, "--phase", "cluster_only", module=SERIAL)
    assert done.returncode == 0, done.stdout
    assert "gathers" not in done.stdout
    assert published(path) == published(undisturbed)
