"""The reference: pages that are written from the package's own tables whenever the site is built.

Names, defaults, codes and, where the package has them, sentences come from there. A sentence that stands here is looked
up by such a name: without it, the site is not built.
"""

import argparse
import inspect
import re
from collections.abc import Callable, Iterable

import columns

import stagea_mpi
from stagea_mpi import command_line, errors
from stagea_mpi.config.chains import CHAIN_KEYS
from stagea_mpi.config.references import REFERENCE_KEYS
from stagea_mpi.config.run_config import RunConfig
from stagea_mpi.config.settings import PHASES, StageA, as_documented, settings_of, variables_of
from stagea_mpi.mpi.limits import LIMIT_VARIABLE
from stagea_mpi.mpi.resources import CHECKS_VARIABLE

#: Modules whose functions and classes the notebooks and the how-tos use, beside the package's own names.
MODULES = (
    "stagea_mpi.notebook.launch",
    "stagea_mpi.notebook.graph_plots",
    "stagea_mpi.notebook.run_plots",
    "stagea_mpi.report",
    "stagea_mpi.report.tables",
    "stagea_mpi.report.panels",
    "stagea_mpi.report.plots",
    "stagea_mpi.report.node_plots",
    "stagea_mpi.report.scaling",
    "stagea_mpi.report.stage_costs",
    "stagea_mpi.pipeline.forecast",
    "stagea_mpi.pipeline.simulation",
    "stagea_mpi.storage.packed_reader",
    "stagea_mpi.demo.poses",
    "stagea_mpi.demo.predictions",
    "stagea_mpi.notebook.targets",
)
#: What these functions, and the package's own, take and give beside them.
TYPES = {
    "python": (
        "stagea_mpi.graph.interface_graph.GraphArrays",
        "stagea_mpi.graph.interface_graph.Edges",
        "stagea_mpi.antibody.chain_rules.ChainRule",
        "stagea_mpi.antibody.chain_rules.ChainTable",
        "stagea_mpi.antibody.complexes.ResidueRange",
        "stagea_mpi.training.normalisation.Scaling",
        "stagea_mpi.training.sampling.ShardShuffle",
        "stagea_mpi.inputs.atom_table.AtomTable",
        "stagea_mpi.notebook.colours.Colouring",
        "stagea_mpi.notebook.residues.ModelResidues",
        "stagea_mpi.notebook.residues.Origin",
        "stagea_mpi.notebook.viewer.View",
    ),
    "modules": (
        "stagea_mpi.config.run_config.RunConfig",
        "stagea_mpi.config.settings.StageA",
        "stagea_mpi.config.references.ReferenceTable",
        "stagea_mpi.config.references.StatedReference",
        "stagea_mpi.rundir.folders.RunFolder",
        "stagea_mpi.report.figures.Missing",
        "stagea_mpi.mpi.team_sizes.TeamCosts",
    ),
}

_REQUIRED = {
    "run_root": "Output folder, a path; variables in it are [replaced](../docs/configuration.md#variables-in-paths).",
    "pdb_root": "Input folder, a path; [Inputs](../docs/inputs.md) says what is read there.",
    "chains": "Which chains of a model are what: `auto`, or a mapping with keys as below. What is left out is found in "
    "each model; [Inputs](../docs/inputs.md#chains) says how.",
}
_CHAINS = {
    "heavy": "Name of the antibody's heavy chain.",
    "light": "Name of its light chain; `-` where there is none.",
    "antigen": "Name of the antigen's chain, or a list of names in the order in which they are merged.",
    "copy": "Which of several copies of the complex in a file is taken: a number from 1 on.",
    "check": "0: nothing is refused, whatever is found in the stated chains.",
    "table": "Path of a table that says this for each model; it stands alone.",
}
_REFERENCE = {
    "structure": "Path of the known complex that all models are compared with; `reference: PATH` says the same.",
    "chains": "Its chains, as [above](#chains); found where nothing is stated.",
    "model": "Name or number of the model that is meant, of a file with several.",
    "table": "Path of a table of references by model or target; it stands alone.",
}
_OTHER_VARIABLES = {
    "STAGEA_PHASE": f"What a run does: {', '.join(f'`{phase}`' for phase in PHASES)}. `--phase` beats it.",
    LIMIT_VARIABLE: "Seconds that what ranks start together may take; "
    "see [what failed](../docs/failures.md#runs-that-end-early).",
    CHECKS_VARIABLE: "0: ranks do not look at the folders that MPI needs before it starts; "
    "see [what MPI needs](../docs/failures.md#what-mpi-needs-of-a-node).",
}
_EXIT_CODES = {
    "DONE": "All is done.",
    "FAILED": "Anything that no other code says; the log's last lines say what.",
    "WRONG_USE": "The configuration, the command line or the run folder is wrong: the log's last lines say how.",
    "AFFINITY_REFUSED": "Ranks have fewer CPUs than were asked for, and `stage_a.strict_affinity` is set.",
    "TOO_MANY_FAILED": "More models failed than `stage_a.max_failed_fraction` allows: see "
    "`shards/*/failures.tsv`. The other shards are done.",
    "STOPPED_EARLY": "Stopped by a signal, or ended at once by a second one. The same command goes on from there.",
}


