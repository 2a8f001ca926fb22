"""Graphs of one shard, built by a team of ranks and written collectively."""

import logging
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from time import perf_counter

from ..config.run_config import RunConfig
from ..errors import ModelError
from ..graph.quality import UNKNOWN_QUALITY
from ..graph.timing import STAGES
from ..mpi.guard import StopRequest
from ..mpi.shared_counter import SharedCounter
from ..mpi.worker import InlineWorker, WorkerProcess
from ..storage.packed_writer import ModelRecord, PackedWriter, as_bytes
from ..telemetry.events import SILENT, EventLog, WriterLine
from .compute_model import ModelResult, compute_model
from .inventory import ModelEntry

log = logging.getLogger(__name__)


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
    """What building a shard gave, equal on all ranks."""

    stopped: bool = False
    failures: list[Failure] = field(default_factory=list)
    written: int = 0
    annotate_s: float = 0.0
    graphs_s: float = 0.0


def build_shard(
    comm,
    entries: list[ModelEntry],
    config: RunConfig,
    packed_path: Path,
    attributes: dict[str, str],
    stop: StopRequest,
    on_model: Callable[[int, int, int], None],
    before: Callable[[], None],
    events: EventLog = SILENT,
    worker: WorkerProcess | None = None,
) -> BuildReport:
    """Builds all graphs of a shard and writes packed.h5; collective.

    Parameters
    ----------
    comm : communicator
        The team.
    entries : list of ModelEntry
        With their domains; equal on all ranks.
    config : RunConfig
    packed_path : Path
        A new file; the caller gives it its final name.
    attributes : dict
        Root attributes of packed.h5.
    stop : StopRequest
        Once set on any rank, all finish the model in hand, and the report says that the shard is not whole.
    on_model : callable
        Told, on every rank after each of its models: models taken by all, models of the shard, failures of this rank.
    before : callable
        Called once on every rank before its first model, when the others can already take theirs.
    events : EventLog
        Told of every model, of waiting and of writing.
    worker : WorkerProcess, optional
        Where this rank's models are computed; in this process without one.
    """
    report, start = BuildReport(), perf_counter()
    per_round = config.stage_a.graph_result_queue_maxsize * comm.size
    rounds = max(1, math.ceil(len(entries) / per_round))
    widths = {
        "model/name": max((len(as_bytes(entry.ref.name)) for entry in entries), default=1),
        "model/source": max((len(as_bytes(entry.ref.path)) for entry in entries), default=1),
    }
    writer = None
    progress = WriterLine(events, config.stage_a.graph_writer_log_every_s, config.stage_a.graph_pipeline_telemetry)
    for first in range(0, max(len(entries), 1), per_round):
        indices = range(first, min(first + per_round, len(entries)))
        records, failures, finished, waited = _build_round(
            comm,
            entries,
            indices,
            config,
            stop,
            on_model,
            before if first == 0 else None,
            events,
            progress,
            worker,
        )
        for part in comm.allgather(failures):
            report.failures.extend(part)
        if not all(comm.allgather(finished)):
            report.stopped = True
            progress.note()
            break
        if writer is None:
            with events.timed("open"):
                writer = PackedWriter(str(packed_path), comm, attributes, widths, rounds)
        with events.timed("exchange"):
            share = _contiguous_share(comm, records, indices)
        with events.timed("write", models=len(share), wait_s=round(waited, 6)) as written:
            written["bytes"] = writer.append(share)
        progress.written()
        report.written += sum(comm.allgather(written["bytes"]))
    if writer is not None:
        with events.timed("close"):
            writer.close()
    report.graphs_s = perf_counter() - start
    return report


def _build_round(comm, entries, indices, config, stop, on_model, before, events, progress, worker):
    """This rank's records and failures of one round, whether it came to its end, and for how long this rank waited."""
    largest_first = sorted(indices, key=lambda i: (-entries[i].n_atoms, i))
    records, failures = [], []
    with SharedCounter(comm, len(largest_first)) as counter:
        if before is not None:
            before()
        while (place := counter.take()) is not None:
            entry, start = entries[largest_first[place]], perf_counter()
            timeout, max_atoms = config.stage_a.model_timeout_s, config.stage_a.model_max_atoms
            record, failure = build_model(entry, largest_first[place], comm.rank, timeout, max_atoms, worker)
            _note_model(events, record, start)
            if (
                stop and failure is not None
            ):  # perhaps for the signal that this rank has got: it says nothing of the model
                counter.close()
                break
            records.append(record)
            if failure is not None:
                failures.append(failure)
            progress.processed(failed=failure is not None)
            on_model(indices[0] + place + 1, len(entries), len(failures))
            if stop:
                counter.close()
        start = perf_counter()
        finished = sum(comm.allgather(len(records))) == len(largest_first)
        waited = perf_counter() - start
        events.note("wait", start, waited, on="slowest")
    return records, failures, finished, waited


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
) -> tuple[ModelRecord, Failure | None]:
    """The graph of one model, or its failure; computed in a worker process where there is one, else in this process."""
    result = ModelResult(None, UNKNOWN_QUALITY, (0.0,) * len(STAGES), entry.failure or _too_large(entry, max_atoms))
    if result.failure is None:
        try:
            result = (worker or InlineWorker()).call(timeout, compute_model, entry, timeout)
        except ModelError as failure:  # of the worker process
            result = replace(result, failure=failure)
    failure = result.failure
    record = ModelRecord(
        index, entry.ref.name, entry.ref.path, entry.digest, entry.n_atoms, rank, result.seconds, result.graph,
        failure.reason if failure else None, **asdict(result.quality), **_domain_types(entry),
    )  # fmt: skip
    if failure is None:
        return record, None
    return record, Failure(entry.ref.name, entry.ref.path, failure.stage or "graph", failure.reason, str(failure))


def _domain_types(entry: ModelEntry) -> dict[str, str]:
    """Types of the labelled domains; ``-`` for a chain without one, empty for no chain."""
    if entry.checked is None:
        return {}
    heavy, light = (domain.chain_type if domain else "-" for domain in (entry.checked.heavy, entry.checked.light))
    return {"heavy_type": heavy, "light_type": light if entry.chains.light is not None else ""}


def _too_large(entry: ModelEntry, max_atoms: int) -> ModelError | None:
    if not max_atoms or entry.n_atoms <= max_atoms:
        return None
    message = f"it has {entry.n_atoms} atoms, more than model_max_atoms = {max_atoms} allows"
    return ModelError("too_large", message, "read")


def _contiguous_share(comm, records: list[ModelRecord], indices: range) -> list[ModelRecord]:
    """Hands records over among the ranks so that each holds a contiguous range of models; collective."""
    bounds = [indices.start + len(indices) * r // comm.size for r in range(comm.size + 1)]
    parcels = [
        [record for record in records if low <= record.index < high]
        for low, high in zip(bounds, bounds[1:], strict=False)
    ]
    received = [record for parcel in comm.alltoall(parcels) for record in parcel]
    return sorted(received, key=lambda record: record.index)
