"""The configuration's ``reference``: which known complex models are compared with, read and checked."""

import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..antibody.chain_rules import AUTO, ChainRule, ChainTable
from ..antibody.complexes import Chains
from ..errors import ConfigError
from ..inputs import ModelRef
from ..inputs.name_patterns import NamePatterns, names_of
from .chains import chains_as_dict, parse_chains, read_rows, stated_chains
from .paths import expanded, without_variables

REFERENCE_KEYS = ("structure", "chains", "model", "table")
_TABLE_COLUMNS = ("model", "target", "structure", "of", "heavy", "light", "antigen", "copy", "check")
#: Endings of tables, which somebody may state as a structure.
_TABLES = (".csv", ".tsv", ".txt")


@dataclass(frozen=True)
class StatedReference:
    """A known complex, as it is stated.

    Attributes
    ----------
    structure : Path
        Its file, absolute.
    chains : Chains, ChainRule or ChainTable
        Which of its chains are what.
    model : str
        Which model of a file that has several, by name or number; empty for its only one.
    where : str
        What states it, for messages.
    """

    structure: Path
    chains: Chains | ChainRule | ChainTable
    model: str
    where: str = field(compare=False)


@dataclass(frozen=True)
class ReferenceTable:
    """Known complexes by model.

    Attributes
    ----------
    rows : tuple of (str, str, StatedReference)
        What a model or its file is called, or a pattern of that; what its target is called, likewise; one of the two is
        empty. The first row that fits a model counts.
    path : Path or None
        The table; None where one structure is stated for all models.
    """

    rows: tuple[tuple[str, str, StatedReference], ...]
    path: Path | None = None

    def for_model(self, ref: ModelRef) -> StatedReference | None:
        """What a model is compared with; None where no row is about it."""
        found = self._of_models.first(names_of(ref)), self._of_targets.first({ref.place.target})
        rows = [row for row in found if row is not None]
        return self.rows[min(rows)][2] if rows else None

    @property
    def stated(self) -> Iterator[StatedReference]:
        """Each known complex, once."""
        return iter(dict.fromkeys(stated for _, _, stated in self.rows))

    @functools.cached_property
    def _of_models(self) -> NamePatterns:
        return NamePatterns([model for model, _, _ in self.rows])

    @functools.cached_property
    def _of_targets(self) -> NamePatterns:
        return NamePatterns([target for _, target, _ in self.rows])

    def as_dict(self) -> dict[str, Any]:
        """`reference` in run.yaml's shape."""
        if self.path is not None:
            return {"table": without_variables(str(self.path))}
        ((_, _, stated),) = self.rows
        found = {"structure": without_variables(str(stated.structure)), "chains": chains_as_dict(stated.chains)}
        return found | ({"model": stated.model} if stated.model else {})

    def __str__(self) -> str:
        return str(self.rows[0][2].structure) if self.path is None else f"by {self.path} ({len(self.rows)} rows)"


def parse_reference(value: Any, key: str, environment: Mapping[str, str] | None = None) -> ReferenceTable | None:
    """Checks the configuration's ``reference``.

    Parameters
    ----------
    value : object
        The path of a structure that all models are compared with; a mapping with structure, and with chains and model
        where these are stated; ``{table: path}``; or None or an empty text for none.
    key : str
        Names the value in messages.
    environment : mapping, optional
        Variables that may stand in paths (`os.environ` by default).

    Raises
    ------
    ConfigError
    """
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    if isinstance(value, str):
        value = {"structure": value}
    if not isinstance(value, dict) or not ("structure" in value or "table" in value):
        raise ConfigError(
            f"{key}: expected the path of a structure, {{structure: native.pdb, chains: auto}} or {{table: "
            f"references.csv}}, found {value!r}"
        )
    unknown = [str(name) for name in value if name not in REFERENCE_KEYS]
    if unknown:
        raise ConfigError(f"{key}.{unknown[0]} is not a key of a reference; known are {', '.join(REFERENCE_KEYS)}")
    if "table" in value:
        if len(value) > 1:
            others = ", ".join(name for name in value if name != "table")
            raise ConfigError(
                f"{key}.table: {others} cannot stand beside a table; put it into the table's columns {_COLUMNS}"
            )
        return read_reference_table(value["table"], f"{key}.table", environment)
    stated = _stated(
        _structure(value["structure"], f"{key}.structure", environment),
        parse_chains(value.get("chains", AUTO), f"{key}.chains", environment),
        value.get("model"),
        key,
    )
    return ReferenceTable((("*", "", stated),))


