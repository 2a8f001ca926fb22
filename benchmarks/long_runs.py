"""Long runs, what listing, ``status``, ``verify``, ``report`` and ``table`` take by numbers of files, shards, models:
``python -m benchmarks long-runs [--files 20000 100000] [--shards 100 1000] [--models 50]``.

Files are empty; shards are copies of one that is computed, with events of their own. Each command is a process of its
own, whose time and peak memory are given; what grows with the run should grow with its bytes, and memory hardly.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter, sleep, time

import numpy as np
import psutil

from stagea_mpi.demo.poses import COMPLEXES, write_poses
from stagea_mpi.graph.timing import STAGES
from stagea_mpi.rundir.checksums import checksummed
from stagea_mpi.rundir.folders import DONE, GRAPHS_DONE, RunFolder, ShardFolder, write_json, write_together
from stagea_mpi.rundir.records import published_files
from stagea_mpi.rundir.shard_meta import ShardMeta
from stagea_mpi.rundir.sharding import hash_of_lines, read_params
from stagea_mpi.telemetry.events import EventLog

_LIST = (
    "import sys; from stagea_mpi.config.run_config import load_config; "
    "from stagea_mpi.rundir.sharding import plan_shards; plan_shards(load_config(sys.argv[1]))"
)
_LOAD = "import sys; from stagea_mpi.report import load; load(sys.argv[1])"


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--files", type=int, nargs="+", default=[20_000, 100_000])
    parser.add_argument("--shards", type=int, nargs="+", default=[100, 1000])
    parser.add_argument("--models", type=int, default=50, help="of a shard")


def main(options: argparse.Namespace) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for n_files in options.files:
            config = _make_files(folder / f"files_{n_files}", n_files)
            _show(f"listing {n_files} files", *_run("-c", _LIST, str(config)))
        shard = _computed(folder / "computed", options.models)
        for n_shards in options.shards:
            run = _make_run(folder / f"run_{n_shards}", shard, n_shards)
            n_models = n_shards * options.models
            telemetry = sum(path.stat().st_size for path in (run.root / "telemetry").iterdir())
            what = f"{n_shards} shards, {n_models} models"
            print(f"{what}: {telemetry / n_models:.0f} bytes of events a model")
            _show(f"status of {what}", *_run("-m", "stagea_mpi", "status", str(run.root)))
            _show(f"verify of {what}", *_run("-m", "stagea_mpi", "verify", str(run.root)))
            _show(f"tables of the report of {what}", *_run("-c", _LOAD, str(run.root)))
            _show(f"report of {what}", *_run("-m", "stagea_mpi", "report", str(run.root)))
            _show_tables(run, what)


def _show(what: str, seconds: float, peak_mb: float) -> None:
    print(f"{what:<55} {seconds:8.2f} s {peak_mb:6.0f} MB", flush=True)


def _show_tables(run: RunFolder, what: str) -> None:
    for rows in ("models", "residues", "contacts"):
        for ending in ("parquet", "tsv.gz", "tsv"):
            path = run.root / f"{rows}.{ending}"
            option = () if rows == "models" else (f"--{rows}",)
            cost = _run("-m", "stagea_mpi", "table", str(run.root), *option, "-o", str(path))
            _show(f"table of {rows} in .{ending} of {what}", *cost)
            print(f"{path.stat().st_size / 1e6:.1f} MB")


def _run(*arguments: str) -> tuple[float, float]:
    """Seconds of a command, and the peak memory (MB) of its largest process."""
    start, peak = perf_counter(), 0.0
    with tempfile.TemporaryFile("w+") as said:
        child = subprocess.Popen([sys.executable, *arguments], stdout=said, stderr=subprocess.STDOUT)
        while child.poll() is None:
            peak = max(peak, *map(_peak_mb, _with_children(child.pid)))
            sleep(0.05)
        if child.returncode:
            said.seek(0)
            raise SystemExit(f"{' '.join(arguments)} ended with {child.returncode}:\n{said.read()}")
    return perf_counter() - start, peak


def _with_children(pid: int) -> list[int]:
    try:
        return [pid, *(child.pid for child in psutil.Process(pid).children(recursive=True))]
    except psutil.Error:  # it has just ended
        return [pid]


def _peak_mb(pid: int) -> float:
    """What a process has held at most; resource.getrusage begins with what the process that started it held."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0.0
    return max((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM")), default=0.0)


def _config(folder: Path, inputs: Path, n_models: int) -> Path:
    path = folder.with_suffix(".yaml")
    path.write_text(
        f"run_root: {folder / 'run'}\npdb_root: {inputs}\nchains: {{heavy: H, light: L, antigen: A}}\n"
        f"stage_a: {{min_per_shard: {n_models}, max_per_shard: {n_models}, max_failed_fraction: 1.0}}\n"
        "collect_metrics: false\n"
    )
    return path


def _make_files(folder: Path, n_files: int) -> Path:
    """Empty files, a thousand in each folder."""
    for first in range(0, n_files, 1000):
        below = folder / "inputs" / f"target_{first // 1000:05d}"
        below.mkdir(parents=True)
        for number in range(first, min(first + 1000, n_files)):
            os.close(os.open(below / f"pose_{number:07d}.pdb", os.O_CREAT | os.O_WRONLY))
    return _config(folder, folder / "inputs", 100)


def _computed(folder: Path, n_models: int) -> ShardFolder:
    """The one shard of a run of so many poses."""
    write_poses(folder / "inputs", COMPLEXES["7DAA"], n_models, 2026)
    _run("-m", "stagea_mpi", "run", str(_config(folder, folder / "inputs", n_models)))
    return RunFolder(folder / "run").shard(0)


def _make_run(root: Path, shard: ShardFolder, n_shards: int) -> RunFolder:
    """A finished run of copies of a shard."""
    source, run = RunFolder(shard.path.parents[1]), RunFolder(root)
    run.create()
    run.write_config({**source.read_config(), "run_root": str(root)})
    paths = shard.inputs()
    for index in range(n_shards):
        copy = run.shard(index)
        copy.path.mkdir()
        copy.list_path.write_text("".join(f"{path}\n" for path in paths))
        for path in published_files(shard):
            os.link(path, copy.path / path.name)
        meta = ShardMeta.read(shard)
        assert meta is not None
        meta.shard_id = meta.result.shard_id = copy.name
        meta.write(copy)
        write_together(copy.marks(GRAPHS_DONE, DONE))
    write_json(run.params, checksummed(_params_of(source, paths * n_shards, n_shards)))
    _write_events(run, paths, n_shards, next(iter((source.root / "telemetry").glob("events_*.jsonl"))))
    return run


def _params_of(source: RunFolder, paths: Sequence[str], n_shards: int) -> dict:
    params = read_params(source) or {}
    return {**params, "n_shards": n_shards, "n_files": len(paths), "files_sha256": hash_of_lines(paths)}


def _write_events(run: RunFolder, paths: Sequence[str], n_shards: int, like: Path) -> None:
    """Events of one rank: its first line, and its models with made times."""
    folder, random, now = run.root / "telemetry", np.random.default_rng(1), perf_counter()
    folder.mkdir()
    first = json.loads(like.open(encoding="utf-8").readline()) | {"pid": os.getpid(), "start": time()}
    (folder / like.name).write_text(json.dumps(first) + "\n", encoding="utf-8")
    with EventLog(folder / like.name) as events:
        for events.shard in range(n_shards):
            for path in paths:
                seconds = dict(zip(STAGES, random.uniform(0.001, 0.01, len(STAGES)).tolist(), strict=True))
                events.note_model(Path(path).stem, now, seconds, sum(seconds.values()), None, 4000, 80_000)
                now += sum(seconds.values())
            events.note("wait", now, 0.001, on="slowest")
        events.shard = None
        events.note("end", now, 0.0)
