"""Many models in one process: memory and file descriptors stay flat, and no temporary file is left.

``SOAK_MODELS`` says how many (`make faults`: thousands).
"""

import os
import time

import h5py
import numpy as np
import psutil
import pytest
from holding import Hold, wait_until
from launching import write_run_yaml

from .victims import BESIDE_RANKS, LONG, Victim, check_what_is_there, left_behind

MODELS = int(os.environ.get("SOAK_MODELS", "40"))
#: Processes of a run that are there from its beginning to its end; all others live for fractions of a second.
LIVE_LONG = ("rank", *BESIDE_RANKS)
#: From so many models on memory and descriptors are judged: a few dozen do not even fill the caches.
LONG_SOAK = 1000
#: MB by which a process may grow from its second quarter to its last; in thousands of models a leak of 1 kB each shows.
MAY_GROW_MB = 2.0


@pytest.mark.timeout(1800 + MODELS)
@pytest.mark.parametrize("ranks", [0, 2] if LONG else [0])
def test_memory_and_descriptors_stay_flat_however_many_models(ranks, poses, tmp_path):
    inputs, folder = tmp_path / "poses", tmp_path / "tmp"
    inputs.mkdir()
    folder.mkdir()
    six = sorted(poses.glob("*.pdb"))
    for number in range(MODELS):
        os.link(six[number % len(six)], inputs / f"model_{number:05d}.pdb")
    path = write_run_yaml(tmp_path / "run.yaml", inputs, max_per_shard=20, min_per_shard=1)
    hold = Hold(tmp_path / "held")
    run = Victim(ranks, f"held {hold.folder}", "run", path, module="tests.launched.broken_rank", TMPDIR=str(folder))
    hold.wait(max(1, ranks), lambda: run.output)
    wait_until(lambda: set(LIVE_LONG) <= set(run.processes().values()), f"the processes {LIVE_LONG}")
    hold.let_go()
    samples: dict[str, list[tuple[float, int]]] = {}
    while run.process.poll() is None:
        for pid, name in run.processes().items():
            if name in LIVE_LONG:
                take_sample(f"{name} {pid}", pid, samples)
        time.sleep(min(1.0, MODELS / 500))
    assert run.wait() == 0, run.output
    assert f"{MODELS} of {MODELS} models are in" in run.output
    for name, found in samples.items():
        rss, descriptors = np.array(found).T
        quarter = len(found) // 4
        if quarter >= 3:
            first, last = np.median(rss[quarter : 2 * quarter]), np.median(rss[-quarter:])
            print(f"{name}: {first:.1f} MB, later {last:.1f} MB; at most {descriptors.max():.0f} descriptors")
            if MODELS >= LONG_SOAK:
                assert last - first < MAY_GROW_MB, f"{name} grew from {first:.1f} to {last:.1f} MB"
                assert np.median(descriptors[-quarter:]) <= np.median(descriptors[quarter : 2 * quarter]) + 2
    assert os.listdir(folder) == []
    assert not left_behind(path.with_suffix(""))
    assert check_what_is_there(path.with_suffix("")) == 0
    models = 0
    for file in path.with_suffix("").glob("shards/*/graphs.h5"):
        with h5py.File(file) as graphs:
            models += len(graphs)
    assert models == MODELS


def take_sample(name: str, pid: int, samples: dict[str, list[tuple[float, int]]]) -> None:
    """Memory (MB) and descriptors of a process that may just have gone."""
    try:
        process = psutil.Process(pid)
        row = process.memory_info().rss / 1e6, process.num_fds()
    except psutil.Error:
        return
    samples.setdefault(name, []).append(row)
