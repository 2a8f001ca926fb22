"""Runs that get a reference later: the same files as with one from the beginning."""

import dataclasses
import shutil
from pathlib import Path
from unittest.mock import ANY

import h5py
import pytest
from compared_runs import FAB, same_targets, with_reference
from made import fv_lines, write
from without_graphs import contents, stamps, start, verified

from stagea_mpi.cli import main
from stagea_mpi.errors import RunFolderError
from stagea_mpi.mpi.guard import StopRequest
from stagea_mpi.mpi.teams import SerialComm
from stagea_mpi.pipeline.context import Options
from stagea_mpi.pipeline.score_reference import score_reference
from stagea_mpi.rundir import records
from stagea_mpi.rundir.folders import RunFolder


@pytest.fixture
def score(capsys):
    """Runs `score-reference`; its exit code and words."""

    def run(root: Path, *options: str) -> tuple[int, str]:
        capsys.readouterr()
        code = main(["score-reference", str(root), *options])
        out, err = capsys.readouterr()
        return code, out + err

    return run


def test_scored_later_a_run_has_the_files_of_one_with_a_reference(copy, plain, compared, score):
    config = copy(plain)
    code, words = score(config.run_root, "--reference", str(FAB))
    assert code == 0
    assert f"6 models have their targets in {config.run_root}/shards/*/packed.h5 (2 of 2 shards; 2 written)" in words
    assert contents(config.run_root) == contents(compared.run_root)
    assert same_targets(config.run_root, compared.run_root)
    for path in config.run_root.glob("shards/*/packed.h5"):
        with h5py.File(path) as ours, h5py.File(compared.run_root / path.relative_to(config.run_root)) as theirs:
            assert dict(ours.attrs) == dict(theirs.attrs)
            names, others = [], []
            ours.visit(names.append)
            theirs.visit(others.append)
            assert names == others
    assert verified(config.run_root)[0] == 0
    assert not list(config.run_root.glob("shards/*/.*"))
    before = stamps(config.run_root)
    assert "2 skipped" in score(config.run_root, "--reference", str(FAB))[1]
    same = dataclasses.replace(config, reference=compared.reference)
    assert [outcome.action for outcome in start(same, graphs=True).outcomes] == ["skipped"] * 2
    assert stamps(config.run_root) == before


def test_scored_with_another_reference_the_columns_are_replaced(copy, compared, plain, score, tmp_path):
    config = copy(compared)
    native = write(tmp_path / "native.pdb", fv_lines())
    code, words = score(config.run_root, "--reference", native, "--chains", "{heavy: H, light: L, antigen: A}")
    assert (code, "2 written" in words) == (0, True)
    assert not same_targets(config.run_root, compared.run_root)
    code, words = score(config.run_root)  # by the run's own configuration
    assert (code, "2 written" in words) == (0, True)
    assert same_targets(config.run_root, compared.run_root)
    assert contents(config.run_root) == contents(compared.run_root)
    assert datasets_of(config.run_root) == datasets_of(compared.run_root)  # old h5py notes other properties of the same


def datasets_of(root):
    """Every dataset of every packed.h5, and the attributes of the files, by their paths."""
    found = {}
    for path in sorted(root.glob("shards/*/packed.h5")):
        with h5py.File(path) as file:
            names = []
            file.visit(names.append)
            items = {name: file[name] for name in names if isinstance(file[name], h5py.Dataset)}
            found |= {(path.parent.name, key): value for key, value in file.attrs.items()}
            found |= {(path.parent.name, name): (i.dtype.str, i[()].tobytes()) for name, i in items.items()}
    return found


def test_without_graphs_and_clusters_targets_are_there_when_these_come(copy, plain, compared, score, tmp_path):
    config = dataclasses.replace(plain, run_root=tmp_path / "phases")
    start(config, graphs=False, phase="prep_graphs")
    assert score(config.run_root, "--reference", str(FAB))[0] == 0
    assert not contents(config.run_root)
    start(config, graphs=True, phase="cluster_only")
    assert contents(config.run_root) == contents(compared.run_root)
    assert same_targets(config.run_root, compared.run_root)
    assert verified(config.run_root)[0] == 0


