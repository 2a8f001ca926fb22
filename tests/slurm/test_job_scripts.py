"""Filling job scripts, without a Slurm."""

import os
import signal
import subprocess

import pytest
import yaml
from holding import HANG_S, end_of, wait_until
from launching import ROOT, launch_environment

from stagea_mpi.antibody.complexes import Chains
from stagea_mpi.config.run_config import RunConfig, StageA, load_config, parse_config
from stagea_mpi.errors import ConfigError
from stagea_mpi.rundir.folders import RunFolder
from stagea_mpi.slurm.scripts import fill, log_pattern, read_script
from stagea_mpi.slurm.submit import plan_jobs

SCRIPT = """#!/bin/bash
#SBATCH --time=01:00:00
# >>> settings
PHASE=full
# <<< settings
# >>> environment
source .venv/bin/activate
# <<< environment
echo my own line
"""


def test_a_users_own_lines_stay():
    filled = fill(
        SCRIPT, "mine", {"--time": "00:10:00", "--exclusive": None}, {"PHASE": "prep_graphs"}, "module load mpi"
    )

    assert filled == SCRIPT.replace("01:00:00", "00:10:00\n#SBATCH --exclusive").replace(
        "=full", "=prep_graphs"
    ).replace("source .venv/bin/activate", "module load mpi")


@pytest.mark.parametrize(
    "lost", ["PHASE=full\n", "# <<< settings\n", "#SBATCH --time=01:00:00\n", "# >>> environment\n"]
)
def test_a_script_without_a_place_to_fill_is_refused_with_the_place(lost):
    with pytest.raises(ConfigError, match="mine"):
        fill(SCRIPT.replace(lost, ""), "mine", {"--time": "1"}, {"PHASE": "full"}, "true")


def test_values_with_blanks_and_percent_signs_are_quoted_for_sbatch(tmp_path):
    filled = fill(SCRIPT, "mine", {"--output": log_pattern(tmp_path / "50% of it", "%j.log")}, {}, "")

    assert f'#SBATCH --output="{tmp_path}/50%% of it/%j.log"\n' in filled


def test_a_missing_job_script_names_the_key():
    with pytest.raises(ConfigError, match=r"stage_a\.job_script"):
        read_script("stage_a.sbatch", "no/such/script")


def test_the_example_configuration_is_valid_and_has_the_defaults():
    config = load_config(ROOT / "jobs" / "slurm.yaml", environment={})

    for key, value in yaml.safe_load((ROOT / "jobs" / "slurm.yaml").read_text())["stage_a"].items():
        if key != "mem_gb":
            assert getattr(config.stage_a, key) == getattr(StageA(), key), f"{key} is {value}"


def test_a_limit_that_comes_before_the_launcher_listens_ends_with_75(tmp_path):
    (tmp_path / "srun").write_text(f"#!/bin/sh\ntouch '{tmp_path}/held'\nexec sleep 100000\n")  # dies of the signal
    (tmp_path / "srun").chmod(0o755)
    settings = {"CONFIG": f"{tmp_path}/run.yaml", "REQUEUE_LIMIT": "0"}
    script = tmp_path / "script"
    script.write_text(fill(read_script("stage_a.sbatch"), "script", {}, settings, "true"))
    slurm = {"SLURM_JOB_ID": "1", "SLURM_NTASKS": "2", "SLURM_JOB_NODELIST": "n1"}
    environment = {**launch_environment(), **slurm, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    job = subprocess.Popen(["bash", script], env=environment, stdout=subprocess.PIPE, text=True)
    wait_until((tmp_path / "held").exists, "the launcher")
    job.send_signal(signal.SIGUSR1)
    code, output = end_of(job)
    assert code == 75, output
    assert "exit code 75, interrupted: limit" in output


@pytest.mark.parametrize(
    ("stage_a", "n_shards", "expected"),
    [
        ({}, 7, [("full", 5)]),
        ({}, 3, [("full", 3)]),
        ({"split_mode": True}, 3, [("prep_graphs", 3), ("cluster_only", 3)]),
        ({"job_form": "single"}, 7, [("full", 0)]),
        ({"job_form": "single", "split_mode": True}, 7, [("prep_graphs", 0), ("cluster_only", 0)]),
    ],
)
def test_phases_become_jobs_that_wait_for_each_other(tmp_path, stage_a, n_shards, expected):
    config = RunConfig(tmp_path, tmp_path, Chains("H", None, ("A",)), StageA(**stage_a), max_concurrent_a=5, after="ls")

    jobs = plan_jobs(RunFolder(tmp_path), config, n_shards)

    assert [(job.role, job.n_tasks) for job in jobs] == [*expected, ("after", 0)]
    assert [job.after for job in jobs] == [None, *(job.role for job in jobs[:-1])]
    for job in jobs:
        assert subprocess.run(["bash", "-n"], input=job.text, text=True, timeout=HANG_S).returncode == 0


@pytest.mark.parametrize("after", ["$STAGEA_UNSET/next.sh", "no/such/script.sh"])
def test_a_script_that_is_to_follow_and_is_not_there_is_refused_before_anything_is_submitted(after, tmp_path):
    config = RunConfig(tmp_path, tmp_path, Chains("H", None, ("A",)), after=after)
    with pytest.raises(ConfigError, match="after: "):
        plan_jobs(RunFolder(tmp_path), config, 3)


def test_sbatch_options_and_own_environment_are_in_the_script(tmp_path):
    stage_a = {
        "sbatch_options": ["--account=lab", "--time=2-00"],
        "activate": "module load openmpi",
        "cores_per_rank": 2,
    }
    config = parse_config(
        {"run_root": str(tmp_path), "pdb_root": "x", "chains": {"heavy": "H", "antigen": "A"}, "stage_a": stage_a},
        "t",
        {},
    )

    (job,) = plan_jobs(RunFolder(tmp_path), config, 4)

    for line in (
        "#SBATCH --account=lab",
        "#SBATCH --time=2-00",
        "#SBATCH --ntasks-per-node=16",
        "#SBATCH --mem=65536M",
    ):
        assert f"\n{line}\n" in job.text
    assert "\nmodule load openmpi\n" in job.text
    assert ".venv/bin/activate\n# <<< environment" not in job.text


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("sbatch_options", ["-A lab"]),
        ("job_form", "many"),
        ("srun_mpi", "pmix; ls"),
        ("signal_ahead_s", 1),
        ("nodes", 0),
    ],
)
def test_wrong_values_name_their_key(tmp_path, key, value):
    content = {"run_root": "r", "pdb_root": "p", "chains": {"heavy": "H", "antigen": "A"}, "stage_a": {key: value}}

    with pytest.raises(ConfigError, match=f"stage_a.{key}"):
        parse_config(content, "run.yaml", {})
