import json
import os
import subprocess
import sys

import pytest
from made import meta_of

from stagea_mpi.rundir.folders import DONE, GRAPHS_DONE, RunFolder, write_together
from stagea_mpi.rundir.lock import ShardLock
from stagea_mpi.rundir.shard_state import Published, ShardState


@pytest.fixture
def shard(tmp_path):
    folder = RunFolder(tmp_path)
    folder.create()
    made = folder.shard(0)
    made.path.mkdir()
    return made


def with_packed(shard, graphs_bytes=None):
    shard.packed.write_bytes(b"graphs")
    meta_of(graphs_bytes=graphs_bytes).write(shard)


#: In the order in which a run writes them.
STEPS = {
    "nothing": lambda shard: None,
    "metadata before the graphs": lambda shard: meta_of().write(shard),
    "graphs": with_packed,
    "all but the markers": lambda shard: with_packed(shard, 7),
    "first marker": lambda shard: write_together(shard.marks(GRAPHS_DONE)),
    "both markers": lambda shard: write_together(shard.marks(DONE)),
}


@pytest.mark.parametrize(
    ("last", "published"),
    [
        ("nothing", Published.NOTHING),
        ("metadata before the graphs", Published.NOTHING),
        ("graphs", Published.UNFINISHED),
        ("all but the markers", Published.TOO_MANY_FAILED),
        ("first marker", Published.GRAPHS),
        ("both markers", Published.DONE),
    ],
)
def test_a_shard_goes_through_its_states(last, published, shard):
    for name, write in STEPS.items():
        write(shard)
        if name == last:
            break
    assert ShardState(shard).published is published


def test_what_is_half_replaced_is_known(shard):
    with_packed(shard)
    assert not ShardState(shard).is_being_replaced
    meta_of(replaced={"packed.h5": None}).write(shard)
    assert ShardState(shard).is_being_replaced


def test_progress_is_that_of_the_holder_or_an_earlier_runs(shard):
    lock = ShardLock(shard.path)
    lock.acquire()
    said = {"stage": "graphs", "pid": os.getpid(), "taken": 3}
    assert ShardState(shard).work == {"stage": "reading"}
    for progress, expected in (
        (said, said),
        (said | {"pid": os.getpid() + 1}, {"stage": "reading"}),
        (said | {"stage": "stopped"}, {"stage": "reading"}),
    ):
        shard.progress.write_text(json.dumps(progress))
        assert ShardState(shard).work == expected
    lock.release()
    assert ShardState(shard).holder is None


def test_progress_that_is_being_replaced_counts_as_none(shard):
    shard.progress.write_text('{"stage": "gra')
    assert ShardState(shard).progress is None


def test_a_state_is_looked_up_without_hdf5_and_mpi():
    code = "import sys, stagea_mpi.rundir.shard_state; sys.exit(bool({'h5py', 'mpi4py'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
