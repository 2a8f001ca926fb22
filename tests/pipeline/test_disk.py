import pytest

from stagea_mpi.pipeline.disk import measure_disk
from stagea_mpi.rundir.folders import RunFolder
from stagea_mpi.storage.packed_reader import PackedFile


def test_what_models_are_measured_to_take_is_what_their_run_has_taken(finished):
    shard = RunFolder(finished[True].run_root).shard(0)
    with PackedFile(shard.packed) as packed:
        built = [(name, graph, packed.clusters(index)) for index, name, graph in packed.graphs()]
    need = measure_disk(built)
    packed_bytes, graphs_bytes = shard.packed.stat().st_size, shard.graphs.stat().st_size
    assert need.graphs_a_model == graphs_bytes / len(built)
    # Paths and hashes of the inputs, which the measured models have not, take some bytes.
    assert need.of_run(len(built), 1, with_graphs=False) == pytest.approx(packed_bytes, rel=0.05)
    assert need.of_run(len(built), 1, with_graphs=True) == pytest.approx(packed_bytes + graphs_bytes, rel=0.05)


def test_of_no_graphs_nothing_is_known():
    assert measure_disk([]) is None
