"""Which job, task and node a process belongs to, and the file names that follow from it."""

import os
import re


def job() -> str:
    """The job's number, of an array the array's; `local` without Slurm."""
    return os.environ.get("SLURM_ARRAY_JOB_ID") or os.environ.get("SLURM_JOB_ID") or "local"


def task() -> str:
    """The number of the array's task, 0 where there is none."""
    return os.environ.get("SLURM_ARRAY_TASK_ID") or "0"


def node() -> str:
    """Slurm's name of the node where there is one (several may live on one host), else the host's."""
    return os.environ.get("SLURMD_NODENAME") or os.uname().nodename


def events_name(rank: int) -> str:
    """File name of a rank's events."""
    return f"events_{job()}_{task()}_{plain(node())}_{rank}.jsonl"


def samples_prefix() -> str:
    """Prefix of a node's files of samples."""
    return f"stageA_{job()}_{task()}_{plain(node())}"


def plain(name: str) -> str:
    """Without the separator of the file names' parts, so that a name can be taken apart again."""
    return re.sub(r"[^A-Za-z0-9.-]", "-", name)
