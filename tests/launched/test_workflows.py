"""Stage A under a workflow manager: jobs/Snakefile executed, after a rule that writes its input."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from holding import HANG_S
from launching import ROOT, launch_environment, mpiexec, published, write_run_yaml

DOCKING = """
rule dock:
    output: directory("docked")
    shell: "mkdir docked && cp {poses}/pose_000[123].pdb docked"

include: "{rule}"
"""


def snakemake() -> str:
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "stagea_mpi")
    installed = [str(path) for path in cache.glob("snakemake-*/bin")]
    found = shutil.which("snakemake", path=os.pathsep.join([os.environ["PATH"], *installed]))
    return found or pytest.skip("no snakemake on PATH; .ci/test_packages.sh installs it")


@pytest.fixture
def workflow(poses, tmp_path):
    """Runs a workflow of two rules in a folder of its own: one writes three poses, jobs/Snakefile has the other."""
    program = snakemake()
    text = DOCKING.replace("{poses}", str(poses)).replace("{rule}", str(ROOT / "jobs" / "Snakefile"))
    (tmp_path / "Snakefile").write_text(text)
    write_run_yaml(tmp_path / "run.yaml", tmp_path / "docked", cores=2, job_form="single")
    environment = launch_environment()
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"

    def execute() -> str:
        config = ["run_yaml=run.yaml", "models=docked", f"mpi={mpiexec()} --oversubscribe"]
        done = subprocess.run(
            [program, "--cores", "1", "--config", *config, "--", "stage_a.done"],
            cwd=tmp_path,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=HANG_S,
        )
        assert done.returncode == 0, done.stdout
        return done.stdout

    return execute


def test_the_rule_asks_plan_and_builds_the_graphs_that_a_run_builds(workflow, poses, tmp_path, launch):
    said = workflow()
    assert "phase full on 2 ranks" in said
    resources = dict(re.findall(r"\b(\w+)=(\d+)\b", re.search(r"resources: .*tasks=.*", said)[0]))
    assert (resources["tasks"], resources["nodes"], resources["cpus_per_task"]) == ("2", "1", "1")
    assert int(resources["mem_mb"]) > 2 * 100  # what two ranks need beyond the sample
    assert int(resources["runtime"]) >= 6
    by_hand = write_run_yaml(tmp_path / "by_hand.yaml", tmp_path / "docked")
    assert launch(0, "run", by_hand).returncode == 0
    graphs = published(tmp_path / "run.yaml")
    assert "shard_000000/graphs.h5" in graphs
    assert graphs == published(by_hand)


def test_repeated_it_goes_on_from_what_is_done(workflow, tmp_path):
    workflow()
    assert "Nothing to be done" in workflow()
    (tmp_path / "stage_a.done").unlink()
    assert "1 of 1 shards; 1 skipped" in workflow()


def test_workflows_ask_for_documented_keys_only():
    documented = set(re.findall(r"`(\w+)`", (ROOT / "docs" / "json.md").read_text(encoding="utf-8")))
    rule = re.findall(r'\["(\w+)"\]', (ROOT / "jobs" / "Snakefile").read_text(encoding="utf-8"))
    process = re.findall(r"\bplan\.([a-z]\w+)", (ROOT / "jobs" / "stage_a.nf").read_text(encoding="utf-8"))
    asked = set(rule) - {"run_yaml", "models"}
    assert asked == set(process) - {"json", "ranks_a_node"}  # which Snakemake asks of no job
    assert asked <= documented
