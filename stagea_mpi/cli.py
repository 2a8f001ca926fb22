"""The commands: `python -m stagea_mpi COMMAND …`."""

import argparse
import contextlib
import dataclasses
import io
import json
import logging
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from .command_line import command_parser
from .config.paths import given
from .errors import FAILED, ConfigError, LaunchError, StageAError, escape_unprintable
from .mpi.communicator import Communicator
from .mpi.guard import StopRequest, abort_on_error, report

if TYPE_CHECKING:
    from .mpi.worker import WorkerProcess

log = logging.getLogger("stagea_mpi")


def main(arguments: list[str] | None = None, stop: StopRequest | None = None) -> int:
    """Runs a command and returns its exit code.

    Parameters
    ----------
    arguments : list of str, optional
        Those of the process, if there are none.
    stop : StopRequest, optional
        One that listens already, where the process ends with this command.
    """
    if stop is None:
        with StopRequest() as stop:
            return main(arguments, stop)
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    if arguments and arguments[0] not in _COMMANDS and not arguments[0].startswith("-"):
        arguments.insert(0, "run")
    parsed = command_parser().parse_args(arguments)
    parsed.stop, parsed.arguments = stop, arguments[1:]
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal may lack a letter of a file's name; that ends no run
            stream.reconfigure(errors="backslashreplace")
    try:
        if parsed.command not in _ON_RANKS:
            stop.decline()
        return _COMMANDS[parsed.command](parsed)
    except Exception as error:
        if isinstance(error, BrokenPipeError) and parsed.command not in _ON_RANKS:  # as in `status … | head`
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the interpreter flushes it once more
            return FAILED
        report(error)
        return getattr(error, "exit_code", FAILED)
    except KeyboardInterrupt:
        print("stagea_mpi: interrupted", file=sys.stderr)
        return 130


def _plan(parsed: argparse.Namespace) -> int:
    from .config.run_config import load_config
    from .pipeline.plan import describe_plan, plan_facts, plan_run

    config = load_config(parsed.config, warn=_warn)
    plan = plan_run(config)
    if parsed.json:
        print(json.dumps(plan_facts(plan, config, parsed.config), indent=1))
    else:
        print(escape_unprintable(describe_plan(plan, config, parsed.config)))
    return 0


def _submit(parsed: argparse.Namespace) -> int:
    from .config.run_config import load_config
    from .slurm.submit import dry_run, submit

    config = load_config(parsed.config, warn=_warn)
    if parsed.dry_run:
        print(dry_run(config))
        return 0
    for line in submit(config, force=parsed.force):
        print(line)
    return 0


def _status(parsed: argparse.Namespace) -> int:
    from .slurm.status import show

    return show(given(parsed.run_root, "RUN_ROOT"), watch=parsed.watch, as_json=parsed.json, every_shard=parsed.all)


def _verify(parsed: argparse.Namespace) -> int:
    from .checks.verify import verify

    run_root = given(parsed.run_root, "RUN_ROOT")
    return verify(run_root, repair=parsed.repair, deep=parsed.deep, tell=lambda line: print(escape_unprintable(line)))


def _table(parsed: argparse.Namespace) -> int:
    from .notebook.table_files import main as write

    return write(given(parsed.run_root, "RUN_ROOT"), parsed.output and given(parsed.output, "-o"), parsed.rows)


def _report(parsed: argparse.Namespace) -> int:
    from .report.report import main as write

    return write(given(parsed.run_root, "RUN_ROOT"), parsed.output and given(parsed.output, "-o"))


def _doctor(parsed: argparse.Namespace) -> int:
    from .checks import doctor

    return doctor.main(as_json=parsed.json)


def _run(parsed: argparse.Namespace) -> int:
    code = _run_connected(parsed) if parsed.ranks is None else _run_on_own_ranks(parsed)
    receipt = os.environ.get("STAGEA_RECEIPT")
    if receipt:
        from .mpi.teams import is_first_process

        if is_first_process():  # the job script trusts no launcher's 0 without it
            Path(receipt).write_text(f"{code}\n")
    return code


