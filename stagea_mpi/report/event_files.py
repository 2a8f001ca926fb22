"""Files of events, read into columns: a million models become rows of arrays, not objects.

Lines are those of `telemetry.events`, and those of earlier versions, which had a line for each stage of a model.
"""

import contextlib
import json
import math
import sys
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ..graph.timing import STAGES
from ..mpi.pool import on_all_cores

#: Bytes of a file that are read at once, by one process; pieces that are worth a process of their own.
PIECE_BYTES = 2**22
_PIECES_A_WORKER = 2

#: What is kept of a line that is not of models.
TEXTS = ("stage", "outcome", "on")
NUMBERS = ("start", "seconds", "shard", "bytes", "wait_s", "models", "processed", "written", "errors", "rate", "held")

#: The shard of a model of which none was noted.
NO_SHARD = -1
_STAGE_INDEX = {stage: k for k, stage in enumerate(STAGES)}
_US_KEYS = tuple(f"{stage}_us" for stage in STAGES)
#: Of stages that were not noted at first.
_LATER_KEYS = {"scores_us"}


@dataclass
class EventColumns:
    """Events that are not models, a row each.

    Attributes
    ----------
    process : array of int
        Place in `EventTables.processes`; the pid while a file is being read.
    texts : dict of list of str
        By `TEXTS`; None where nothing was noted.
    numbers : dict of array of float
        By `NUMBERS`; NaN where nothing was noted.
    """

    process: array = field(default_factory=lambda: array("q"))
    texts: dict[str, list[str | None]] = field(default_factory=lambda: {key: [] for key in TEXTS})
    numbers: dict[str, array] = field(default_factory=lambda: {key: array("d") for key in NUMBERS})

    def add(self, pid: int, line: dict[str, Any]) -> None:
        """Adds a line; one that raises TypeError or ValueError has added nothing."""
        values = [_number(line.get(key)) for key in NUMBERS]
        self.process.append(pid)
        for key, texts in self.texts.items():
            texts.append(_text(line.get(key)))
        for numbers, value in zip(self.numbers.values(), values, strict=True):
            numbers.append(value)

    def extend(self, other: "EventColumns", process: dict[int, int]) -> None:
        """Adds the rows of another one whose process is known."""
        keep = _known(other.process, process)
        self.process.extend([process[pid] for pid in _rows(other.process, keep)])
        for key, texts in self.texts.items():
            texts.extend(_rows(other.texts[key], keep))
        for key, numbers in self.numbers.items():
            numbers.extend(_rows(other.numbers[key], keep))


