"""What is found of this machine, and how it is told."""

import importlib.metadata
import json
import subprocess
import sys

import h5py
import pytest
from holding import HANG_S

from stagea_mpi.antibody import numbering
from stagea_mpi.antibody.hmm_search import anarci_module
from stagea_mpi.checks import doctor
from stagea_mpi.checks.check import Check

BY_NAME = (
    "Python", "system", "mpi4py", "h5py", "anarci", "kernels", "affinity",
    "threads", "MPI's folders",
)  # fmt: skip


@pytest.fixture(scope="module")
def here():
    return {check.name: check for check in doctor.diagnose()}


@pytest.mark.skipif(not h5py.get_config().mpi, reason="h5py is built without MPI, as its wheels are")
def test_what_make_env_installs_is_found_and_works_together(here):
    assert [check for check in here.values() if check.ok is False] == []
    assert set(BY_NAME) | {"one MPI library", "collective write", "launcher", "Slurm"} == set(here)
    assert "MPI-enabled" in here["h5py"].found
    assert "libmpi" in here["one MPI library"].found
    for name in ("anarci", "pyhmmer"):
        assert f"{name} {importlib.metadata.version(name)}" in here["anarci"].found


def test_a_missing_library_is_named_with_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyhmmer.plan7", None)
    monkeypatch.setattr(numbering, "anarci_module", anarci_module.__wrapped__)
    check = doctor._tried("anarci", doctor._anarci, "install pyhmmer")
    assert (check.ok, check.advice) == (False, "install pyhmmer")
    assert "pyhmmer.plan7" in check.found


def test_where_nothing_is_on_path_slurm_is_not_on_this_machine(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    checks = {check.name: check for check in doctor.diagnose()}
    assert checks["anarci"].ok is True
    assert checks["Slurm"].ok is None


def test_fewer_cpus_than_slurm_promised_are_a_finding():
    check = doctor.affinity_check([3], 8, None, {"SLURM_CPUS_PER_TASK": "4"})
    assert check.ok is False
    assert "1 of 8 CPUs (3)" in check.found
    assert "--cpu-bind" in check.advice


def test_a_quota_below_the_cpu_set_limits_the_ranks():
    check = doctor.affinity_check([0, 1, 2, 3, 8], 16, 2.5, {})
    assert "5 of 16 CPUs (0-3,8)" in check.found
    assert "at most 2 ranks" in check.advice


def test_more_than_one_thread_a_rank_is_remarked_on():
    assert doctor.threads_check({"OMP_NUM_THREADS": "1"}).advice == ""
    check = doctor.threads_check({"OMP_NUM_THREADS": "8", "MKL_NUM_THREADS": "1"})
    assert check.ok is True
    assert "unset OMP_NUM_THREADS:" in check.advice


@pytest.mark.parametrize(("ok", "code"), [(True, 0), (None, 0), (False, 1)])
def test_only_a_problem_makes_the_exit_code_one(monkeypatch, capsys, ok, code):
    monkeypatch.setattr(doctor, "diagnose", lambda: [Check("something", ok, "found this", "do that")])
    assert doctor.main() == code
    out = capsys.readouterr().out
    assert "found this" in out
    assert "-> do that" in out


def test_of_many_ranks_only_the_first_prints(monkeypatch, capsys):
    monkeypatch.setattr(doctor, "diagnose", lambda: [Check("something", True, "found this")])
    monkeypatch.setenv("SLURM_PROCID", "1")
    assert doctor.main() == 0
    assert capsys.readouterr().out == ""


def test_for_scripts_each_check_says_its_state_in_a_word(monkeypatch, capsys):
    checks = [Check("a", True, "x"), Check("b", False, "y", "do that"), Check("c", None, "z")]
    monkeypatch.setattr(doctor, "diagnose", lambda: checks)
    assert doctor.main(as_json=True) == 1
    printed = json.loads(capsys.readouterr().out)
    assert [check["state"] for check in printed] == ["ok", "problem", "not applicable"]
    assert printed[1] == {"name": "b", "state": "problem", "found": "y", "advice": "do that"}


def test_importing_the_doctor_imports_neither_mpi_nor_hdf5():
    heavy = {"mpi4py", "h5py", "anarci", "numpy"}
    code = f"import sys, stagea_mpi.checks.doctor; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=HANG_S, check=True)
    assert done.stdout.strip() == "[]"
