"""Runs with an h5py that is built without MPI."""

import pytest
from launching import published


@pytest.mark.parametrize("stage_a", [{"team": "node"}, {"team": 2}], ids=["node", "number"])
def test_ranks_with_a_serial_h5py_are_told_so_before_a_file_is_read(stage_a, poses, run_yaml, launch):
    path = run_yaml(poses, **stage_a)
    done = launch(2, "run", path, module="tests.launched.serial_h5py")
    assert done.returncode == 1, done.stdout
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("stagea_mpi: ")]
    assert "is built without MPI, so the 2 ranks of a team cannot write one file together" in line
    assert "HDF5_MPI=ON" in line
    assert "Traceback" not in done.stdout
    assert not path.with_suffix("").exists()


@pytest.mark.parametrize(("ranks", "team"), [(1, "node"), (2, 1), (2, "auto")])
def test_a_serial_h5py_will_do_where_each_rank_writes_its_own_files(ranks, team, poses, run_yaml, launch, undisturbed):
    path = run_yaml(poses, f"serial_{team}", max_per_shard=3, min_per_shard=1, team=team)
    done = launch(ranks, "run", path, module="tests.launched.serial_h5py")
    assert done.returncode == 0, done.stdout
    assert published(path) == published(undisturbed)


def test_prepared_graphs_are_clustered_with_a_serial_h5py(poses, run_yaml, launch, undisturbed):
    path = run_yaml(poses, "prepared_in_parallel", max_per_shard=3, min_per_shard=1)
    assert launch(2, "run", path, "--phase", "prep_graphs").returncode == 0
    done = launch(2, "run", path, "--phase", "cluster_only", module="tests.launched.serial_h5py")
    assert done.returncode == 0, done.stdout
    assert published(path) == published(undisturbed)