@dataclass
class ModelColumns:
    """Models that processes have built, a row for each time that one was built.

    Attributes
    ----------
    process : array of int
        Place in `EventTables.processes`; the pid while a file is being read.
    shard : array of int
        `NO_SHARD` where none was noted.
    start : array of float
        s since 1970.
    n_atoms : array of int
    seconds : array of float
        By stage, a model's behind each other; 0 for those that were not reached.
    name : list of str
    failed : dict
        By row of a model that failed, the stage and the reason.
    """

    process: array = field(default_factory=lambda: array("q"))
    shard: array = field(default_factory=lambda: array("q"))
    start: array = field(default_factory=lambda: array("d"))
    n_atoms: array = field(default_factory=lambda: array("q"))
    seconds: array = field(default_factory=lambda: array("d"))
    name: list[str] = field(default_factory=list)
    failed: dict[int, tuple[str, str]] = field(default_factory=dict)
    _open: tuple | None = None

    def __len__(self) -> int:
        return len(self.name)

    @property
    def by_stage(self) -> np.ndarray:
        """Seconds, shape=(n, number of stages)."""
        return np.frombuffer(self.seconds).reshape(-1, len(STAGES)) if self.seconds else np.zeros((0, len(STAGES)))

    def add_step(self, pid: int, line: dict[str, Any], stage: int) -> None:
        """Adds a model's stage that has a line of its own; a line that raises has added nothing."""
        seconds, n_atoms, outcome = float(line["seconds"]), line.get("n_atoms"), line.get("outcome", "ok")
        model = pid, line.get("shard"), line["model"]
        place = stage - len(STAGES)
        if model != self._open or self.seconds[place] > 0.0:
            shard, start = _shard(line), float(line["start"])
            self._open = model
            self._add([pid], shard, [start], [0], [0.0] * len(STAGES), [str(line["model"])])
        self.seconds[place] += seconds
        if n_atoms:
            self.n_atoms[-1] = int(n_atoms)
        if outcome != "ok":
            self.failed.setdefault(len(self) - 1, (line["stage"], str(outcome)))

    def add_models(self, pid: int, line: dict[str, Any]) -> None:
        """Adds the models of a line that has many; a line that raises has added nothing."""
        names, start, shard = line["model"], float(line["start"]), _shard(line)
        starts = [start + us / 1e6 for us in line["start_us"]]
        n_atoms = array("q", line["n_atoms"])
        nothing = [0] * len(names)
        columns = [line.get(key, nothing) if key in _LATER_KEYS else line[key] for key in _US_KEYS]
        seconds = [us / 1e6 for model in zip(*columns, strict=True) for us in model]
        failed = {len(self) + place: (str(stage), str(reason)) for place, stage, reason in line.get("failed", ())}
        lengths = {len(names), len(starts), len(n_atoms), *map(len, columns)}
        if len(lengths) > 1 or not all(len(self) <= row < len(self) + len(names) for row in failed):
            raise ValueError("its lists are of different lengths")
        self._open = None
        self.failed |= failed
        self._add([pid] * len(names), shard, starts, n_atoms, seconds, map(str, names))

    def _add(self, process: Any, shard: int, start: Any, n_atoms: Any, seconds: Any, name: Any) -> None:
        self.process.extend(process)
        self.shard.extend([shard] * len(process))
        self.start.extend(start)
        self.n_atoms.extend(n_atoms)
        self.seconds.extend(seconds)
        self.name.extend(name)

    def extend(self, other: "ModelColumns", process: dict[int, int]) -> None:
        """Adds the rows of another one whose process is known."""
        keep = _known(other.process, process)
        place = {row: len(self) + new for new, row in enumerate(range(len(other)) if keep is None else keep)}
        self.failed |= {place[row]: why for row, why in other.failed.items() if row in place}
        self.process.extend([process[pid] for pid in _rows(other.process, keep)])
        self.shard.extend(_rows(other.shard, keep))
        self.start.extend(_rows(other.start, keep))
        self.n_atoms.extend(_rows(other.n_atoms, keep))
        self.seconds.frombytes(other.by_stage[slice(None) if keep is None else keep].tobytes())
        self.name.extend(_rows(other.name, keep))


def _known(pids: array, process: dict[int, int]) -> list[int] | None:
    """Rows whose pid is that of a known process; None for all."""
    if all(pid in process for pid in set(pids)):
        return None
    return [row for row, pid in enumerate(pids) if pid in process]


def _rows(column: Any, rows: list[int] | None) -> Any:
    return column if rows is None else [column[row] for row in rows]


@dataclass
class Part:
    """What a piece of a file holds from one line `start` to the next.

    Attributes
    ----------
    head : dict or None
        That line; None at the beginning of the piece.
    n_lines, ended : dict
        By pid the number of its lines, and the end of the last of its events (s since 1970).
    last : list of dict
        Lines of the stages `stop` and `end`.
    unread : int
        Lines that cannot be read.
    """

    head: dict[str, Any] | None = None
    n_lines: dict[int, int] = field(default_factory=dict)
    ended: dict[int, float] = field(default_factory=dict)
    last: list[dict[str, Any]] = field(default_factory=list)
    events: EventColumns = field(default_factory=EventColumns)
    models: ModelColumns = field(default_factory=ModelColumns)
    unread: int = 0

    def take(self, line: dict[str, Any]) -> None:
        """Adds a line; one that is not as expected is counted as unread."""
        try:
            stage, end, pid = line["stage"], line["start"] + line["seconds"], line["pid"]
            known, step = self.ended.get(pid, 0.0), _STAGE_INDEX.get(stage)
            if step is not None and line.get("model") is not None:
                self.models.add_step(pid, line, step)
            elif stage == "models":
                self.models.add_models(pid, line)
            elif stage in ("stop", "end"):
                line["outcome"]  # has to be there
                self.last.append(line)
            elif stage != "start":
                self.events.add(pid, line)
        except (KeyError, TypeError, ValueError, OverflowError):
            self.unread += 1
            return
        if end > known:
            self.ended[pid] = end
        self.n_lines[pid] = self.n_lines.get(pid, 0) + 1


