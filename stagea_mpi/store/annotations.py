"""Numberings that a run has already made, kept for later shards and restarts.

One file a team, a line a sequence, appended; a line that a kill has cut short, or that does not fit its sequence or its
checksum, is not used.
"""

import json
import logging
import os
import zlib
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path

from ..annotation import Numbering
from .rundir import write_text

log = logging.getLogger(__name__)

#: Sequences kept in memory; design sets have one a model, and a rank may not grow with the run.
CAPACITY = 10_000


#: How the first line begins, and all others.
_HEADER, _ROW = '{"versions"', '{"sequence"'


class AnnotationCache:
    """Numberings by sequence.

    Parameters
    ----------
    folder : Path
        The run's folder of annotation files.
    versions : str
        Of the programs that number; a file made by others is not used.
    """

    def __init__(self, folder: Path, versions: str):
        self._folder, self._versions = folder, versions
        self._numberings: OrderedDict[str, Numbering] = OrderedDict()

    def load(self) -> None:
        """Reads what earlier runs have left."""
        for path in sorted(self._folder.glob("*.jsonl")):
            with open(path, encoding="utf-8", errors="replace") as lines:
                header = _parse(next(lines, ""))
                if header.get("versions") != self._versions:
                    log.info("%s is of other versions and is not used: %s", path, header.get("versions"))
                    continue
                bad = sum(not self._remember_line(_parse(line)) for line in lines)
            if bad:
                log.warning("%s: %d damaged lines are not used", path, bad)
            self.forget_oldest()

    def __contains__(self, sequence: str) -> bool:
        return sequence in self._numberings

    def __getitem__(self, sequence: str) -> Numbering:
        return self._numberings[sequence]

    def remember(self, sequence: str, numbering: Numbering) -> None:
        self._numberings[sequence] = numbering

    def forget_oldest(self) -> None:
        """Shrinks to the capacity; between shards."""
        while len(self._numberings) > CAPACITY:
            self._numberings.popitem(last=False)

    def save(self, name: str, sequences: list[str]) -> None:
        """Appends the numberings of some sequences to this team's file; failures are left out, to be tried again."""
        self._folder.mkdir(exist_ok=True)
        path = self._folder / f"{name}.jsonl"
        if (
            path.exists()
            and _parse(path.open(encoding="utf-8", errors="replace").readline()).get("versions") != self._versions
        ):
            path.unlink()
        lines = [] if path.exists() else [json.dumps({"versions": self._versions})]
        for sequence in sequences:
            numbering = self._numberings[sequence]
            if numbering.problem is None:
                lines.append(_line(sequence, numbering.chain_type, numbering.positions))
        # The leading line break ends a line that a kill has cut short.
        text = ("\n" if path.exists() else "") + "\n".join(lines) + "\n"
        handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            os.write(handle, text.encode())
        finally:
            os.close(handle)

    def _remember_line(self, row: dict) -> bool:
        if not row:
            return True
        if not _fits(row):
            return False
        self._numberings[row["sequence"]] = Numbering(tuple(row["positions"]), row["chain_type"])
        return True


def damaged_lines(path: Path) -> int:
    """How many lines of a file are damaged; those that a kill has cut short do not count."""
    header, *lines = path.read_text(encoding="utf-8", errors="replace").split("\n")
    is_bad = header != "" and "versions" not in _parse(header) and not _is_cut_short(header, _HEADER)
    return is_bad + sum(not _is_good(line) and not _is_cut_short(line, _ROW) for line in lines)


def _is_cut_short(line: str, beginning: str) -> bool:
    """Whether a line is the first part of one that begins so."""
    begins_so = line[: len(beginning)] == beginning[: len(line)]
    return begins_so and line.isprintable() and not line.rstrip().endswith("}")


def remove_damaged_lines(path: Path) -> None:
    """Writes a file anew without its damaged lines; one with a damaged first line, which nobody uses, is removed."""
    header, *lines = path.read_text(encoding="utf-8", errors="replace").split("\n")
    if "versions" not in _parse(header):
        path.unlink()
        return
    write_text(path, "\n".join([header, *(line for line in lines if line.strip() and _is_good(line))]) + "\n")


def _line(sequence: str, chain_type: str | None, positions: Sequence[int]) -> str:
    row = {"sequence": sequence, "chain_type": chain_type, "positions": list(positions)}
    return json.dumps({**row, "crc32": _checksum(row)}, separators=(",", ":"))


def _checksum(row: dict) -> int:
    values = [row["sequence"], row["chain_type"], row["positions"]]
    return zlib.crc32(json.dumps(values, separators=(",", ":")).encode())


def _is_good(line: str) -> bool:
    row = _parse(line)
    return not row or _fits(row)


def _fits(row: dict) -> bool:
    sequence, positions = row.get("sequence"), row.get("positions")
    return (
        isinstance(sequence, str)
        and "chain_type" in row
        and isinstance(positions, list)
        and len(positions) == len(sequence)
        and all(isinstance(p, int) and 0 <= p <= 128 for p in positions)
        and row.get("crc32") == _checksum(row)
    )


def _parse(line: str) -> dict:
    if not line.strip():
        return {}
    try:
        row = json.loads(line)
    except ValueError:
        row = None
    return row if isinstance(row, dict) else {"damaged": True}
