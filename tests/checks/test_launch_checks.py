"""What is found of MPI, HDF5 on it, launchers and Slurm, on machines where something of it is amiss."""

import os
import re
import stat
import subprocess
import sys

import pytest
from holding import HANG_S
from launching import ROOT, launch_environment

from stagea_mpi.checks import launch_checks


def put_on_path(monkeypatch, folder, **scripts):
    for name, script in scripts.items():
        program = folder / name
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")


def test_a_program_that_hangs_is_a_finding(monkeypatch, tmp_path):
    put_on_path(monkeypatch, tmp_path, srun="exec sleep 60", sinfo="exec sleep 60")
    monkeypatch.setattr(launch_checks, "CHILD_LIMIT", 0.2)
    monkeypatch.setenv("SLURM_CONF", str(tmp_path / "slurm.conf"))
    check = launch_checks.slurm_check()
    assert check.ok is False
    assert "timed out" in check.found


def test_mpi_that_ends_the_process_is_a_finding():
    mpi, h5py = launch_checks.mpi_checks({"error": "python ended with 1: PMI2_Init failed"})
    assert (mpi.ok, mpi.found) == (False, "python ended with 1: PMI2_Init failed")
    assert "--mpi=pmix" in mpi.advice
    assert h5py.ok is None


def test_a_serial_h5py_will_do_and_how_to_build_another_is_said():
    facts = {"mpi4py": "4.1", "library": "Open MPI", "h5py": "3.16.0", "hdf5": "1.14", "parallel": False}
    check = launch_checks.mpi_checks(facts)[-1]
    assert (check.name, check.ok) == ("h5py", True)
    assert "the first rank of a team gathers" in check.advice
    assert "HDF5_MPI=ON" in check.advice


@pytest.mark.parametrize(("variable", "ok"), [("A_VARIABLE", None), ("OMPI_COMM_WORLD_SIZE", False)])
def test_without_mpi4py_a_run_is_one_process_and_under_a_launcher_that_is_a_problem(variable, ok, tmp_path):
    (tmp_path / "mpi4py.py").write_text("raise ModuleNotFoundError(\"No module named 'mpi4py'\", name='mpi4py')\n")
    hidden = "import importlib.util, sys; from stagea_mpi.checks import doctor; print(doctor.table(doctor.diagnose()))"
    (tmp_path / "sitecustomize.py").write_text(
        "import importlib.util\n"
        "find = importlib.util.find_spec\n"
        "importlib.util.find_spec = lambda name, *package: None if name == 'mpi4py' else find(name, *package)\n"
    )
    environment = {**launch_environment(), "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}", variable: "2"}
    done = subprocess.run(
        [sys.executable, "-c", hidden], env=environment, capture_output=True, text=True, timeout=HANG_S, check=True
    )
    lines = {line.split("  ")[0]: line for line in done.stdout.splitlines()}
    assert re.match(r"mpi4py +(-|PROBLEM) ", lines["mpi4py"])[1] == {None: "-", False: "PROBLEM"}[ok]
    assert ("a run is one process" in lines["mpi4py"]) == (ok is None)
    assert re.match(r"MPI's folders +- ", lines["MPI's folders"])


def test_two_mpi_libraries_in_one_process_are_a_finding():
    facts = {"mpi4py": "4.1", "library": "MPICH", "h5py": "3.16.0", "hdf5": "1.14", "parallel": True}
    facts["libraries"] = ["/a/libmpi.so.40", "/b/libmpich.so.12"]
    checks = {check.name: check for check in launch_checks.mpi_checks(facts)}
    assert checks["one MPI library"].ok is False
    assert checks["collective write"].ok is False


def test_a_world_of_one_under_several_slurm_tasks_is_a_mismatch():
    environ = {"SLURM_STEP_ID": "0", "SLURM_NTASKS": "4"}
    check = launch_checks.launcher_check(environ, world_size=1)
    assert check.ok is False
    assert "4 tasks" in check.found
    assert "--mpi=pmix" in check.advice
    assert launch_checks.launcher_check(environ, world_size=4).ok is True


def test_a_batch_script_without_srun_is_no_mismatch():
    assert launch_checks.launcher_check({"SLURM_NTASKS": "4"}, world_size=1).ok is True


LISTS_PLUGINS = 'case $1 in --version) echo slurm 22.05.8;; *) echo "MPI plugin types are... $PLUGINS" >&2;; esac'


@pytest.mark.parametrize(("plugins", "advice"), [("none pmi2 pmix pmix_v4", ""), ("none pmi2", "use mpiexec")])
def test_slurm_is_asked_for_its_nodes_and_its_ways_of_starting_mpi(monkeypatch, tmp_path, plugins, advice):
    monkeypatch.setenv("PLUGINS", plugins)
    put_on_path(monkeypatch, tmp_path, srun=LISTS_PLUGINS, sinfo="echo 'norm* 4 nodes of 64 CPUs'")
    check = launch_checks.slurm_check()
    assert check.ok is True
    assert check.found == f"slurm 22.05.8; norm* 4 nodes of 64 CPUs; --mpi={plugins.replace(' ', ',')}"
    assert advice in check.advice


def test_a_slurm_that_is_configured_but_does_not_answer_is_a_finding(monkeypatch, tmp_path):
    put_on_path(monkeypatch, tmp_path, srun="exit 1", sinfo="echo unable to contact >&2; exit 1")
    monkeypatch.setenv("SLURM_CONF", str(tmp_path / "slurm.conf"))
    check = launch_checks.slurm_check()
    assert check.ok is False
    assert "unable to contact" in check.found


def test_a_folder_of_mpi_without_room_is_a_finding_that_says_what_to_set():
    environ = {"OMPI_MCA_btl_vader_segment_size": str(2**60), "OMPI_MCA_btl_vader_backing_directory": "/dev/shm"}
    check = launch_checks.resources_check(environ, "Open MPI v4.1.4", 2)
    assert check.ok is False
    assert "/dev/shm has " in check.found
    assert "MiB are needed" in check.found
    assert "OMPI_MCA_btl_vader_backing_directory=FOLDER" in check.advice
