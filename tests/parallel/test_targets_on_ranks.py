import dataclasses

import numpy as np
import pytest
from shipped import STRUCTURES

from stagea_mpi.config.references import parse_reference
from stagea_mpi.demo.poses import COMPLEXES, write_poses
from stagea_mpi.errors import ConfigError
from stagea_mpi.mpi.guard import StopRequest
from stagea_mpi.mpi.teams import SerialComm
from stagea_mpi.pipeline.context import Options
from stagea_mpi.pipeline.references import prepare
from stagea_mpi.pipeline.run import run
from stagea_mpi.pipeline.score_reference import score_reference
from stagea_mpi.rundir.folders import RunFolder
from stagea_mpi.storage.packed_reader import PackedFile

pytestmark = pytest.mark.mpi


@pytest.fixture
def config(comm, shared_tmp_path, config_for):
    """Of five poses in shards of two and a file that is no structure, with a reference; the first rank writes them."""
    poses = shared_tmp_path / "poses"
    if comm.rank == 0:
        write_poses(poses, COMPLEXES["7DAA"], 5, seed=5)
        (poses / "odd.pdb").write_text("no structure\n")
    comm.barrier()
    settings = {"max_per_shard": 2, "min_per_shard": 1, "max_failed_fraction": 1.0, "graph_result_queue_maxsize": 1}
    found = config_for(poses, shared_tmp_path / "together", **settings)
    return dataclasses.replace(found, reference=parse_reference(str(STRUCTURES / "7DAA_model.pdb.gz"), "reference"))


def targets_of(root):
    found = {}
    for path in root.glob("shards/*/packed.h5"):
        with PackedFile(path) as packed:
            assert packed.targets
            found |= {f"{path.parent.name}/{name}": values.tolist() for name, values in packed.targets.items()}
    return found


def graphs_of(root):
    return {path.parent.name: path.read_bytes() for path in root.glob("shards/*/graphs.h5")}


def test_all_ranks_together_find_what_one_rank_does_at_once_and_later(comm, config, shared_tmp_path):
    assert run(comm, config, Options(), StopRequest()).exit_code == 0
    later = dataclasses.replace(config, run_root=shared_tmp_path / "later", reference=None)
    assert run(comm, later, Options(), StopRequest()).exit_code == 0
    summary = score_reference(comm, RunFolder(later.run_root), lambda: config.reference, None, StopRequest())
    if comm.rank == 0:
        assert [outcome.action for outcome in summary.outcomes] == ["written"] * 3
        alone = dataclasses.replace(config, run_root=shared_tmp_path / "alone")
        run(SerialComm(), alone, Options(), StopRequest())
        expected = targets_of(alone.run_root)
        assert len(expected) == 3 * 8
        for root in (config.run_root, later.run_root):
            np.testing.assert_equal(targets_of(root), expected)
            assert graphs_of(root) == graphs_of(alone.run_root)


def test_ranks_share_the_references_and_all_have_all_of_them(comm, shared_tmp_path):
    table = shared_tmp_path / "references.csv"
    if comm.rank == 0:
        rows = [f"{name},{STRUCTURES / file}" for name, file in (("a", "7DAA_model.pdb.gz"), ("b", "7CFN.cif.gz"))]
        table.write_text("\n".join(["model,structure", *rows]) + "\n")
    comm.barrier()
    stated = parse_reference({"table": str(table)}, "reference")
    found, alone = prepare(comm, stated), prepare(SerialComm(), stated)
    assert found.sha256 == alone.sha256
    assert [found.prepared[one].key for one in stated.stated] == [alone.prepared[one].key for one in stated.stated]


def test_a_reference_that_one_rank_cannot_use_is_an_error_of_all(comm, shared_tmp_path):
    table = shared_tmp_path / "references.csv"
    if comm.rank == 0:
        table.write_text(f"model,structure\na,{STRUCTURES / '7DAA_model.pdb.gz'}\nb,none.pdb\n")
    comm.barrier()
    with pytest.raises(ConfigError, match="line 3: .*none.pdb is not there"):
        prepare(comm, parse_reference({"table": str(table)}, "reference"))
