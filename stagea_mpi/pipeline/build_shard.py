"""Graphs of one shard, built by a team of ranks and written collectively."""

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from time import perf_counter

from ..errors import ModelError
from ..graph.quality import UNKNOWN_QUALITY
from ..graph.timing import STAGES
from ..mpi.communicator import Communicator
from ..mpi.shared_counter import SharedCounter
from ..mpi.worker import InlineWorker, WorkerProcess
from ..storage.packed_writer import ModelRecord, PackedWriter, as_bytes
from ..storage.schema import joined_names
from ..telemetry.events import EventLog, WriterLine
from .compute_model import ModelResult, compute_model, not_compared
from .context import TeamContext
from .inventory import ModelEntry
from .progress import Progress
from .references import References


@dataclass(frozen=True)
class Failure:
    """A row of failures.tsv."""

    model: str
    source: str
    stage: str
    reason: str
    message: str


@dataclass
class BuildReport:
    """What building a shard gave, equal on all ranks.

    Attributes
    ----------
    stopped : bool
        A rank was to stop: the shard is not whole.
    failures : list of Failure
    n_unscored : int
        Models of which a score could not be read.
    graphs_s : float
        Seconds, of this rank.
    """

    stopped: bool = False
    failures: list[Failure] = field(default_factory=list)
    n_unscored: int = 0
    graphs_s: float = 0.0


@dataclass
class Round:
    """What this rank has of one round.

    Attributes
    ----------
    records : list of ModelRecord
    failures : list of Failure
    finished : bool
        Whether all ranks together have come to the round's end.
    waited : float
        Seconds that this rank has waited for the others.
    """

    records: list[ModelRecord] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    finished: bool = False
    waited: float = 0.0


class GraphBuilder:
    """Builds all graphs of a shard and writes packed.h5, in rounds so that no rank holds too many graphs at once.

    Once any rank is to stop, all finish the model in hand, and the report says that the shard is not whole.

    Parameters
    ----------
    context : TeamContext
    entries : list of ModelEntry
        With their domains; equal on all ranks.
    progress : Progress or None
        Where this rank reports how many models are taken up.
    before : callable
        Called once on every rank before its first model, when the others can already take theirs.
    """

    def __init__(
        self, context: TeamContext, entries: list[ModelEntry], progress: Progress | None, before: Callable[[], None]
    ):
        self._comm, self._stop, self._events, self._worker = context.comm, context.stop, context.events, context.worker
        self._settings, self._entries = context.config.stage_a, entries
        self._references = context.run.references
        self._progress, self._before = progress, before
        every_s, on_log = self._settings.graph_writer_log_every_s, self._settings.graph_pipeline_telemetry
        self._line = WriterLine(self._events, every_s, on_log)

    def build(self, path: Path, attributes: dict[str, str]) -> BuildReport:
        """Builds the graphs and writes them; collective.

        Parameters
        ----------
        path : Path
            A new file; the caller gives it its final name.
        attributes : dict
            Root attributes of packed.h5.
        """
        report, start, writer = BuildReport(), perf_counter(), None
        rounds = self._rounds()
        for indices in rounds:
            found = self.build_round(indices)
            n_unscored = sum(bool(record.score_problem) for record in found.records)
            for failures, n in self._comm.allgather((found.failures, n_unscored)):
                report.failures.extend(failures)
                report.n_unscored += n
            if not all(self._comm.allgather(found.finished)):
                report.stopped = True
                self._line.note()
                break
            if writer is None:
                with self._events.timed("open"):
                    writer = PackedWriter(str(path), self._comm, attributes, self._text_widths(), len(rounds))
            self._write(writer, found, indices)
        if writer is not None:
            with self._events.timed("close"):
                writer.close()
        report.graphs_s = perf_counter() - start
        return report

    def _rounds(self) -> list[range]:
        """Indices of the models of each round; without any model there is one round of none."""
        n_models, size = len(self._entries), self._settings.graph_result_queue_maxsize * self._comm.size
        return [range(first, min(first + size, n_models)) for first in range(0, max(n_models, 1), size)]

    def _text_widths(self) -> dict[str, int]:
        return {
            "model/name": max((len(as_bytes(entry.ref.name)) for entry in self._entries), default=1),
            "model/source": max((len(as_bytes(entry.ref.path)) for entry in self._entries), default=1),
            "model/target": max((len(as_bytes(entry.ref.place.target)) for entry in self._entries), default=1),
            "model/input_chains": max((len(as_bytes(_input_chains(entry))) for entry in self._entries), default=1),
        }

    def build_round(self, indices: range) -> Round:
        """Ranks take models one by one, the largest first, until there are none; collective."""
        largest_first = sorted(indices, key=lambda i: (-self._entries[i].n_atoms, i))
        found = Round()
        with SharedCounter(self._comm, len(largest_first)) as counter:
            if indices.start == 0:
                self._before()
            while (place := counter.take()) is not None:
                record, failure = self._build_model(largest_first[place])
                if self._stop and failure is not None:
                    # Perhaps for the signal that this rank has got: it says nothing of the model.
                    counter.close()
                    break
                found.records.append(record)
                found.failures += [failure] if failure is not None else []
                self._line.processed(failed=failure is not None)
                if self._progress is not None:
                    self._progress.models(indices.start + place + 1, len(found.failures))
                if self._stop:
                    counter.close()
            start = perf_counter()
            found.finished = sum(self._comm.allgather(len(found.records))) == len(largest_first)
            found.waited = perf_counter() - start
            self._events.note("wait", start, found.waited, on="slowest")
        return found

    def _build_model(self, index: int) -> tuple[ModelRecord, Failure | None]:
        start, settings = perf_counter(), self._settings
        limits = settings.model_timeout_s, settings.model_max_atoms
        record, failure = build_model(
            self._entries[index], index, self._comm.rank, *limits, self._worker, settings.b_factors, self._references
        )
        _note_model(self._events, record, start)
        return record, failure

    def _write(self, writer: PackedWriter, found: Round, indices: range) -> None:
        """Writes the graphs of one round; collective."""
        with self._events.timed("exchange"):
            share = _contiguous_share(self._comm, found.records, indices)
        with self._events.timed("write", models=len(share), wait_s=round(found.waited, 6)) as written:
            written["bytes"] = writer.append(share)
        self._line.written()


