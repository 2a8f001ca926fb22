"""One writer a shard: a lock file that says who holds it, and is taken over when its holder is dead.

On the holder's own host the process decides, elsewhere its heartbeats do: a thread of the holder renews the file's
time. Clocks of hosts differ and jump, so a silent holder is watched for a while before it is taken for dead, and a
writer makes sure that the lock is still its own before it publishes.
"""

import contextlib
import errno
import json
import os
import socket
import threading
import time
import uuid
from pathlib import Path
from typing import Any

from .. import system
from ..errors import ShardBusyError
from ..scheduler import current, this_job

#: A holder on another host that has given no heartbeat for so long (s) may be dead …
SILENCE_LIMIT = 900.0
#: … and is, when it gives none while it is watched for so long (s): several times what goes by between two heartbeats.
WATCH_S = 25.0
#: Seconds between two heartbeats.
HEARTBEAT_S = 8.0

#: What file systems without hard links answer.
_NO_HARD_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EMLINK, errno.ENOSYS)


class ShardLock:
    """The right to write a shard's folder.

    Parameters
    ----------
    folder : Path
        The shard's folder.
    """

    def __init__(self, folder: Path):
        self._path = folder / ".lock"
        self._content: str | None = None
        self._released = threading.Event()

    def acquire(self) -> None:
        """Takes the lock, and gives heartbeats from then on.

        Raises
        ------
        ShardBusyError
            Another process that is alive holds it.
        """
        content = json.dumps(_this_process())
        for _ in range(3):
            if self._create(content):
                self._content = content
                self._released.clear()
                threading.Thread(target=self._give_heartbeats, name="lock", daemon=True).start()
                return
            self._clear_if_dead()
        raise ShardBusyError(
            f"{self._path.parent}: another process took the lock at the same moment; start again later"
        )

    def touch(self) -> None:
        """Gives a heartbeat."""
        with contextlib.suppress(FileNotFoundError):
            os.utime(self._path)

    def check(self) -> None:
        """Raises ShardBusyError where the lock is another's by now, because this process was taken for dead."""
        if self._content is None or self._read() != self._content:
            raise ShardBusyError(
                f"{self._path}: is no longer held by this process, which was silent for so long that another has taken "
                "over; what this one has built of the shard is dropped"
            )

    def release(self) -> None:
        """Gives the lock back; nothing happens where it is not held."""
        self._released.set()
        if self._content is not None and self._read() == self._content:
            self._path.unlink(missing_ok=True)
        self._content = None

    def _create(self, content: str) -> bool:
        """Makes the file with its content in one step; False where there is one already."""
        draft = self._aside()
        try:
            draft.write_text(content)
            os.link(draft, self._path)
        except FileExistsError:
            return False
        except FileNotFoundError:  # the holder has tidied the folder up, and the draft with it
            return False
        except OSError as error:
            if error.errno not in _NO_HARD_LINKS:
                raise
            return self._create_in_two_steps(content)
        finally:
            draft.unlink(missing_ok=True)
        return True

    def _create_in_two_steps(self, content: str) -> bool:
        try:
            with open(self._path, "x") as file:
                file.write(content)
        except FileExistsError:
            return False
        return True

    def _aside(self) -> Path:
        return self._path.with_name(f".lock.{socket.gethostname()}.{os.getpid()}.{uuid.uuid4().hex}.tmp")

    def _read(self) -> str | None:
        try:
            return self._path.read_text(errors="replace")
        except FileNotFoundError:
            return None

    def _give_heartbeats(self) -> None:
        released = self._released
        while not released.wait(HEARTBEAT_S):
            with contextlib.suppress(OSError):  # a full or lost disk is for the writer to report
                os.utime(self._path)

    def _clear_if_dead(self) -> None:
        content = self._read()
        held = holder_of(self._path.parent)
        if content is None or held is None:
            return
        holder, silence, is_alive = held
        if not is_alive and not _is_here(holder) and not _job_has_ended(holder):
            is_alive = _gives_heartbeat_within(self._path, WATCH_S)
        if is_alive:
            job = f" in job {holder['job_id']}" if holder.get("job_id") else ""
            raise ShardBusyError(
                f"{self._path.parent}: is being written by process {holder.get('pid', '?')} on "
                f"{holder.get('host', '?')}{job} since {holder.get('since', '?')} "
                f"(last heartbeat {silence:.0f} s ago); wait for it, or end it and start again"
            )
        # Of several that find the holder dead, one gets to rename the file; who comes late may have got its
        # successor's.
        stale = self._aside()
        with contextlib.suppress(FileNotFoundError):
            os.rename(self._path, stale)
            if stale.read_text(errors="replace") != content:
                with contextlib.suppress(FileExistsError):
                    os.link(stale, self._path)
            stale.unlink()


