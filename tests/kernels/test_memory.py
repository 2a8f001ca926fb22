"""What kernels do when memory is refused or they are told to end, and whether they give all of it back."""

import os
import subprocess
from pathlib import Path

import numpy as np
import psutil
import pytest
from holding import HANG_S

from stagea_mpi.kernels import compiled

HERE = Path(__file__).parent
SOURCES = HERE.parents[1] / "stagea_mpi" / "kernels"


def test_refused_memory_and_a_stop_at_any_point_are_said_and_all_memory_is_given_back(tmp_path):
    sources = [HERE / "scarce.c", *(path for path in SOURCES.glob("*.c") if path.name != "module.c")]
    command = ["gcc", "-std=c11", "-O1", "-include", HERE / "scarce.h", "-I", SOURCES, *sources, "-lm", "-o"]
    subprocess.run([*command, tmp_path / "scarce"], check=True, timeout=HANG_S)
    done = subprocess.run([tmp_path / "scarce"], capture_output=True, text=True, timeout=HANG_S)
    assert done.returncode == 0, done.stdout
    assert done.stdout.count("requests") == 13


@pytest.mark.skipif("libasan" in os.environ.get("LD_PRELOAD", ""), reason="the sanitizer holds back what is freed")
def test_calls_leave_no_memory_behind():
    random = np.random.default_rng(1)
    xyz, n = random.uniform(0, 40, (3000, 3)), 3000
    edges = random.integers(0, n, (n, 2))
    room, inside, area = (np.zeros((n, 2), dtype=np.int64), np.zeros(n)), np.zeros(n, dtype=bool), np.zeros(20)
    labels, contacts = np.zeros(n, dtype=np.int32), np.zeros(300)
    text = b'{"pae": [[%b]]}' % b"],[".join([b",".join([b"1.5"] * 90)] * 90)
    sides, blocks = (np.arange(40), np.arange(40, 90)), (np.zeros((40, 50), "f4"), np.zeros((50, 40), "f4"))

    def calls():
        compiled.pairs_between(xyz, xyz, 2.0, *room)
        compiled.pairs_within(xyz, np.zeros(n, dtype=np.int64), 2.0, *room)
        compiled.count_between(xyz, xyz, 2.0)
        compiled.within_reach(xyz, xyz, 2.0, inside)
        compiled.lee_richards(xyz, np.ones(n), np.arange(20), 1.4, 20, area)
        compiled.markov_clusters(edges, labels)
        compiled.contact_areas(xyz, np.ones(n), edges[:300], contacts)
        compiled.aligned_errors(blocks[0], np.zeros(40, "i8"), np.zeros(50, "i8"), np.zeros((1, 1)), np.zeros((1, 1)))
        compiled.json_matrix_blocks(text, compiled.json_key(text, b"pae", 0), True, 0, 90, *sides, *blocks)
        with pytest.raises(ValueError, match="expected 91"):
            compiled.json_matrix_blocks(text, 8, True, 0, 91, *sides, *blocks)
        with pytest.raises(ValueError, match="nan"):
            compiled.lee_richards(xyz * np.nan, np.ones(n), np.arange(20), 1.4, 20, area)

    for _ in range(5):
        calls()
    before = psutil.Process().memory_info().rss
    for _ in range(60):
        calls()
    assert psutil.Process().memory_info().rss - before < 2_000_000  # any array that is not given back is 60 times 24 kB
