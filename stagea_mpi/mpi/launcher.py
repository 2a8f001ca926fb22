"""Ranks that a run starts for itself on this machine, by the launcher that belongs to mpi4py's MPI library."""

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from .. import system
from ..errors import FAILED, STOPPED_EARLY, LaunchError
from .child_process import die_with_parent, package_environment
from .guard import StopRequest
from .resources import cgroup_cpus

#: How ranks are started, after the interpreter.
RUN = ("-m", "stagea_mpi", "run")
#: What installs an MPI for the ranks of one machine.
INSTALL = (
    'pip install "stagea_mpi[mpi]", or an MPI and mpi4py of your system, and `python -m stagea_mpi doctor` checks it'
)

#: Seconds that a program may take to say what it is.
_LIMIT_S = 60.0
#: Seconds between two looks at signals, and that a launcher may take to end after a second one.
_LOOK_S, _END_S = 0.1, 20.0
#: What libraries call themselves, the names of their launchers, and what these say with --version.
_KINDS = {
    "Open MPI": (("mpiexec.openmpi", "mpiexec", "mpirun"), r"Open MPI|OpenRTE"),
    "MPICH": (("mpiexec.mpich", "mpiexec.hydra", "mpiexec"), r"HYDRA"),
    "Intel(R) MPI": (("mpiexec.hydra", "mpiexec"), r"Intel\(R\) MPI"),
}
#: The library as it is loaded, without starting MPI: its name and version, and its file.
_ASK = r"""
import json, re
import mpi4py
mpi4py.rc.initialize = mpi4py.rc.finalize = False
from mpi4py import MPI
try:
    with open("/proc/self/maps") as lines:
        files = [line.split(maxsplit=5)[5].strip() for line in lines if re.search(r"/libmpi(ch|_abi)?\.so", line)]
except OSError:
    files = []  # the system does not say; a launcher on PATH will do
print(json.dumps([MPI.Get_library_version().strip("\0").splitlines()[0], *files[:1]]))
"""


@dataclass(frozen=True)
class Launcher:
    """A program that starts ranks, and the MPI library that they will load.

    Attributes
    ----------
    program : str
        Its path.
    library : str
        What the library calls itself, with its version.
    """

    program: str
    library: str

    def command(self, ranks: int) -> list[str]:
        """What starts so many ranks, before the interpreter."""
        # Open MPI refuses more ranks than there are cores, or tasks of the job, if it is not told otherwise.
        tasks = os.environ.get("SLURM_NTASKS", "")
        places = min(cores_given(), int(tasks)) if tasks.isdigit() else cores_given()
        spare = ["--oversubscribe"] if ranks > places and self.library.startswith("Open MPI") else []
        return [self.program, "-n", str(ranks), *spare]


