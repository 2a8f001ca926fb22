"""Whether ranks can be started here, know of each other and write together: MPI, HDF5 on it, launchers and Slurm.

MPI is tried in a child process, since starting it can end the process.
"""

import importlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..mpi.resources import CHECKS_VARIABLE, first_problem, needs, ranks_here, room
from ..mpi.teams import launched_by
from .check import SETUP, Check, one_line

#: Seconds that any program may take here.
CHILD_LIMIT = 60.0

_PARALLEL_H5PY = (
    f"install h5py built with MPI: {SETUP}; by hand: "
    "CC=mpicc HDF5_MPI=ON pip install --no-binary=h5py --no-build-isolation h5py"
)
_GATHERED = f"the first rank of a team gathers what it writes, which will do; for collective writes {_PARALLEL_H5PY}"


def probe_mpi() -> dict:
    """The facts that `_report_mpi` prints in a process of its own, as far as it came."""
    package_root = str(Path(__file__).resolve().parents[2])
    code = f"import sys; sys.path.insert(0, {package_root!r}); from {__name__} import _report_mpi; _report_mpi()"
    output, problem = _output_of([sys.executable, "-c", code])
    facts = {"error": problem} if problem else {}
    for line in output.splitlines():
        if line.startswith("{"):
            facts |= json.loads(line)
    return facts


def mpi_checks(mpi: dict) -> list[Check]:
    """What the probe's facts mean. A fact that is not there was not reached."""
    broken = mpi.get("error", "the probe ended early")
    if "library" in mpi:
        checks = [Check("mpi4py", True, f"{mpi['mpi4py']} with {mpi['library']}")]
    elif "absent" in mpi and not launched_by():
        advice = f"for many ranks on this machine pip install 'stagea_mpi[mpi]'; on a cluster its own MPI: {SETUP}"
        checks = [Check("mpi4py", None, "not installed: a run is one process", advice)]
    else:
        checks = [Check("mpi4py", False, broken, f"install an MPI and mpi4py: {SETUP}; under srun try --mpi=pmix")]
    if "h5py_error" in mpi:
        return [*checks, Check("h5py", False, mpi["h5py_error"], _PARALLEL_H5PY)]
    if "h5py" not in mpi:
        return [*checks, Check("h5py", None, "not looked at: starting MPI ended the process")]
    found = f"{mpi['h5py']} with HDF5 {mpi['hdf5']}, " + ("MPI-enabled" if mpi["parallel"] else "serial")
    is_needed = not mpi["parallel"] and "library" in mpi
    checks.append(Check("h5py", True, found, _GATHERED if is_needed else ""))
    if not mpi["parallel"] or "libraries" not in mpi:
        return checks
    advice = "" if "written" in mpi else f"h5py's MPI and mpi4py's do not work together; {_PARALLEL_H5PY}"
    write = Check("collective write", "written" in mpi, mpi.get("written", broken), advice)
    return [*checks, _libraries_check(mpi["libraries"]), write]


def _libraries_check(loaded: list[str] | None) -> Check:
    """Whether h5py and mpi4py have loaded one and the same MPI; None where the system does not say."""
    name = "one MPI library"
    if loaded is None:
        return Check(name, None, "not looked at: this system does not say which libraries a process has loaded")
    if len(loaded) == 1:
        return Check(name, True, loaded[0])
    advice = "h5py and mpi4py must share one MPI: rebuild h5py with the mpicc of mpi4py's MPI, or the other way"
    return Check(name, False, ", ".join(loaded) or "none is loaded", advice)


def launcher_check(environ: Mapping[str, str], world_size: int | None) -> Check:
    """Whether the launcher and the MPI library agree on the number of ranks.

    Parameters
    ----------
    environ : mapping
    world_size : int or None
        Of COMM_WORLD; None where MPI does not work.
    """
    tasks = environ.get("SLURM_STEP_NUM_TASKS") or (environ.get("SLURM_NTASKS") if "SLURM_STEP_ID" in environ else None)
    if world_size is None:
        return Check("launcher", None, "MPI does not start")
    if tasks and int(tasks) > 1 and world_size == 1:
        advice = "every task believes it is alone: srun --mpi=pmix for Open MPI, --mpi=pmi2 for MPICH (srun --mpi=list)"
        return Check("launcher", False, f"Slurm started {tasks} tasks, MPI sees a world of 1", advice)
    return Check("launcher", True, f"a world of {world_size}" + (f", {tasks} tasks by Slurm" if tasks else ""))


