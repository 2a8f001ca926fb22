"""Numbered domains of the sequences that a run has already searched, kept for later shards and restarts.

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

from ..antibody.numbering import Domain
from .folders import write_text

log = logging.getLogger(__name__)

#: Sequences kept in memory; design sets have one a model, and a rank may not grow with the run.
CAPACITY = 10_000


#: How the first line begins, and all others.
_HEADER, _ROW = '{"versions"', '{"sequence"'
#: What a row holds; files of other rows are not used.
_ROWS = "rows=domains-2"


class NumberingCache:
    """Domains by sequence.

    Parameters
    ----------
    folder : Path
        The run's folder of numberings.
    versions : str
        Of the programs that number; a file made by others is not used.
    """

    def __init__(self, folder: Path, versions: str):
        self._folder, self._versions = folder, f"{versions} {_ROWS}"
        self._domains: OrderedDict[str, tuple[Domain, ...]] = OrderedDict()

    def load(self) -> None:
        """Reads what earlier runs have left."""
        for path in sorted(self._folder.glob("*.jsonl")):
            with open(path, encoding="utf-8", errors="replace") as lines:
                header = _parse(next(lines, ""))
                if header.get("versions") != self._versions:
                    log.info("%s is of other versions and is not used: %s", path, header.get("versions"))
                    continue
                bad = 0
                for row in map(_parse, lines):
                    if _is_header(row) and row["versions"] != self._versions:  # of a run at the same time
                        log.info("%s: what follows is of other versions and is not used: %s", path, row["versions"])
                        break
                    bad += not self._remember_line(row)
            if bad:
                log.warning("%s: %d damaged lines are not used", path, bad)
            self.forget_oldest()

    def __contains__(self, sequence: str) -> bool:
        return sequence in self._domains

    def __getitem__(self, sequence: str) -> tuple[Domain, ...]:
        return self._domains[sequence]

    def __setitem__(self, sequence: str, domains: tuple[Domain, ...]) -> None:
        self._domains[sequence] = domains

    def forget_oldest(self) -> None:
        """Shrinks to the capacity; between shards."""
        while len(self._domains) > CAPACITY:
            self._domains.popitem(last=False)

    def save(self, name: str, sequences: list[str]) -> None:
        """Appends the domains of some sequences to this team's file."""
        self._folder.mkdir(exist_ok=True)
        path = self._folder / f"{name}.jsonl"
        if (
            path.exists()
            and _parse(path.open(encoding="utf-8", errors="replace").readline()).get("versions") != self._versions
        ):
            path.unlink()
        lines = [] if path.exists() else [json.dumps({"versions": self._versions})]
        lines += [_line(sequence, self._domains[sequence]) for sequence in sequences]
        # The leading line break ends a line that a kill has cut short.
        text = ("\n" if path.exists() else "") + "\n".join(lines) + "\n"
        handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            os.write(handle, text.encode())
        finally:
            os.close(handle)

    def _remember_line(self, row: dict) -> bool:
        if not row or _is_header(row):
            return True
        if not _fits(row):
            return False
        self._domains[row["sequence"]] = tuple(
            Domain(kind, start, start + len(positions), tuple(positions)) for kind, start, positions in row["domains"]
        )
        return True


def damaged_lines(path: Path) -> int:
    """How many lines of a file are damaged; those that a kill has cut short do not count.

    A file of other rows, as earlier versions wrote them, is not judged: nobody uses it.
    """
    header, *lines = path.read_text(encoding="utf-8", errors="replace").split("\n")
    if not str(_parse(header).get("versions", _ROWS)).endswith(_ROWS):
        return 0
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


def _line(sequence: str, domains: Sequence[Domain]) -> str:
    listed = [[domain.chain_type, domain.start, list(domain.positions)] for domain in domains]
    row = {"sequence": sequence, "domains": listed}
    return json.dumps({**row, "crc32": _checksum(row)}, separators=(",", ":"))


def _checksum(row: dict) -> int:
    return zlib.crc32(json.dumps([row["sequence"], row["domains"]], separators=(",", ":")).encode())


def _is_good(line: str) -> bool:
    row = _parse(line)
    return not row or _is_header(row) or _fits(row)


def _is_header(row: dict) -> bool:
    """Whether it is a first line; there are several where two runs have made the file at the same time."""
    return row.keys() == {"versions"}


def _fits(row: dict) -> bool:
    sequence, domains = row.get("sequence"), row.get("domains")
    if not isinstance(sequence, str) or not isinstance(domains, list) or row.get("crc32") != _checksum(row):
        return False
    return all(
        isinstance(kind, str)
        and 0 <= start
        and start + len(positions) <= len(sequence)
        and all(isinstance(p, int) and 0 <= p <= 128 for p in positions)
        for kind, start, positions in domains
    )


def _parse(line: str) -> dict:
    if not line.strip():
        return {}
    try:
        row = json.loads(line)
    except ValueError:
        row = None
    return row if isinstance(row, dict) else {"damaged": True}
