"""submitted.json: which jobs were submitted for a run, and how."""

import getpass
import json
import socket
from pathlib import Path
from typing import Any

from ..errors import RunFolderError
from ..rundir.folders import RunFolder, now, write_json


class Submissions:
    """The record of a run's submissions, oldest first; written after each job, so that a killed `submit` hides none.

    Each has ``at``, ``by``, ``host`` and ``jobs``; each job ``role``, ``job_id``, ``array_tasks`` (0 for no array),
    ``command`` and ``script``.
    """

    def __init__(self, folder: RunFolder):
        self.path = folder.root / "submitted.json"
        try:
            self.entries: list[dict[str, Any]] = json.loads(self.path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            self.entries = []
        except (OSError, ValueError) as error:
            raise RunFolderError(
                f"{self.path}: cannot be read ({error}); make sure that no job of the run is queued, then remove it"
            ) from error

    def begin(self) -> None:
        """Starts the record of one more submission."""
        self.entries.append({"at": now(), "by": getpass.getuser(), "host": socket.gethostname(), "jobs": []})

    def add(self, role: str, job_id: str, array_tasks: int, command: list[str], script: Path) -> None:
        """Keeps a job that Slurm has just taken."""
        job = {"role": role, "job_id": job_id, "array_tasks": array_tasks, "command": command, "script": str(script)}
        self.entries[-1]["jobs"].append(job)
        write_json(self.path, self.entries)

    def knows(self, job_id: str, script: str) -> bool:
        """Whether a job in the queue is one of these; the number alone does not say so, since clusters begin anew."""
        known = [job["script"] for entry in self.entries for job in entry["jobs"] if job["job_id"] == job_id]
        return any(script == path or script.startswith(path + " ") for path in known)  # with its arguments

    @property
    def latest(self) -> list[dict[str, Any]]:
        """Jobs of the last submission."""
        return self.entries[-1]["jobs"] if self.entries else []
