"""How tests hold what they disturb at a known point, so that nothing depends on who is the faster."""

import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from stagea_mpi.mpi.guard import STOP_SIGNALS

#: Seconds after which something is taken for hung. Nothing takes a tenth of it, on a busy machine as well.
HANG_S = 600.0

#: A Voronota that waits before it does its work. A stop signal that reaches it stays pending, since ranks start their
#: children with these signals blocked.
_VORONOTA = """#!{python} -IS
import os, signal, sys, time
from glob import glob

held = sys.argv[1:2] == ["calculate-contacts"] and "SLURM_RESTART_COUNT" not in os.environ
if held and len(glob({finished!r})) >= {after}:
    open({folder!r} + "/held." + str(os.getpid()), "w").close()
    while not os.path.exists({folder!r} + "/free"):
        if signal.sigpending() & {signals!r}:
            open({folder!r} + "/told." + str(os.getpid()), "w").close()
            if {goes_when_told}:
                break
        time.sleep(0.02)
os.execv({voronota!r}, [{voronota!r}, *sys.argv[1:]])
"""

#: What Python reads at its start. Launchers put the folder with the good programs before all others; this undoes it.
_SITE = """import os
os.environ["PATH"] = {folder!r} + os.pathsep + os.environ["PATH"]
"""

#: Holds a Python that is about to import a module, or about to end.
_HOLD_PYTHON = """import atexit, os, sys, time

def hold(place):
    if place != {place!r} or not {which}:
        return
    open({folder!r} + "/held." + str(os.getpid()), "w").close()
    while not os.path.exists({folder!r} + "/free"):
        time.sleep(0.02)

class Finder:
    def find_spec(self, name, path, target=None):
        hold(name)

if {{"stagea_mpi", "stagea-mpi"}} & set(map(os.path.basename, sys.orig_argv)):
    hold("start")
    sys.meta_path.insert(0, Finder())
    atexit.register(hold, "end")
"""


class Hold:
    """Processes that wait in a folder: each writes that it does, and goes on when the test says so."""

    def __init__(self, folder: Path):
        folder.mkdir()
        self.folder = folder

    def wait(self, processes: int = 1, context: Callable[[], str] = str) -> None:
        """Until so many processes are held."""
        wait_until(lambda: len(self.held()) >= processes, f"{processes} processes to be held", context)

    def held(self) -> list[int]:
        """The numbers of all processes that were ever held."""
        return [int(path.suffix[1:]) for path in self.folder.glob("held.*")]

    def told(self) -> list[int]:
        """The numbers of those that a stop signal has reached."""
        return [int(path.suffix[1:]) for path in self.folder.glob("told.*")]

    def let_go(self) -> None:
        """All that are held, or come to it from now on."""
        (self.folder / "free").touch()


class HeldVoronota(Hold):
    """A Voronota that stands in for the good one and holds the first start of a run.

    Parameters
    ----------
    folder : Path
        To be made; its path is what has to come first in PATH.
    run_root : Path
    after : int
        So many shards are finished before it holds.
    goes_when_told : bool
        Whether a stop signal that reaches it lets it go, too.
    """

    def __init__(self, folder: Path, run_root: Path, after: int = 0, goes_when_told: bool = True):
        super().__init__(folder)
        text = _VORONOTA.format(
            python=sys.executable, folder=str(folder), voronota=shutil.which("voronota"), after=after,
            finished=f"{run_root}/shards/*/STAGEA_*DONE", signals={int(number) for number in STOP_SIGNALS},
            goes_when_told=goes_when_told,
        )  # fmt: skip
        (folder / "voronota").write_text(text)
        (folder / "voronota").chmod(0o755)

    def python_path(self) -> str:
        """For PYTHONPATH, where a launcher changes PATH."""
        (self.folder / "sitecustomize.py").write_text(_SITE.format(folder=str(self.folder)))
        return str(self.folder)


class HeldPython(Hold):
    """Holds the command line at its start, before it imports a module, or when it ends; a folder for PYTHONPATH.

    Parameters
    ----------
    folder : Path
        To be made.
    place : str
        ``start``, a module's name, or ``end``.
    which : str
        A condition for the process to be held, in Python.
    """

    def __init__(self, folder: Path, place: str, which: str = "True"):
        super().__init__(folder)
        (folder / "sitecustomize.py").write_text(_HOLD_PYTHON.format(place=place, folder=str(folder), which=which))


def wait_until(condition: Callable[[], Any], what: str, context: Callable[[], str] = str) -> Any:
    """Waits for a condition to give something true, and returns that."""
    end = time.monotonic() + HANG_S
    while not (found := condition()):
        assert time.monotonic() < end, f"waited {HANG_S:.0f} s for {what}\n{context()}"
        time.sleep(0.02)
    return found


def end_of(child: subprocess.Popen) -> tuple[int, str]:
    """The exit code of a process, and what it has printed."""
    output, _ = child.communicate(timeout=HANG_S)
    return child.returncode, output
