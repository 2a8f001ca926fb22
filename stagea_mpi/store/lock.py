"""One writer a shard: a lock file that says who holds it, and is taken over when its holder is dead."""

import contextlib
import json
import os
import socket
import time
from pathlib import Path
from typing import Any

import psutil

from ..errors import ShardBusyError
from ..slurm.queue import is_gone

#: A holder on another host that has given no sign of life for so long (s) is taken for dead.
SILENCE_LIMIT = 900.0


class ShardLock:
    """The right to write a shard's folder.

    Parameters
    ----------
    folder : Path
        The shard's folder.
    """

    def __init__(self, folder: Path):
        self._path = folder / ".lock"

    def acquire(self) -> None:
        """Takes the lock.

        Raises
        ------
        ShardBusyError
            Another process that is alive holds it.
        """
        for _ in range(3):
            try:
                handle = os.open(self._path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644)
            except FileExistsError:
                self._clear_if_dead()
                continue
            with os.fdopen(handle, "w") as file:
                json.dump(_this_process(), file)
            return
        raise ShardBusyError(
            f"{self._path.parent}: another process took the lock at the same moment; start again later"
        )

    def touch(self) -> None:
        """Gives a sign of life."""
        with contextlib.suppress(FileNotFoundError):
            os.utime(self._path)

    def release(self) -> None:
        self._path.unlink(missing_ok=True)

    def _clear_if_dead(self) -> None:
        held = holder_of(self._path.parent)
        if held is None:
            return
        holder, silence, is_alive = held
        if is_alive:
            job = f" in job {holder['job_id']}" if holder.get("job_id") else ""
            raise ShardBusyError(
                f"{self._path.parent}: is being written by process {holder.get('pid', '?')} on "
                f"{holder.get('host', '?')}{job} since {holder.get('since', '?')} (last sign of life {silence:.0f} s ago); "
                "wait for it, or end it and start again"
            )
        # Of several that find the holder dead, one gets to rename the file.
        grave = self._path.with_name(f".lock.{socket.gethostname()}.{os.getpid()}.part")
        with contextlib.suppress(FileNotFoundError):
            os.rename(self._path, grave)
            grave.unlink()


def holder_of(folder: Path) -> tuple[dict[str, Any], float, bool] | None:
    """Who holds a folder's lock, the seconds since the last sign of life, and whether the holder is alive; None if free."""
    path = folder / ".lock"
    try:
        silence = time.time() - path.stat().st_mtime
        holder = json.loads(path.read_text())
    except FileNotFoundError:
        return None
    except ValueError:
        holder = {}
    return holder, silence, _is_alive(holder, silence)


def _this_process() -> dict[str, Any]:
    return {
        "host": socket.gethostname(),
        "pid": os.getpid(),
        "started": psutil.Process().create_time(),
        "job_id": os.environ.get("SLURM_JOB_ID", ""),
        "restart": os.environ.get("SLURM_RESTART_COUNT", "0"),
        "cluster": os.environ.get("SLURM_CLUSTER_NAME", ""),
        "since": time.strftime("%Y-%m-%d %H:%M:%S"),
    }


def _is_alive(holder: dict[str, Any], silence: float) -> bool:
    if silence < 2.0 and not holder:
        return True  # just made, not yet written
    if holder.get("host") != socket.gethostname():
        return silence < SILENCE_LIMIT and not _job_has_ended(holder)
    try:
        process = psutil.Process(holder["pid"])
        is_holder = abs(process.create_time() - holder["started"]) < 1.0  # and not a later one with its number
        return is_holder and process.status() != psutil.STATUS_ZOMBIE
    except (psutil.Error, KeyError, TypeError, ValueError):
        return False


def _job_has_ended(holder: dict[str, Any]) -> bool:
    """Whether Slurm knows the holder's end, so that a job that is requeued after the loss of its node need not wait."""
    job_id = holder.get("job_id")
    if not job_id or holder.get("cluster") != os.environ.get("SLURM_CLUSTER_NAME", ""):
        return False
    if job_id == os.environ.get("SLURM_JOB_ID"):
        return holder.get("restart") != os.environ.get("SLURM_RESTART_COUNT", "0")  # a job runs once at a time
    return is_gone(job_id) is True
