"""Clocks that jump while a run is at work, and clocks of two hosts that differ by days."""

import itertools
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from holding import HANG_S, Hold
from launching import write_run_yaml

from .victims import LONG, SETTINGS, Victim, check_what_is_there, left_behind, published

BROKEN = "tests.launched.broken_rank"


DAY = 86400


class Clock:
    """The clock of some processes; times of files stay those of the file server, and time that passes stays true."""

    def __init__(self, folder: Path):
        library, self._file = folder / "wrong_clock.so", folder / "clock"
        source = Path(__file__).with_name("wrong_clock.c")
        command = ["gcc", "-shared", "-fPIC", "-O1", "-o", str(library), str(source)]
        subprocess.run(command, check=True, timeout=HANG_S)
        self.set(0)
        self.environment = {"LD_PRELOAD": str(library), "WRONG_CLOCK": str(self._file)}

    def set(self, seconds: int) -> None:
        """Puts it ahead by so many seconds, or back."""
        part = self._file.with_suffix(".part")
        part.write_text(str(seconds))
        part.replace(self._file)


@pytest.fixture
def clock(tmp_path) -> Clock:
    return Clock(tmp_path)


def test_a_process_can_be_given_a_wrong_clock(clock):
    clock.set(10 * DAY)
    command = [sys.executable, "-c", "import time; print(time.time())"]
    environment = {**os.environ, **clock.environment}
    done = subprocess.run(command, env=environment, capture_output=True, check=True, timeout=HANG_S)
    assert float(done.stdout) - time.time() == pytest.approx(10 * DAY, abs=HANG_S)


@pytest.mark.parametrize("ranks", [0, 2] if LONG else [2])
def test_a_run_whose_clock_jumps_by_days_comes_to_its_end(ranks, clock: Clock, poses, tmp_path, undisturbed):
    path = write_run_yaml(tmp_path / "run.yaml", poses, **SETTINGS)
    root = path.with_suffix("")
    hold = Hold(tmp_path / "held")
    run = Victim(ranks, f"held {hold.folder}", "run", path, module=BROKEN, **clock.environment)
    hold.wait(max(1, ranks), lambda: run.output)
    for jump in itertools.chain((-5, 0, 400), itertools.cycle((3, -5, 0, 400))):
        clock.set(jump * DAY)
        if jump == 400:
            hold.let_go()  # from now on it jumps while they work
        if run.process.poll() is not None:
            break
        time.sleep(0.1)
    assert run.wait() == 0, run.output
    assert published(root) == undisturbed
    assert check_what_is_there(root) == 0
    assert not left_behind(root)
    again = Victim(0, "run", path)
    assert again.wait() == 0, again.output
    assert "3 skipped" in again.output


@pytest.mark.usefixtures("other_hosts")
@pytest.mark.skipif(not LONG, reason="a silent holder is watched for half a minute; `make faults` has it")
def test_a_living_run_is_left_alone_by_a_host_whose_clock_is_days_ahead(clock: Clock, poses, tmp_path):
    path = write_run_yaml(tmp_path / "run.yaml", poses)
    hold = Hold(tmp_path / "held")
    holder = Victim(0, f"held {hold.folder}", "run", path, module=BROKEN, host="node1")
    hold.wait(context=lambda: holder.output)
    clock.set(10 * DAY)
    other = Victim(0, "run", path, host="node2", **clock.environment)
    assert other.wait() == 1, other.output
    assert "is being written by process" in other.output
    assert "(last heartbeat 864" in other.output  # by that clock, ten days ago
    hold.let_go()
    assert holder.wait() == 0, holder.output
