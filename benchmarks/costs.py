"""What something costs: CPU and wall seconds, and how costs are printed."""

import os
import platform
import resource
import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from time import perf_counter, process_time
from typing import Any


@dataclass(frozen=True)
class Cost:
    """Seconds.

    Attributes
    ----------
    wall, own : float
        By the clock; of this process's CPU time, all threads.
    children : float
        CPU time of the processes that were started and waited for meanwhile.
    """

    wall: float = 0.0
    own: float = 0.0
    children: float = 0.0

    @property
    def cpu(self) -> float:
        return self.own + self.children

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(self.wall + other.wall, self.own + other.own, self.children + other.children)

    def __sub__(self, other: "Cost") -> "Cost":
        return Cost(self.wall - other.wall, self.own - other.own, self.children - other.children)


def spent() -> Cost:
    """What has been spent until now; the wall's zero is arbitrary."""
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return Cost(perf_counter(), process_time(), ended.ru_utime + ended.ru_stime)


def measured(work: Callable[[], Any]) -> tuple[Any, Cost]:
    """What `work` returns, and what it costs."""
    before = spent()
    result = work()
    return result, spent() - before


def median(costs: Sequence[Cost], share: float = 1.0) -> tuple[float, float]:
    """Medians of CPU and wall seconds, times a share."""
    return tuple(statistics.median(getattr(cost, kind) for cost in costs) * share for kind in ("cpu", "wall"))


def ratio(of: Sequence[Cost], to: Sequence[Cost], kind: str) -> str:
    """How many times `of` costs what `to` does, measured in pairs: the median, and the smallest and the largest."""
    ratios = sorted(getattr(one, kind) / getattr(other, kind) for one, other in zip(of, to, strict=True))
    return f"{statistics.median(ratios):.3g} ({ratios[0]:.3g}-{ratios[-1]:.3g})"


def print_table(rows: Iterable[Sequence[str]]) -> None:
    """Columns as wide as their widest cell, the first and the last to the left."""
    rows = list(rows)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for first, *middle, last in rows:
        cells = [f"{cell:>{width}}" for cell, width in zip(middle, widths[1:-1], strict=True)]
        print("  ".join([f"{first:{widths[0]}}", *cells, last]).rstrip())


def machine() -> str:
    """What is measured on."""
    return f"{platform.machine()}, {len(os.sched_getaffinity(0))} CPUs"
