"""What is installed, whether it works together, and what to do where it does not.

Everything is tried, not only looked up: a file is written collectively, a sequence numbered, contact areas computed.
What is missing is a finding, never a traceback. MPI is tried in a child process, since starting it can end the process.
"""

import importlib
import importlib.util
import json
import math
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import system
from ..mpi.resources import CHECKS_VARIABLE, cgroup_cpus, first_problem, needs, ranks_here, room
from ..mpi.teams import launched_by
from ..slurm.affinity import cpu_ranges

#: Seconds that any program may take here.
CHILD_LIMIT = 60.0
#: Variables that set the number of threads of the libraries below NumPy.
THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS")

_SETUP = "`make env` on Debian, `conda env create -f environment.yml` elsewhere"
_PARALLEL_H5PY = (
    f"install h5py built with MPI: {_SETUP}; by hand: "
    "CC=mpicc HDF5_MPI=ON pip install --no-binary=h5py --no-build-isolation h5py"
)
_GATHERED = f"the first rank of a team gathers what it writes, which will do; for collective writes {_PARALLEL_H5PY}"
# A human VH domain (germline IGHV3-23) and its IMGT positions 105 to 117.
_VH = (
    "EVQLVESGGGLVQPGGSLRLSCAASGFTFSSYAMSWVRQAPGKGLEWVSAISGSGGSTYYADSVKGRFTISRDNSKNTLYLQMNSLRAEDTAVYYC"
    "AKDRLSITIRPRYYGLDVWGQGTTVTVSS"
)
_VH_CDR3 = "AKDRLSITIRPRYYGLDV"
# Four carbons 3 Å from a corner to the other three: what Voronota 1.22 gives for the corner and another, in Å².
_CORNER_AREA = 15.7203


@dataclass(frozen=True)
class Check:
    """One thing that was looked at.

    Attributes
    ----------
    name : str
    ok : bool or None
        None where it does not apply here.
    found : str
        What there is, in one line.
    advice : str
        What to do about it; empty where nothing is to be done.
    """

    name: str
    ok: bool | None
    found: str
    advice: str = ""


def diagnose() -> list[Check]:
    """Look at everything that a run needs. Nothing is raised, nothing is left behind."""
    mpi = _probe_mpi()
    return [
        _python(),
        system_check(system.gaps()),
        *_mpi_checks(mpi),
        _tried("anarci", _anarci, f"install anarci, biopython and pyhmmer: {_SETUP}"),
        _tried("kernels", _kernels, f"build the package: {_SETUP}"),
        _slurm(),
        affinity_check(system.usable_cpus(), os.cpu_count() or 1, cgroup_cpus(), os.environ),
        threads_check(os.environ),
        launcher_check(os.environ, mpi.get("world_size")),
        Check("MPI's folders", None, "there is no MPI")
        if "absent" in mpi
        else resources_check(os.environ, mpi.get("library", "MPI"), len(system.usable_cpus())),
    ]


def main(as_json: bool = False) -> int:
    """Print the checks (of many ranks, the first); 0 where all is well, 1 where something needed is missing."""
    checks = diagnose()
    if os.environ.get("SLURM_PROCID", os.environ.get("OMPI_COMM_WORLD_RANK", "0")) == "0":
        print(json.dumps(facts_of(checks), indent=1) if as_json else table(checks))
    return int(any(check.ok is False for check in checks))


def facts_of(checks: list[Check]) -> list[dict[str, str]]:
    """The checks for programs, as docs/json.md lists them."""
    words = {True: "ok", False: "problem", None: "not applicable"}
    return [
        {"name": check.name, "state": words[check.ok], "found": check.found, "advice": check.advice} for check in checks
    ]


def table(checks: list[Check]) -> str:
    """The checks as aligned lines, each advice under its check."""
    words = {True: "ok", False: "PROBLEM", None: "-"}
    width = max(len(check.name) for check in checks)
    lines = []
    for check in checks:
        lines.append(f"{check.name:<{width}}  {words[check.ok]:<7}  {check.found}")
        if check.advice:
            lines.append(f"{'':<{width}}           -> {check.advice}")
    problems = sum(check.ok is False for check in checks)
    return "\n".join([*lines, "", f"{problems} of {len(checks)} checks found a problem" if problems else "all is well"])


