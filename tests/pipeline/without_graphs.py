"""Runs with and without graphs.h5, for tests of what finishes and exports them."""

import dataclasses
from pathlib import Path

from stagea_mpi.checks.verify import verify
from stagea_mpi.config.run_config import RunConfig
from stagea_mpi.mpi.guard import StopRequest
from stagea_mpi.mpi.teams import SerialComm
from stagea_mpi.pipeline.context import Options
from stagea_mpi.pipeline.run import RunSummary, run


def start(config: RunConfig, *, graphs: bool, phase: str = "full", options: Options | None = None) -> RunSummary:
    """Runs a phase on one rank, with graphs.h5 or without."""
    stage_a = dataclasses.replace(config.stage_a, write_graphs=graphs)
    config = dataclasses.replace(config, phase=phase, stage_a=stage_a)
    return run(SerialComm(), config, options or Options(), StopRequest())


def contents(root: Path, name: str = "graphs.h5") -> dict[str, bytes]:
    """Content of a file of each shard that has it."""
    return {path.parent.name: path.read_bytes() for path in root.glob(f"shards/*/{name}")}


def stamps(root: Path, pattern: str = "*") -> dict[Path, tuple[int, int]]:
    """Which files there are, and since when."""
    return {path: (path.stat().st_ino, path.stat().st_mtime_ns) for path in root.glob(f"shards/*/{pattern}")}


def verified(root: Path) -> tuple[int, str]:
    """Exit code and words of a deep `verify`."""
    lines: list[str] = []
    return verify(root, deep=True, tell=lines.append), "\n".join(lines)
