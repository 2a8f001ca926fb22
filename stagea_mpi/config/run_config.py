"""run.yaml: read, checked key by key, overridden by the environment, and frozen."""

import dataclasses
import difflib
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..antibody.chain_rules import ChainRule, ChainTable
from ..antibody.complexes import Chains
from ..errors import ConfigError
from . import values
from .chains import CHAIN_KEYS, chains_as_dict, parse_chains
from .paths import expanded, given, with_variables, without_variables
from .references import REFERENCE_KEYS, ReferenceTable, parse_reference
from .settings import PHASES, StageA, setting, settings_of, variables_of

#: Keys of later stages: carried along and not judged.
_OTHER_STAGES = ("stage_b", "stage_c", "model_path", "deeprank_root")


@dataclass(frozen=True)
class RunConfig:
    """One run.

    Attributes
    ----------
    run_root, pdb_root : Path
        Output and input folder, absolute.
    chains : Chains, ChainRule or ChainTable
        As stated for all models, or what is to be found in each.
    reference : ReferenceTable or None
        Known complexes that models are compared with.
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
    max_concurrent_a: int = setting(20, values.integer(1), "array tasks of Stage A that may run at once")
    collect_metrics: bool = setting(
        True,
        values.flag,
        "sample CPU, memory, disk and network into `compute_metrics/`",
        variable="COLLECT_COMPUTE_METRICS",
    )
    metrics_interval: float = setting(
        2.0, values.number(0.0, above=True), "seconds between two samples", variable="COMPUTE_METRICS_INTERVAL"
    )
    after: str = setting(
        "",
        values.optional_text,
        "a job script or a command that follows on success, given the run folder (`submit`)",
    )
    other_stages: dict = field(default_factory=dict)
    reference: ReferenceTable | None = None

    def as_dict(self) -> dict[str, Any]:
        """The configuration as resolved, in run.yaml's own shape: it reads as itself, wherever and whenever that is."""
        stage_a = dataclasses.asdict(self.stage_a)
        stage_a |= {key: [without_variables(value) for value in stage_a[key]] for key in ("glob", "sbatch_options")}
        stage_a["job_script"] = without_variables(self.stage_a.job_script)
        return {
            "run_root": without_variables(str(self.run_root)),
            "pdb_root": without_variables(str(self.pdb_root)),
            "chains": chains_as_dict(self.chains),
            **({} if self.reference is None else {"reference": self.reference.as_dict()}),
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
        Receives a message on each variable that does not parse; the file's value then stands.

    Raises
    ------
    ConfigError
        Names the key, what was found and what was expected.
    """
    import yaml  # the first rank reads the file for all

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
    known = [*_WHAT_FOR, "reference", "stage_a", *settings_of(RunConfig)]
    _refuse_unknown(content, known + list(_OTHER_STAGES), source, "")
    for key in _WHAT_FOR:
        if content.get(key) in (None, ""):
            raise ConfigError(f"{source}: {key} is missing; {_WHAT_FOR[key]}")
    stage_a = content.get("stage_a") or {}
    if not isinstance(stage_a, dict):
        raise ConfigError(f"{source}: stage_a: expected keys such as cores and glob, found {stage_a!r}")
    _refuse_unknown(stage_a, list(settings_of(StageA)), source, "stage_a.")
    phase = _overrides({"STAGEA_PHASE": "phase"}, {"phase": values.one_of(*PHASES)}, environment, warn)
    return RunConfig(
        run_root=_path(content["run_root"], f"{source}: run_root", environment),
        pdb_root=_path(content["pdb_root"], f"{source}: pdb_root", environment),
        chains=_chains(content["chains"], source, environment),
        reference=_reference(content.get("reference"), source, environment),
        stage_a=StageA(**_checked(StageA, stage_a, f"{source}: stage_a.", environment, warn)),
        **phase,
        **_checked(RunConfig, content, f"{source}: ", environment, warn),
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


def _reference(value: Any, source: str, environment: Mapping[str, str]) -> ReferenceTable | None:
    if isinstance(value, dict):
        _refuse_unknown(value, list(REFERENCE_KEYS), source, "reference.")
        if isinstance(value.get("chains"), dict):
            _refuse_unknown(value["chains"], list(CHAIN_KEYS), source, "reference.chains.")
    return parse_reference(value, f"{source}: reference", environment)


def _path(value: Any, key: str, environment: Mapping[str, str]) -> Path:
    if not isinstance(value, str):
        raise ConfigError(f"{key}: expected a path, found {value!r}")
    return expanded(value, key, environment)


def _replaced(value: Any, key: str, environment: Mapping[str, str]) -> Any:
    """A text or a list of texts with variables replaced; what is neither is left to its check."""
    if isinstance(value, list):
        return [_replaced(item, key, environment) for item in value]
    return with_variables(value, key, environment) if isinstance(value, str) else value


def _checked(
    section: type, content: dict, prefix: str, environment: Mapping[str, str], warn: Callable[[str], None]
) -> dict[str, Any]:
    """The settings of a section that the file or the environment states, as they are used."""
    settings = settings_of(section)
    checks = {key: each.metadata["check"] for key, each in settings.items()}
    stated = {key: content[key] for key in settings if key in content}
    for key in stated:
        if settings[key].metadata["has_paths"]:
            stated[key] = _replaced(stated[key], f"{prefix}{key}", environment)
    stated |= _overrides(variables_of(section), checks, environment, warn)
    return {key: checks[key](value, f"{prefix}{key}") for key, value in stated.items()}


def _overrides(
    variables: dict[str, str],
    checks: dict[str, values.Check],
    environment: Mapping[str, str],
    warn: Callable[[str], None],
) -> dict[str, Any]:
    """Values that the environment gives; one that does not parse is reported and left out."""
    found = {}
    for variable, key in variables.items():
        if environment.get(variable, "") == "":
            continue
        try:
            found[key] = checks[key](environment[variable], f"the environment's {variable}")
        except ConfigError as error:
            warn(f"{error}; the file's value stands")
    return found