def affinity_check(cpus: list[int], machine_cpus: int, quota: float | None, environ: Mapping[str, str]) -> Check:
    """Whether this process may use the CPUs that Slurm promised each task.

    Parameters
    ----------
    cpus : list of int
        The effective CPU set.
    machine_cpus : int
    quota : float or None
        CPUs' worth of time that the control group allows, None for no limit.
    environ : mapping
    """
    found = f"{len(cpus)} of {machine_cpus} CPUs ({cpu_ranges(cpus)})"
    promised = environ.get("SLURM_CPUS_PER_TASK", "")
    if promised.isdigit() and len(cpus) < int(promised):
        return Check("affinity", False, f"{found}, SLURM_CPUS_PER_TASK={promised}", "start with srun --cpu-bind=cores")
    if quota is not None and quota < len(cpus):
        advice = f"start at most {max(1, math.floor(quota))} ranks here"
        return Check("affinity", True, f"{found}, of which the control group allows {quota:g}", advice)
    return Check("affinity", True, found)


def system_check(gaps: list[str]) -> Check:
    """What this package uses of the operating system and does not find; `gaps` as `system.gaps` has them."""
    name = f"{platform.system()} {platform.release()}"
    if not gaps:
        return Check("system", True, name)
    return Check("system", None, f"{name} has {'; '.join(gaps)}", "graphs are the same; Linux with /proc has all of it")


def threads_check(environ: Mapping[str, str]) -> Check:
    """How many threads the libraries of a rank would start."""
    values = {name: environ[name] for name in THREAD_VARIABLES if name in environ}
    found = " ".join(f"{name}={value}" for name, value in values.items()) or "unset: a rank sets them to 1"
    many = [name for name, value in values.items() if value != "1"]
    return Check("threads", True, found, f"unset {' '.join(many)}: ranks share the cores already" if many else "")


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


def _python() -> Check:
    ok = sys.version_info >= (3, 11)
    return Check(
        "Python", ok, f"{platform.python_version()} ({sys.executable})", "" if ok else "3.11 or later is needed"
    )


def _mpi_checks(mpi: dict) -> list[Check]:
    """What the probe's facts mean. A fact that is not there was not reached."""
    broken = mpi.get("error", "the probe ended early")
    if "library" in mpi:
        checks = [Check("mpi4py", True, f"{mpi['mpi4py']} with {mpi['library']}")]
    elif "absent" in mpi and not launched_by():
        advice = f"for many ranks on this machine pip install 'stagea_mpi[mpi]'; on a cluster its own MPI: {_SETUP}"
        checks = [Check("mpi4py", None, "not installed: a run is one process", advice)]
    else:
        checks = [Check("mpi4py", False, broken, f"install an MPI and mpi4py: {_SETUP}; under srun try --mpi=pmix")]
    if "h5py_error" in mpi:
        return [*checks, Check("h5py", False, mpi["h5py_error"], _PARALLEL_H5PY)]
    if "h5py" not in mpi:
        return [*checks, Check("h5py", None, "not looked at: starting MPI ended the process")]
    found = f"{mpi['h5py']} with HDF5 {mpi['hdf5']}, " + ("MPI-enabled" if mpi["parallel"] else "serial")
    is_needed = not mpi["parallel"] and "library" in mpi
    checks.append(Check("h5py", True, found, _GATHERED if is_needed else ""))
    if not mpi["parallel"] or "libraries" not in mpi:
        return checks
    if mpi["libraries"] is None:
        one, found = None, "not looked at: this system does not say which libraries a process has loaded"
    else:
        one, found = len(mpi["libraries"]) == 1, ", ".join(mpi["libraries"]) or "none is loaded"
    advice = (
        ""
        if one is not False
        else "h5py and mpi4py must share one MPI: rebuild h5py with the mpicc of mpi4py's MPI, or the other way"
    )
    checks.append(Check("one MPI library", one, found, advice))
    advice = "" if "written" in mpi else f"h5py's MPI and mpi4py's do not work together; {_PARALLEL_H5PY}"
    checks.append(Check("collective write", "written" in mpi, mpi.get("written", broken), advice))
    return checks


