"""Jobs that a time limit or scancel interrupts, and what becomes of their run."""

import json
import os
import signal
from pathlib import Path

import h5py
import numpy as np
import pytest
from private_slurm import status_of

from stagea_mpi.rundir.lock import SILENCE_LIMIT


def test_a_job_cut_by_its_time_limit_requeues_itself_and_ends_as_if_undisturbed(
    two_nodes, poses, write_run, held_model, tmp_path
):
    hold, activate = held_model(after=2, goes_when_told=False)
    config, run_root = write_run(
        poses,
        top={"after": "touch $STAGEA_RUN_ROOT/after; ls"},
        job_form="single",
        time="00:45:00",
        signal_ahead_s=1200,
        activate=activate,
    )
    undisturbed, expected = write_run(poses, name="undisturbed")

    job = _submit(two_nodes, config, run_root)[0]
    hold.wait(2)  # two models are those of the first shard, which the first rank publishes before it takes another
    published = _published_files(run_root)
    # 20 minutes ahead of the end Slurm sends the signal; it looks every 30 s.
    two_nodes.run("scontrol", "update", f"JobId={job}", "TimeLimit=20")
    two_nodes.stagea("run", undisturbed)
    two_nodes.wait_until(hold.told, f"signal of job {job}")
    two_nodes.run("scontrol", "update", f"JobId={job}", "TimeLimit=45")  # its next start gets no signal
    hold.let_go()
    two_nodes.wait_until(lambda: two_nodes.job(job)["Restarts"] == "1", f"requeue of job {job}")
    two_nodes.wait_for_jobs()

    assert {path.parent.name for path in published} == {"shard_000000"}
    assert {path: stamp for path, stamp in _published_files(run_root).items() if path in published} == published
    log = (run_root / "logs" / f"stagea_full_{job}.log").read_text()
    assert log.count("exit code 75, interrupted: limit") == 1
    assert log.count(" exit code 0\n") == 1
    assert two_nodes.job(job)["ExitCode"] == "0:0"
    assert (run_root / "after").exists()
    assert status_of(two_nodes, run_root)["total"]["shards"] == {"done": 3}
    _assert_same_results(run_root, expected)


def test_a_job_requeues_itself_no_more_often_than_it_may(two_nodes, poses, write_run, held_model, tmp_path):
    hold, activate = held_model()
    config, run_root = write_run(poses, job_form="single", requeue_limit=0, activate=activate, top={"after": "ls"})

    job, after = _submit(two_nodes, config, run_root)
    hold.wait(2)
    two_nodes.run("scancel", "--batch", "--signal=USR1", job)
    two_nodes.wait_for_jobs()

    assert two_nodes.job(job)["ExitCode"] == "75:0"
    assert two_nodes.job(job)["Restarts"] == "0"
    assert two_nodes.job(after)["JobState"] == "CANCELLED"
    log = (run_root / "logs" / f"stagea_full_{job}.log").read_text()
    assert "not requeued" in log
    assert "submit again" in log


@pytest.mark.parametrize("phase", ["full", "prep_graphs"])
def test_what_scancel_ends_is_finished_by_submitting_again(two_nodes, poses, write_run, held_model, tmp_path, phase):
    # A shard is finished before models of the next but one are begun: of six, the first one is when the third is held.
    hold, activate = held_model(after=2)
    config, run_root = write_run(
        poses, top={"max_concurrent_a": 1}, activate=activate, split_mode=phase == "prep_graphs", max_per_shard=1
    )
    undisturbed, expected = write_run(poses, name="undisturbed", max_per_shard=1)
    two_nodes.stagea("run", undisturbed)

    first = _submit(two_nodes, config, run_root)
    hold.wait()
    refused = two_nodes.stagea("submit", config, check=False)
    two_nodes.run("scancel", *first)
    two_nodes.wait_for_jobs()
    published = _published_files(run_root) if phase == "full" else {}
    cut = status_of(two_nodes, run_root)["total"]["shards"]
    hold.let_go()
    two_nodes.stagea("submit", config)
    two_nodes.wait_for_jobs()

    assert refused.returncode == 2
    assert f"scancel {first[0]}" in refused.stdout
    assert not {"graphs", "finishing", "reading"} & cut.keys(), "a shard of a cancelled job passes for being at work"
    assert cut.get("done", 0) < 6
    assert {path: stamp for path, stamp in _published_files(run_root).items() if path in published} == published
    assert status_of(two_nodes, run_root)["total"]["shards"] == {"done": 6}
    _assert_same_results(run_root, expected)


