"""The command line. A stop may come while we start: it is listened to before anything is imported that takes long."""

import os
import sys


def _in_utf8() -> None:
    """Starts this process again in Python's UTF-8 mode where the locale has another encoding.

    Names of files are bytes, and those of a run stand in UTF-8 in its files, whatever the locale says: read as
    ISO-8859-1, a model's name would be another one, and a path in run.yaml no file's. (In the locale C Python takes
    UTF-8 by itself.) Children, such as the processes that compute, follow.
    """
    if sys.getfilesystemencoding() != "utf-8":
        os.environ["PYTHONUTF8"] = "1"
        os.execv(sys.executable, [sys.executable, "-X", "utf8", *sys.orig_argv[1:]])


_in_utf8()

from .mpi.guard import StopRequest  # noqa: E402 - what it imports is imported once

stop = StopRequest().listen()

from .cli import main  # noqa: E402

code = main(stop=stop)
stop.ignore()
sys.exit(code)
