"""Numbering of a shard's sequences: each new one once, shared out over the ranks of a team."""

from collections.abc import Iterable, Sequence
from math import ceil
from time import perf_counter

from ..antibody.numbering import Domain, find_domains
from ..errors import ModelError
from ..mpi.communicator import Communicator
from ..mpi.worker import WorkerProcess
from ..rundir.numbering_cache import NumberingCache
from ..telemetry.events import SILENT, EventLog

#: Seconds that numbering may take, most of them for the libraries to be loaded, and so many more a sequence, which
#: takes some milliseconds.
_LIMIT_S, _LIMIT_A_SEQUENCE_S = 120.0, 5.0
#: Sequences of a batch that may hang alone before all others are given up: then it is no sequence's fault.
_MAX_HANGS = 2


class Numbering:
    """Numbered domains of sequences, of those that `number` has been called with.

    Parameters
    ----------
    comm : communicator
        The team.
    cache : NumberingCache, optional
        What earlier shards and runs know, equal on all ranks; sequences that are numbered go there, too.
    batches : int
        With more than one, and sequences enough to be worth it (max(64, 32 · batches)), there are so many batches at
        once.
    name : str
        Of the team's file of numberings; empty to keep none.
    events : EventLog
    worker : WorkerProcess, optional
        Where this rank numbers; in this process without one.

    Attributes
    ----------
    n_numbered : int
        Sequences that have been numbered here, the failed ones too; `seconds` says in which time.
    """

    def __init__(
        self,
        comm: Communicator,
        cache: NumberingCache | None = None,
        batches: int = 1,
        name: str = "",
        events: EventLog = SILENT,
        worker: WorkerProcess | None = None,
    ):
        self._comm, self._batches, self._name, self._events = comm, batches, name, events
        self._worker = worker
        self._known: NumberingCache | dict[str, tuple[Domain, ...]] = {} if cache is None else cache
        self._failed: dict[str, ModelError] = {}
        self.n_numbered, self.seconds = 0, 0.0

    def __getitem__(self, sequence: str) -> tuple[Domain, ...]:
        """Domains of a sequence.

        Raises
        ------
        ModelError
            Why they could not be looked for.
        """
        if sequence in self._failed:
            raise self._failed[sequence]
        return self._known[sequence]

    def number(self, sequences: Iterable[str]) -> None:
        """Numbers the sequences that are not known yet; collective, with equal sequences on all ranks.

        One that has failed is tried again.
        """
        new = [sequence for sequence in dict.fromkeys(sequences) if sequence not in self._known]
        size, rank = self._comm.size, self._comm.rank
        at_once = max(size, self._batches if len(new) >= max(64, 32 * self._batches) else 1)
        mine = new[len(new) * rank // size : len(new) * (rank + 1) // size]
        start = perf_counter()
        with self._events.timed("annotate", sequences=len(mine)):
            found = self._find(mine, ceil(at_once / size)) if mine else []
        self.seconds += perf_counter() - start
        self.n_numbered += len(mine)
        with self._events.timed("wait", on="annotate"):
            shares = self._comm.allgather((mine, found))
        for share, results in shares:
            for sequence, result in zip(share, results, strict=True):
                self._failed.pop(sequence, None)
                if isinstance(result, ModelError):
                    self._failed[sequence] = result
                else:
                    self._known[sequence] = result
        if self._comm.rank == 0 and new and self._name and isinstance(self._known, NumberingCache):
            self._known.save(self._name, [sequence for sequence in new if sequence not in self._failed])

    def _find(self, sequences: Sequence[str], batches: int) -> list[tuple[Domain, ...] | ModelError]:
        """Domains of sequences, or why they could not be looked for; where the process ends or hangs in the middle of
        them, they are numbered one by one: that costs those alone that it cannot take.
        """
        if self._worker is None:
            return find_domains(sequences, batches)
        limit = _LIMIT_S + _LIMIT_A_SEQUENCE_S * len(sequences)
        try:
            found: list = self._worker.call(limit, find_domains, sequences, batches)
            return found
        except ModelError as failure:
            return self._one_by_one(sequences, _said(failure, limit))

    def _one_by_one(self, sequences: Sequence[str], failure: ModelError) -> list[tuple[Domain, ...] | ModelError]:
        if len(sequences) == 1:
            return [failure]
        found: list[tuple[Domain, ...] | ModelError] = []
        hangs = 0
        for sequence in sequences:
            found += self._find([sequence], 1) if hangs < _MAX_HANGS else [failure]
            hangs += isinstance(found[-1], ModelError) and found[-1].reason == "timeout"
        return found

    def forget(self) -> None:
        """Forgets what failed, and of the rest what is beyond the cache's capacity; between shards."""
        self._failed.clear()
        if isinstance(self._known, NumberingCache):
            self._known.forget_oldest()


def _said(failure: ModelError, limit: float) -> ModelError:
    """What a worker process says of a model, said of its sequence."""
    what = f"it took longer than {limit:g} s" if failure.reason == "timeout" else str(failure)
    return ModelError(failure.reason, f"numbering by ANARCI: {what}")
