"""Events: a line of JSON for each thing that a rank has done.

Every line has the keys `stage`, `start` (s since 1970), `seconds`, `outcome` (ok, or what went wrong) and `pid`, and
where they apply `shard`, `bytes`, `wait_s` (s) and a few of the stage's own. Models, of which a run may have a million,
share lines, of the stage `models`: `ModelsLine` says what stands there. A file belongs to one rank of one job; a job
that is started again, or a second run on the same host, appends to it and is told apart by `pid`, whose first line has
the stage `start`.
"""

import contextlib
import json
import logging
import os
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from time import perf_counter, time
from types import TracebackType
from typing import Any

log = logging.getLogger(__name__)

#: Seconds that a line may stay in memory: what a kill can cost.
FLUSH_EVERY_S = 1.0
#: Models of one line, at most: a reader holds a line at a time.
MODELS_A_LINE = 1000

#: Stages of an event, and what a rank does in them.
STAGES = {
    "startup": "from the start of the process to its first work: interpreter, libraries, MPI",
    "prep": "the team's first rank looks at what a shard has already",
    "list": "reading a shard's files for their models and sequences",
    "annotate": "numbering of sequences",
    "wait": "blocked until others of the team have come as far; `on` says for what",
    "models": "models are built, one after the other; those of about a second share a line",
    "exchange": "graphs go to the rank that writes them",
    "open": "creation of packed.h5, collective",
    "write": "one round of collective writes",
    "close": "flush and close of packed.h5, collective",
    "cluster": "clustering of a shard on the team's first rank",
    "publish": "check, copy for Stage B, rename on the team's first rank",
    "finish": "a shard's end on the team's first rank, `cluster` and `publish` included: flushes, markers, its lock",
    "writer": "what a rank has processed and written so far",
    "start": "who this process is",
    "end": "how it ended",
}


class ModelsLine:
    """Models that a rank has built behind each other in one shard, as one line: a list for each thing that is noted.

    `model` has their names; `start_us` what is to be added to the line's `start`; `n_atoms` and `bytes` the atoms of
    the complex and the bytes of the graph, 0 where there is none; `read_us` and the like, a list for each of
    `graph.timing.STAGES`, the time of each stage, 0 for one that was not reached. Times are in µs. `failed`, where some
    have, is a list of [place in the lists, stage, reason]; the stage's time is what it took to fail.

    Parameters
    ----------
    shard : int or None
    start : float
        Of the first model, in s by `time.perf_counter`.
    stages : iterable of str
    """

    def __init__(self, shard: int | None, start: float, stages: Iterable[str]):
        self.shard, self.start = shard, start
        self._end = start
        self._lists: dict[str, list] = {key: [] for key in ("model", "start_us", "n_atoms", "bytes")}
        self._lists |= {f"{stage}_us": [] for stage in stages}
        self._failed: list[tuple[int, str, str]] = []

    def __len__(self) -> int:
        return len(self._lists["model"])

    def add(
        self,
        name: str,
        start: float,
        seconds: dict[str, float],
        total: float,
        reason: str | None,
        n_atoms: int,
        size: int,
    ) -> None:
        """Adds a model; see `EventLog.note_model`."""
        if reason is not None:
            failed = next((stage for stage, spent in seconds.items() if spent <= 0.0), next(reversed(seconds)))
            seconds = seconds | {failed: seconds[failed] + max(0.0, total - sum(seconds.values()))}
            self._failed.append((len(self), failed, reason))
        values = {"model": name, "start_us": _us(start - self.start), "n_atoms": n_atoms, "bytes": size}
        values |= {f"{stage}_us": _us(spent) for stage, spent in seconds.items()}
        for key, value in values.items():
            self._lists[key].append(value)
        self._end = start + sum(seconds.values())

    @property
    def seconds(self) -> float:
        """From the first model's start to the last one's end."""
        return self._end - self.start

    def fields(self) -> dict[str, Any]:
        """The line's own keys."""
        return {"shard": self.shard} | self._lists | ({"failed": self._failed} if self._failed else {})


def _us(seconds: float) -> int:
    return round(1e6 * seconds)