def holder_of(folder: Path) -> tuple[dict[str, Any], float, bool] | None:
    """Who holds a folder's lock, the seconds since its last heartbeat, and whether it is alive; None if free."""
    path = folder / ".lock"
    try:
        silence = time.time() - path.stat().st_mtime
        holder = json.loads(path.read_text())
    except FileNotFoundError:
        return None
    except ValueError:
        holder = {}
    holder = holder if isinstance(holder, dict) else {}
    return holder, silence, _is_alive(holder, silence)


def _this_process() -> dict[str, Any]:
    job = this_job()
    return {
        **_here(),
        "pid": os.getpid(),
        "started": system.start_of(os.getpid()),
        "token": uuid.uuid4().hex,
        "job_id": job.id,
        "restart": job.restart,
        "cluster": job.cluster,
        "since": time.strftime("%Y-%m-%d %H:%M:%S"),
    }


def _is_alive(holder: dict[str, Any], silence: float) -> bool:
    if silence < 2.0 and not holder:
        return True  # just made, not yet written
    if not _is_here(holder):
        return silence < SILENCE_LIMIT and not _job_has_ended(holder)
    try:
        started = system.start_of(holder["pid"])
        if started is None:  # somebody else's process, of which this one is not told
            return silence < SILENCE_LIMIT
        is_holder = started == holder["started"]  # and not a later one with its number
        return is_holder and not system.is_zombie(holder["pid"])
    except (OSError, KeyError, TypeError, ValueError, OverflowError):
        return False


def _is_here(holder: dict[str, Any]) -> bool:
    """Whether the holder was started on this host, since its last boot and outside of another container.

    Only then can its process be looked up by its number. Where the system does not say, heartbeats decide.
    """
    return all(value and holder.get(key) == value for key, value in _here().items())


def _here() -> dict[str, str]:
    """Where the number of a process says which it is; containers on one host number theirs apart."""
    return {
        "host": socket.gethostname(),
        "boot": system.boot(),
        "pids": system.namespace("pid"),
    }


def _gives_heartbeat_within(path: Path, seconds: float) -> bool:
    """Watches a lock: whether its time changes, or another's takes its place."""

    def seen() -> tuple[int, int] | None:
        try:
            with open(path, "rb") as file:  # opening asks a network file system for the present state
                stat = os.fstat(file.fileno())
        except FileNotFoundError:
            return None
        return stat.st_ino, stat.st_mtime_ns

    first, end = seen(), time.monotonic() + seconds
    while first is not None and time.monotonic() < end:
        time.sleep(min(1.0, seconds / 10))
        if seen() != first:
            return True
    return False


def _job_has_ended(holder: dict[str, Any]) -> bool:
    """Whether the batch system knows the holder's end: a job that is requeued when its node is lost need not wait."""
    job_id, own = holder.get("job_id"), this_job()
    if not job_id or holder.get("cluster") != own.cluster:
        return False
    if job_id == own.id:
        return holder.get("restart") != own.restart  # a job runs once at a time
    return current().is_gone(job_id) is True