def python() -> str:
    """The names in `stagea_mpi.__all__`, and the modules of the notebooks."""
    values = {name: getattr(stagea_mpi, name) for name in stagea_mpi.__all__}
    failures = [name for name, value in values.items() if isinstance(value, type) and issubclass(value, Exception)]
    classes = [name for name, value in values.items() if isinstance(value, type) and name not in failures]
    functions = [name for name in values if name not in classes + failures]
    members = "   :members:\n   :inherited-members: Mapping\n"
    parts = [
        _heading("Python", "="),
        "What stands here is the package's public interface, and is imported from `stagea_mpi` itself. "
        ":doc:`../docs/python` shows how it is used.\n",
        *(f".. autofunction:: stagea_mpi.{name}\n" for name in functions),
        *(f".. autoclass:: stagea_mpi.{name}\n{members}" for name in classes),
        _heading("What these take and give", "-"),
        *(f".. autoclass:: {name}\n" for name in TYPES["python"]),
        ".. automodule:: stagea_mpi.graph.features\n",
        ":doc:`columns` lists the features.\n",
        _heading("Errors", "-"),
        *(f".. autoexception:: stagea_mpi.{name}\n   :show-inheritance:\n" for name in failures),
    ]
    return "\n".join(parts)


def modules() -> str:
    """The modules that the notebooks import."""
    parts = [
        _heading("Modules of the notebooks", "="),
        "Functions that the notebooks and the report are made of. They may change with a version's second number.\n",
        *(f"{_heading(name, '-')}\n.. automodule:: {name}\n   :members:\n" for name in MODULES),
        _heading("What these take and give", "-"),
        *(f".. autoclass:: {name}\n" for name in TYPES["modules"]),
    ]
    return "\n".join(parts)


def run_yaml() -> str:
    """Every key of run.yaml, and every variable that overrides one."""
    return "\n".join(
        [
            "# Keys of run.yaml\n",
            "Any other key is an error, which names the nearest of these. [run.yaml](../docs/configuration.md) says "
            "what teams are, and which variables may stand in paths.\n",
            "## Needed\n",
            *(_key(name, meaning) for name, meaning in _REQUIRED.items()),
            "## chains\n",
            *(_key(f"chains.{name}", _CHAINS[name]) for name in CHAIN_KEYS),
            "## reference\n",
            _key("reference", "Path of the known complex, or a mapping with keys as below."),
            "Without one, nothing is compared; [Models beside a known complex](../docs/targets.md) says what is.\n",
            *(_key(f"reference.{name}", _REFERENCE[name]) for name in REFERENCE_KEYS),
            "## With defaults\n",
            *_settings(RunConfig, ""),
            "## stage_a\n",
            *_settings(StageA, "stage_a."),
            "## Variables of the environment\n",
            "A value that does not parse is told, and the file's stands.\n",
            table(("variable", "meaning"), _variables()),
        ]
    )


def _settings(section: type, prefix: str) -> Iterable[str]:
    for name, setting in settings_of(section).items():
        facts = {"type": _accepted(setting.metadata["check"]), "default": as_documented(setting.default)}
        variable = setting.metadata["variable"]
        override = f"\n\nOverridden by the environment's `{variable}`." if variable else ""
        yield _key(f"{prefix}{name}", _sentence(setting.metadata["meaning"]) + override, **facts)