def _run_on_own_ranks(parsed: argparse.Namespace) -> int:
    """`--ranks`: this process starts a launcher and waits for it; of one rank it is that itself."""
    from .mpi.launcher import cores_given, find_launcher, run_on_ranks
    from .mpi.teams import is_first_process, launched_by

    try:
        if variable := launched_by():
            raise ConfigError(
                f"--ranks {parsed.ranks} starts a launcher, and one has started this process already, as {variable} "
                "says: leave --ranks out under srun and mpiexec, whose -n is the number of ranks"
            )
        if os.environ.get("SLURM_JOB_NUM_NODES", "1") != "1":
            raise ConfigError(
                f"--ranks {parsed.ranks} starts ranks on this machine, and the job has "
                f"{os.environ['SLURM_JOB_NUM_NODES']} nodes: start it with srun"
            )
        cores = cores_given()
        ranks = cores if parsed.ranks == "auto" else parsed.ranks
        if ranks == 1:
            return _run_connected(parsed)
        launcher = find_launcher()
    except StageAError as error:
        if is_first_process():
            report(error)
        return error.exit_code
    if ranks > cores:
        _warn(f"--ranks {ranks}: more than the {cores} cores given; ranks will wait for each other")
    return run_on_ranks(launcher, ranks, _without_ranks(parsed.arguments), parsed.stop)


def _without_ranks(arguments: list[str]) -> list[str]:
    """Arguments of `run` for its ranks: argparse takes an option's first letters for it, and its value after =, too.

    >>> _without_ranks(["run.yaml", "--ranks", "2", "--force"]), _without_ranks(["--rank=2", "run.yaml"])
    (['run.yaml', '--force'], ['run.yaml'])
    """
    kept, words = [], iter(arguments)
    for word in words:
        name, _, value = word.partition("=")
        if not (name.startswith("--r") and "--ranks".startswith(name)):
            kept.append(word)
        elif not value:
            next(words)
    return kept


def _run_connected(parsed: argparse.Namespace) -> int:
    for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS"):
        os.environ.setdefault(variable, "1")  # before NumPy is loaded
    from .pipeline.beside import forked_worker, model_worker

    worker = None
    if parsed.phase != "cluster_only":
        with contextlib.suppress(OSError):  # it is set up later, when ranks can tell each other why that fails
            worker = forked_worker()
    with worker or model_worker() as worker:
        return _run_beside(worker, parsed)


def _run_beside(worker: "WorkerProcess", parsed: argparse.Namespace) -> int:
    return _on_ranks(lambda comm: _run_on(comm, worker, parsed))


def _on_ranks(work: Callable[[Communicator], int]) -> int:
    """Does something on all ranks of this launch, of which each gets the exit code."""
    from .mpi.teams import connect, is_first_process

    try:
        comm = connect()
    except LaunchError as error:  # every process finds the same, or those of one node
        if error.is_local or is_first_process():
            report(error)
        return error.exit_code
    with abort_on_error(comm):
        try:
            return work(comm)
        except StageAError as error:
            if error.raised_on != comm.size:
                raise
            if comm.rank == 0:
                report(error)
            return error.exit_code


def _run_on(comm: Communicator, worker: "WorkerProcess", parsed: argparse.Namespace) -> int:
    from .config.run_config import load_config
    from .mpi.guard import raise_on_any_rank
    from .pipeline.context import Options
    from .pipeline.last_lines import last_lines
    from .pipeline.run import run
    from .rundir.folders import RunFolder
    from .slurm.affinity import check_affinity, log_diagnostics

    _log_to_stderr(comm)
    config, error = None, None
    if comm.rank == 0:
        try:
            config = load_config(parsed.config, warn=_warn)
        except ConfigError as found:
            error = found
    raise_on_any_rank(comm, error)
    config = comm.bcast(config)
    if parsed.phase:
        config = dataclasses.replace(config, phase=parsed.phase)
    if parsed.no_cluster and config.phase == "cluster_only":
        raise_on_any_rank(comm, ConfigError("--no-cluster and the phase cluster_only exclude each other"))
    log_diagnostics(comm, config.phase)
    check_affinity(comm, config.stage_a.cores_per_rank, config.stage_a.strict_affinity)
    options = Options(cluster=not parsed.no_cluster, force=parsed.force, shards=parsed.shards, share=parsed.share)
    summary = run(comm, config, options, parsed.stop, worker)
    code = comm.bcast(summary.exit_code)
    if comm.rank == 0:
        written = "graphs" if config.stage_a.write_graphs else "packed"
        for line in last_lines(summary, RunFolder(config.run_root), written, parsed.stop):
            print(f"stagea_mpi: {line}", flush=True)
    return code


