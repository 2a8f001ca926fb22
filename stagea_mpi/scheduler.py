"""The batch system around a process: which job it belongs to, and whether another job is still there.

What lies below `slurm/` asks `current()` and knows no batch system by name. Another one is a class beside
`slurm.job.Slurm` and a line in `_KNOWN`.
"""

import importlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

#: Modules and the classes in them, tried in this order; they are loaded when a process first asks.
_KNOWN = (("stagea_mpi.slurm.job", "Slurm"),)


@dataclass(frozen=True)
class Job:
    """The job that a process belongs to; without a batch system all but the node is empty.

    Attributes
    ----------
    node : str
        The batch system's name of this node (several may live on one host), else the host's.
    id : str
        The job's own number, by which `Scheduler.is_gone` knows it.
    array_id, array_task : str
        Of a task of an array: the array's number, and the task's in it.
    restart : str
        How often the job has been requeued.
    cluster : str
        Numbers of jobs mean something on one cluster alone.
    asked : dict
        What was asked for, in the batch system's own words.
    """

    node: str
    id: str = ""
    array_id: str = ""
    array_task: str = ""
    restart: str = "0"
    cluster: str = ""
    asked: dict[str, str] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """As the batch system's commands take it: of array tasks ARRAY_TASK."""
        return f"{self.array_id}_{self.array_task}" if self.array_id else self.id


class Scheduler(Protocol):
    """A batch system."""

    def is_here(self, environ: Mapping[str, str]) -> bool:
        """Whether this process runs in one of its jobs, or can ask it about them."""
        ...

    def this_job(self, environ: Mapping[str, str]) -> Job:
        """The job of this process."""
        ...

    def is_gone(self, job_id: str) -> bool | None:
        """Whether a job has ended for good; None where the batch system does not say."""
        ...


class NoScheduler:
    """No batch system: a workstation, or ranks that somebody has started by hand."""

    def is_here(self, environ: Mapping[str, str]) -> bool:
        return True

    def this_job(self, environ: Mapping[str, str]) -> Job:
        return Job(os.uname().nodename)

    def is_gone(self, job_id: str) -> bool | None:
        return None


def current(environ: Mapping[str, str] = os.environ) -> Scheduler:
    """The batch system that is here."""
    for module, name in _KNOWN:
        scheduler: Scheduler = getattr(importlib.import_module(module), name)()
        if scheduler.is_here(environ):
            return scheduler
    return NoScheduler()


def this_job(environ: Mapping[str, str] = os.environ) -> Job:
    """The job of this process, under whatever batch system is here."""
    return current(environ).this_job(environ)
