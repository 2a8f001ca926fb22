"""One rank of a benchmark: the command line, and at its end the rank's peak memory in a file of its own."""

import os
import resource
import sys
from pathlib import Path

from stagea_mpi.cli import main

code = main(sys.argv[2:])
peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
(Path(sys.argv[1]) / f"{os.getpid()}.rss").write_text(f"{peak_mb:.1f}\n")
sys.exit(code)
