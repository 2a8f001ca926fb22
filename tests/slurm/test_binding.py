"""CPUs of ranks against what was asked, on a node that binds tasks."""

import json
import re

from private_slurm import status_of


def test_bound_ranks_pass_strict_affinity_and_log_their_cpus(one_node, poses, write_run):
    config, run_root = write_run(poses, strict_affinity=1, job_form="single")

    one_node.stagea("submit", config)
    one_node.wait_for_jobs()

    assert status_of(one_node, run_root)["total"]["shards"] == {"done": 3}
    (log,) = (path.read_text() for path in (run_root / "logs").glob("stagea_full_*.log"))
    cpus = dict(re.findall(r"rank (\d) on n1: CPUs (\d+) \(1\), asked 1", log))
    assert sorted(cpus) == ["0", "1"]
    assert cpus["0"] != cpus["1"]
    first_shard = log.index("models are in")
    for told in ("SLURM_CPUS_PER_TASK=1", "SLURM_CPU_BIND=", "OMP_NUM_THREADS=1", "NUMEXPR_NUM_THREADS=1",
                 "phase full", "MPI Open MPI", "HDF5 ", "nodes n1 (2)"):  # fmt: skip
        assert 0 < log.index(told) < first_shard


def test_strict_affinity_ends_a_rank_with_fewer_cpus_with_exit_code_3(one_node, poses, write_run):
    config, run_root = write_run(
        poses, strict_affinity=1, cores_per_rank=2, srun_cpu_bind="map_cpu:0", job_form="single"
    )

    one_node.stagea("submit", config)
    job = json.loads((run_root / "submitted.json").read_text())[-1]["jobs"][0]["job_id"]
    one_node.wait_for_jobs()

    assert one_node.job(job)["ExitCode"] == "3:0"
    (log,) = (path.read_text() for path in (run_root / "logs").glob("stagea_full_*.log"))
    assert log.count("strict_affinity: rank 0 on n1 has 1 CPU (0), asked were 2") == 1
    assert "Traceback" not in log
    assert not list((run_root / "shards").iterdir())


def test_without_strict_affinity_fewer_cpus_are_a_warning(one_node, poses, write_run):
    config, run_root = write_run(poses, cores_per_rank=2, srun_cpu_bind="map_cpu:0", job_form="single")

    one_node.stagea("submit", config)
    one_node.wait_for_jobs()

    assert status_of(one_node, run_root)["total"]["shards"] == {"done": 3}
    (log,) = (path.read_text() for path in (run_root / "logs").glob("stagea_full_*.log"))
    assert log.count("fewer CPUs than asked for: rank 0 on n1 has 1 CPU (0), asked were 2") == 1


def test_ranks_that_share_one_cpu_are_refused(one_node, poses, write_run):
    """Each of them has the one CPU that it asked for, but it is the same."""
    config, _ = write_run(poses, strict_affinity=1)
    overcommitted = ["srun", "--ntasks=2", "--overcommit", "--cpu-bind=map_cpu:0", "--mpi=pmix"]

    ended = one_node.run(*overcommitted, ".venv/bin/python", "-m", "stagea_mpi", "run", config, check=False)

    assert ended.returncode == 3
    assert ended.stdout.count("share the CPUs 0, asked were 2 in all") == 1


def test_without_binding_mpiexec_starts_the_ranks(one_node, poses, write_run):
    config, run_root = write_run(poses, use_srun_bind=0, job_form="single", strict_affinity=1)

    one_node.stagea("submit", config)
    one_node.wait_for_jobs()

    (log,) = (path.read_text() for path in (run_root / "logs").glob("stagea_full_*.log"))
    assert "== mpiexec -n 2 --bind-to none python" in log
    assert "phase full on 2 ranks" in log
    assert status_of(one_node, run_root)["total"]["shards"] == {"done": 3}
