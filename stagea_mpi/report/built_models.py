"""Models as the events have them: where and when each was built, and how long each stage of it took."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..graph.timing import STAGES
from .event_files import NO_SHARD, ModelColumns

#: Events that begin so much (s) before another one ends follow it: times are noted to 0.1 ms.
_ROUNDING_S = 1e-4
#: Models of a process with no more than that (s) between them are one stretch of work.
GAP_S = 0.01


@dataclass(frozen=True)
class BuiltModels:
    """A row for each time that a process has built a model, in the order of the files.

    Attributes
    ----------
    process : ndarray of int, shape=(n,)
    shard : ndarray of int, shape=(n,)
        `NO_SHARD` where none was noted.
    name : ndarray of str, shape=(n,)
    start : ndarray of float, shape=(n,)
        s since 1970.
    seconds : ndarray of float, shape=(n, number of stages)
    n_atoms : ndarray of int, shape=(n,)
    failed : dict
        By row of a model that failed, the stage and the reason.
    """

    process: np.ndarray
    shard: np.ndarray
    name: np.ndarray
    start: np.ndarray
    seconds: np.ndarray
    n_atoms: np.ndarray
    failed: dict[int, tuple[str, str]]

    @classmethod
    def of(cls, columns: ModelColumns) -> "BuiltModels":
        """From the columns of all files, in which a model may have several rows of some stages each."""
        name = np.array(columns.name, dtype=object)
        process, shard = np.array(columns.process, dtype=np.int64), np.array(columns.shard, dtype=np.int64)
        start, n_atoms = np.array(columns.start, dtype=float), np.array(columns.n_atoms, dtype=np.int64)
        seconds, failed = columns.by_stage, columns.failed
        model = _codes(name)[0] if len(name) else process
        order = np.lexsort((model, shard, process))
        same = np.ones(max(len(order) - 1, 0), dtype=bool)
        for key in (model, shard, process):
            same &= key[order][1:] == key[order][:-1]
        if same.any():
            begins = np.flatnonzero(np.append(True, ~same))
            first = order[begins]  # the sort is stable, so this is the earliest row of each
            into = np.empty(len(order), dtype=np.int64)
            back = np.argsort(first)
            place = np.empty(len(first), dtype=np.int64)
            place[back] = np.arange(len(first))
            into[order] = place[np.cumsum(np.append(True, ~same)) - 1]
            seconds = np.add.reduceat(seconds[order], begins, axis=0)[back]
            start = np.minimum.reduceat(start[order], begins)[back]
            n_atoms = np.maximum.reduceat(n_atoms[order], begins)[back]
            process, shard, name = process[first][back], shard[first][back], name[first][back]
            failed = {int(into[row]): why for row, why in sorted(failed.items(), reverse=True)}
        return cls(process, shard, name, start, seconds, n_atoms, failed)

    def __len__(self) -> int:
        return len(self.process)

    @property
    def total(self) -> np.ndarray:
        """Seconds of each row, shape=(n,)."""
        return self.seconds.sum(axis=1)

    @property
    def status(self) -> np.ndarray:
        """``ok``, or the reason of the failure, shape=(n,)."""
        found = np.full(len(self), "ok", dtype=object)
        for row, (_, reason) in self.failed.items():
            found[row] = reason
        return found

    def last(self, shard: np.ndarray, name: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Where some models were built for the last time.

        Parameters
        ----------
        shard, name : ndarray, shape=(k,)

        Returns
        -------
        rows : ndarray of int, shape=(k,)
            -1 for models that nobody has noted.
        others : ndarray of int, shape=(m,)
            Rows of the last time of all other models, by start.
        """
        codes, n_codes = _codes(np.concatenate([self.name, np.asarray(name, dtype=object)]))
        keys = self.shard * n_codes + codes[: len(self)]
        asked = np.asarray(shard, dtype=np.int64) * n_codes + codes[len(self) :]
        by_start = np.argsort(self.start, kind="stable")
        by_start = by_start[self.shard[by_start] != NO_SHARD]
        known, from_end = np.unique(keys[by_start][::-1], return_index=True)
        last = by_start[len(by_start) - 1 - from_end]
        if not len(known):
            return np.full(len(asked), -1), last
        place = np.minimum(np.searchsorted(known, asked), len(known) - 1)
        rows = np.where(known[place] == asked, last[place], -1)
        others = last[~np.isin(known, asked)]
        return rows, others[np.argsort(self.start[others], kind="stable")]

    def own_seconds(
        self, process: np.ndarray, start: np.ndarray, seconds: np.ndarray, n_processes: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Time of events and models without that of those inside them.

        Parameters
        ----------
        process, start, seconds : ndarray, shape=(k,)
            Of the events that are not models.
        n_processes : int

        Returns
        -------
        events : ndarray of float, shape=(k,)
        stages : ndarray of float, shape=(n_processes, number of stages)
            Of the models of each process.
        """
        n = len(process)
        all_process = np.concatenate([process, self.process])
        begin = np.concatenate([start, self.start])
        length = np.concatenate([seconds, self.total])
        order = np.lexsort((-length, begin, all_process))
        alone = _stand_alone(all_process[order], begin[order], (begin + length)[order])
        own = np.array(seconds, dtype=float)
        stages = np.zeros((n_processes, len(STAGES)))
        is_model = order >= n
        rows = order[alone & is_model] - n
        for k in range(len(STAGES)):
            stages[:, k] = np.bincount(self.process[rows], self.seconds[rows, k], minlength=n_processes)
        for (row, stage), spent in self._nested(order[~alone], n, all_process, begin, length):
            if stage is None:
                own[row] = spent
            else:
                stages[self.process[row - n], stage] += spent
        return own, stages

    def _nested(
        self, rows: np.ndarray, n: int, process: np.ndarray, begin: np.ndarray, length: np.ndarray
    ) -> list[tuple[tuple[int, int | None], float]]:
        """Own seconds of the intervals that overlap others, each stage of a model as one of its own."""
        spans: list[tuple[int, float, float, int, int | None]] = []
        for row in rows.tolist():
            if row < n:
                spans.append((process[row], begin[row], length[row], row, None))
                continue
            at = begin[row]
            for stage, spent in enumerate(self.seconds[row - n].tolist()):
                if spent > 0.0:
                    spans.append((process[row], at, spent, row, stage))
                at += spent
        spans.sort(key=lambda span: (span[0], span[1], -span[2]))
        own = [span[2] for span in spans]
        around: list[int] = []
        for k, (of, at, spent, _, _) in enumerate(spans):
            while around and (spans[around[-1]][0] != of or at >= sum(spans[around[-1]][1:3]) - _ROUNDING_S):
                around.pop()
            if around:
                own[around[-1]] -= spent
            around.append(k)
        return [((row, stage), max(spent, 0.0)) for (_, _, _, row, stage), spent in zip(spans, own, strict=True)]

    def stretches(self) -> pd.DataFrame:
        """Stretches of time in which a process built models: `process`, `start`, `seconds`."""
        order = np.lexsort((self.start, self.process))
        process, begin = self.process[order], self.start[order]
        first, end = united(process, begin, begin + self.total[order], GAP_S)
        return pd.DataFrame({"process": process[first], "start": begin[first], "seconds": end - begin[first]})


def united(lane: np.ndarray, begin: np.ndarray, end: np.ndarray, gap: float) -> tuple[np.ndarray, np.ndarray]:
    """Intervals of the same lane that touch each other, as one.

    Parameters
    ----------
    lane, begin, end : ndarray, shape=(n,)
        Sorted by lane, then by begin.
    gap : float
        What may lie between two that are to be one.

    Returns
    -------
    first : ndarray of int, shape=(m,)
        Row of the first interval of each.
    end : ndarray of float, shape=(m,)
    """
    if not len(lane):
        return np.zeros(0, dtype=np.int64), np.zeros(0)
    reached = _reached(lane, end)
    first = np.flatnonzero(np.append(True, (lane[1:] != lane[:-1]) | (begin[1:] > reached[:-1] + gap)))
    return first, reached[np.append(first[1:], len(lane)) - 1]


def _reached(lane: np.ndarray, end: np.ndarray) -> np.ndarray:
    """The latest end so far, in each lane."""
    reached = np.array(end, dtype=float)
    bounds = np.append(np.flatnonzero(np.append(True, lane[1:] != lane[:-1])), len(lane)).tolist()
    for low, high in zip(bounds, bounds[1:], strict=False):
        reached[low:high] = np.maximum.accumulate(reached[low:high])
    return reached


def _stand_alone(process: np.ndarray, begin: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Which of the sorted intervals overlap none of their process."""
    if not len(process):
        return np.zeros(0, dtype=bool)
    opens = np.append(True, (process[1:] != process[:-1]) | (begin[1:] >= _reached(process, end)[:-1] - _ROUNDING_S))
    return opens & np.append(opens[1:], True)


def _codes(names: np.ndarray) -> tuple[np.ndarray, int]:
    codes, known = pd.factorize(names)
    return codes.astype(np.int64), max(len(known), 1)