def test_a_killed_job_is_shown_as_gone_and_finished_by_submitting_again(
    two_nodes, poses, write_run, held_model, tmp_path
):
    hold, activate = held_model()
    config, run_root = write_run(poses, top={"max_concurrent_a": 1}, activate=activate)

    job = _submit(two_nodes, config, run_root)[0]
    hold.wait(2)
    alive = status_of(two_nodes, run_root)["shards"][0]
    os.kill(json.loads((run_root / "shards/shard_000000/progress.json").read_text())["pid"], signal.SIGKILL)
    two_nodes.wait_for_jobs()
    gone = status_of(two_nodes, run_root)["shards"][0]
    hold.let_go()
    two_nodes.stagea("submit", config)
    two_nodes.wait_for_jobs()

    assert alive["job_id"] == gone["job_id"] == f"{job}_0"
    assert alive["node"] == "n1"
    assert alive["last_sign_s"] < SILENCE_LIMIT
    assert (alive["state"], gone["state"]) == ("graphs", "gone")
    assert status_of(two_nodes, run_root)["total"]["shards"] == {"done": 3}


def test_models_in_hand_are_finished_when_the_whole_step_is_signalled(
    two_nodes, poses, write_run, held_model, tmp_path
):
    """srun passes a signal on to every process of a step, the children of the ranks among them."""
    hold, activate = held_model()
    config, run_root = write_run(
        poses, job_form="single", max_per_shard=6, ranks_per_node=2, requeue_limit=1, activate=activate
    )

    job = _submit(two_nodes, config, run_root)[0]
    hold.wait(2)  # both ranks are in their first models
    two_nodes.run("scancel", "--batch", "--signal=USR1", job)
    two_nodes.wait_until(lambda: two_nodes.job(job)["Restarts"] == "1", f"requeue of job {job}")
    two_nodes.wait_for_jobs()

    assert len(hold.held()) == 2, "a model was begun after the signal"
    log = (run_root / "logs" / f"stagea_full_{job}.log").read_text()
    assert "exit code 75, interrupted: limit" in log
    failures = (run_root / "shards/shard_000000/failures.tsv").read_text()
    assert "was ended by" not in log + failures, "a child died of the signal"


def _submit(slurm, config: Path, run_root: Path) -> list[str]:
    """Submits a run; the numbers of its jobs."""
    slurm.stagea("submit", config)
    return [entry["job_id"] for entry in json.loads((run_root / "submitted.json").read_text())[-1]["jobs"]]


def _published_files(run_root: Path) -> dict[Path, tuple[int, int]]:
    """Identity and time of everything in shards that are marked as done."""
    files = [path for marker in run_root.glob("shards/*/STAGEA_DONE") for path in marker.parent.glob("[!.]*")]
    return {path: (path.stat().st_ino, path.stat().st_mtime_ns) for path in files if path.suffix != ".json"}


def _assert_same_results(run_root: Path, expected: Path) -> None:
    """Lists and graphs.h5 byte by byte, packed.h5 in all but who computed a model, and how fast."""
    shards = sorted(path.name for path in (expected / "shards").iterdir())
    assert sorted(path.name for path in (run_root / "shards").iterdir()) == shards
    for shard in shards:
        here, there = run_root / "shards" / shard, expected / "shards" / shard
        for name in ("graphs.h5", "manifest.tsv.gz", "failures.tsv"):
            assert (here / name).read_bytes() == (there / name).read_bytes(), f"{shard}/{name} differs"
        with h5py.File(here / "packed.h5") as ours, h5py.File(there / "packed.h5") as theirs:
            assert _columns(ours).keys() == _columns(theirs).keys()
            for name, column in _columns(ours).items():
                np.testing.assert_array_equal(column, _columns(theirs)[name], err_msg=f"{shard}/packed.h5: {name}")


def _columns(packed: h5py.File) -> dict[str, np.ndarray]:
    found = {}
    packed.visititems(lambda name, item: found.update({name: item[()]}) if isinstance(item, h5py.Dataset) else None)
    return {name: column for name, column in found.items() if name not in ("model/rank", "model/seconds")}


def test_a_signal_to_a_single_rank_stops_its_team_and_no_other(two_nodes, poses, write_run, held_model, tmp_path):
    hold, activate = held_model()
    config, run_root = write_run(poses, job_form="single", nodes=2, team="node", max_per_shard=1, activate=activate)

    job = _submit(two_nodes, config, run_root)[0]
    hold.wait(2)  # each team has the one model of a shard in hand
    second = next(shard for shard in status_of(two_nodes, run_root)["shards"] if shard["node"] == "n2")
    progress = json.loads((run_root / "shards" / second["shard"] / "progress.json").read_text())
    os.kill(progress["pid"], signal.SIGUSR1)
    hold.let_go()
    two_nodes.wait_for_jobs()

    status = status_of(two_nodes, run_root)
    # Over TCP there is no common counter, so each node has its half of the six shards.
    assert status["total"]["shards"] == {"done": 4, "waiting": 2}
    assert [shard["shard"] for shard in status["shards"] if shard["node"] == "n2"] == [second["shard"]]
    assert two_nodes.job(job)["ExitCode"] == "75:0"
