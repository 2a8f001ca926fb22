"""What the commands take: their names, arguments and help. `cli` runs them."""

import argparse
import re

from . import __version__


def command_parser() -> argparse.ArgumentParser:
    """What each command takes; `command` of what it has parsed is the command's name."""
    parser = argparse.ArgumentParser(prog="python -m stagea_mpi", description=__import__("stagea_mpi").__doc__)
    parser.add_argument("--version", action="version", version=f"stagea_mpi {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    plan = commands.add_parser("plan", help="inputs, shards, estimated time and memory, a suggested srun line")
    plan.add_argument("config", help="run.yaml")
    plan.add_argument("--json", action="store_true", help="the same for scripts")
    plan.set_defaults(command="plan")

    run = commands.add_parser("run", help="the main job; under srun or mpiexec, or alone")
    run.add_argument("config", help="run.yaml")
    phase = run.add_mutually_exclusive_group()
    phase.add_argument("--phase", choices=("full", "prep_graphs", "cluster_only"), help="beats STAGEA_PHASE")
    phase.add_argument(
        "--prep-graphs-only", dest="phase", action="store_const", const="prep_graphs", help="--phase prep_graphs"
    )
    phase.add_argument(
        "--cluster-only", dest="phase", action="store_const", const="cluster_only", help="--phase cluster_only"
    )
    which = run.add_mutually_exclusive_group()
    which.add_argument("--shards", type=_shard_list, metavar="0,3-7", help="only these shards")
    which.add_argument(
        "--share",
        type=_share,
        metavar="I/N",
        help="every Nth shard from the Ith on, of a run that is split into shards already (array tasks)",
    )
    run.add_argument(
        "--ranks",
        type=_ranks,
        metavar="N",
        help="starts so many ranks on this machine, without mpiexec or srun; auto: one for each core that is given",
    )
    run.add_argument("--no-cluster", action="store_true", help="publish the graphs without clusters")
    run.add_argument(
        "--force", action="store_true", help="compute again what was made from another input or under other settings"
    )
    run.set_defaults(command="run")

    submit = commands.add_parser("submit", help="sbatch the phases with their dependencies")
    submit.add_argument("config", help="run.yaml")
    submit.add_argument("--dry-run", action="store_true", help="print what would be submitted, as a shell script")
    submit.add_argument("--force", action="store_true", help="split into shards anew and compute everything again")
    submit.set_defaults(command="submit")

    status = commands.add_parser("status", help="shards, models, rate, time left, failures")
    status.add_argument("run_root", help="the run folder")
    status.add_argument("--watch", action="store_true", help="redraw until the run is done")
    status.add_argument("--json", action="store_true", help="all of it, for scripts")
    status.add_argument("--all", action="store_true", help="every shard, however many")
    status.set_defaults(command="status")

    verify = commands.add_parser("verify", help="checks every published file of a run, and names what is wrong")
    verify.add_argument("run_root", help="the run folder")
    verify.add_argument("--repair", action="store_true", help="remove what is wrong, so that a run fills it in")
    verify.add_argument("--deep", action="store_true", help="make every dataset of graphs.h5 again, and compare")
    verify.set_defaults(command="verify")

    export = commands.add_parser(
        "export",
        help="writes graphs.h5 of shards that are without (stage_a.write_graphs: 0), alone or on ranks; or a model for "
        "PyMOL or ChimeraX",
    )
    export.add_argument("run_root", help="the run folder")
    form = export.add_mutually_exclusive_group()
    form.add_argument("--shards", type=_shard_list, metavar="0,3-7", help="only these shards")
    form.add_argument("--pymol", metavar="MODEL", help="a structure, and a script that shows the interface")
    form.add_argument("--chimerax", metavar="MODEL", help="the same for ChimeraX")
    export.add_argument("-o", dest="output", metavar="FOLDER", help="where to write the model's files (this folder)")
    export.add_argument(
        "--colour", "--color", help="what colours the interface: contact_area (unless stated), bsa or b_factor"
    )
    export.set_defaults(command="export")

    score = commands.add_parser(
        "score-reference",
        help="compares the models of a run with a known complex; graphs stay; alone or on ranks",
    )
    score.add_argument("run_root", help="the run folder")
    stated = score.add_mutually_exclusive_group()
    stated.add_argument("--reference", metavar="FILE", help="structure of the known complex, for all models")
    stated.add_argument("--table", metavar="FILE", help="table of references by model or target")
    stated.add_argument("--config", metavar="run.yaml", help="whose `reference` counts (RUN_ROOT/run.yaml)")
    score.add_argument("--chains", help="of the reference: auto (the default), or '{heavy: H, light: L, antigen: A}'")
    score.add_argument("--model", metavar="NAME", help="of a file with several, the one that is the reference")
    score.add_argument("--shards", type=_shard_list, metavar="0,3-7", help="only these shards")
    score.set_defaults(command="score-reference")

    table = commands.add_parser("table", help="writes all models, interface residues or contacts as one table")
    table.add_argument("run_root", help="output folder of a run, also of one that is not finished")
    table.add_argument(
        "-o", dest="output", metavar="FILE", help=".parquet, .csv, .tsv, .csv.gz or .tsv.gz; else .tsv is printed"
    )
    rows = table.add_mutually_exclusive_group()
    for name, what in (
        ("residues", "a row for each residue at the interface"),
        ("contacts", "for each pair in contact"),
    ):
        rows.add_argument(f"--{name}", dest="rows", action="store_const", const=name, default="models", help=what)
    table.set_defaults(command="table")

    report_ = commands.add_parser("report", help="executes the telemetry notebook, writes it as one file of HTML")
    report_.add_argument("run_root", help="output folder of a run, also of one under way or interrupted")
    report_.add_argument("-o", dest="output", metavar="report.html", help="where to write it (RUN_ROOT/report.html)")
    report_.set_defaults(command="report")

    doctor = commands.add_parser("doctor", help="checks MPI, parallel HDF5, ANARCI, kernels, Slurm, affinity")
    doctor.add_argument("--json", action="store_true", help="the same for scripts")
    doctor.set_defaults(command="doctor")
    return parser


def _shard_list(text: str) -> tuple[int, ...]:
    """Shard numbers from a text such as 0,3-7."""
    numbers: list[int] = []
    for item in text.split(","):
        match = re.fullmatch(r"(\d+)(?:-(\d+))?", item.strip())
        if not match or int(match[2] or match[1]) < int(match[1]):
            raise argparse.ArgumentTypeError(f"expected numbers and ranges such as 0,3-7, found {text!r}")
        numbers.extend(range(int(match[1]), int(match[2] or match[1]) + 1))
    return tuple(dict.fromkeys(numbers))


def _share(text: str) -> tuple[int, int]:
    """Place and number of shares from a text such as 0/4."""
    match = re.fullmatch(r"(\d+)/(\d+)", text)
    if not match or int(match[1]) >= int(match[2]):
        raise argparse.ArgumentTypeError(f"expected a share such as 0/4, counted from 0, found {text!r}")
    return int(match[1]), int(match[2])


def _ranks(text: str) -> int | str:
    """A number of ranks, or auto."""
    if text != "auto" and not re.fullmatch(r"[1-9]\d*", text):
        raise argparse.ArgumentTypeError(f"expected a number from 1 on, or auto, found {text!r}")
    return text if text == "auto" else int(text)
