"""What the operating system tells of a process and its machine, and what is done where it does not.

Linux tells all of it. macOS has no /proc, no sets of CPUs and no signal on a parent's death, and some containers hide
/proc: psutil answers there what it can, and `gaps` names the rest.
"""

import ctypes
import errno
import os
import resource
import sys
import time
from collections.abc import Callable
from types import ModuleType
from typing import TypeVar

Value = TypeVar("Value")

#: Whether a process may go on in a copy of itself once libraries are loaded: those of macOS do not bear it.
CAN_FORK = sys.platform != "darwin"
#: Where POSIX shared memory and semaphores are; None where they are no files of which somebody could see the room.
SHM = "/dev/shm" if sys.platform != "darwin" else None

#: Of prctl(2).
_PR_SET_PDEATHSIG, _PR_SET_NAME = 1, 15
#: Of mallopt(3), and what they are set to (bytes): freed memory beyond the first goes back to the system, and what is
#: larger than the second is never kept. (glibc takes no more for this.)
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_MOST_KEPT, _LARGEST_KEPT = 2**27, 2**25
#: Files that a process may have open and that are closed one by one where nobody lists them.
_MOST_FILES = 2**16


def has_cpu_sets() -> bool:
    """Whether a process can be given some of the machine's CPUs."""
    return hasattr(os, "sched_getaffinity")


def usable_cpus() -> list[int]:
    """The CPUs that this process may use, ascending; all of the machine where the system has no sets of CPUs."""
    return sorted(os.sched_getaffinity(0)) if has_cpu_sets() else list(range(os.cpu_count() or 1))


def use_all_cpus() -> None:
    """Lets this process use all CPUs of its job; nothing happens where the system has no sets of CPUs or refuses."""
    try:
        os.sched_setaffinity(0, range(os.cpu_count() or 1))
    except (AttributeError, OSError):
        return


def peak_memory() -> int:
    """The most memory that this process has held (bytes): getrusage(2) gives kB, on macOS bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def namespace(kind: str) -> str:
    """Which namespace of a kind (``pid``, ``mnt``) this process lives in: containers on one host have each their own.

    ``host`` on systems that have none, empty where Linux does not say.
    """
    if sys.platform != "linux":
        return "host"
    try:
        return os.readlink(f"/proc/self/ns/{kind}")
    except OSError:
        return ""


def boot() -> str:
    """A name of the machine's last boot; empty where the system does not say."""
    try:
        with open("/proc/sys/kernel/random/boot_id") as file:
            return file.read().strip()
    except OSError:
        found = answered(lambda psutil: psutil.boot_time())
        return "" if found is None else f"{found:.0f}"


def start_of(pid: int) -> float | None:
    """When a process was started, which tells it from a later one with its number; None where the system does not say.

    On Linux in the kernel's ticks since boot, which a clock that is set anew does not change; elsewhere seconds since
    1970.

    Raises
    ------
    ProcessLookupError
        There is no such process.
    """
    try:
        with open(f"/proc/{pid:d}/stat", "rb") as file:
            return int(file.read().rsplit(b")", 1)[1].split()[19])
    except OSError as error:
        if not exists(pid):
            raise ProcessLookupError(errno.ESRCH, os.strerror(errno.ESRCH), str(pid)) from error
    # On Linux psutil reads the same file, and gives other units.
    return None if sys.platform == "linux" else answered(lambda psutil: psutil.Process(pid).create_time())


def exists(pid: int) -> bool:
    """Whether there is a process of this number, also one that has ended and waits for its parent to see it."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # another user's
        return True
    return True


def is_zombie(pid: int) -> bool:
    """Whether a process has ended and only waits for its parent to see it; False where the system does not say."""
    return answered(lambda psutil: psutil.Process(pid).status() == psutil.STATUS_ZOMBIE) or False


def age() -> float | None:
    """Seconds since this process was started; None where the system does not say."""
    created = answered(lambda psutil: psutil.Process().create_time())
    return None if created is None else time.time() - created


def descriptors() -> list[int]:
    """This process's open files; all numbers that they may have where the system does not list them."""
    for folder in ("/proc/self/fd", "/dev/fd"):
        try:
            return [int(name) for name in os.listdir(folder)]
        except OSError:
            continue
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return list(range(_MOST_FILES if limit == resource.RLIM_INFINITY else min(limit, _MOST_FILES)))


def die_with_parent(number: int, name: bytes) -> None:
    """Has the kernel send this process a signal when its parent dies, and show it by a name; where the kernel can."""
    if _has_prctl():
        libc = ctypes.CDLL(None)
        libc.prctl(_PR_SET_NAME, name)
        libc.prctl(_PR_SET_PDEATHSIG, number)


def keep_freed_memory() -> None:
    """Has this process keep up to 128 MB that it has freed, for what it asks for next; where the C library is glibc.

    By default glibc gives pages back when some MB are free, and the kernel clears them anew for the next model.
    """
    libc = ctypes.CDLL(None)
    if hasattr(libc, "mallopt"):
        libc.mallopt(_M_TRIM_THRESHOLD, _MOST_KEPT)
        libc.mallopt(_M_MMAP_THRESHOLD, _LARGEST_KEPT)


def answered(ask: Callable[[ModuleType], Value]) -> Value | None:
    """What psutil, which `ask` is called with, says; None where it cannot, as where /proc is cut down."""
    import psutil  # which not every process needs

    try:
        return ask(psutil)
    except (psutil.Error, OSError, RuntimeError, NotImplementedError, AttributeError):
        return None


def gaps() -> list[str]:
    """What this system does not tell or do, each with what follows from it; empty where nothing is missing."""
    found = []
    if not has_cpu_sets():
        found.append(f"no sets of CPUs, so all {os.cpu_count() or 1} are taken for this process's")
    if age() is None:
        found.append(
            "neither /proc nor what psutil would tell without it, so locks go by heartbeats alone, the time of "
            "starting is not measured, and samples have empty cells"
        )
    elif sys.platform == "linux" and not os.access("/proc/self/stat", os.R_OK):
        found.append("no /proc/self/stat, so locks go by heartbeats alone")
    if not _has_prctl():
        found.append("no signal on a parent's death, so processes beside a killed rank finish the model in hand first")
    if not CAN_FORK:
        found.append("no fork of what has libraries loaded, so verify and the report use one core")
    return found


def _has_prctl() -> bool:
    return hasattr(ctypes.CDLL(None), "prctl")
