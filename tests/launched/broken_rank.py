"""The command line with a fault in one rank: ``python -m tests.launched.broken_rank FAULT run run.yaml``."""

import os
import signal
import sys
import time

from stagea_mpi import building, cli, team
from stagea_mpi.parallel.teams import connect
from stagea_mpi.workbench import Workbench
from tests.launched import broken_bench


def main() -> int:
    fault, rank = sys.argv[1], connect().rank
    if rank == connect().size - 1 or fault in broken_bench.FAULTS:
        break_something(fault)
    return cli.main(sys.argv[2:])


def break_something(fault: str) -> None:
    whole_build, whole_round = building.build_model, building._build_round

    def build_model(entry, *arguments):
        if fault == "killed while it builds":
            os.kill(os.getpid(), signal.SIGKILL)
        if fault == "slow":
            time.sleep(0.5)
        return whole_build(entry, *arguments)

    def build_round(*arguments):
        if fault == "raises before the models":
            raise RuntimeError("a fault made for the test")
        result = whole_round(*arguments)
        if fault == "raises between collectives":
            raise RuntimeError("a fault made for the test")
        return result

    building.build_model, building._build_round = build_model, build_round
    if fault in broken_bench.FAULTS:
        os.environ[broken_bench.VARIABLE] = fault
        team.Workbench = lambda: Workbench("tests.launched.broken_bench")
    if fault == "raises while the file is open":
        from stagea_mpi.store import packed_writer

        def columns_of(records, widths):
            raise RuntimeError("a fault made for the test")

        packed_writer._columns_of = columns_of


if __name__ == "__main__":
    sys.exit(main())
