from made import fv_lines, write

from stagea_mpi.cli import main
from stagea_mpi.rundir.folders import RunFolder
from stagea_mpi.rundir.shard_meta import ShardMeta
from stagea_mpi.storage.schema import SCHEMA_VERSION


def test_graphs_of_an_earlier_version_are_called_so_and_not_damaged(tmp_path, capsys):
    write(tmp_path / "in/fv.pdb", fv_lines())
    config = tmp_path / "run.yaml"
    config.write_text(
        f"run_root: {tmp_path}/run\npdb_root: {tmp_path}/in\nchains: {{heavy: H, light: L, antigen: A}}\n"
    )
    assert main(["run", str(config)]) == 0
    shard = RunFolder(tmp_path / "run").shard(0)
    meta = ShardMeta.read(shard)
    meta.numerics["schema_version"] -= 1
    meta.result.n_noted = None  # which an earlier version did not count
    meta.write(shard)
    capsys.readouterr()
    assert main(["run", str(config)]) == 2
    said = capsys.readouterr().err
    assert f"schema_version was {SCHEMA_VERSION - 1}, is {SCHEMA_VERSION}" in said
    assert "damaged" not in said
