"""Many models in one process: memory and file descriptors stay flat, and no temporary file is left.

``SOAK_MODELS`` says how many (`make faults`: thousands).
"""

import os
import time

import h5py
import numpy as np
import psutil
import pytest
from launching import write_run_yaml

from .victims import Victim, check_what_is_there, left_behind

MODELS = int(os.environ.get("SOAK_MODELS", "40"))
#: MB by which a process may grow from its first quarter to its last; a leak of one graph a model would be 100 kB each.
MAY_GROW_MB = 12.0


@pytest.mark.timeout(60 + MODELS)
def test_memory_and_descriptors_stay_flat_however_many_models(poses, tmp_path):
    inputs, folder = tmp_path / "poses", tmp_path / "tmp"
    inputs.mkdir()
    folder.mkdir()
    six = sorted(poses.glob("*.pdb"))
    for number in range(MODELS):
        os.link(six[number % len(six)], inputs / f"model_{number:05d}.pdb")
    path = write_run_yaml(tmp_path / "run.yaml", inputs, max_per_shard=20, min_per_shard=1)
    run = Victim(0, "run", path, TMPDIR=str(folder))
    samples: dict[str, list[tuple[float, float, int]]] = {}
    while run.process.poll() is None:
        for process in [psutil.Process(run.process.pid), *psutil.Process(run.process.pid).children()]:
            take_sample(process, samples)
        time.sleep(min(1.0, MODELS / 500))
    assert run.wait(60) == 0, run.output
    assert f"{MODELS} of {MODELS} models are in" in run.output
    for name, found in samples.items():
        rss, descriptors = np.array([row[1] for row in found]), np.array([row[2] for row in found])
        quarter = len(found) // 4
        if quarter >= 3:
            first, last = np.median(rss[quarter : 2 * quarter]), np.median(rss[-quarter:])
            print(f"{name}: {first:.1f} MB, later {last:.1f} MB; at most {descriptors.max()} descriptors")
            assert last - first < MAY_GROW_MB, f"{name} grew from {first:.1f} to {last:.1f} MB"
            assert np.median(descriptors[-quarter:]) <= np.median(descriptors[quarter : 2 * quarter]) + 2
    assert samples
    assert os.listdir(folder) == []
    assert not left_behind(path.with_suffix(""))
    assert check_what_is_there(path.with_suffix("")) == 0
    models = 0
    for file in path.with_suffix("").glob("shards/*/graphs.h5"):
        with h5py.File(file) as graphs:
            models += len(graphs)
    assert models == MODELS


def take_sample(process: psutil.Process, samples: dict) -> None:
    """Memory (MB) and descriptors of a rank or its workbench; its other children live too shortly."""
    try:
        words = process.cmdline()
        name = next((part for part in words if part in ("stagea_mpi", "stagea_mpi.workbench")), None)
        if name:
            row = time.monotonic(), process.memory_info().rss / 1e6, process.num_fds()
            samples.setdefault(name, []).append(row)
    except psutil.Error:
        return