def reference_of_options(
    structure: str | None, chains: str | None, model: str | None, table: str | None
) -> ReferenceTable | None:
    """A command's ``--reference``, ``--chains``, ``--model`` and ``--table``, checked; chains as run.yaml has them.

    Raises
    ------
    ConfigError
    """
    import yaml

    if structure is None and (chains or model):
        raise ConfigError(f"{'--chains' if chains else '--model'} is said of a reference; state it as --reference FILE")
    if structure is None and table is None:
        return None
    value: dict[str, Any] = {"table": table} if table is not None else {"structure": structure}
    value |= {"model": model} if model else {}
    if chains is not None:
        try:
            value["chains"] = yaml.safe_load(chains)
        except yaml.YAMLError as error:
            raise ConfigError(
                f"--chains: {' '.join(str(error).split())}; expected as in run.yaml, {_EXAMPLE}"
            ) from error
    return parse_reference(value, "--reference" if table is None else "command line")


_EXAMPLE = "such as auto or '{heavy: H, light: L, antigen: A}'"


def read_reference_table(
    path: Any, key: str = "reference.table", environment: Mapping[str, str] | None = None
) -> ReferenceTable:
    """Reads a table of references: structure, and model or target, and of the reference of, heavy, light, antigen.

    Paths of structures are relative to the table's folder. `of` is the model of a structure that has several. An empty
    cell of a chain is to be found, as in a table of chains.

    Raises
    ------
    ConfigError
        With the table's name and line.
    """
    table = read_rows(path, key, _TABLE_COLUMNS, "structure", environment)
    rows = []
    for where, row in table.rows:
        model, target = row.get("model", ""), row.get("target", "")
        if bool(model) == bool(target):
            raise ConfigError(
                f"{where}: expected a model or a target, found {'both' if model else 'neither'}; a row is for "
                "the models that the one or the other names, * for all"
            )
        if not row["structure"]:
            raise ConfigError(f"{where}: expected the path of a structure, found an empty cell")
        structure = _structure(row["structure"], where, environment, table.path.parent)
        chains = parse_chains(stated_chains(row) or AUTO, where)
        rows.append((model, target, _stated(structure, chains, row.get("of"), where)))
    return ReferenceTable(tuple(rows), table.path)


_COLUMNS = ", ".join(_TABLE_COLUMNS)


def _stated(structure: Path, chains: Chains | ChainRule | ChainTable, model: Any, where: str) -> StatedReference:
    if isinstance(model, bool) or not isinstance(model, (str, int, type(None))):
        raise ConfigError(f"{where}.model: expected the name or the number of a model, found {model!r}")
    return StatedReference(structure, chains, "" if model is None else str(model).strip(), where)


def _structure(value: Any, key: str, environment: Mapping[str, str] | None, folder: Path | None = None) -> Path:
    if not isinstance(value, str):
        raise ConfigError(f"{key}: expected the path of a structure, found {value!r}")
    in_folder = (
        value if folder is None or value.startswith(("/", "~", "$")) else f"{without_variables(str(folder))}/{value}"
    )
    path = expanded(in_folder, key, environment)
    if path.suffix.lower() in _TABLES:
        raise ConfigError(f"{key}: {path} is a table by its name; write {{table: {value}}}")
    return path
