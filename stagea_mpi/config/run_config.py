"""run.yaml: read, checked key by key, overridden by the environment, and frozen."""

import dataclasses
import difflib
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from ..antibody.chain_rules import ChainRule, ChainTable
from ..antibody.complexes import Chains
from ..errors import ConfigError
from . import values
from .chains import CHAIN_KEYS, chains_as_dict, parse_chains
from .paths import expanded, given, with_variables, without_variables

PHASES = ("full", "prep_graphs", "cluster_only")

#: Keys of later stages: carried along and not judged.
_OTHER_STAGES = ("stage_b", "stage_c", "model_path", "deeprank_root")


JOB_FORMS = ("array", "single")


@dataclass(frozen=True)
class StageA:
    """The `stage_a` section. Names and defaults are those of existing pipelines.

    `cores` and `mem_gb` are those of a node. What follows `team` is for `submit`: see jobs/README.md.
    """

    partition: str = "norm"
    cores: int = 32
    mem_gb: float = 64.0
    time: str = "01:00:00"
    target_shard_gb: float = 0.1
    min_per_shard: int = 10
    max_per_shard: int = 100
    glob: tuple[str, ...] = ("**/*.pdb",)
    split_mode: bool = False
    strict_affinity: bool = False
    use_srun_bind: bool = True
    srun_cpu_bind: str = "cores"
    graph_pipeline_telemetry: bool = False
    graph_result_queue_maxsize: int = 100
    graph_writer_log_every_s: float = 30.0
    anarci_parallel_batches: int = 1
    max_failed_fraction: float = 0.1
    model_timeout_s: float = 300.0
    model_max_atoms: int = 200_000
    team: str | int = "node"
    job_form: str = "array"
    nodes: int = 1
    ranks_per_node: int = 0
    cores_per_rank: int = 1
    srun_mpi: str = "pmix"
    signal_ahead_s: int = 120
    requeue_limit: int = 3
    activate: str = ""
    sbatch_options: tuple[str, ...] = ()
    job_script: str = ""

    @property
    def tasks_per_node(self) -> int:
        """Ranks of a node: as stated, else as many as its cores allow."""
        return self.ranks_per_node or max(1, self.cores // self.cores_per_rank)


@dataclass(frozen=True)
class RunConfig:
    """One run.

    Attributes
    ----------
    run_root, pdb_root : Path
        Output and input folder, absolute.
    chains : Chains, ChainRule or ChainTable
        As stated for all models, or what is to be found in each.
    stage_a : StageA
    phase : str
        One of `PHASES`.
    max_concurrent_a : int
        Array tasks of Stage A that may run at once.
    collect_metrics : bool
    metrics_interval : float
        Seconds.
    after : str
        A job script or a command that `submit` lets follow on success; empty for none.
    other_stages : dict
        Sections of later stages, as they are in the file.
    """

    run_root: Path
    pdb_root: Path
    chains: Chains | ChainRule | ChainTable
    stage_a: StageA = StageA()
    phase: str = "full"
    max_concurrent_a: int = 20
    collect_metrics: bool = True
    metrics_interval: float = 2.0
    after: str = ""
    other_stages: dict = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """The configuration as resolved, in run.yaml's own shape: it reads as itself, wherever and whenever that is."""
        stage_a = dataclasses.asdict(self.stage_a)
        stage_a |= {key: [without_variables(value) for value in stage_a[key]] for key in ("glob", "sbatch_options")}
        stage_a["job_script"] = without_variables(self.stage_a.job_script)
        return {
            "run_root": without_variables(str(self.run_root)),
            "pdb_root": without_variables(str(self.pdb_root)),
            "chains": chains_as_dict(self.chains),
            "max_concurrent_a": self.max_concurrent_a,
            "collect_metrics": self.collect_metrics,
            "metrics_interval": self.metrics_interval,
            "after": self.after,
            "stage_a": stage_a,
            **self.other_stages,
        }


def load_config(
    path: str | Path, environment: Mapping[str, str] | None = None, warn: Callable[[str], None] = lambda message: None
) -> RunConfig:
    """Reads and checks a configuration.

    Parameters
    ----------
    path : path
        The YAML file. Paths in it are relative to the working directory; see `paths` for the variables in them.
    environment : mapping, optional
        Variables that override the file, and that stand in its paths (`os.environ` by default).
    warn : callable
        Told of variables that do not parse; the file's value then stands.

    Raises
    ------
    ConfigError
        Names the key, what was found and what was expected.
    """
    path = Path(given(path, "the configuration's path"))
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read: {error}") from error
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from error
    config = parse_config(content, str(path), os.environ if environment is None else environment, warn)
    _check_encoding(config, str(path))
    return config


def _check_encoding(config: RunConfig, source: str) -> None:
    """Refuses paths that this process would look for under other names. (The commands always start in UTF-8.)"""
    encoding = sys.getfilesystemencoding()
    for key in ("run_root", "pdb_root"):
        value = str(getattr(config, key))
        if encoding != "utf-8" and not value.isascii():
            raise ConfigError(
                f"{source}: {key}: {value!r} is written in UTF-8, and this Python takes names of files for {encoding}; "
                "start it (or Jupyter) with PYTHONUTF8=1"
            )


def parse_config(
    content: Any, source: str, environment: Mapping[str, str], warn: Callable[[str], None] = lambda message: None
) -> RunConfig:
    """Checks a configuration that is already in memory; `source` names it in messages. See `load_config`."""
    if not isinstance(content, dict):
        raise ConfigError(f"{source}: expected keys such as run_root and pdb_root, found {type(content).__name__}")
    known = [
        "run_root",
        "pdb_root",
        "chains",
        "stage_a",
        "max_concurrent_a",
        "collect_metrics",
        "metrics_interval",
        "after",
    ]
    _refuse_unknown(content, known + list(_OTHER_STAGES), source, "")
    for key in ("run_root", "pdb_root", "chains"):
        if content.get(key) in (None, ""):
            raise ConfigError(f"{source}: {key} is missing; {_WHAT_FOR[key]}")
    stage_a = content.get("stage_a") or {}
    if not isinstance(stage_a, dict):
        raise ConfigError(f"{source}: stage_a: expected keys such as cores and glob, found {stage_a!r}")
    _refuse_unknown(stage_a, [f.name for f in dataclasses.fields(StageA)], source, "stage_a.")
    stage_a = {**stage_a, **_overrides(_STAGE_A_VARIABLES, "stage_a.", environment, warn)}
    top = {**content, **_overrides(_TOP_VARIABLES, "", environment, warn)}
    stage_a = {
        key: _replaced(value, f"{source}: stage_a.{key}", environment) if key in _WITH_VARIABLES else value
        for key, value in stage_a.items()
    }
    return RunConfig(
        run_root=_path(content["run_root"], f"{source}: run_root", environment),
        pdb_root=_path(content["pdb_root"], f"{source}: pdb_root", environment),
        chains=_chains(content["chains"], source, environment),
        stage_a=StageA(
            **{key: _CHECKS[f"stage_a.{key}"](value, f"{source}: stage_a.{key}") for key, value in stage_a.items()}
        ),
        phase=_overrides({"STAGEA_PHASE": "phase"}, "", environment, warn).get("phase", "full"),
        **{key: _CHECKS[key](top[key], f"{source}: {key}") for key in known[4:] if key in top},
        other_stages={key: content[key] for key in _OTHER_STAGES if key in content},
    )


_WHAT_FOR = {
    "run_root": "set it to the output folder",
    "pdb_root": "set it to the folder with the docking models",
    "chains": "say which chains are what: {heavy: H, light: L, antigen: A} (light: '-' where there is none), or auto",
}


def _refuse_unknown(section: dict, known: list[str], source: str, prefix: str) -> None:
    for key in section:
        if key not in known:
            near = difflib.get_close_matches(str(key), known, n=1, cutoff=0.4)
            hint = f"did you mean {prefix}{near[0]}?" if near else f"known are {', '.join(known)}"
            raise ConfigError(f"{source}: {prefix}{key} is not a key of the configuration; {hint}")


def _chains(value: Any, source: str, environment: Mapping[str, str]) -> Chains | ChainRule | ChainTable:
    if isinstance(value, dict):
        _refuse_unknown(value, list(CHAIN_KEYS), source, "chains.")
    return parse_chains(value, f"{source}: chains", environment)


def _path(value: Any, key: str, environment: Mapping[str, str]) -> Path:
    if not isinstance(value, str):
        raise ConfigError(f"{key}: expected a path, found {value!r}")
    return expanded(value, key, environment)


#: Values of the section that are paths or hold some. sbatch replaces nothing in what a script states as its options;
#: `activate` and a command in `after` are shell text, which the shell of the job replaces.
_WITH_VARIABLES = ("glob", "job_script", "sbatch_options")


def _replaced(value: Any, key: str, environment: Mapping[str, str]) -> Any:
    """A text or a list of texts with variables replaced; what is neither is left to its check."""
    if isinstance(value, list):
        return [_replaced(item, key, environment) for item in value]
    return with_variables(value, key, environment) if isinstance(value, str) else value


_CHECKS: dict[str, values.Check] = {
    "phase": values.one_of(*PHASES),
    "after": values.optional_text,
    "max_concurrent_a": values.integer(1),
    "collect_metrics": values.flag,
    "metrics_interval": values.number(0.0, above=True),
    "stage_a.partition": values.text,
    "stage_a.cores": values.integer(1),
    "stage_a.mem_gb": values.number(0.0, above=True),
    "stage_a.time": values.time_limit,
    "stage_a.target_shard_gb": values.number(0.0, above=True),
    "stage_a.min_per_shard": values.integer(1),
    "stage_a.max_per_shard": values.integer(1),
    "stage_a.glob": values.patterns,
    "stage_a.split_mode": values.flag,
    "stage_a.strict_affinity": values.flag,
    "stage_a.use_srun_bind": values.flag,
    "stage_a.srun_cpu_bind": values.text,
    "stage_a.graph_pipeline_telemetry": values.flag,
    "stage_a.graph_result_queue_maxsize": values.integer(1),
    "stage_a.graph_writer_log_every_s": values.number(0.0, above=True),
    "stage_a.anarci_parallel_batches": values.integer(1),
    "stage_a.max_failed_fraction": values.number(0.0, 1.0),
    "stage_a.model_timeout_s": values.number(0.0, above=True),
    "stage_a.model_max_atoms": values.integer(0),
    "stage_a.team": values.team,
    "stage_a.job_form": values.one_of(*JOB_FORMS),
    "stage_a.nodes": values.integer(1),
    "stage_a.ranks_per_node": values.integer(0),
    "stage_a.cores_per_rank": values.integer(1),
    "stage_a.srun_mpi": values.word,
    "stage_a.signal_ahead_s": values.integer(10),
    "stage_a.requeue_limit": values.integer(0),
    "stage_a.activate": values.optional_text,
    "stage_a.sbatch_options": values.sbatch_options,
    "stage_a.job_script": values.optional_text,
}

_STAGE_A_VARIABLES = {
    "STAGEA_SPLIT_MODE": "split_mode",
    "STAGEA_STRICT_AFFINITY": "strict_affinity",
    "STAGEA_USE_SRUN_BIND": "use_srun_bind",
    "STAGEA_SRUN_CPU_BIND": "srun_cpu_bind",
    "GRAPH_PIPELINE_TELEMETRY": "graph_pipeline_telemetry",
    "GRAPH_RESULT_QUEUE_MAXSIZE": "graph_result_queue_maxsize",
    "GRAPH_WRITER_LOG_EVERY_S": "graph_writer_log_every_s",
    "ANARCI_PARALLEL_BATCHES": "anarci_parallel_batches",
}
_TOP_VARIABLES = {"COLLECT_COMPUTE_METRICS": "collect_metrics", "COMPUTE_METRICS_INTERVAL": "metrics_interval"}


def _overrides(
    variables: dict[str, str], prefix: str, environment: Mapping[str, str], warn: Callable[[str], None]
) -> dict[str, Any]:
    """Values that the environment gives; one that does not parse is told and left out."""
    found = {}
    for variable, key in variables.items():
        if environment.get(variable, "") == "":
            continue
        try:
            found[key] = _CHECKS[prefix + key](environment[variable], f"the environment's {variable}")
        except ConfigError as error:
            warn(f"{error}; the file's value stands")
    return found
