"""Whole runs of docking poses, on one and on two ranks in turn: ``python -m benchmarks runs [--poses 96] [--repeats 3]
[--ranks 1 2]``.

Times are medians over the repeats. The runs with different numbers of ranks alternate, so that a drift of the machine's
speed meets all of them; quote the ratios.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import numpy as np

from stagea_mpi.demo.poses import COMPLEXES, write_poses
from stagea_mpi.graph.timing import STAGES
from stagea_mpi.storage.packed_reader import PackedFile

_LIMIT_S = 1800


@dataclass(frozen=True)
class Measurement:
    """One run.

    Attributes
    ----------
    wall_s : float
        Of the whole command, the launcher and all imports included.
    work_s : float
        From the first file read to the last file published.
    stage_s : dict
        Seconds by stage, summed over the models.
    cluster_s, peak_mb : float
        Clustering of all models; the largest rank's memory.
    n_models, sizes : int, dict
        Models; bytes of packed.h5 and graphs.h5.
    """

    wall_s: float
    work_s: float
    stage_s: dict[str, float]
    cluster_s: float
    peak_mb: float
    n_models: int
    sizes: dict[str, int]


def measure(models: Path, ranks: int, folder: Path, chains: str = "{heavy: H, light: L, antigen: A}") -> Measurement:
    """Runs all models of a folder on so many ranks in a new folder."""
    folder.mkdir()
    config = folder / "run.yaml"
    config.write_text(
        f"run_root: {folder / 'run'}\npdb_root: {models}\nchains: {chains}\n"
        "stage_a: {max_per_shard: 24}\ncollect_metrics: false\n"
    )
    launcher = shutil.which("mpiexec.openmpi") or "mpiexec"
    command = [launcher, "-n", str(ranks), sys.executable, "-m", "benchmarks.rank", str(folder), "run", str(config)]
    root = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"} if os.getuid() == 0 else {}
    start = perf_counter()
    environment = {**os.environ, **root}
    done = subprocess.run(command, capture_output=True, text=True, timeout=_LIMIT_S, env=environment, check=False)
    wall = perf_counter() - start
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    shards = sorted((folder / "run" / "shards").iterdir())
    metas = [json.loads((shard / "meta_stageA.json").read_text()) for shard in shards]
    seconds = np.zeros(len(STAGES))
    for shard in shards:
        with PackedFile(shard / "packed.h5") as packed:
            seconds += packed.column("model/seconds").sum(axis=0)
    written = [path.stat().st_mtime for path in (folder / "run").rglob("STAGEA_DONE")]
    begun = (folder / "run" / "run.yaml").stat().st_mtime
    return Measurement(
        wall_s=wall,
        work_s=max(written) - begun,
        stage_s=dict(zip(STAGES, seconds.tolist(), strict=True)),
        cluster_s=sum(meta["result"]["cluster_s"] for meta in metas),
        peak_mb=max(float(path.read_text()) for path in folder.glob("*.rss")),
        n_models=sum(meta["result"]["n_models"] for meta in metas),
        sizes={name: sum((shard / name).stat().st_size for shard in shards) for name in ("packed.h5", "graphs.h5")},
    )


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--poses", type=int, default=96)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--ranks", type=int, nargs="+", default=[1, 2])


def main(options: argparse.Namespace) -> None:
    found: dict[int, list[Measurement]] = {ranks: [] for ranks in options.ranks}
    with tempfile.TemporaryDirectory() as folder:
        poses = Path(folder) / "poses"
        write_poses(poses, COMPLEXES["7DAA"], options.poses, 2026)
        for repeat in range(options.repeats):
            for ranks in options.ranks:
                run = Path(folder) / f"{repeat}_{ranks}"
                found[ranks].append(measure(poses, ranks, run))
                shutil.rmtree(run)
    report(found)


def report(found: dict[int, list[Measurement]]) -> None:
    """Prints seconds a model by stage, speed-up and peak memory."""
    first = next(iter(found))
    n = found[first][0].n_models
    print(f"Runs of {n} poses of 7DAA, median of {len(found[first])}; milliseconds are a model's")
    header = ["ranks", *STAGES, "cluster", "a model", "work s", "wall s", "speed-up of work", "of wall", "peak MB"]
    print("  ".join(f"{name:>9}" for name in header))
    base = {key: statistics.median(getattr(m, key) for m in found[first]) for key in ("work_s", "wall_s")}
    for ranks, measurements in found.items():
        stages = [statistics.median(m.stage_s[stage] for m in measurements) / n for stage in STAGES]
        cluster = statistics.median(m.cluster_s for m in measurements) / n
        work, wall = (statistics.median(getattr(m, key) for m in measurements) for key in ("work_s", "wall_s"))
        peak = max(m.peak_mb for m in measurements)
        cells = [f"{ranks:d}", *(f"{seconds * 1e3:.1f} ms" for seconds in [*stages, cluster, work / n])]
        cells += [f"{work:.2f}", f"{wall:.2f}", f"{base['work_s'] / work:.2f}", f"{base['wall_s'] / wall:.2f}"]
        cells += [f"{peak:.0f}"]
        print("  ".join(f"{cell:>{max(9, len(name))}}" for cell, name in zip(cells, header, strict=True)))
    sizes = found[first][0].sizes
    share = sizes["packed.h5"] / sizes["graphs.h5"]
    print(f"packed.h5 is {share:.3f} of graphs.h5 ({sizes['graphs.h5'] / n / 1e3:.0f} kB a model)")