def _note_model(events: EventLog, record: ModelRecord, start: float) -> None:
    seconds = dict(zip(STAGES, record.seconds, strict=True))
    size = record.graph.nbytes if record.graph is not None else 0
    events.note_model(record.name, start, seconds, perf_counter() - start, record.reason, record.n_atoms, size)


def build_model(
    entry: ModelEntry,
    index: int,
    rank: int,
    timeout: float,
    max_atoms: int = 0,
    worker: WorkerProcess | InlineWorker | None = None,
    b_factors: bool = False,
    references: References | None = None,
) -> tuple[ModelRecord, Failure | None]:
    """The graph of one model, or its failure; computed in a worker process where there is one, else in this process."""
    result = ModelResult(None, UNKNOWN_QUALITY, (0.0,) * len(STAGES), entry.failure or too_large(entry, max_atoms))
    if result.failure is None:
        reference = references.for_model(entry.ref) if references is not None else None
        try:
            result = (worker or InlineWorker()).call(timeout, compute_model, entry, timeout, b_factors, reference)
        except ModelError as problem:  # of the worker process
            result = replace(result, failure=problem)
    if references is not None and result.comparison is None:
        result = replace(result, comparison=not_compared(result.failure))
    failure, (heavy, light), place = result.failure, _domain_types(entry), entry.ref.place
    record = ModelRecord(
        index, entry.ref.name, entry.ref.path, entry.digest, entry.n_atoms, rank, result.seconds, result.graph,
        failure.reason if failure else None, heavy_type=heavy, light_type=light, **asdict(result.quality),
        input_chains=_input_chains(entry), target=place.target, seed=_or_none(place.seed),
        sample=_or_none(place.sample),
        scores={name: value for name, value in result.scores.items() if not math.isnan(value)},
        score_problem=result.score_problem,
        comparison=None if result.comparison is None else asdict(result.comparison),
    )  # fmt: skip
    if failure is None:
        return record, None
    return record, Failure(entry.ref.name, entry.ref.path, failure.stage or "graph", failure.reason, str(failure))


def _or_none(number: int | None) -> int:
    return -1 if number is None else number


def _input_chains(entry: ModelEntry) -> str:
    """Names of its chains, as packed.h5 has them; empty where they are not known."""
    return "" if entry.chains is None else joined_names(entry.chains.merged)


def _domain_types(entry: ModelEntry) -> tuple[str, str]:
    """Types of the labelled domains; ``-`` for a chain without one, empty for no chain."""
    if entry.checked is None or entry.chains is None:
        return "", ""
    heavy, light = (domain.chain_type if domain else "-" for domain in (entry.checked.heavy, entry.checked.light))
    return heavy, light if entry.chains.light is not None else ""


def too_large(entry: ModelEntry, max_atoms: int) -> ModelError | None:
    """Why a model with more atoms than a setting allows is not computed."""
    if not max_atoms or entry.n_atoms <= max_atoms:
        return None
    message = f"it has {entry.n_atoms} atoms, more than model_max_atoms = {max_atoms} allows"
    return ModelError("too_large", message, "read")


def _contiguous_share(comm: Communicator, records: list[ModelRecord], indices: range) -> list[ModelRecord]:
    """Hands records over among the ranks so that each holds a contiguous range of models; collective."""
    bounds = [indices.start + len(indices) * r // comm.size for r in range(comm.size + 1)]
    parcels = [
        [record for record in records if low <= record.index < high]
        for low, high in zip(bounds, bounds[1:], strict=False)
    ]
    received = [record for parcel in comm.alltoall(parcels) for record in parcel]
    return sorted(received, key=lambda record: record.index)
