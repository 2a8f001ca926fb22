"""Processes of a run are killed and stopped at random moments, again and again; nothing is lost, and nothing hangs.

``FAULT_ROUNDS`` and ``FAULT_SEED`` say how many rounds there are and which (`make faults` has hundreds).
"""

import os
import random
import signal
import time
from pathlib import Path

import pytest
from launching import write_run_yaml

from .victims import SEED, SETTINGS, Victim, check_what_is_there, left_behind, published, send

ROUNDS = int(os.environ.get("FAULT_ROUNDS", "4"))

#: What is done to whom; it is waited for one.
FAULTS = (
    ("rank", signal.SIGKILL),
    ("rank", signal.SIGKILL),
    ("mpiexec", signal.SIGKILL),
    ("mpiexec", signal.SIGTERM),
    ("mpiexec", signal.SIGINT),
    ("rank", signal.SIGTERM),
    ("everyone", signal.SIGKILL),
    ("everyone", signal.SIGTERM),
    ("everyone", signal.SIGUSR1),
    ("worker", signal.SIGKILL),
    ("sampler", signal.SIGKILL),
)
#: Without whom a run comes to its end all the same.
DISPENSABLE = ("worker", "sampler")
PHASES = ((), (), ("--prep-graphs-only",), ("--cluster-only",), ("--no-cluster",), ("--force",))
#: How a run tells its end: by itself, or by the launcher's mouth.
LAST_WORDS = ("models are in", "stopped early by", "error", "on signal", "MPI_ABORT", "exit code", "interrupted")


@pytest.mark.parametrize("number", range(ROUNDS))
def test_whoever_is_killed_whenever_a_rerun_ends_with_the_same_files(number, poses, tmp_path, undisturbed):
    chance = random.Random(f"{SEED}/{number}")
    path = write_run_yaml(tmp_path / "run.yaml", poses, **SETTINGS)
    root = path.with_suffix("")
    disturbed = disturb(chance, root, path)
    finished = Victim(chance.choice((1, 2, 3)), "run", path)
    assert finished.wait() == 0, f"{disturbed}\n{finished.output}"
    assert published(root) == undisturbed, disturbed
    assert check_what_is_there(root) == 0, disturbed
    assert not left_behind(root), disturbed


def disturb(chance: random.Random, root: Path, path: Path) -> list[str]:
    """Starts a run some times and disturbs each start; what was done, for the message of a failure."""
    done = []
    for _ in range(chance.choice((1, 2, 3))):
        ranks, (whom, number) = chance.choice((1, 2, 2, 3)), chance.choice(FAULTS)
        options = chance.choice(PHASES)
        victim = Victim(ranks, "run", path, *options)
        done.append(f"{ranks} ranks {' '.join(options)}, {signal.Signals(number).name} to {whom}")
        wait_for_the_moment(chance, root, victim)
        hit = strike(chance, victim, whom, number)
        code = victim.wait()
        done[-1] += f" ({hit} hit): {code}"
        check_code(code, hit, whom, number, victim, done)
        check_what_is_there(root)
    return done


def check_code(code: int, hit: int, whom: str, number: int, victim: Victim, done: list[str]) -> None:
    """A run says with its code and its last lines how it ended."""
    told = f"{done}\n{victim.output}"
    if "there are no graphs to cluster" in victim.output:
        assert code == 2 or hit, told
    elif not hit or whom in DISPENSABLE:
        assert code == 0, told
        assert "models are in" in victim.output, told
    elif number == signal.SIGKILL:
        assert code != 75, told
    if code == 75:
        assert "stopped early by" in victim.output or "ended at once by" in victim.output, told
    if code == 137:
        assert "on signal 9 (Killed)" in victim.output, told
    if code > 0 and whom not in ("mpiexec", "everyone"):  # a launcher that is told to stop says nothing
        assert any(words in victim.output for words in LAST_WORDS), told


def wait_for_the_moment(chance: random.Random, root: Path, victim: Victim) -> None:
    """Until some time after the start, or until a file of a certain kind appears, and a moment more."""
    pattern = chance.choice(
        (None, None, ".lock", ".packed.h5*", "failures.tsv", "packed.h5", ".graphs.h5*", "STAGEA_*")
    )
    end = time.monotonic() + (chance.uniform(0.0, 5.0) if pattern is None else 20.0)  # any moment will do
    known = {file: file.stat().st_mtime_ns for file in root.glob(f"shards/*/{pattern}")} if pattern else {}
    while time.monotonic() < end and victim.process.poll() is None:
        time.sleep(0.001)
        if pattern and any(known.get(file) != _mtime(file) for file in root.glob(f"shards/*/{pattern}")):
            time.sleep(chance.choice((0.0, chance.uniform(0.0, 0.02), chance.uniform(0.0, 0.3))))
            return


def _mtime(file: Path) -> int:
    try:
        return file.stat().st_mtime_ns
    except FileNotFoundError:
        return -1


def strike(chance: random.Random, victim: Victim, whom: str, number: int) -> int:
    """Signals processes of a run; how many there were to get it."""
    if whom == "everyone":
        return sum(send(pid, number) for pid in victim.processes())
    if whom == "mpiexec":
        return int(send(victim.process.pid, number)) if victim.process.poll() is None else 0
    while victim.process.poll() is None:
        targets = sorted(pid for pid, name in victim.processes().items() if name == whom)
        if targets:
            return int(send(chance.choice(targets), number))
        time.sleep(0.001)
    return 0
