"""Work shared out over the cores of this process, for what reads a whole run: verify and the report."""

import multiprocessing
import warnings
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from typing import TypeVar

from .. import system

Item = TypeVar("Item")
Result = TypeVar("Result")

#: Tasks a worker that are under way or done and not yet taken: results may be large.
_AHEAD = 2


def on_all_cores(work: Callable[[Item], Result], items: Sequence[Item], a_worker: int = 1) -> Iterator[Result]:
    """What `work` makes of each item, in their order, on all cores that this process may use.

    Parameters
    ----------
    work : callable
        Of a module's top level.
    items : sequence
    a_worker : int
        Items that are worth a process of their own; of fewer than twice as many the work is done in this process.

    Yields
    ------
    result
        A few are made ahead of the one that is taken, and no more.
    """
    workers = min(len(system.usable_cpus()), len(items) // a_worker)
    if workers < 2 or not system.CAN_FORK:
        yield from map(work, items)
        return
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("fork")) as pool:
        waiting: deque[Future[Result]] = deque()
        for item in items:
            waiting.append(_submitted(pool, work, item))
            if len(waiting) > _AHEAD * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _submitted(pool: ProcessPoolExecutor, work: Callable[[Item], Result], item: Item) -> "Future[Result]":
    with warnings.catch_warnings():
        # From Python 3.12 on, a fork beside threads (a notebook has some) is warned of: these only read and compute.
        warnings.simplefilter("ignore", DeprecationWarning)
        return pool.submit(work, item)
