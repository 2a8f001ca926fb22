"""What stagea_mpi costs: ``python -m benchmarks [parts | numbering | runs]``, each with its options; all without."""

import argparse

from . import numbering, parts, runs
from .costs import machine

BENCHMARKS = {"parts": parts, "numbering": numbering, "runs": runs}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    choices = parser.add_subparsers(dest="benchmark")
    for name, benchmark in BENCHMARKS.items():
        one = choices.add_parser(name, description=benchmark.__doc__, help=(benchmark.__doc__ or "").split(":")[0])
        benchmark.add_options(one)
    chosen = parser.parse_args().benchmark
    print(machine() + "\n", flush=True)
    for name, benchmark in BENCHMARKS.items():
        if chosen in (None, name):
            benchmark.main(parser.parse_args([name]) if chosen is None else parser.parse_args())


if __name__ == "__main__":
    main()