def find_launcher() -> Launcher:
    """The launcher of mpi4py's MPI library: beside it or on PATH, and of its version, if there is one.

    Raises
    ------
    LaunchError
        mpi4py, its library or a launcher of that is not there.
    """
    try:
        asked = subprocess.run(
            [sys.executable, "-c", _ASK],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_LIMIT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise LaunchError(f"mpi4py has not loaded its MPI library within {_LIMIT_S:g} s") from error
    if asked.returncode:
        reason = (asked.stderr.strip().splitlines() or [f"it ended with {asked.returncode}"])[-1]
        raise LaunchError(f"--ranks needs mpi4py with an MPI library, which cannot be loaded ({reason}): {INSTALL}")
    library, *files = json.loads(asked.stdout.splitlines()[-1])
    kind = next((name for name in _KINDS if library.startswith(name)), None)
    if kind is None:
        raise LaunchError(f"--ranks: no launcher of {library} is known; start with the mpiexec that belongs to it")
    names, says = _KINDS[kind]
    found = [(program, _version_of(program)) for program in _candidates(names, files)]
    fit = [program for program, version in found if re.search(says, version)]
    same = [program for program, version in found if program in fit and _number(version) == _number(library)]
    if fit:
        return Launcher((same or fit)[0], library)
    where = f"beside {files[0]} or on PATH" if files else "on PATH"
    raise LaunchError(f"--ranks: no launcher of {library} is {where} (looked for {', '.join(names)}): {INSTALL}")


def _candidates(names: Sequence[str], libraries: Iterable[str]) -> Iterable[str]:
    """Programs that may be the launcher: those nearest to the library first, then those on PATH."""
    seen = set()
    for library in libraries:
        for folder in (*Path(library).parents[:-1], *Path(library).resolve().parents[:-1]):  # without /
            for name in names:
                path = folder / "bin" / name
                if path not in seen and os.access(path, os.X_OK):
                    yield str(path)
                seen.add(path)
    yield from filter(None, map(shutil.which, names))


def _number(version: str) -> str | None:
    """The first number with points in a text, such as 4.1.4."""
    match = re.search(r"\d+(\.\d+)+", version)
    return match and match[0]


def _version_of(program: str) -> str:
    try:
        done = subprocess.run(
            [program, "--version"], capture_output=True, text=True, errors="replace", timeout=_LIMIT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout


def cores_given() -> int:
    """Cores that this process may use, each with its hardware threads counted once; at least 1."""
    cores = set()
    for cpu in system.usable_cpus():
        try:
            cores.add(Path(f"/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list").read_text())
        except OSError:
            cores.add(str(cpu))
    return max(1, int(min(len(cores), cgroup_cpus() or len(cores))))


def launch_environment(without: tuple[str, ...] = ()) -> dict[str, str]:
    """This process's variables for a launcher, with what that and ranks of this package want.

    As root Open MPI refuses to start until it is told twice, which is done here: in a container all are root.

    Parameters
    ----------
    without : tuple of str
        Beginnings of names to be left out.
    """
    # In UTF-8, or a rank may start itself again, and is deaf meanwhile.
    kept = package_environment(without, PYTHONUTF8="1")
    # PyPI's Open MPI would say on each rank that its windows over UCX do not work; within a node it takes others.
    kept.setdefault("OMPI_MCA_osc", "^ucx")
    if os.geteuid() == 0:
        kept |= {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
    return kept


def listening_ranks(launcher: int, *, started: bool = True) -> list[psutil.Process]:
    """Ranks below a process, or itself, that a stop signal would not kill: those that still start are left out.

    `started` says whether they count as past their start where the system does not tell.
    """
    found = []
    with contextlib.suppress(psutil.NoSuchProcess):
        process = psutil.Process(launcher)
        for rank in (process, *process.children(recursive=True)):
            with contextlib.suppress(psutil.NoSuchProcess):
                listens = _listens(rank.pid) if tuple(rank.cmdline()[1 : 1 + len(RUN)]) == RUN else False
                if listens or (listens is None and started):
                    found.append(rank)
    return found


def _listens(pid: int) -> bool | None:
    """Whether a process has a handler for the signal to stop, or ignores it: the masks of proc(5)'s status.

    None where the system does not say.
    """
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False if os.path.exists("/proc/self/status") else None
    masks = [int(mask, 16) for mask in re.findall(r"^Sig(?:Cgt|Ign):\s*(\w+)", status, re.M)]
    return any(mask >> (signal.SIGTERM - 1) & 1 for mask in masks)


def run_on_ranks(launcher: Launcher, ranks: int, arguments: Sequence[str], stop: StopRequest) -> int:
    """Starts `python -m stagea_mpi run` on ranks and waits for their end; the run's exit code.

    Signals to stop are handed on to the ranks: a launcher that gets one ends them in its own way, with a code of its
    own. When this process dies, so do launcher and ranks.

    Parameters
    ----------
    launcher : Launcher
    ranks : int
    arguments : sequence of str
        After `run`.
    stop : StopRequest
        It listens already; signals that have come are handed on, too.
    """
    with tempfile.TemporaryDirectory(prefix="stagea_mpi.") as folder:
        receipt = Path(folder, "receipt")
        # In a session of its own: Ctrl-C reaches all processes of a terminal's.
        child = subprocess.Popen(
            [*die_with_parent(), *launcher.command(ranks), sys.executable, *RUN, *arguments],
            stdin=subprocess.DEVNULL,
            env={**launch_environment(), "STAGEA_RECEIPT": str(receipt)},
            start_new_session=True,
        )
        signals, come, told, n_said = stop.hand_on(), list[int](), dict[int, int](), 0
        while child.poll() is None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(_LOOK_S)
            insists = False
            while not signals.empty():
                come.append(signals.get())
                insists |= stop.is_second(come[-1], time.monotonic())
            for rank in listening_ranks(child.pid) if come else ():
                for number in come[told.get(rank.pid, 0) :]:
                    with contextlib.suppress(psutil.NoSuchProcess):
                        rank.send_signal(number)
                told[rank.pid] = len(come)
            if n_said < len(come) == min(told.values(), default=0) and len(told) == ranks:
                n_said = len(come)
                print(f"stagea_mpi: {signal.Signals(come[-1]).name} is handed on to {ranks} ranks", file=sys.stderr)
            if insists:
                return _ended_at_once(child)
        said = receipt.read_text().strip() if receipt.exists() else ""
    return _exit_code(child.returncode, said)


def _ended_at_once(child: subprocess.Popen) -> int:
    """Ends a launcher with what ranks it still has, such as those that wait to be started."""
    child.terminate()
    try:
        child.wait(_END_S)
    except subprocess.TimeoutExpired:
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()
    return STOPPED_EARLY


def _exit_code(launcher: int, said: str) -> int:
    """The run's exit code, from the launcher's and what the first rank has left.

    Launchers hand codes on in ways of their own; that all is well they have to say both.
    """
    if said.isdigit() and int(said):
        return int(said)
    if launcher == 0 and not said:
        print("stagea_mpi: error: the launcher has ended, and no rank has said that it is done", file=sys.stderr)
        return FAILED
    return launcher if launcher >= 0 else 128 - launcher
