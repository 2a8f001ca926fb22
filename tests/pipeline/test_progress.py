import sys

from stagea_mpi.pipeline.progress import Progress
from stagea_mpi.rundir.folders import ShardFolder
from stagea_mpi.rundir.lock import ShardLock


def test_a_process_whose_stderr_is_closed_shows_no_bar(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "stderr", None)  # as Python has it then
    folder = ShardFolder(0, tmp_path, tmp_path / "shard_000000.lst")
    progress = Progress(folder, ShardLock(folder.path), 5.0, show_bar=True)
    progress.begin(3)
    progress.end()
    assert folder.progress.exists()
