import dataclasses

import pytest

from stagea_mpi.demo.poses import COMPLEXES, write_poses
from stagea_mpi.mpi.guard import StopRequest
from stagea_mpi.mpi.teams import SerialComm
from stagea_mpi.pipeline.context import Options
from stagea_mpi.pipeline.export import export_graphs
from stagea_mpi.pipeline.run import run
from stagea_mpi.rundir.folders import RunFolder

pytestmark = pytest.mark.mpi


@pytest.fixture
def roots(comm, shared_tmp_path, config_for):
    """Run folders of five shards, made by the first rank: with graphs.h5, and without; their configuration."""
    config = config_for(shared_tmp_path / "poses", max_per_shard=1, min_per_shard=1, max_failed_fraction=1.0)
    found = {True: shared_tmp_path / "with", False: shared_tmp_path / "without"}
    if comm.rank == 0:
        write_poses(config.pdb_root, COMPLEXES["7DAA"], 5, seed=5)
        for graphs, root in found.items():
            stage_a = dataclasses.replace(config.stage_a, write_graphs=graphs)
            run(SerialComm(), dataclasses.replace(config, run_root=root, stage_a=stage_a), Options(), StopRequest())
    comm.barrier()
    return found


def graphs_of(root) -> dict[str, bytes]:
    return {path.parent.name: path.read_bytes() for path in root.glob("shards/*/graphs.h5")}


def test_ranks_export_together_what_the_run_would_have_written(comm, roots):
    summary = export_graphs(comm, RunFolder(roots[False]), None, StopRequest())
    if comm.rank == 0:
        assert [outcome.action for outcome in summary.outcomes] == ["written"] * 5
        assert summary.exit_code == 0
        assert len(graphs_of(roots[True])) == 5
        assert graphs_of(roots[False]) == graphs_of(roots[True])


def test_what_is_wrong_with_one_shard_is_told_by_the_first_rank_whoever_had_it(comm, roots):
    if comm.rank == 0:
        RunFolder(roots[False]).shard(3).packed.unlink()
    comm.barrier()
    summary = export_graphs(comm, RunFolder(roots[False]), None, StopRequest())
    if comm.rank == 0:
        assert [outcome.action for outcome in summary.outcomes] == ["written"] * 3 + ["refused", "written"]
        assert summary.exit_code == 2
        assert any("shard_000003/packed.h5: is missing" in line for line in summary.lines(""))


def test_a_stop_on_all_ranks_leaves_the_rest_to_another_export(comm, roots):
    stop = StopRequest()
    stop._note(15, None)
    summary = export_graphs(comm, RunFolder(roots[False]), None, stop)
    if comm.rank == 0:
        assert (summary.outcomes, summary.exit_code) == ([], 75)
        assert "stopped early by SIGTERM" in summary.lines("")[-1]
