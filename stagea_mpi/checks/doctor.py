"""What is installed, whether it works together, and what to do where it does not.

Everything is tried, not only looked up: a file is written collectively, a sequence numbered, contact areas computed.
What is missing is a finding, never a traceback. MPI is tried in a child process, since starting it can end the process.
"""

import json
import math
import os
import platform
import sys
from collections.abc import Callable, Mapping

from .. import system
from ..mpi.resources import cgroup_cpus
from ..slurm.affinity import cpu_ranges
from .check import SETUP, Check, facts_of, one_line, table
from .launch_checks import launcher_check, mpi_checks, probe_mpi, resources_check, slurm_check

#: Variables that set the number of threads of the libraries below NumPy.
THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS")

# A human VH domain (germline IGHV3-23) and its IMGT positions 105 to 117.
_VH = (
    "EVQLVESGGGLVQPGGSLRLSCAASGFTFSSYAMSWVRQAPGKGLEWVSAISGSGGSTYYADSVKGRFTISRDNSKNTLYLQMNSLRAEDTAVYYC"
    "AKDRLSITIRPRYYGLDVWGQGTTVTVSS"
)
_VH_CDR3 = "AKDRLSITIRPRYYGLDV"
# Four carbons 3 Å from a corner to the other three: what Voronota 1.22 gives for the corner and another, in Å².
_CORNER_AREA = 15.7203


def diagnose() -> list[Check]:
    """Look at everything that a run needs. Nothing is raised, nothing is left behind."""
    mpi = probe_mpi()
    return [
        _python(),
        system_check(system.gaps()),
        *mpi_checks(mpi),
        _tried("anarci", _anarci, f"install anarci, biopython and pyhmmer: {SETUP}"),
        _tried("kernels", _kernels, f"build the package: {SETUP}"),
        slurm_check(),
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


def _python() -> Check:
    ok = sys.version_info >= (3, 11)
    return Check(
        "Python", ok, f"{platform.python_version()} ({sys.executable})", "" if ok else "3.11 or later is needed"
    )


def _tried(name: str, attempt: Callable[[], str], advice: str) -> Check:
    """A check that calls the package's own code; whatever it raises is the finding."""
    try:
        return Check(name, True, attempt())
    except Exception as error:
        return Check(name, False, one_line(error), advice)


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
