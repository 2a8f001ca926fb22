"""Libraries that number are missing, hang or crash: told as such, and a rerun with good ones finishes."""

import pytest
from launching import write_run_yaml

from .victims import LONG, SETTINGS, Victim, check_what_is_there, published

FAULTS = {"a native call that does not return": "timeout", "a library that crashes": "crashed"}


def failures(path) -> list[list[str]]:
    return [row.split("\t") for row in (path.with_suffix("") / "shards/shard_000000/failures.tsv").open()][1:]


def broken(fault, path) -> Victim:
    return Victim(0, f"{fault}, in all numbering", "run", path, module="tests.launched.broken_rank")


@pytest.mark.parametrize("fault", FAULTS if LONG else ["a library that crashes"])
def test_numbering_that_ends_or_hangs_is_told_and_a_rerun_with_a_good_one_finishes(fault, poses, tmp_path, undisturbed):
    path = write_run_yaml(tmp_path / "run.yaml", poses, **SETTINGS)
    run = broken(fault, path)
    assert run.wait() == 4, run.output
    assert "more than max_failed_fraction" in run.output
    assert {row[3] for row in failures(path)} == {FAULTS[fault]}
    assert all("numbering by ANARCI" in row[4] for row in failures(path))
    assert check_what_is_there(path.with_suffix("")) == 75
    again = Victim(2, "run", write_run_yaml(path, poses, **SETTINGS))
    assert again.wait() == 0, again.output
    assert published(path.with_suffix("")) == undisturbed


def test_chains_are_not_taken_for_no_antibodys_where_it_was_numbering_that_failed(poses, tmp_path):
    path = write_run_yaml(tmp_path / "run.yaml", poses)
    path.write_text(path.read_text().replace("chains: {heavy: H, light: L, antigen: A}", "chains: auto"))
    run = broken("a library that crashes", path)
    assert run.wait() == 4, run.output
    assert {(row[2], row[3]) for row in failures(path)} == {("chains", "crashed")}
    again = Victim(0, "run", path)
    assert again.wait() == 0, again.output
    assert "6 of 6 models are in" in again.output


def test_a_library_that_is_missing_ends_the_run_and_is_named(poses, tmp_path, undisturbed):
    (tmp_path / "pyhmmer.py").write_text("raise ImportError('no library')\n")
    path = write_run_yaml(tmp_path / "run.yaml", poses, **SETTINGS)
    run = Victim(0, "run", path, PYTHONPATH=str(tmp_path))
    assert run.wait() == 1, run.output
    assert "anarci or pyhmmer cannot be imported (no library)" in run.output
    again = Victim(2, "run", path)
    assert again.wait() == 0, again.output
    assert published(path.with_suffix("")) == undisturbed
