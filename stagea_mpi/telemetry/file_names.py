"""Which job, task and node a process belongs to, and the file names that follow from it."""

import re

from ..scheduler import this_job


def job() -> str:
    """The job's number, of an array the array's; `local` without a batch system."""
    own = this_job()
    return own.array_id or own.id or "local"


def task() -> str:
    """The number of the array's task, 0 where there is none."""
    return this_job().array_task or "0"


def events_name(rank: int) -> str:
    """File name of a rank's events."""
    return f"events_{job()}_{task()}_{plain(this_job().node)}_{rank}.jsonl"


def samples_prefix() -> str:
    """Prefix of a node's files of samples."""
    return f"stageA_{job()}_{task()}_{plain(this_job().node)}"


def plain(name: str) -> str:
    """Without the separator of the file names' parts, so that a name can be taken apart again."""
    return re.sub(r"[^A-Za-z0-9.-]", "-", name)