def _export(parsed: argparse.Namespace) -> int:
    if parsed.pymol is not None or parsed.chimerax is not None:
        from .notebook.export_model import main as write

        parsed.stop.decline()
        output = given(parsed.output, "-o") if parsed.output else "."
        root = given(parsed.run_root, "RUN_ROOT")
        return write(root, output, pymol=parsed.pymol, chimerax=parsed.chimerax, by=parsed.colour)
    if parsed.output is not None or parsed.colour is not None:
        raise ConfigError("export: -o and --colour are of --pymol MODEL and --chimerax MODEL; state one of these, too")
    return _on_ranks(lambda comm: _export_on(comm, parsed))


def _export_on(comm: Communicator, parsed: argparse.Namespace) -> int:
    from .pipeline.export import export_graphs
    from .rundir.folders import RunFolder

    folder = RunFolder(Path(given(parsed.run_root, "RUN_ROOT")).absolute())
    summary = export_graphs(comm, folder, parsed.shards, parsed.stop)
    if comm.rank == 0:
        for line in summary.lines(f"are in {folder.shards}/*/graphs.h5"):
            print(escape_unprintable(line), flush=True)
    return comm.bcast(summary.exit_code)


def _score_reference(parsed: argparse.Namespace) -> int:
    return _on_ranks(lambda comm: _score_reference_on(comm, parsed))


def _score_reference_on(comm: Communicator, parsed: argparse.Namespace) -> int:
    from .config.references import ReferenceTable, reference_of_options
    from .config.run_config import load_config
    from .pipeline.score_reference import score_reference
    from .rundir.folders import RunFolder

    def stated() -> ReferenceTable | None:
        if parsed.config is not None:
            return load_config(parsed.config, warn=_warn).reference
        return reference_of_options(parsed.reference, parsed.chains, parsed.model, parsed.table)

    folder = RunFolder(Path(given(parsed.run_root, "RUN_ROOT")).absolute())
    summary = score_reference(comm, folder, stated, parsed.shards, parsed.stop)
    if comm.rank == 0:
        for line in summary.lines(f"have their targets in {folder.shards}/*/packed.h5"):
            print(escape_unprintable(line), flush=True)
    return comm.bcast(summary.exit_code)


_COMMANDS: dict[str, Callable[[argparse.Namespace], int]] = {
    "plan": _plan,
    "run": _run,
    "submit": _submit,
    "status": _status,
    "verify": _verify,
    "export": _export,
    "score-reference": _score_reference,
    "table": _table,
    "report": _report,
    "doctor": _doctor,
}
#: Those that finish what they have in hand when they are told to stop.
_ON_RANKS = ("run", "export", "score-reference")


def _log_to_stderr(comm: Communicator) -> None:
    level = logging.INFO if comm.rank == 0 else logging.WARNING
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_LegibleFormatter(f"%(asctime)s rank {comm.rank} %(message)s", datefmt="%H:%M:%S"))
    logging.basicConfig(level=level, handlers=[handler])


class _LegibleFormatter(logging.Formatter):
    """Names of files stand in messages, and may hold anything."""

    def format(self, record: logging.LogRecord) -> str:
        return escape_unprintable(super().format(record))


def _warn(message: str) -> None:
    print(f"stagea_mpi: warning: {message}", file=sys.stderr)