def _probe_mpi() -> dict:
    """The facts that `_report_mpi` prints in a process of its own, as far as it came."""
    package_root = str(Path(__file__).resolve().parents[2])
    code = f"import sys; sys.path.insert(0, {package_root!r}); from {__name__} import _report_mpi; _report_mpi()"
    output, problem = _output_of([sys.executable, "-c", code])
    facts = {"error": problem} if problem else {}
    for line in output.splitlines():
        if line.startswith("{"):
            facts |= json.loads(line)
    return facts


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
        _print_fact(error=_one_line(error), **absent)
    try:
        h5py = importlib.import_module("h5py")
    except (ImportError, RuntimeError) as error:
        _print_fact(h5py_error=_one_line(error))
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
    _print_fact(
        **({"written": "works"} if total == sum(range(8)) else {"error": f"wrote 0 to 7, read a sum of {total}"})
    )


def _print_fact(**facts: Any) -> None:
    print(json.dumps(facts), flush=True)


def _tried(name: str, attempt: Callable[[], str], advice: str) -> Check:
    """A check that calls the package's own code; whatever it raises is the finding."""
    try:
        return Check(name, True, attempt())
    except Exception as error:
        return Check(name, False, _one_line(error), advice)


def _anarci() -> str:
    from ..antibody.numbering import CDR_POSITIONS, find_domains
    from ..pipeline.versions import versions

    (found,) = find_domains([_VH])
    if isinstance(found, Exception):
        raise found
    first, last = CDR_POSITIONS[2]
    numbered = [(domain, zip(_VH[domain.start :], domain.positions, strict=False)) for domain in found]
    cdr3s = [(d.chain_type, "".join(x for x, at in letters if first <= at <= last)) for d, letters in numbered]
    if cdr3s != [("H", _VH_CDR3)]:
        raise RuntimeError(f"types and CDR3s are {cdr3s}, expected H with {_VH_CDR3}")
    found_versions = ", ".join(f"{name} {versions()[name]}" for name in ("anarci", "pyhmmer"))
    return f"{found_versions}: a known heavy chain is numbered"


def _kernels() -> str:
    import numpy as np

    from ..graph.voronoi import contact_areas
    from ..kernels import compiled

    corner = np.vstack([np.zeros(3), 3.0 * np.eye(3)])
    (contact,) = contact_areas(np.full(4, b"C"), corner, np.arange(2), np.array([[0, 1]]))
    if not math.isclose(contact, _CORNER_AREA, rel_tol=1e-5):
        raise RuntimeError(f"the contact of two carbons has {contact:.4f} Å², expected {_CORNER_AREA:.4f} Å²")
    surface, expected = np.empty(1), 4.0 * math.pi * 3.0**2
    compiled.lee_richards(np.zeros((1, 3)), np.array([1.6]), np.zeros(1, dtype=np.int64), 1.4, 20, surface)
    if not math.isclose(surface[0], expected, rel_tol=1e-9):
        raise RuntimeError(f"a sphere of 3 Å has a surface of {surface[0]:.2f} Å², expected {expected:.2f} Å²")
    return f"{contact:.2f} Å² between two carbons, {surface[0]:.2f} Å² of a sphere of 3 Å, as expected"


def _slurm() -> Check:
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
        return "", _one_line(error)
    output = done.stdout + (done.stderr if with_stderr else "")
    if done.returncode == 0:
        return output, ""
    message = " ".join(word for word in done.stderr.split() if word.strip("-"))
    return output, f"{Path(command[0]).name} ended with {done.returncode}: {message[:200] or '(no message)'}"


def _one_line(error: BaseException) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"[:300]


if __name__ == "__main__":
    sys.exit(main())
