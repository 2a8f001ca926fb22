"""The command line. A stop may come while we start: it is listened to before anything is imported that takes long."""

import os
import sys


def main() -> int:
    """Runs the command of this process's arguments; what `python -m stagea_mpi` and `stagea-mpi` call.

    Returns
    -------
    exit_code : int
    """
    _in_utf8()
    from .mpi.guard import StopRequest  # what it imports is imported once

    stop = StopRequest().listen()
    from .cli import main as run_command

    code = run_command(stop=stop)
    stop.ignore()
    return code


def _in_utf8() -> None:
    """Starts this process again in Python's UTF-8 mode where the locale has another encoding.

    Names of files are bytes, and those of a run stand in UTF-8 in its files, whatever the locale says: read as
    ISO-8859-1, a model's name would be another one, and a path in run.yaml no file's. (In the locale C Python takes
    UTF-8 by itself.) Children, such as the processes that compute, follow.
    """
    if sys.getfilesystemencoding() != "utf-8":
        os.environ["PYTHONUTF8"] = "1"
        os.execv(sys.executable, [sys.executable, "-X", "utf8", *sys.orig_argv[1:]])


if __name__ == "__main__":
    sys.exit(main())