class KilledError(Exception):
    """In place of a process that ends at once."""


@pytest.mark.parametrize("n_steps", [0, 1, 2])
@pytest.mark.parametrize("next_is", ["score", "run", "run with the reference"])
def test_killed_between_two_files_the_next_command_goes_on(copy, plain, compared, score, monkeypatch, n_steps, next_is):
    """Before the metadata that vouch for both files, before these have their names, and before the second has its."""
    config = copy(plain)
    write_together, done = records.write_together, []

    def killed(files):
        files = list(files)
        if len(done) == 1 and n_steps == 2:
            write_together(files[:1])
        if len(done) == min(n_steps, 1):
            raise KilledError
        done.append(files)
        write_together(files)

    with monkeypatch.context() as patch:
        patch.setattr(records, "write_together", killed)
        patch.setattr(Path, "unlink", lambda *arguments, **options: None)  # who is killed clears nothing up
        with pytest.raises(KilledError):
            score_reference(SerialComm(), RunFolder(config.run_root), lambda: compared.reference, None, StopRequest())
    shard = RunFolder(config.run_root).shard(0)
    assert len(list(shard.path.glob(".*.h5.*"))) == (2, 2, 1)[n_steps]
    (shard.path / ".lock").unlink()
    of_first = Options(shards=(0,))
    if next_is == "run":
        assert start(config, graphs=True, options=of_first).exit_code == 0
        assert verified(config.run_root) == (0, ANY)
    elif next_is == "run with the reference" and n_steps < 2:
        with pytest.raises(RunFolderError, match="score-reference"):
            start(with_reference(config, str(FAB), config.run_root), graphs=True, options=of_first)
    elif next_is == "run with the reference":
        start(with_reference(config, str(FAB), config.run_root), graphs=True, options=of_first)
        assert verified(config.run_root) == (0, ANY)
    assert score(config.run_root, "--reference", str(FAB))[0] == 0
    assert contents(config.run_root) == contents(compared.run_root)
    assert same_targets(config.run_root, compared.run_root)
    assert verified(config.run_root)[0] == 0
    assert not list(config.run_root.glob("shards/*/.*"))


def test_what_cannot_be_scored_is_named_and_the_rest_is(copy, plain, compared, score, tmp_path):
    """A shard that is damaged; then one whose input has changed."""
    inputs = shutil.copytree(plain.pdb_root, tmp_path / "in")
    config = dataclasses.replace(plain, run_root=tmp_path / "run", pdb_root=inputs)
    start(config, graphs=True)
    shards = [RunFolder(config.run_root).shard(k) for k in (0, 1)]
    whole = shards[0].packed.read_bytes()
    shards[0].packed.write_bytes(whole[:-1])
    code, words = score(config.run_root, "--reference", str(FAB))
    assert (code, "1 refused, 1 written" in words, "packed.h5: has" in words) == (2, True, True)
    shards[0].packed.write_bytes(whole)
    first = Path(shards[0].inputs()[0])
    first.write_text(first.read_text() + "REMARK\n")
    before = stamps(config.run_root)
    code, words = score(config.run_root, "--reference", str(FAB))
    assert (code, f"its graphs were made from other input: {first}. Restore it" in words) == (2, True)
    assert stamps(config.run_root) == before


def test_a_command_without_a_reference_or_a_run_says_what_is_missing(copy, plain, score, tmp_path):
    config = copy(plain)
    code, words = score(config.run_root)
    assert (code, "no reference is stated; name the known complex as --reference FILE" in words) == (2, True)
    code, words = score(tmp_path, "--reference", str(FAB))
    assert (code, "is not the folder of a run" in words) == (2, True)
    code, words = score(config.run_root, "--reference", str(tmp_path / "none.pdb"))
    assert (code, f"{tmp_path}/none.pdb is not there" in words) == (2, True)
