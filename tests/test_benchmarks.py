"""The benchmarks run, and look at what the kernels and their references give. How long that takes is nobody's test."""

import os
import shutil

import pytest

SMALL = ("parts", "--sizes", "small", "--models", "1", "--repeats", "1")


def test_parts_are_measured_beside_programs_that_give_the_same_numbers(launch):
    done = launch(0, *SMALL, module="benchmarks")
    assert done.returncode == 0, done.stdout
    for said in ("2884 atoms, 1 poses", "equal pairs", "equal bits", "equal labels", "graphs.h5", "all of these"):
        assert said in done.stdout
    assert ("max |Δ|" if shutil.which("voronota") else "voronota is not installed") in done.stdout


def test_results_that_are_not_the_references_are_told(launch, tmp_path):
    (tmp_path / "voronota").write_text("#!/bin/sh\ncat >/dev/null\n")  # finds no contact
    (tmp_path / "voronota").chmod(0o755)
    done = launch(0, *SMALL, module="benchmarks", PATH=f"{tmp_path}:{os.environ['PATH']}")
    assert done.returncode == 1, done.stdout
    assert "results are not the references':\nsmall: contact areas: max |Δ|" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("numbering", "--models", "2", "--repeats", "1"), "numbering, one by one"),
        (("runs", "--poses", "3", "--repeats", "1", "--ranks", "1"), "Runs of 3 poses"),
        (("scores", "--samples", "2", "--repeats", "1"), "Boltz"),
        (("long-runs", "--files", "50", "--shards", "3", "--models", "4"), "report of 3 shards, 12 models"),
    ],
    ids=["numbering", "runs", "scores", "long-runs"],
)
def test_numbering_and_whole_runs_are_measured(launch, arguments, says):
    done = launch(0, *arguments, module="benchmarks")
    assert done.returncode == 0, done.stdout
    assert says in done.stdout


def test_a_stretched_run_goes_through_the_real_schedule_and_is_no_faster_than_its_stages(launch):
    arguments = ("stretched", "--ranks", "2", "--models", "40", "--shard", "10", "--costs", "be03b77")
    done = launch(0, *arguments, module="benchmarks")
    assert done.returncode == 0, done.stdout
    ranks, models, factor, *teams, build, simulated, _, efficiency, _ = done.stdout.splitlines()[-1].split()
    assert (ranks, models, factor) == ("2", "40", "1.0")
    assert " ".join(teams) in ("2 of 1-1", "1 of 2-2")
    # 40 models of a little below or above 248 ms on two ranks.
    assert float(build) >= 0.99 * float(simulated)
    assert 40 * 0.22 / 2 < float(simulated) < 40 * 0.28 / 2
    assert float(efficiency) <= 1.01
