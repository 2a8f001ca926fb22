"""The keys of run.yaml that have a default: each declared once, with its check, its sentence and its variable.

What reads the configuration, and the tables of docs/configuration.md, follow from this:
`python -m stagea_mpi.config` prints the tables.
"""

import dataclasses
from dataclasses import dataclass, field
from typing import Any

from ..inputs.discovery import USUAL_PATTERNS
from ..inputs.layouts import AUTO, FILES, NAMES
from . import values

PHASES = ("full", "prep_graphs", "cluster_only")
JOB_FORMS = ("array", "single")


def setting(default: Any, check: values.Check, meaning: str, *, variable: str = "", has_paths: bool = False) -> Any:
    """A field of a section.

    Parameters
    ----------
    default : object
    check : callable
        Takes a value of the file and its key, and gives the value as it is used; see `values`.
    meaning : str
        For the documentation.
    variable : str
        Of the environment, which overrides the file.
    has_paths : bool
        Whether it is a path, or holds some, in which variables are replaced. (`activate`, and a command in `after`, are
        shell text: the job's shell replaces them.)
    """
    return field(
        default=default,
        metadata={"check": check, "meaning": meaning, "variable": variable, "has_paths": has_paths},
    )


@dataclass(frozen=True)
class StageA:
    """The `stage_a` section. Names and defaults are those of existing pipelines."""

    partition: str = setting("norm", values.text, "partition that `submit` asks Slurm for")
    cores: int = setting(32, values.integer(1), "cores of a node")
    mem_gb: float = setting(64.0, values.number(0.0, above=True), "memory of a node, GB")
    time: str = setting("01:00:00", values.time_limit, "time limit of a job")
    target_shard_gb: float = setting(0.1, values.number(0.0, above=True), "a shard is closed at this size …")
    min_per_shard: int = setting(10, values.integer(1), "… with no fewer files than these …")
    max_per_shard: int = setting(100, values.integer(1), "… and no more than these")
    glob: tuple[str, ...] = setting(
        (),
        values.patterns,
        "a pattern below `pdb_root`, or a list of patterns; without one, the models in a program's output, and else "
        f"{', '.join(f'`{pattern}`' for pattern in USUAL_PATTERNS)}",
        has_paths=True,
    )
    layout: str = setting(
        AUTO,
        values.one_of(AUTO, FILES, *NAMES),
        "whose output `pdb_root` is, by which models have names, targets and scores: `auto` (what is recognised), "
        f"`{FILES}` (none), {', '.join(f'`{name}`' for name in NAMES)}",
    )
    b_factors: bool = setting(
        False, values.flag, "1: packed.h5 has the B factor (of predictors the pLDDT) of each node"
    )
    split_mode: bool = setting(
        False,
        values.flag,
        "`submit` a job array for the graphs, then one for the clusters",
        variable="STAGEA_SPLIT_MODE",
    )
    strict_affinity: bool = setting(
        False,
        values.flag,
        "1: a rank that has fewer CPUs than were asked for ends the job with exit code 3",
        variable="STAGEA_STRICT_AFFINITY",
    )
    use_srun_bind: bool = setting(
        True, values.flag, "start ranks by srun with `--cpu-bind`", variable="STAGEA_USE_SRUN_BIND"
    )
    srun_cpu_bind: str = setting("cores", values.text, "value of `--cpu-bind`", variable="STAGEA_SRUN_CPU_BIND")
    graph_pipeline_telemetry: bool = setting(
        False, values.flag, "1: throughput lines in the log, too", variable="GRAPH_PIPELINE_TELEMETRY"
    )
    graph_result_queue_maxsize: int = setting(
        100,
        values.integer(1),
        "graphs that a rank holds; a larger shard is written in several rounds",
        variable="GRAPH_RESULT_QUEUE_MAXSIZE",
    )
    graph_writer_log_every_s: float = setting(
        30.0, values.number(0.0, above=True), "seconds between two such lines", variable="GRAPH_WRITER_LOG_EVERY_S"
    )
    anarci_parallel_batches: int = setting(
        1,
        values.integer(1),
        "above 1: so many batches of sequences at once, from max(64, 32 · batches) sequences up",
        variable="ANARCI_PARALLEL_BATCHES",
    )
    max_failed_fraction: float = setting(
        0.1,
        values.number(0.0, 1.0),
        "with more failed models a shard is not done, and the run ends with exit code 4",
    )
    model_timeout_s: float = setting(
        300.0, values.number(0.0, above=True), "a model that takes longer fails, the rank goes on"
    )
    model_max_atoms: int = setting(
        200_000, values.integer(0), "a model with more atoms in its stated chains fails; 0: no limit"
    )
    write_graphs: bool = setting(
        True, values.flag, "0: no graphs.h5; `python -m stagea_mpi export` writes it later, from packed.h5"
    )
    team: str | int = setting(
        "auto",
        values.team,
        "ranks that share a shard: `auto` (of one node, as many as need not wait for their first), `node`, `world`, or "
        "a number; in `cluster_only` one, whatever this says",
    )
    job_form: str = setting(
        "array", values.one_of(*JOB_FORMS), "`submit` an `array` of jobs, or one `single` large job"
    )
    nodes: int = setting(1, values.integer(1), "nodes of a job")
    ranks_per_node: int = setting(0, values.integer(0), "ranks of a node; 0: as many as its cores allow")
    cores_per_rank: int = setting(1, values.integer(1), "cores of a rank")
    srun_mpi: str = setting("pmix", values.word, "srun's `--mpi`")
    signal_ahead_s: int = setting(
        120,
        values.integer(10),
        "seconds before the time limit at which ranks are told to finish what they have in hand",
    )
    requeue_limit: int = setting(3, values.integer(0), "how often an interrupted job puts itself back into the queue")
    activate: str = setting(
        "", values.optional_text, "shell lines that activate the environment in a job (conda, venv or modules)"
    )
    #: sbatch replaces no variables in what a script states as its options.
    sbatch_options: tuple[str, ...] = setting(
        (), values.sbatch_options, "further options for sbatch, a list", has_paths=True
    )
    job_script: str = setting("", values.optional_text, "your own copy of `jobs/stage_a.sbatch`", has_paths=True)

    @property
    def tasks_per_node(self) -> int:
        """Ranks of a node: as stated, else as many as its cores allow."""
        return self.ranks_per_node or max(1, self.cores // self.cores_per_rank)


def settings_of(section: type) -> dict[str, dataclasses.Field]:
    """The fields of a section that are settings, by name."""
    return {each.name: each for each in dataclasses.fields(section) if each.metadata}


def variables_of(section: type) -> dict[str, str]:
    """Variables of the environment that override settings, and which ones."""
    return {each.metadata["variable"]: name for name, each in settings_of(section).items() if each.metadata["variable"]}


def documented(section: type) -> str:
    """The table of a section, in Markdown."""
    rows = [
        f"| `{name}` | {as_documented(each.default)} | {each.metadata['meaning']} |"
        for name, each in settings_of(section).items()
    ]
    return "\n".join(["| key | default | meaning |", "|---|---|---|", *rows])


def as_documented(default: Any) -> str:
    if default in ("", ()):
        return "–"
    if isinstance(default, bool):
        return str(int(default))
    if isinstance(default, tuple):
        return ", ".join(f"`{item}`" for item in default)
    return f"{default:g}" if isinstance(default, float) else str(default)