@dataclass
class EventTables:
    """All files of events of a run.

    Attributes
    ----------
    processes : list of dict
        The line `start` of each process, with `process` (its place here), `started`, `ended`, `outcome` (NaN where no
        end was noted), `max_rss_mib`.
    events : EventColumns
    models : ModelColumns
    unread : int
        Lines that are damaged or of no known process.
    """

    processes: list[dict[str, Any]] = field(default_factory=list)
    events: EventColumns = field(default_factory=EventColumns)
    models: ModelColumns = field(default_factory=ModelColumns)
    unread: int = 0


def read_event_files(folder: Path) -> EventTables:
    """Reads the files of events in a folder, in pieces, on all cores."""
    found, path = EventTables(), None
    current: dict[int, int] = {}
    pieces = [piece for file in sorted(folder.glob("events_*.jsonl")) for piece in _pieces(file)]
    for piece, parts in zip(pieces, on_all_cores(read_piece, pieces, _PIECES_A_WORKER), strict=True):
        if piece[0] != path:
            path, current = piece[0], {}
        for part in parts:
            _add(found, part, current)
    return found


def _pieces(path: Path) -> Iterator[tuple[Path, int, int]]:
    size = path.stat().st_size
    for first in range(0, size, PIECE_BYTES):
        yield path, first, min(first + PIECE_BYTES, size)


def read_piece(piece: tuple[Path, int, int]) -> list[Part]:
    """Reads the lines that begin between two bytes of a file (path, first, last + 1)."""
    parts = [Part()]
    for line in _parsed(_lines(*piece)):
        if line.get("stage") == "start":
            parts.append(Part(head=line))
        parts[-1].take(line)
    return parts


def _lines(path: Path, first: int, stop: int) -> list[bytes]:
    with open(path, "rb") as file:
        file.seek(max(0, first - 1))
        content = file.read(stop - file.tell())
        if not content.endswith(b"\n"):
            content += file.readline()
    lines = content.split(b"\n")
    return [line for line in lines[first > 0 :] if line.strip()]  # the first one began in the piece before


def _parsed(lines: list[bytes]) -> list[dict[str, Any]]:
    """Lines as JSON objects, an empty one for what is none."""
    with contextlib.suppress(ValueError):  # all at once takes half the time, where all are whole
        found = json.loads(b"[" + b",".join(lines) + b"]")
        if len(found) == len(lines) and all(type(line) is dict for line in found):
            return found
    return [_parsed_line(line) for line in lines]


def _parsed_line(text: bytes) -> dict[str, Any]:
    try:
        line = json.loads(text.decode(errors="replace"))
    except ValueError:
        return {}
    return line if isinstance(line, dict) else {}


def _add(found: EventTables, part: Part, current: dict[int, int]) -> None:
    """Adds a part to the tables; `current` is the process of each pid in its file so far."""
    found.unread += part.unread
    if part.head is not None and part.head.get("pid") in part.n_lines:
        current[part.head["pid"]] = len(found.processes)
        head = {"process": len(found.processes), "started": part.head["start"], "ended": 0.0, "outcome": math.nan}
        found.processes.append(part.head | head)
    for pid, n_lines in part.n_lines.items():
        if pid not in current:
            found.unread += n_lines
            continue
        process = found.processes[current[pid]]
        process["ended"] = max(process["ended"], part.ended[pid])
    for line in part.last:
        if line["pid"] in current:
            process = found.processes[current[line["pid"]]]
            outcome = f"stopped by {line['outcome']}" if line["stage"] == "stop" else line["outcome"]
            process["outcome"] = outcome if process["outcome"] is math.nan else process["outcome"]
            process["max_rss_mib"] = line.get("max_rss_mib", math.nan)
    found.events.extend(part.events, current)
    found.models.extend(part.models, current)


def _shard(line: dict[str, Any]) -> int:
    shard = line.get("shard")
    return NO_SHARD if shard is None else int(shard)


def _text(value: Any) -> str | None:
    return None if value is None else sys.intern(str(value))  # a million lines have a few words


def _number(value: Any) -> float:
    return math.nan if value is None else float(value)
