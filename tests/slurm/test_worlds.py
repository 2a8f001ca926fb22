"""Ranks of one job: one world over two nodes, or a refusal."""

import json
import os
import re

import h5py
import pytest
from private_slurm import ROOT, status_of


def test_four_ranks_on_two_nodes_write_one_file(two_nodes, poses, write_run, held_model, tmp_path):
    hold, activate = held_model()
    config, run_root = write_run(
        poses, job_form="single", nodes=2, ranks_per_node=2, team="world", max_per_shard=6, activate=activate
    )

    two_nodes.stagea("submit", config)
    hold.wait(4)
    hold.let_go()
    two_nodes.wait_for_jobs()

    (log,) = (run_root / "logs").glob("stagea_full_*.log")
    assert "phase full on 4 ranks" in log.read_text()
    assert "nodes n1 (2), n2 (2)" in log.read_text()
    meta = json.loads((run_root / "shards/shard_000000/meta_stageA.json").read_text())
    assert meta["num_cores"] == 4
    with h5py.File(run_root / "shards/shard_000000/packed.h5") as packed:
        assert set(packed["model/rank"][:].tolist()) == {0, 1, 2, 3}


def test_nodes_are_teams_that_share_out_the_shards(two_nodes, poses, write_run, held_model, tmp_path):
    hold, activate = held_model()
    config, run_root = write_run(poses, job_form="single", nodes=2, team="node", max_per_shard=1, activate=activate)

    two_nodes.stagea("submit", config)
    hold.wait(2)
    hold.let_go()
    two_nodes.wait_for_jobs()

    status = status_of(two_nodes, run_root)
    assert status["total"]["shards"] == {"done": 6}
    assert {shard["node"] for shard in status["shards"]} == {"n1", "n2"}


def test_ranks_without_pmix_refuse_and_say_what_to_change(two_nodes, poses, write_run):
    config, run_root = write_run(poses, srun_mpi="none", top={"after": "touch $STAGEA_RUN_ROOT/after; ls"})

    two_nodes.stagea("submit", config)
    array = json.loads((run_root / "submitted.json").read_text())[-1]["jobs"][0]["job_id"]
    two_nodes.wait_for_jobs()

    logs = [path.read_text() for path in sorted((run_root / "logs").glob("stagea_full_*.log"))]
    assert len(logs) == 3
    for log in logs:
        assert len(re.findall("error: .*srun --mpi=pmix", log)) == 1
        assert "MPI_Init" not in log
    assert two_nodes.job(f"{array}_0")["ExitCode"] == "1:0"
    assert not list((run_root / "shards").iterdir())
    assert not (run_root / "after").exists()


def test_one_rank_under_srun_needs_no_pmix(two_nodes, poses, write_run):
    config, run_root = write_run(poses)

    two_nodes.run("srun", "--ntasks=1", "--mpi=none", ".venv/bin/python", "-m", "stagea_mpi", "run", config)

    assert status_of(two_nodes, run_root)["total"]["shards"] == {"done": 3}


@pytest.mark.parametrize("launcher", ["srun", "mpiexec"])
@pytest.mark.parametrize("code", [2, 3, 4, 75])
def test_exit_codes_come_through_launchers(two_nodes, launcher, code):
    options = {"srun": ["--ntasks=2", "--mpi=pmix"], "mpiexec": ["-n", "2", "--oversubscribe"]}[launcher]
    program = f"from mpi4py import MPI; import sys; MPI.COMM_WORLD.barrier(); sys.exit({code})"

    ended = two_nodes.run(launcher, *options, ".venv/bin/python", "-c", program, check=False)

    assert ended.returncode == code


def test_a_job_whose_ranks_could_not_be_started_has_failed(two_nodes, poses, write_run):
    """srun ends with 0 then, and what follows would run on nothing."""
    config, run_root = write_run(poses, job_form="single", top={"after": "touch $STAGEA_RUN_ROOT/after; ls"})
    probe = two_nodes.run("sbatch", "--parsable", "--ntasks=1", "--output=/dev/null", "--wrap=true").stdout
    next_job = int(probe) + 1
    in_the_way = [
        two_nodes.home / f"tmp-{node}" / f"spmix_appdir_{os.getuid()}_{next_job}.0" for node in two_nodes.nodes
    ]
    for folder in in_the_way:
        folder.mkdir()

    two_nodes.stagea("submit", config)
    two_nodes.wait_for_jobs()

    for folder in in_the_way:
        folder.rmdir()
    (log,) = (path.read_text() for path in (run_root / "logs").glob("stagea_full_*.log"))
    assert "srun says 0, but no rank has come to its end" in log
    assert two_nodes.job(str(next_job))["ExitCode"] == "1:0"
    assert not (run_root / "after").exists()


def test_a_script_of_one_node_may_start_its_ranks_itself(two_nodes, poses, write_run, tmp_path):
    """Of a job with one task Open MPI would start one rank alone; several nodes are srun's."""
    config, run_root = write_run(poses)
    line = f".venv/bin/python -m stagea_mpi run {config} --ranks 2"
    options = ["--wait", "--cpus-per-task=2", f"--output={tmp_path}/%j.log", f"--chdir={ROOT}"]

    two_nodes.run("sbatch", *options, "--ntasks=1", "--wrap", line)
    refused = [
        two_nodes.run("sbatch", *options, "--nodes=2", "--wrap", line, check=False),
        two_nodes.run("srun", "--ntasks=2", "--mpi=pmix", *line.split(), check=False),
    ]

    assert status_of(two_nodes, run_root)["total"]["shards"] == {"done": 3}
    (whole, several) = (path.read_text() for path in sorted(tmp_path.glob("*.log")))
    assert "phase full on 2 ranks" in whole
    assert [ended.returncode for ended in refused] == [2, 2]
    assert "the job has 2 nodes: start it with srun" in several
    assert refused[1].stdout.count("leave --ranks out under srun") == 1
