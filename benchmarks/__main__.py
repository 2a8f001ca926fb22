"""What stagea_mpi costs: ``python -m benchmarks [parts | numbering | runs | scores | long-runs | stretched]``, with the
options of each; without a name all but `stretched`, which takes half an hour.
"""

import argparse

from . import long_runs, numbering, parts, runs, scores, stretched
from .costs import machine

#: By name; `stretched` runs where it is named.
BENCHMARKS = {
    "parts": parts,
    "numbering": numbering,
    "runs": runs,
    "scores": scores,
    "long-runs": long_runs,
    "stretched": stretched,
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    choices = parser.add_subparsers(dest="benchmark")
    for name, benchmark in BENCHMARKS.items():
        one = choices.add_parser(name, description=benchmark.__doc__, help=(benchmark.__doc__ or "").split(":")[0])
        benchmark.add_options(one)
    chosen = parser.parse_args().benchmark
    print(machine() + "\n", flush=True)
    for name, benchmark in BENCHMARKS.items():
        if chosen == name or (chosen is None and benchmark is not stretched):
            benchmark.main(parser.parse_args([name]) if chosen is None else parser.parse_args())


if __name__ == "__main__":
    main()
