"""Runs that are to be disturbed: started in a session of their own, all their processes to be found and counted."""

import os
import shlex
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path

from holding import HANG_S, wait_until
from launching import ROOT, launch_environment, mpiexec

from stagea_mpi.checks.verify import verify

#: Files whose bytes do not depend on the number of ranks, nor on what happened on the way.
PUBLISHED = ("graphs.h5", "failures.tsv", "manifest.tsv.gz")
#: `make faults` does everything, `make test` a part of each.
LONG = "FAULT_ROUNDS" in os.environ
#: Which random moments.
SEED = int(os.environ.get("FAULT_SEED", "1"))
#: Three shards of the six poses.
SETTINGS = {"max_per_shard": 2, "min_per_shard": 1}
#: Processes of ours beside each rank and on each node: the last part of their module's name.
BESIDE_RANKS = ("worker", "sampler")
_MARK = "STAGEA_FAULT_ROUND"
#: Seconds within which the other processes of a run have to follow the one that was started.
_OTHERS_END_WITHIN = 120.0


class Victim:
    """One start of ``python -m stagea_mpi``.

    Parameters
    ----------
    ranks : int
        0: without a launcher.
    arguments : list
    module : str
        What is started instead of stagea_mpi.
    host : str
        A host of this name, with processes of its own, stands in for another machine. Root alone can make one.
    mounts, second_mounts : str
        A command that changes what is mounted, for all of it or for the second rank alone; root's, too.
    """

    def __init__(
        self, ranks: int, *arguments, module: str = "stagea_mpi", host: str = "", mounts: str = "",
        second_mounts: str = "", **environment: str,
    ):  # fmt: skip
        self.mark = uuid.uuid4().hex
        command = [sys.executable, "-m", module, *map(str, arguments)]
        if second_mounts:
            own = shlex.join(_with_mounts(second_mounts))
            command = ["sh", "-c", f'[ "$OMPI_COMM_WORLD_RANK" != 1 ] || exec {own} "$@"; exec "$@"', "sh", *command]
        if ranks:
            command = [mpiexec(), "-n", str(ranks), "--oversubscribe", *command]
        if mounts:
            command = [*_with_mounts(mounts), *command]
        if host:
            separate = ["unshare", "--uts", "--pid", "--fork", "--kill-child", "--mount-proc"]
            command = [*separate, "sh", "-c", f'hostname {host} && exec "$@"', "sh", *command]
        self._log = tempfile.TemporaryFile()
        # Open MPI leaves its shared memory and sockets behind when all of it is killed: here they go with this object.
        self._folder = tempfile.TemporaryDirectory(prefix="faults", ignore_cleanup_errors=True)
        own = {
            "OMPI_MCA_btl_vader_backing_directory": self._folder.name,
            "OMPI_MCA_osc_sm_backing_directory": self._folder.name,
            "OMPI_MCA_orte_tmpdir_base": self._folder.name,
            "OMPI_MCA_mpi_yield_when_idle": "1",
        }
        self.process = subprocess.Popen(
            command,
            env={**launch_environment(), **own, _MARK: self.mark, **environment},
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    @property
    def output(self) -> str:
        self._log.seek(0)
        return self._log.read().decode(errors="replace")

    def processes(self) -> dict[int, str]:
        """Names of this start's living processes, by number: the launcher, ranks, samplers and children."""
        mark, found = f"{_MARK}={self.mark}".encode(), {}
        for entry in os.scandir("/proc"):
            if not entry.name.isdigit() or int(entry.name) < self.process.pid:
                continue
            try:
                if mark in Path(entry.path, "environ").read_bytes() and _state(entry.path) != "Z":
                    found[int(entry.name)] = _name(entry.path)
            except OSError:
                continue
        return found

    def ranks(self) -> list[int]:
        """Ranks that have come so far as to import our code; the launcher's own processes are none."""
        return [pid for pid, name in self.processes().items() if name == "rank"]

    def wait(self) -> int:
        """The exit code; every process of this start has to be gone soon after."""
        try:
            code = self.process.wait(timeout=HANG_S)
        except subprocess.TimeoutExpired:
            left = self.processes()
            self.end()
            raise AssertionError(f"still running after {HANG_S:.0f} s: {left}\n{self.output}") from None
        end = time.monotonic() + _OTHERS_END_WITHIN
        while left := self.processes():
            if time.monotonic() > end:
                self.end()
                raise AssertionError(f"the run has ended, but its processes {left} are still there\n{self.output}")
            time.sleep(0.05)
        return code

    def end(self) -> None:
        for pid in self.processes():
            send(pid, signal.SIGKILL)
        self.process.kill()
        self.process.wait(timeout=HANG_S)


def _with_mounts(command: str) -> list[str]:
    return ["unshare", "-m", "sh", "-c", f'{command} && exec "$@"', "sh"]


def send(pid: int, number: int) -> bool:
    """Whether the process was still there to get the signal."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    return True


def wait_for(path: Path, run: Victim) -> None:
    """Until a run has made a file."""
    wait_until(path.exists, str(path), lambda: run.output)


def published(run_root: Path) -> dict[str, bytes]:
    files = (path for name in PUBLISHED for path in run_root.glob(f"shards/*/{name}"))
    return {f"{path.parent.name}/{path.name}": path.read_bytes() for path in files}


def left_behind(run_root: Path) -> list[Path]:
    """What no finished run may leave in its folder."""
    return [path for path in run_root.rglob(".*") if path.name.endswith(".tmp") or path.name == ".lock"]


def check_what_is_there(run_root: Path) -> int:
    """Fails where a file under a final name is wrong; the code of `verify` (0 whole, 75 unfinished)."""
    if not (run_root / "shard_lists").is_dir():
        return 75
    lines: list[str] = []
    code = verify(run_root, tell=lines.append)
    assert code in (0, 75), "\n".join(lines)
    return code


def _state(process: str) -> str:
    return Path(process, "stat").read_text().rpartition(")")[2].split()[0]


def _name(process: str) -> str:
    words = Path(process, "cmdline").read_bytes().decode(errors="replace").split("\0")
    if Path(process, "comm").read_text() == "stagea_worker\n":  # forked, with its rank's command line
        return "worker"
    program = os.path.basename(words[0])
    if not program.startswith("python"):
        return program
    module = words[words.index("-m") + 1].rpartition(".")[2] if "-m" in words else "python"
    return module if module in BESIDE_RANKS else "rank" if "run" in words else "python"
