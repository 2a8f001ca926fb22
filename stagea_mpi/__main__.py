"""The command line. A stop may come while we start: it is listened to before anything is imported that takes long."""

import sys

from .parallel.guard import StopRequest

stop = StopRequest().listen()

from .cli import main  # noqa: E402

code = main(stop=stop)
stop.ignore()
sys.exit(code)
