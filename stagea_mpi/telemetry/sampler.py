"""The sampler of a node: CPU, memory, disk, network and the ranks with their children, a row every so many seconds.

It is a process of its own, `python -m stagea_mpi.telemetry.sampler`, and loads nothing but psutil. As a thread of a
rank it would take the interpreter from that rank for every walk through the process table (30 to 100 ms on a node of
many processes); as a process it runs at low priority on whichever CPU of the job has time. It lives as long as its
standard input is open: the rank that started it holds the other end, so it ends with that rank however that one ends.

Files and columns are those that existing tools of the pipeline read; MB are 1024² bytes there, timestamps ISO 8601.
What cannot be read is an empty cell.
"""

import contextlib
import csv
import datetime
import fcntl
import os
import select
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import psutil

from ..system import answered, use_all_cpus

_MIB = 1024.0**2

SYSTEM = (
    "cpu_total_pct", "cpu_iowait_pct", "load1", "load5", "load15", "mem_used_mib", "mem_avail_mib", "swap_used_mib",
    "swap_free_mib",
)  # fmt: skip
DISK = ("disk_read_MBps", "disk_write_MBps", "disk_read_iops", "disk_write_iops")
NETWORK = ("net_rx_MBps", "net_tx_MBps")
PROCESS = ("pid", "proc_nprocs", "proc_cpu_pct", "proc_rss_mib", "proc_vms_mib")


class Table:
    """A CSV file that is appended to; every row is in the kernel's hands when `add` returns."""

    def __init__(self, folder: Path, kind: str, prefix: str, columns: tuple[str, ...]):
        self._file = open(folder / f"{kind}_{prefix}.csv", "a", newline="", buffering=1)
        self._rows = csv.writer(self._file, lineterminator="\n")
        if self._file.tell() == 0:
            self._rows.writerow(("timestamp", *columns))

    def add(self, timestamp: str, values: Iterable[float | None]) -> None:
        self._rows.writerow(
            (timestamp, *("" if value is None else f"{value:.3f}".rstrip("0").rstrip(".") for value in values))
        )

    def try_lock(self) -> bool:
        """Whether this process is the one that writes the file."""
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:  # a file system without locks
            return True
        return True


class Rates:
    """Counters per second since the last reading; None where there are no counters, or no earlier reading."""

    def __init__(self, read: Callable[[], Any]):
        self._read = read
        self._last, self._at = self._counters(), time.monotonic()

    def __call__(self, names: tuple[str, ...]) -> list[float | None]:
        before, at = self._last, self._at
        self._last, self._at = self._counters(), time.monotonic()
        if before is None or self._last is None:
            return [None] * len(names)
        elapsed = max(self._at - at, 1e-6)
        return [max(0, getattr(self._last, name) - getattr(before, name)) / elapsed for name in names]

    def _counters(self) -> Any:
        return answered(lambda _: self._read())


class Ranks:
    """CPU time and memory of some processes, each with all its children.

    CPU time counts children that have ended meanwhile: a rank's children live for fractions of a second.
    """

    def __init__(self, pids: list[int]):
        self._ranks = []
        for pid in pids:
            with contextlib.suppress(psutil.Error, OSError):
                self._ranks.append(psutil.Process(pid))
        self._last: dict[int, tuple[float, float]] = {}

    def __call__(self) -> list[tuple]:
        children = self._children()
        return [row for rank in self._ranks if (row := self._row(rank, children)) is not None]

    def _row(self, rank: psutil.Process, children: dict[int, list[psutil.Process]]) -> tuple | None:
        tree, waiting = [], [rank]
        while waiting:
            process = waiting.pop()
            tree.append(process)
            waiting.extend(children.get(process.pid, []))
        seconds, rss, vms, alive = 0.0, 0, 0, 0
        for process in tree:
            try:
                with process.oneshot():
                    seconds += sum(process.cpu_times()[:4])
                    memory = process.memory_info()
            except (psutil.Error, OSError):  # it has gone, or may not be read
                continue
            rss, vms, alive = rss + memory.rss, vms + memory.vms, alive + 1
        if not alive or not rank.is_running():
            return None
        now = time.monotonic()
        before, at = self._last.get(rank.pid, (None, now))
        self._last[rank.pid] = seconds, now
        share = None if before is None else 100.0 * max(0.0, seconds - before) / max(now - at, 1e-6)
        return rank.pid, alive, share, rss / _MIB, vms / _MIB

    def _children(self) -> dict[int, list[psutil.Process]]:
        """All processes by their parent, found in one walk; the sampler itself is nobody's child."""
        found: dict[int, list[psutil.Process]] = {}
        for process in answered(lambda _: list(psutil.process_iter())) or ():
            with contextlib.suppress(psutil.Error):
                if process.pid != os.getpid():
                    found.setdefault(process.ppid(), []).append(process)
        return found


