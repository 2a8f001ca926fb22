"""`submit` as a user types it, on a Slurm of two nodes."""

import json
import re
import subprocess

import pytest
from holding import HANG_S
from private_slurm import status_of

from stagea_mpi.rundir.folders import DONE


def test_one_array_does_the_run_and_then_the_script_that_follows(two_nodes, poses, write_run, tmp_path):
    after = tmp_path / "next_stage.sh"
    after.write_text(f'#!/bin/bash\nls "$1"/shards/*/{DONE} > "$1/seen_by_after"\n')
    config, run_root = write_run(poses, top={"max_concurrent_a": 2, "after": str(after)})

    said = two_nodes.stagea("submit", config).stdout
    two_nodes.wait_for_jobs()

    assert "2 array tasks" in said
    status = status_of(two_nodes, run_root)
    assert status["total"]["shards"] == {"done": 3}
    assert status["total"]["done"] + status["total"]["failed"] == len(list(poses.iterdir()))
    assert len((run_root / "seen_by_after").read_text().splitlines()) == 3
    submitted = json.loads((run_root / "submitted.json").read_text())[-1]["jobs"]
    assert [job["role"] for job in submitted] == ["full", "after"]
    assert submitted[0]["command"][:3] == ["sbatch", "--parsable", "--array=0-1"]
    array = submitted[0]["job_id"]
    assert {shard["job_id"] for shard in status["shards"]} == {f"{array}_0", f"{array}_1"}

    again = two_nodes.stagea("submit", config).stdout
    assert "nothing to submit" in again
    assert two_nodes.queue() == []


def test_split_mode_clusters_when_all_graphs_are_there(two_nodes, poses, write_run):
    config, run_root = write_run(
        poses, top={"after": "echo done > $STAGEA_RUN_ROOT/after; ls"}, split_mode=True, max_per_shard=3
    )

    two_nodes.stagea("submit", config)
    prep, cluster, after = (job["job_id"] for job in json.loads((run_root / "submitted.json").read_text())[-1]["jobs"])
    two_nodes.wait_for_jobs()

    ends = [two_nodes.job(f"{prep}_{task}")["EndTime"] for task in (0, 1)]
    starts = [two_nodes.job(f"{cluster}_{task}")["StartTime"] for task in (0, 1)]
    assert max(ends) <= min(starts)
    assert max(two_nodes.job(f"{cluster}_{task}")["EndTime"] for task in (0, 1)) <= two_nodes.job(after)["StartTime"]
    assert status_of(two_nodes, run_root)["total"]["shards"] == {"done": 2}
    for meta in run_root.glob("shards/*/meta_stageA.json"):
        assert json.loads(meta.read_text())["stagea_phase"] == "cluster_only"
    assert (run_root / "after").exists()


def test_what_follows_does_not_run_when_too_many_models_fail(two_nodes, poses, write_run, tmp_path):
    folder = tmp_path / "half_broken"
    folder.mkdir()
    (folder / "good.pdb").write_bytes(next(iter(sorted(poses.iterdir()))).read_bytes())
    (folder / "broken.pdb").write_text("no structure\n")
    config, run_root = write_run(folder, top={"after": "touch $STAGEA_RUN_ROOT/after; ls"})

    two_nodes.stagea("submit", config)
    array, after = (job["job_id"] for job in json.loads((run_root / "submitted.json").read_text())[-1]["jobs"])
    two_nodes.wait_for_jobs()

    assert two_nodes.job(array)["ExitCode"] == "4:0"
    assert two_nodes.job(after)["JobState"] == "CANCELLED"
    assert not (run_root / "after").exists()
    assert status_of(two_nodes, run_root)["total"]["shards"] == {"failed": 1}


@pytest.mark.parametrize("form", [{"split_mode": True}, {"job_form": "single", "nodes": 2}])
def test_dry_run_prints_what_is_then_submitted(two_nodes, poses, write_run, tmp_path, form):
    config, run_root = write_run(poses, top={"after": "ls -l"}, **form)

    printed = two_nodes.stagea("submit", config, "--dry-run").stdout

    assert not run_root.exists()
    whole = tmp_path / "whole.sh"
    whole.write_text(printed)
    scripts = re.findall(r"cat >(\S+\.sbatch) <<'END_OF_FILE'\n(.*?)END_OF_FILE\n", printed, re.S)
    assert len(scripts) == (3 if "split_mode" in form else 2)
    for i, (_, text) in enumerate(scripts):
        script = tmp_path / f"{i}.sbatch"
        script.write_text(text)
        two_nodes.run("bash", "-n", script)
        two_nodes.run("sbatch", "--test-only", script)
    two_nodes.run("bash", "-n", whole)

    two_nodes.stagea("submit", config)
    try:
        for path, text in scripts:
            assert open(path).read().rstrip() == text.rstrip()
        jobs = {job["role"]: job for job in json.loads((run_root / "submitted.json").read_text())[-1]["jobs"]}
        for role, words in re.findall(r"^(\w+)=\$\((.*)\)$", printed, re.M):
            for other, job in jobs.items():
                words = words.replace(f"${{{other}}}", job["job_id"])
            assert " ".join(jobs[role]["command"]) == words
    finally:
        two_nodes.run("scancel", *(job["job_id"] for job in jobs.values()))
        two_nodes.wait_for_jobs()


def test_what_dry_run_prints_is_a_script_that_submits(two_nodes, poses, write_run, tmp_path):
    config, run_root = write_run(poses, max_per_shard=6)
    script = tmp_path / "submit.sh"
    script.write_text(two_nodes.stagea("submit", config, "--dry-run").stdout)

    two_nodes.run("bash", script)
    refused = two_nodes.stagea("submit", config, check=False)
    two_nodes.wait_for_jobs()

    assert refused.returncode == 2
    assert "in the queue already" in refused.stdout
    assert status_of(two_nodes, run_root)["total"]["shards"] == {"done": 1}


def test_a_job_that_slurm_refuses_leaves_nothing_behind(two_nodes, poses, write_run):
    config, run_root = write_run(poses, split_mode=True, partition="nowhere")

    refused = two_nodes.stagea("submit", config, check=False)

    assert refused.returncode == 1
    assert "nowhere" in refused.stdout or "partition" in refused.stdout
    assert "Traceback" not in refused.stdout
    assert two_nodes.queue() == []


def test_run_folders_with_blanks_and_percent_signs_work(two_nodes, poses, write_run):
    config, run_root = write_run(poses, name="a run of 50%", max_per_shard=6, job_form="single", ranks_per_node=1)

    two_nodes.stagea("submit", config)
    two_nodes.wait_for_jobs()

    assert status_of(two_nodes, run_root)["total"]["shards"] == {"done": 1}
    assert list((run_root / "logs").glob("stagea_full_*.log"))


def test_shipped_scripts_are_good_bash(two_nodes):
    for name in ("stage_a.sbatch", "after.sbatch"):
        assert subprocess.run(["bash", "-n", f"jobs/{name}"], timeout=HANG_S).returncode == 0
