"""Programs that are missing, hang, print garbage or fail: told as such, and a rerun with the right ones finishes."""

import os
import shutil

import pytest
from launching import write_run_yaml

from .victims import LONG, SETTINGS, Victim, check_what_is_there, published

FAULTS = {
    "hangs": ('case "$1" in ""|-h) ;; *) exec sleep 600 ;; esac', 4, "timeout"),
    "prints garbage": ("cat > /dev/null; echo garbage", 4, "child_failed"),
    "prints nothing": ("cat > /dev/null", 4, "child_failed"),
    "fails": ("echo no licence >&2; exit 3", 4, "child_failed"),
}


@pytest.mark.parametrize("fault", FAULTS if LONG else ["prints garbage"])
def test_a_program_that_does_not_do_its_work_is_told_and_a_rerun_with_a_good_one_finishes(
    fault, poses, tmp_path, undisturbed
):
    script, code, reason = FAULTS[fault]
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/hmmscan").write_text(f"#!/bin/sh\n{script}\n")
    (tmp_path / "bin/hmmscan").chmod(0o755)
    hangs = fault == "hangs"
    path = write_run_yaml(tmp_path / "run.yaml", poses, **SETTINGS)
    # Without mpiexec, which puts its own folder, with the good programs, before all others.
    search = f"{tmp_path / 'bin'}:{os.environ['PATH']}"
    limits = "short limits" if hangs else "no fault"
    broken = Victim(0, limits, "run", path, module="tests.launched.broken_rank", PATH=search)
    assert broken.wait() == code, broken.output
    assert "more than max_failed_fraction" in broken.output
    failures = [row.split("\t") for row in (path.with_suffix("") / "shards/shard_000000/failures.tsv").open()][1:]
    assert {row[3] for row in failures} == {reason}
    assert all("hmmscan" in row[4] for row in failures)
    assert check_what_is_there(path.with_suffix("")) == 75
    again = Victim(2, "run", write_run_yaml(path, poses, **SETTINGS))
    assert again.wait() == 0, again.output
    assert published(path.with_suffix("")) == undisturbed


def test_chains_are_not_taken_for_no_antibodys_where_it_was_hmmscan_that_failed(poses, tmp_path):
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/hmmscan").write_text("#!/bin/sh\ncat > /dev/null; echo garbage\n")
    (tmp_path / "bin/hmmscan").chmod(0o755)
    path = write_run_yaml(tmp_path / "run.yaml", poses)
    path.write_text(path.read_text().replace("chains: {heavy: H, light: L, antigen: A}", "chains: auto"))
    broken = Victim(0, "run", path, PATH=f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    assert broken.wait() == 4, broken.output
    failures = [row.split("\t") for row in (path.with_suffix("") / "shards/shard_000000/failures.tsv").open()][1:]
    assert {(row[2], row[3]) for row in failures} == {("chains", "child_failed")}
    again = Victim(0, "run", path)
    assert again.wait() == 0, again.output
    assert "6 of 6 models are in" in again.output


def test_a_program_that_is_missing_ends_the_run_and_says_which(poses, tmp_path, undisturbed):
    (tmp_path / "bin").mkdir()
    for name in ("setpriv", "orted"):
        if shutil.which(name):
            (tmp_path / "bin" / name).symlink_to(shutil.which(name))
    path = write_run_yaml(tmp_path / "run.yaml", poses, **SETTINGS)
    broken = Victim(0, "run", path, PATH=str(tmp_path / "bin"))
    assert broken.wait() == 1, broken.output
    assert "hmmscan is not on PATH" in broken.output
    again = Victim(2, "run", path)
    assert again.wait() == 0, again.output
    assert published(path.with_suffix("")) == undisturbed