class Sampler:
    """Writes the rows of one node.

    Parameters
    ----------
    folder : Path
        The run's `compute_metrics`.
    prefix : str
        `file_names.samples_prefix`.
    pids : list of int
        The ranks of the node.
    """

    def __init__(self, folder: Path, prefix: str, pids: list[int]):
        n_cpus = len(answered(lambda _: psutil.cpu_times(percpu=True)) or range(os.cpu_count() or 1))
        self._system = Table(folder, "sys_metrics", prefix, SYSTEM)
        self._cores = Table(folder, "cpu_percore", prefix, tuple(f"cpu{i}_pct" for i in range(n_cpus)))
        self._disk = Table(folder, "disk_io", prefix, DISK)
        self._network = Table(folder, "net_io", prefix, NETWORK)
        self._processes = Table(folder, "proc_metrics", prefix, PROCESS)
        self._disk_rates, self._network_rates = Rates(psutil.disk_io_counters), Rates(psutil.net_io_counters)
        self._ranks = Ranks(pids)
        self._ranks()
        self._n_cpus = n_cpus
        _system_values(), self._core_values()  # shares are of the time since the last reading

    def sample(self) -> None:
        """Adds a row to each file."""
        now = datetime.datetime.now(datetime.UTC).astimezone().isoformat(timespec="milliseconds")
        # Two runs of one job step share the node's files; one of them writes what concerns the whole node.
        if self._system.try_lock():
            self._system.add(now, _system_values())
            self._cores.add(now, self._core_values())
            read, written, *counts = self._disk_rates(("read_bytes", "write_bytes", "read_count", "write_count"))
            self._disk.add(now, [_mib(read), _mib(written), *counts])
            self._network.add(now, map(_mib, self._network_rates(("bytes_recv", "bytes_sent"))))
        for row in self._ranks():
            self._processes.add(now, row)

    def _core_values(self) -> Sequence[float | None]:
        return answered(lambda _: psutil.cpu_percent(percpu=True)) or [None] * self._n_cpus


def _system_values() -> list[float | None]:
    total, times = answered(lambda _: psutil.cpu_percent()), answered(lambda _: psutil.cpu_times_percent())
    memory, swap = answered(lambda _: psutil.virtual_memory()), answered(lambda _: psutil.swap_memory())
    load = answered(lambda _: os.getloadavg()) or (None, None, None)
    sizes = [getattr(memory, "used", None), getattr(memory, "available", None)]
    sizes += [getattr(swap, "used", None), getattr(swap, "free", None)]
    return [total, getattr(times, "iowait", None), *load, *map(_mib, sizes)]


def _mib(value: float | None) -> float | None:
    return None if value is None else value / _MIB


def main(arguments: list[str]) -> int:
    """`FOLDER PREFIX INTERVAL PID…`: samples until standard input is closed, and once more then."""
    folder, prefix, interval, *pids = arguments
    with contextlib.suppress(OSError):
        os.nice(10)
    # The rank that started this may be bound to one CPU; the kernel keeps the set within the job's.
    use_all_cpus()
    sampler = Sampler(Path(folder), prefix, [int(pid) for pid in pids])
    every_s = float(interval)
    last, due = None, time.monotonic() + every_s
    while True:
        closed, _, _ = select.select([sys.stdin], [], [], max(0.0, due - time.monotonic()))
        # Rates over a small part of the interval would be noise.
        if not closed or last is None or time.monotonic() - last > every_s / 2:
            sampler.sample()
        if closed:
            return 0
        last = time.monotonic()
        due = max(due + every_s, last)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