def _key(name: str, meaning: str, **facts: str) -> str:
    options = "".join(f":{key}: {value}\n" for key, value in facts.items())
    return f"```{{confval}} {name}\n{options}\n{meaning}\n```\n"


def _accepted(check: Callable) -> str:
    """What a value may be, as the check's own message says it of one that it cannot be."""
    try:
        check(object(), "key")
    except errors.ConfigError as error:
        return re.fullmatch(r"key: expected (.*), found <.*>", str(error))[1]
    raise ValueError(f"{check} takes any object; say in docs/site/reference.py what it is for")


def _variables() -> Iterable[tuple[str, str]]:
    for section, prefix in ((RunConfig, ""), (StageA, "stage_a.")):
        for variable, key in variables_of(section).items():
            yield f"`{variable}`", f"overrides {{confval}}`{prefix}{key}`"
    for variable, meaning in _OTHER_VARIABLES.items():
        yield f"`{variable}`", meaning


def commands() -> str:
    """Every command with its arguments, as the parser has them."""
    parser = command_line.command_parser()
    parts = [
        "# Commands\n",
        "`stagea-mpi COMMAND …` is the same as `python -m stagea_mpi COMMAND …`. A file's name instead of a command is "
        "that of a `run`.\n",
    ]
    (found,) = (action for action in parser._actions if isinstance(action, argparse._SubParsersAction))
    helps = {choice.dest: choice.help for choice in found._choices_actions}
    for name, command in found.choices.items():
        parts.append(f"## {name}\n\n{helps[name]}\n")
        arguments = [action for action in command._actions if action.dest != "help"]
        parts += [f"`{_spelled(action)}`\n: {action.help}\n" for action in arguments]
    return "\n".join(parts)


def _spelled(action: argparse.Action) -> str:
    value = action.metavar or ("{" + ",".join(action.choices) + "}" if action.choices else action.dest)
    if not action.option_strings:
        return value
    return ", ".join(action.option_strings) + ("" if action.nargs == 0 else f" {value}")


def exit_codes() -> str:
    """Exit codes, the errors that lead to them, and why models fail."""
    codes = {name: value for name, value in vars(errors).items() if name.isupper() and isinstance(value, int)}
    raised = [
        (f"`{name}`", str(kind.exit_code), inspect.getdoc(kind).split("\n")[0])
        for name, kind in vars(errors).items()
        if isinstance(kind, type) and issubclass(kind, errors.StageAError) and kind is not errors.ModelError
    ]
    parts = [
        "# Exit codes and reasons\n",
        "[What failed, and what to do](../docs/failures.md) tells what is said in each case.\n",
        "## Exit codes\n",
        table(("code", "meaning"), ((str(value), _EXIT_CODES[name]) for name, value in codes.items())),
        "Beside these, launchers have their own: 137 is mpiexec's where a rank or the launcher itself was killed.\n",
        "## Errors\n",
        table(("error", "exit code", "meaning"), raised),
        "## Reasons of failed models\n",
        "As `reason` in failures.tsv and in `stagea_mpi.ModelError`. The code is that of `model/status` in packed.h5, "
        "where 0 is a model with a graph.\n",
    ]
    for code, (reason, meaning) in enumerate(errors.REASONS.items(), start=1):
        again = (
            " May lie in the machine: where too many models of a shard have failed, the same command builds it again."
            if reason in errors.TRANSIENT_REASONS
            else ""
        )
        parts.append(f"### {reason}\n\nCode {code}: {meaning}.\n\n{errors.ADVICE[reason]}{again}\n")
    return "\n".join(parts)


def table(headings: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    return columns.table(headings, rows)


def _sentence(text: str) -> str:
    """A meaning as a sentence of its own."""
    text = text[:1].upper() + text[1:]
    return text if text.endswith((".", "…")) else f"{text}."


def _heading(text: str, line: str) -> str:
    return f"{text}\n{line * len(text)}\n"


#: Paths on the site, and what writes them, in their order.
PAGES: dict[str, Callable[[], str]] = {
    "reference/python.rst": python,
    "reference/modules.rst": modules,
    "reference/commands.md": commands,
    "reference/run_yaml.md": run_yaml,
    "reference/columns.md": columns.page,
    "reference/exit_codes.md": exit_codes,
}
