"""Slurm's commands, each with a time limit and errors that say what Slurm said."""

import os
import shutil
import subprocess

from ..errors import SlurmError

#: Seconds that a command of Slurm's may take: a busy controller is slow to answer.
COMMAND_LIMIT = 120.0

#: States of jobs that will do no more.
_ENDED = (
    "BOOT_FAIL",
    "CANCELLED",
    "COMPLETED",
    "DEADLINE",
    "FAILED",
    "NODE_FAIL",
    "OUT_OF_MEMORY",
    "PREEMPTED",
    "REVOKED",
    "TIMEOUT",
)


def sbatch(arguments: list[str], environment: dict[str, str] | None = None) -> str:
    """Submits a job and returns its id.

    Parameters
    ----------
    arguments : list of str
        What follows `sbatch`; --parsable has to be among it.
    environment : dict, optional
        Variables beside those of this process.
    """
    output = _slurm(["sbatch", *arguments], environment)
    job_id = output.strip().split(";")[0]
    if not job_id.isdigit():
        raise SlurmError(f"sbatch answered {output.strip()[:200]!r}, expected the number of a job")
    return job_id


def scancel(job_ids: list[str]) -> None:
    """Cancels jobs."""
    _slurm(["scancel", *job_ids])


def own_jobs() -> list[dict[str, str]]:
    """This user's jobs in the queue.

    Returns
    -------
    jobs : list of dict
        ``id`` (of arrays: of the whole array), ``task`` (the id of this task), ``state``, ``reason``, ``name``,
        ``script``.
        Array tasks are separate.
    """
    keys = ("id", "task", "state", "reason", "name", "script")
    # Without all states, squeue leaves out a job that is being requeued.
    output = _slurm(["squeue", "--me", "--states=all", "--noheader", "--array", "--format=%F\t%A\t%T\t%r\t%j\t%o"])
    jobs = [dict(zip(keys, line.split("\t"), strict=True)) for line in output.splitlines() if line.count("\t") == 5]
    return [job for job in jobs if job["state"] not in _ENDED]


def is_gone(job_id: str) -> bool | None:
    """Whether a job has left the queue; None where Slurm does not say."""
    if not job_id or shutil.which("squeue") is None:
        return None
    try:
        output = _slurm(["squeue", "--noheader", "--states=all", f"--jobs={job_id}", "--format=%T"], limit=20.0)
    except SlurmError as error:
        return True if "Invalid job id" in str(error) else None
    return all(state.strip() in _ENDED for state in output.splitlines())


def _slurm(command: list[str], environment: dict[str, str] | None = None, limit: float = COMMAND_LIMIT) -> str:
    if shutil.which(command[0]) is None:
        raise SlurmError(
            f"{command[0]} is not on PATH: submit on a login node of the cluster, or start with mpiexec or srun by hand"
        )
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            encoding="utf-8",
            errors="surrogateescape",
            timeout=limit,
            stdin=subprocess.DEVNULL,
            env={**os.environ, **(environment or {})},
        )
    except subprocess.TimeoutExpired as error:
        raise SlurmError(
            f"{command[0]} gave no answer within {limit:.0f} s; is the controller up (`scontrol ping`)?"
        ) from error
    if done.returncode:
        said = " ".join(done.stderr.split()) or f"exit code {done.returncode}"
        raise SlurmError(f"`{' '.join(command)}`: {said}")
    return done.stdout