class EventLog:
    """The events of one rank. A context manager.

    Lines wait in memory for `FLUSH_EVERY_S` at most: a thread hands them to the kernel, from where a kill of the rank
    cannot take them back. A file that cannot be written costs a warning and the events, never the run.

    Parameters
    ----------
    path : Path or None
        The rank's file, appended to. None notes nothing.
    """

    def __init__(self, path: Path | None):
        self._epoch = time() - perf_counter()
        self._lines: list[str] = []
        self._models: ModelsLine | None = None
        self._lock, self._closing = threading.Lock(), threading.Event()
        self._file, self._thread = None, None
        self.shard: int | None = None  # of the events that do not name one
        if path is None:
            return
        try:
            self._file = open(path, "ab", buffering=0)
        except OSError as error:
            self._give_up(error, path)
            return
        # A line that a kill has cut short ends here.
        self._lines.append("" if self._file.tell() == 0 else "\n")
        self._thread = threading.Thread(target=self._flush_regularly, name="events", daemon=True)
        self._thread.start()

    def note(self, stage: str, start: float, seconds: float, outcome: str = "ok", **fields: Any) -> None:
        """Notes that something was done.

        Parameters
        ----------
        stage : str
            A key of `STAGES`.
        start : float
            By `time.perf_counter`.
        seconds : float
        outcome : str
            ``ok`` or what went wrong.
        **fields
            More keys of the line; None leaves a key out.
        """
        if self._file is None:
            return
        with self._lock:
            self._end_models()
            self._add(stage, start, seconds, outcome, {"shard": self.shard} | fields)

    def _add(self, stage: str, start: float, seconds: float, outcome: str, fields: dict[str, Any]) -> None:
        """Adds a line; the caller holds the lock."""
        line = {
            "stage": stage,
            "start": round(self._epoch + start, 4),
            "seconds": round(seconds, 6),
            "outcome": outcome,
        }
        line |= {"pid": os.getpid()} | fields
        text = json.dumps({key: value for key, value in line.items() if value is not None}, separators=(",", ":"))
        self._lines.append(text + "\n")

    def _end_models(self) -> None:
        """Adds the line of the models so far; the caller holds the lock."""
        models, self._models = self._models, None
        if models is not None:
            self._add("models", models.start, models.seconds, "ok", models.fields())

    @contextlib.contextmanager
    def timed(self, stage: str, **fields: Any) -> Iterator[dict[str, Any]]:
        """Notes the block as one event, also when it raises. The dictionary that it yields takes more fields."""
        start, outcome = perf_counter(), "ok"
        try:
            yield fields
        except BaseException as error:
            outcome = type(error).__name__
            raise
        finally:
            self.note(stage, start, perf_counter() - start, outcome, **fields)

    def note_model(
        self,
        name: str,
        start: float,
        seconds: dict[str, float],
        total: float,
        reason: str | None,
        n_atoms: int,
        size: int,
    ) -> None:
        """Notes a model, in a line with those before it in its shard.

        Parameters
        ----------
        name : str
        start : float
            By `time.perf_counter`.
        seconds : dict
            By stage, in order; 0 from the stage on that failed.
        total : float
            Seconds of the whole model.
        reason : str or None
            Why it failed; the stage that was under way then gets the rest of the total.
        n_atoms, size : int
            Atoms of the complex and bytes of its graph.
        """
        if self._file is None:
            return
        with self._lock:
            models = self._models
            if models is None or models.shard != self.shard or len(models) >= MODELS_A_LINE:
                self._end_models()
                models = self._models = ModelsLine(self.shard, start, seconds)
            models.add(name, start, seconds, total, reason, n_atoms, size)

    def waiting_for(self, shards: Iterator[int], on: str) -> Iterator[int]:
        """The shards, the wait for each of them noted; after the last one it is for the other teams."""
        while True:
            with self.timed("wait") as waited:
                shard = next(shards, None)
                waited["on"] = on if shard is not None else "teams"
            if shard is None:
                return
            yield shard

    def flush(self) -> None:
        """Hands all lines to the kernel."""
        with self._lock:
            self._end_models()
            lines, self._lines = self._lines, []
            if not lines or self._file is None:
                return
            try:
                self._file.write("".join(lines).encode())
            except OSError as error:
                self._give_up(error, self._file.name)

    def close(self) -> None:
        self._closing.set()
        if self._thread is not None:
            self._thread.join(timeout=2 * FLUSH_EVERY_S)
        self.flush()
        if self._file is not None:
            self._file.close()
            self._file = None

    def __enter__(self) -> "EventLog":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _flush_regularly(self) -> None:
        while not self._closing.wait(FLUSH_EVERY_S):
            self.flush()

    def _give_up(self, error: OSError, path: str | Path) -> None:
        log.warning(
            "%s: cannot be written (%s); the run goes on, its report will lack this rank's events", path, error.strerror
        )
        self._file = None


#: For callers that note nothing.
SILENT = EventLog(None)


class WriterLine:
    """What a rank has processed and written of a shard, as a line every so many seconds.

    Parameters
    ----------
    events : EventLog
    every_s : float
        `graph_writer_log_every_s`.
    on_log : bool
        `graph_pipeline_telemetry`: the line goes to the log, too.
    """

    def __init__(self, events: EventLog, every_s: float, on_log: bool):
        self._events, self._every, self._on_log = events, every_s, on_log
        self._processed = self._written = self._errors = 0
        self._noted, self._noted_at = 0, perf_counter()

    def processed(self, failed: bool) -> None:
        """Counts a model."""
        self._processed += 1
        self._errors += failed
        if perf_counter() - self._noted_at >= self._every:
            self.note()

    def written(self) -> None:
        """Notes that all graphs held so far are in the file."""
        self._written = self._processed - self._errors
        self.note()

    def note(self) -> None:
        """Writes the line."""
        now = perf_counter()
        counts: dict[str, Any] = {
            "processed": self._processed,
            "written": self._written,
            "errors": self._errors,
            "rate": round((self._processed - self._noted) / max(now - self._noted_at, 1e-9), 3),
            "held": self._processed - self._errors - self._written,
        }
        self._events.note("writer", self._noted_at, now - self._noted_at, **counts)
        if self._on_log:
            log.info(
                "writer: %(processed)d processed, %(written)d written, %(errors)d errors, "
                "%(rate).2f models/s, %(held)d graphs held",
                counts,
            )
        self._noted, self._noted_at = self._processed, now
