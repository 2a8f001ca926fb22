"""How tests hide what Linux alone has: processes then see a system without it, as on macOS or in some containers."""

from pathlib import Path

#: Python sees no sets of CPUs, no /proc, no /sys, no /dev/shm, no prctl, no setpriv and no locks of files; libraries in
#: C do.
_HIDE = """import builtins, ctypes, errno, fcntl, functools, io, os, shutil

for name in ("sched_getaffinity", "sched_setaffinity"):
    delattr(os, name)

def hidden(path):
    try:
        name = os.path.abspath(os.fsdecode(path)) + "/"
    except TypeError:
        return False
    return name.startswith(("/proc/", "/sys/", "/dev/shm/", "/dev/fd/"))

def blind(function):
    @functools.wraps(function)
    def see(path=".", *arguments, **options):
        if hidden(path):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
        return function(path, *arguments, **options)
    return see

builtins.open = io.open = blind(open)
for name in ("open", "stat", "lstat", "statvfs", "listdir", "scandir", "readlink"):
    setattr(os, name, blind(getattr(os, name)))
os.access = lambda path, *a, see=os.access, **b: not hidden(path) and see(path, *a, **b)

def flock(*arguments):
    raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

fcntl.flock = flock
shutil.which = lambda name, *a, see=shutil.which, **b: None if name == "setpriv" else see(name, *a, **b)

class Library(ctypes.CDLL):
    def __getattr__(self, name):
        if name == "prctl":
            raise AttributeError(name)
        return super().__getattr__(name)

ctypes.CDLL = Library
"""


def hide_linux(folder: Path) -> Path:
    """Makes a folder for PYTHONPATH whose processes see nothing that Linux alone has."""
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(_HIDE)
    return folder
