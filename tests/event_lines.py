"""Files of events, read here without the package's reader; and in the form of earlier versions."""

import json
from collections.abc import Iterator
from pathlib import Path

#: Stages of a model, in their order.
STEPS = ("read", "contacts", "voronoi", "burial", "edges", "scores")


def lines_of(path: Path) -> list[dict]:
    return [json.loads(text) for text in path.read_text().splitlines() if text.strip()]


def steps_of(line: dict) -> Iterator[dict]:
    """Of a line of models, a line for each stage of each model, as earlier versions noted them; of others, these."""
    if line["stage"] != "models":
        yield line
        return
    common = {key: line[key] for key in ("pid", "shard") if key in line}
    failed = {place: (stage, reason) for place, stage, reason in line.get("failed", [])}
    for k, name in enumerate(line["model"]):
        at, (failing, reason) = line["start"] + line["start_us"][k] / 1e6, failed.get(k, (None, None))
        stages = [stage for stage in STEPS if line[f"{stage}_us"][k] or stage == failing]
        for stage in stages:
            seconds = line[f"{stage}_us"][k] / 1e6
            times = {"stage": stage, "start": round(at, 4), "seconds": seconds}
            outcome = {"outcome": reason if stage == failing else "ok"}
            extra = {"n_atoms": line["n_atoms"][k]} if stage in (stages[0], failing) else {}
            yield times | outcome | common | {"model": name} | extra
            at += seconds


def write_as_before(path: Path) -> None:
    """Rewrites a file of events as an earlier version would have written it."""
    lines = [step for line in lines_of(path) for step in steps_of(line)]
    path.write_text("".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines))
