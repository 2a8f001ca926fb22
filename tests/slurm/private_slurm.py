"""A Slurm of one's own: munged, slurmctld and some slurmd "nodes" on this machine, nothing outside its folder."""

import getpass
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

from holding import HANG_S, wait_until

ROOT = Path(__file__).parents[2]
PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun")
#: Variables that an outer launcher sets, which would make a test's own ranks believe they were its.
_OUTER = ("OMPI_", "PMIX_", "PMI_", "ORTE_", "SLURM_", "SBATCH_", "STAGEA_")
_PATH = os.pathsep.join([os.environ["PATH"], "/usr/sbin", "/sbin"])


def missing_programs() -> list[str]:
    """Programs that the tests need and this machine does not have."""
    return [name for name in PROGRAMS if shutil.which(name, path=_PATH) is None]


class PrivateSlurm:
    """A cluster that lives from `start` to `stop`; its daemons die with this process.

    Parameters
    ----------
    nodes : int
    binds : bool
        Whether tasks are bound to CPUs. Slurm can do so with a single node whose CPUs exist; several "nodes" on
        one machine believe, each, that they have all of them.
    """

    def __init__(self, nodes: int, binds: bool = False):
        self.nodes = [f"n{i + 1}" for i in range(nodes)]
        self._binds = binds
        self._daemons: list[subprocess.Popen] = []
        # Paths of sockets have 108 bytes, so the folder is not one of pytest's.
        self.home = Path(tempfile.mkdtemp(prefix="slurm-"))
        self._shared_memory = Path(tempfile.mkdtemp(prefix="slurm-", dir="/dev/shm"))
        self.port = _free_ports(nodes + 1)
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith(_OUTER)}
        self.environment |= {"SLURM_CONF": str(self.home / "slurm.conf"), "PATH": _PATH}
        if os.getuid() == 0:
            self.environment |= {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}

    def start(self) -> "PrivateSlurm":
        self.home.chmod(0o755)  # munged wants no folder above its socket to be writable for others
        key = self.home / "munge.key"
        key.write_bytes(secrets.token_bytes(1024))
        key.chmod(0o600)
        for node in self.nodes:
            (self._shared_memory / node).mkdir()
            (self.home / f"spool-{node}").mkdir()
            (self.home / f"tmp-{node}").mkdir()
        (self.home / "state").mkdir()
        (self.home / "slurm.conf").write_text(self._slurm_conf())
        (self.home / "cgroup.conf").write_text("CgroupAutomount=no\nConstrainCores=no\nConstrainRAMSpace=no\n")
        prolog = self.home / "task_prolog.sh"
        prolog.write_text(self._task_prolog())
        prolog.chmod(0o755)
        files = {name: self.home / f"munge.{name}" for name in ("socket", "pid", "log", "seed")}
        options = [f"--{name if name in ('socket',) else name + '-file'}={path}" for name, path in files.items()]
        self._daemon("munged", "--foreground", f"--key-file={key}", *options)
        wait_until(files["socket"].exists, "munged's socket", self._logs)
        self._daemon("slurmctld", "-D", "-c")
        for node in self.nodes:
            self._daemon("slurmd", "-D", "-N", node)
        wait_until(self._all_idle, f"{len(self.nodes)} idle nodes", self._logs)
        return self

    def stop(self) -> None:
        """Ends all jobs, then the daemons that this object has started."""
        try:
            self.run("scancel", "--quiet", f"--user={getpass.getuser()}", check=False)
            self.wait_for_jobs()
        finally:
            for daemon in reversed(self._daemons):
                daemon.terminate()
            for daemon in reversed(self._daemons):
                try:
                    daemon.wait(HANG_S)
                except subprocess.TimeoutExpired:
                    daemon.kill()
                    daemon.wait()
            shutil.rmtree(self.home, ignore_errors=True)
            shutil.rmtree(self._shared_memory, ignore_errors=True)

    def run(self, *command, timeout: float = HANG_S, check: bool = True, **environment) -> subprocess.CompletedProcess:
        """Runs a program with this Slurm in its environment; `stdout` has stderr, too."""
        done = subprocess.run(
            [str(word) for word in command],
            cwd=ROOT,
            env={**self.environment, **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=timeout,
        )
        assert not check or done.returncode == 0, f"{command} ended with {done.returncode}:\n{done.stdout}"
        return done

    def stagea(self, *arguments, **options) -> subprocess.CompletedProcess:
        """`python -m stagea_mpi …`, as a user types it on a login node."""
        return self.run(sys.executable, "-m", "stagea_mpi", *arguments, **options)

    def queue(self) -> list[str]:
        """Id, state and reason of every job that is not over."""
        # By default squeue leaves out a job that is being requeued.
        jobs = self.run("squeue", "--states=all", "--noheader", "--format=%i %T %r").stdout.splitlines()
        return [
            job for job in jobs if job.split()[1] not in ("CANCELLED", "COMPLETED", "FAILED", "TIMEOUT", "NODE_FAIL")
        ]

    def job(self, job_id: str) -> dict[str, str]:
        """What `scontrol show job` says of a job, or of the first task of an array."""
        text = self.run("scontrol", "--oneliner", "show", "job", job_id).stdout.splitlines()[0]
        return dict(field.split("=", 1) for field in text.split() if "=" in field)

    def wait_until(self, condition, what: str):
        """Waits for a condition to give something true, and returns that."""
        return wait_until(condition, what, lambda: "\n".join(self.queue()))

    def wait_for_jobs(self) -> None:
        """Waits until no job is left in the queue.

        A requeued job starts when its credential has expired; told to start at once, it finds it revoked, and fails.
        """
        self.wait_until(lambda: not self.queue(), "an empty queue")

    def _daemon(self, *command: str) -> None:
        with open(self.home / f"daemon-{len(self._daemons)}.log", "w") as log:
            # The kernel ends the daemon when pytest is killed.
            self._daemons.append(
                subprocess.Popen(
                    ["setpriv", "--pdeathsig", "KILL", *command],
                    env=self.environment,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    preexec_fn=_unblock_signals,
                    start_new_session=True,
                )
            )

    def _all_idle(self) -> bool:
        done = self.run("sinfo", "--noheader", "--format=%D %t", check=False)
        return done.stdout.split() == [str(len(self.nodes)), "idle"]

    def _logs(self) -> str:
        return "\n".join(f"== {log.name}\n{log.read_text()[-2000:]}" for log in self.home.glob("*.log"))

    def _slurm_conf(self) -> str:
        host, home, cpus = socket.gethostname(), self.home, max(2, len(os.sched_getaffinity(0)))
        exist = os.cpu_count() == cpus
        memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2**20 * 8 // 10 // len(self.nodes)
        cores = f"CPUs={cpus}"
        if not exist:
            cores += f" Boards=1 SocketsPerBoard=1 CoresPerSocket={cpus} ThreadsPerCore=1"
        lines = [
            "ClusterName=private",
            f"SlurmctldHost={host}(127.0.0.1)",
            f"SlurmUser={getpass.getuser()}",
            f"SlurmdUser={getpass.getuser()}",
            f"AuthInfo=socket={home}/munge.socket,cred_expire=15",  # which is also how long a requeued job waits
            f"SlurmctldPort={self.port}",
            f"SlurmctldPidFile={home}/slurmctld.pid",
            f"SlurmdPidFile={home}/slurmd-%n.pid",
            f"SlurmctldLogFile={home}/slurmctld.log",
            f"SlurmdLogFile={home}/slurmd-%n.log",
            f"SlurmdSpoolDir={home}/spool-%n",
            f"StateSaveLocation={home}/state",
            # Slurm's PMIx makes a folder there for each step, named after the job: nodes and clusters may not share it.
            f"TmpFS={home}/tmp-%n",
            f"TaskProlog={home}/task_prolog.sh",
            "MpiDefault=none",  # Slurm's own default: the job script has to ask for what it needs
            "ProctrackType=proctrack/linuxproc",
            f"TaskPlugin=task/{'affinity' if self._binds and exist else 'none'}",
            "JobAcctGatherType=jobacct_gather/none",
            "AccountingStorageType=accounting_storage/none",
            "SelectType=select/cons_tres",
            "SelectTypeParameters=CR_Core",
            "SchedulerType=sched/backfill",
            "SchedulerParameters=sched_interval=1,bf_interval=1,sched_min_interval=0",
            "ReturnToService=2",
            # The defaults of 10 s would fail jobs on a machine that stalls.
            "MessageTimeout=100",
            "TCPTimeout=60",
            "BatchStartTimeout=300",
            "KillWait=5",
            "MinJobAge=3600",
            *([] if exist else ["SlurmdParameters=config_overrides"]),
        ]
        for i, node in enumerate(self.nodes):
            port = self.port + 1 + i
            lines.append(
                f"NodeName={node} NodeHostname={host} NodeAddr=127.0.0.1 Port={port} {cores} RealMemory={memory}"
            )
        lines.append("PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP")
        return "\n".join(lines) + "\n"

    def _task_prolog(self) -> str:
        """Open MPI's settings for "nodes" that share a machine: files of their own in shared memory, and yielding."""
        folder = f"{self._shared_memory}/$SLURMD_NODENAME"
        settings = {f"{kind}_backing_directory": folder for kind in ("btl_vader", "osc_sm", "osc_rdma")}
        settings["mpi_yield_when_idle"] = "1"
        return "#!/bin/sh\n" + "".join(f'echo "export OMPI_MCA_{name}={value}"\n' for name, value in settings.items())


def _unblock_signals() -> None:
    signal.pthread_sigmask(signal.SIG_SETMASK, [])


def _free_ports(count: int) -> int:
    """The first of so many ports in a row that nobody listens on."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:])  # two at the same time try no port of the other's
    start = 20000 + 1000 * (worker % 10) + secrets.randbelow(500)
    for first in range(start, start + 500 - count, count):
        held = []
        try:
            for port in range(first, first + count):
                held.append(socket.create_server(("127.0.0.1", port)))
            return first
        except OSError:
            continue
        finally:
            for server in held:
                server.close()
    raise RuntimeError(f"no {count} free ports in a row from {start} on")


def status_of(slurm: PrivateSlurm, run_root: Path) -> dict:
    """What `status --json` says."""
    return json.loads(slurm.stagea("status", run_root, "--json").stdout)