def resources_check(environ: Mapping[str, str], library: str, n_cpus: int) -> Check:
    """Whether this node has the shared memory and the room for files that MPI needs; for `n_cpus` ranks, if unsaid."""
    n_local = ranks_here(environ, max(2, n_cpus))
    problem = first_problem({**environ, CHECKS_VARIABLE: "1"}, library, n_local)
    if problem is None:
        folders = ", ".join(room(need.folder) for need in needs(environ, library, n_local))
        return Check("MPI's folders", True, f"for {n_local} ranks: {folders}")
    found, _, advice = problem.partition(". Mend that, or ")
    return Check("MPI's folders", False, found, f"make room, or {advice}")


def slurm_check() -> Check:
    """Whether Slurm is here and answers, and in which ways its srun starts MPI."""
    if shutil.which("srun") is None:
        return Check("Slurm", None, "not on this machine")
    nodes, problem = _output_of(["sinfo", "--noheader", "--format=%P %D nodes of %c CPUs"])
    if problem and "SLURM_CONF" not in os.environ and not Path("/etc/slurm/slurm.conf").exists():
        return Check("Slurm", None, "srun is installed, but no cluster is configured")
    if problem:
        return Check("Slurm", False, problem, "sinfo must answer before jobs can be submitted")
    version, _ = _output_of(["srun", "--version"])
    plugins, _ = _output_of(["srun", "--mpi=list"], with_stderr=True)
    kinds = [word for word in plugins.replace(",", " ").split() if word.startswith("pmi") or word == "none"]
    found = f"{version.strip()}; {'; '.join(nodes.splitlines())}; --mpi={','.join(kinds)}"
    pmix = any(kind.startswith("pmix") for kind in kinds)
    return Check("Slurm", True, found, "" if pmix else "without pmix, Open MPI cannot be started by srun: use mpiexec")


def _output_of(command: list[str], with_stderr: bool = False) -> tuple[str, str]:
    """What a program prints, and what went wrong with it (empty where nothing did)."""
    if shutil.which(command[0]) is None:
        return "", f"{command[0]} is not on PATH"
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=CHILD_LIMIT,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return "", one_line(error)
    output = done.stdout + (done.stderr if with_stderr else "")
    if done.returncode == 0:
        return output, ""
    message = " ".join(word for word in done.stderr.split() if word.strip("-"))
    return output, f"{Path(command[0]).name} ended with {done.returncode}: {message[:200] or '(no message)'}"


def _report_mpi() -> None:
    """Print facts about MPI and HDF5 as lines of JSON, the surest first."""
    MPI = None
    try:
        MPI = importlib.import_module("mpi4py.MPI")
        library = MPI.Get_library_version().strip("\0").splitlines()[0].split(", ident")[0]
        _print_fact(
            mpi4py=importlib.import_module("mpi4py").__version__, library=library, world_size=MPI.COMM_WORLD.size
        )
    except (ImportError, RuntimeError) as error:
        absent = {"absent": True} if importlib.util.find_spec("mpi4py") is None else {}
        _print_fact(error=one_line(error), **absent)
    try:
        h5py = importlib.import_module("h5py")
    except (ImportError, RuntimeError) as error:
        _print_fact(h5py_error=one_line(error))
        return
    parallel = bool(h5py.get_config().mpi)
    _print_fact(h5py=h5py.__version__, hdf5=h5py.version.hdf5_version, parallel=parallel)
    if not parallel or MPI is None:
        return
    try:
        maps = Path("/proc/self/maps").read_text().splitlines()
        paths = {line.split(maxsplit=5)[5] for line in maps if "/libmpi.so" in line or "/libmpich" in line}
        _print_fact(libraries=sorted(paths))
    except OSError:
        _print_fact(libraries=None)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "collective.h5")
        with h5py.File(path, "w", driver="mpio", comm=MPI.COMM_SELF) as file:
            column = file.create_dataset("column", shape=(8,), dtype="i4")
            with column.collective:
                column[0:8] = range(8)
        with h5py.File(path) as file:
            total = int(file["column"][:].sum())
    if total == sum(range(8)):
        _print_fact(written="works")
    else:
        _print_fact(error=f"wrote 0 to 7, read a sum of {total}")


def _print_fact(**facts: Any) -> None:
    print(json.dumps(facts), flush=True)
