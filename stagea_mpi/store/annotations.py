"""Numberings that a run has already made, kept for later shards and restarts.

One file a team, a line a sequence, appended; a line that a kill has cut short, or that does not fit its sequence, is
not used.
"""

import json
import logging
import os
from collections import OrderedDict
from pathlib import Path

from ..annotation import Numbering

log = logging.getLogger(__name__)

#: Sequences kept in memory; design sets have one a model, and a rank may not grow with the run.
CAPACITY = 10_000


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
                row = {"sequence": sequence, "chain_type": numbering.chain_type, "positions": numbering.positions}
                lines.append(json.dumps(row, separators=(",", ":")))
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
        sequence, positions = row.get("sequence"), row.get("positions")
        fits = (
            isinstance(sequence, str)
            and isinstance(positions, list)
            and len(positions) == len(sequence)
            and all(isinstance(p, int) and 0 <= p <= 128 for p in positions)
        )
        if fits:
            self._numberings[sequence] = Numbering(tuple(positions), row.get("chain_type"))
        return fits


def _parse(line: str) -> dict:
    if not line.strip():
        return {}
    try:
        row = json.loads(line)
    except ValueError:
        row = None
    return row if isinstance(row, dict) else {"damaged": True}
