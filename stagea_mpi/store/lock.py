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
        try:
            silence = time.time() - self._path.stat().st_mtime
            holder = json.loads(self._path.read_text())
        except FileNotFoundError:
            return
        except ValueError:
            holder = {}
        if _is_alive(holder, silence):
            job = f" in job {holder['job_id']}" if holder.get("job_id") else ""
            raise ShardBusyError(
                f"{self._path.parent}: is being written by process {holder.get('pid', '?')} on {holder.get('host', '?')}"
                f"{job} since {holder.get('since', '?')} (last sign of life {silence:.0f} s ago); "
                "wait for it, or end it and start again"
            )
        # Of several that find the holder dead, one gets to rename the file.
        grave = self._path.with_name(f".lock.{socket.gethostname()}.{os.getpid()}.part")
        with contextlib.suppress(FileNotFoundError):
            os.rename(self._path, grave)
            grave.unlink()


def _this_process() -> dict[str, Any]:
    return {
        "host": socket.gethostname(),
        "pid": os.getpid(),
        "started": psutil.Process().create_time(),
        "job_id": os.environ.get("SLURM_JOB_ID", ""),
        "since": time.strftime("%Y-%m-%d %H:%M:%S"),
    }


def _is_alive(holder: dict[str, Any], silence: float) -> bool:
    if silence < 2.0 and not holder:
        return True  # just made, not yet written
    if holder.get("host") != socket.gethostname():
        return silence < SILENCE_LIMIT
    try:
        return abs(psutil.Process(holder["pid"]).create_time() - holder["started"]) < 1.0
    except (psutil.Error, KeyError, TypeError, ValueError):
        return False
