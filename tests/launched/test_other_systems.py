"""A whole run, and what goes with it, where Python sees nothing that Linux alone has."""

import json
import os
import subprocess
import sys

import pytest
from hiding import hide_linux
from holding import HANG_S
from launching import ROOT, launch_environment, published, write_run_yaml

ONE_MODEL = """import sys, stagea_mpi
graph = stagea_mpi.build_graph(sys.argv[1], heavy="H", light="L", antigen="A")
print(graph.nodes().to_json(double_precision=15), graph.edges().to_json(double_precision=15))
"""


@pytest.fixture(scope="module")
def blind(tmp_path_factory):
    """Runs Python without what Linux alone has."""
    hidden = hide_linux(tmp_path_factory.mktemp("hidden") / "site")
    environment = launch_environment()
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, (str(hidden), environment.get("PYTHONPATH"))))

    def start(*arguments):
        command = [sys.executable, *map(str, arguments)]
        return subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=HANG_S)

    return start


@pytest.fixture(scope="module")
def blind_run(blind, poses, tmp_path_factory):
    path = write_run_yaml(tmp_path_factory.mktemp("blind") / "blind.yaml", poses, max_per_shard=3, min_per_shard=1)
    path.write_text(path.read_text() + "metrics_interval: 0.2\n")
    done = blind("-m", "stagea_mpi", "run", path)
    assert done.returncode == 0, done.stderr
    return path, done.stdout + done.stderr


def test_python_sees_no_linux_there(blind):
    done = blind(
        "-c", "import os; print(hasattr(os, 'sched_getaffinity'), *map(os.path.exists, ('/proc', '/dev/shm')))"
    )
    assert done.stdout.split() == ["False"] * 3, done.stderr


def test_a_run_says_what_is_missing_and_writes_the_same_files(blind_run, poses, tmp_path):
    path, output = blind_run
    assert "6 of 6 models are in" in output
    assert f"this system has no sets of CPUs, so all {os.cpu_count()} are taken" in output
    assert "locks go by heartbeats alone" in output
    assert "Traceback" not in output
    seeing = write_run_yaml(tmp_path / "seeing.yaml", poses, max_per_shard=3, min_per_shard=1)
    command = [sys.executable, "-m", "stagea_mpi", "run", str(seeing)]
    subprocess.run(command, env=launch_environment(), cwd=ROOT, capture_output=True, timeout=HANG_S, check=True)
    assert published(path) == published(seeing) != {}


def test_samples_have_the_columns_and_empty_cells(blind_run):
    metrics = blind_run[0].with_suffix("") / "compute_metrics"
    (system,) = metrics.glob("sys_metrics_*.csv")
    head, *rows = [line.split(",") for line in system.read_text().splitlines()]
    assert rows
    cells = dict(zip(head, rows[-1], strict=True))
    assert cells["cpu_total_pct"] == cells["mem_used_mib"] == ""
    assert float(cells["load1"]) >= 0.0  # which no file is needed for


@pytest.mark.parametrize(
    ("command", "expected"),
    [("plan", "useful "), ("status", "2 shards (2 done)"), ("verify", ""), ("report", "report.html")],
)
def test_what_goes_with_a_run_works(blind, blind_run, command, expected):
    path, _ = blind_run
    done = blind("-m", "stagea_mpi", command, path if command == "plan" else path.with_suffix(""))
    assert done.returncode == 0, done.stderr
    assert expected in done.stdout
    assert "Traceback" not in done.stderr


def test_the_doctor_names_the_gaps(blind):
    done = blind("-m", "stagea_mpi", "doctor")
    lines = {line.split("  ")[0]: line for line in done.stdout.splitlines()}
    assert "no sets of CPUs" in lines["system"]
    assert "neither /proc nor what psutil would tell" in lines["system"]
    assert "no signal on a parent's death" in lines["system"]
    assert "/dev/shm cannot be written: No such file or directory" in lines["MPI's folders"]
    assert all(" ok " in lines[name] for name in ("Python", "anarci", "kernels", "affinity"))
    assert "Traceback" not in done.stdout + done.stderr


def test_one_model_in_python_has_the_same_numbers(blind, poses):
    model = str(sorted(poses.glob("*.pdb"))[0])
    there = blind("-c", ONE_MODEL, model)
    command = [sys.executable, "-c", ONE_MODEL, model]
    here = subprocess.run(
        command, env=launch_environment(), cwd=ROOT, capture_output=True, text=True, timeout=HANG_S, check=True
    )
    assert there.returncode == 0, there.stderr
    assert there.stdout == here.stdout
    nodes, edges = there.stdout.strip().split(" ", 1)
    assert json.loads(nodes)
    assert json.loads(edges)
