"""Slurm as what lies below it knows it: see `scheduler.Scheduler`."""

import os
import shutil
from collections.abc import Mapping

from ..scheduler import Job
from .queue import is_gone

#: What Slurm says that was asked for.
_ASKED = (
    "SLURM_JOB_ID", "SLURM_ARRAY_JOB_ID", "SLURM_ARRAY_TASK_ID", "SLURM_NTASKS", "SLURM_CPUS_PER_TASK",
    "SLURM_JOB_NUM_NODES", "SLURM_MEM_PER_NODE", "SLURM_MEM_PER_CPU", "SLURM_JOB_PARTITION",
)  # fmt: skip


class Slurm:
    """Jobs of Slurm, by the variables that it sets and by what its queue says."""

    def is_here(self, environ: Mapping[str, str]) -> bool:
        in_a_job = any(
            environ.get(name)
            for name in ("SLURM_JOB_ID", "SLURM_ARRAY_JOB_ID", "SLURM_CLUSTER_NAME", "SLURMD_NODENAME")
        )
        return in_a_job or shutil.which("squeue") is not None

    def this_job(self, environ: Mapping[str, str]) -> Job:
        return Job(
            node=environ.get("SLURMD_NODENAME") or os.uname().nodename,
            id=environ.get("SLURM_JOB_ID", ""),
            array_id=environ.get("SLURM_ARRAY_JOB_ID", ""),
            array_task=environ.get("SLURM_ARRAY_TASK_ID", ""),
            restart=environ.get("SLURM_RESTART_COUNT", "0"),
            cluster=environ.get("SLURM_CLUSTER_NAME", ""),
            asked={name: environ[name] for name in _ASKED if environ.get(name)},
        )

    def is_gone(self, job_id: str) -> bool | None:
        return is_gone(job_id)
