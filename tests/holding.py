"""How tests hold what they disturb at a known point, so that nothing depends on who is the faster."""

import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from stagea_mpi.mpi.guard import STOP_SIGNALS

#: Seconds after which something is taken for hung. Nothing takes a tenth of it, on a busy machine as well.
HANG_S = 600.0

#: Holds a process that is about to compute a model's contact areas. A stop signal that reaches it stays pending, since
#: ranks start the processes beside them with these signals blocked.
_HOLD_MODEL = """import os, signal, sys, time
from glob import glob
from importlib.machinery import PathFinder

def held(contact_areas):
    def hold(*arguments):
        open({folder!r} + "/model." + str(os.getpid()) + "." + str(time.monotonic_ns()), "w").close()
        if "SLURM_RESTART_COUNT" not in os.environ and len(glob({folder!r} + "/model.*")) > {after}:
            open({folder!r} + "/held." + str(os.getpid()), "w").close()
            while not os.path.exists({folder!r} + "/free"):
                if signal.sigpending() & {signals!r}:
                    open({folder!r} + "/told." + str(os.getpid()), "w").close()
                    if {goes_when_told}:
                        break
                time.sleep(0.02)
        return contact_areas(*arguments)
    return hold

class Finder:
    def find_spec(self, name, path, target=None):
        if name != "stagea_mpi.graph.voronoi":
            return None
        spec = PathFinder.find_spec(name, path, target)
        load = spec.loader.exec_module
        def load_and_hold(module):
            load(module)
            module.contact_areas = held(module.contact_areas)
        spec.loader.exec_module = load_and_hold
        return spec

sys.meta_path.insert(0, Finder())
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


class HeldModel(Hold):
    """Holds the first start of a run in its models; a folder for PYTHONPATH.

    Parameters
    ----------
    folder : Path
        To be made.
    after : int
        So many models of the run are let through.
    goes_when_told : bool
        Whether a stop signal that reaches it lets it go, too.
    """

    def __init__(self, folder: Path, after: int = 0, goes_when_told: bool = True):
        super().__init__(folder)
        text = _HOLD_MODEL.format(
            folder=str(folder), after=after, signals=set(map(int, STOP_SIGNALS)), goes_when_told=goes_when_told
        )
        (folder / "sitecustomize.py").write_text(text)


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
