"""The configuration's ``chains``: read, from run.yaml or a table, and checked."""

import csv
import hashlib
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..antibody.chain_rules import AUTO, ChainRule, ChainTable
from ..antibody.complexes import Chains, ResidueRange
from ..errors import ConfigError
from .paths import expanded, without_variables
from .values import flag

CHAIN_KEYS = ("heavy", "light", "antigen", "copy", "check", "table")
_TABLE_COLUMNS = ("model", "heavy", "light", "antigen", "copy", "check")
_NO_CHAIN = ("", "-", "na", "none", "null")


def chains_as_dict(chains: Chains | ChainRule | ChainTable) -> dict[str, Any]:
    """`chains` in run.yaml's shape."""
    found = chains.as_dict()
    return {"table": without_variables(found["table"])} if "table" in found else found


def parse_chains(value: Any, key: str, environment: Mapping[str, str] | None = None) -> Chains | ChainRule | ChainTable:
    """Checks the configuration's ``chains``.

    Parameters
    ----------
    value : object
        ``auto``; a mapping with any of heavy, light, antigen and copy, those left out being found, and of check; or
        ``{table: path}``.
    key : str
        Names the value in messages.
    environment : mapping, optional
        Variables that may stand in the table's path (`os.environ` by default).

    Returns
    -------
    chains : Chains, ChainRule or ChainTable
        Chains where all are stated.

    Raises
    ------
    ConfigError
    """
    if isinstance(value, str) and value.strip().lower() == AUTO:
        return ChainRule()
    if not isinstance(value, dict) or not value:
        raise ConfigError(
            f"{key}: expected auto, {{heavy: H, light: L, antigen: A}} or {{table: chains.csv}}, found {value!r}"
        )
    if "table" in value:
        if len(value) > 1:
            others = ", ".join(str(other) for other in value if other != "table")
            raise ConfigError(
                f"{key}.table: {others} cannot stand beside a table; put a last row with the model * into it"
            )
        return read_table(value["table"], f"{key}.table", environment)
    rule = _rule(value, key)
    return rule.stated() if rule.is_stated else rule


def _rule(value: dict[str, Any], key: str) -> ChainRule:
    heavy, light = (_role(value, role, key) for role in ("heavy", "light"))
    listed = value.get("antigen", AUTO)
    listed = re.split(r"[,\s]+", listed.strip()) if isinstance(listed, str) else listed
    stated = [_chain_name(name, f"{key}.antigen") for name in (listed if isinstance(listed, list) else [listed])]
    antigen = [name for name in stated if name is not None]
    if heavy is None:
        raise ConfigError(f"{key}.heavy: expected the name of the antibody's heavy chain, found {value.get('heavy')!r}")
    if not antigen or None in stated:
        raise ConfigError(f"{key}.antigen: expected a chain name or a list of them, found {value.get('antigen')!r}")
    if AUTO in antigen and len(antigen) > 1:
        raise ConfigError(f"{key}.antigen: expected names or auto, found both: {value.get('antigen')!r}")
    antibody = [heavy] if light is None or light == heavy else [heavy, light]
    _refuse_repeated([name for name in (*antibody, *antigen) if name != AUTO], key)
    return ChainRule(
        heavy,
        light,
        AUTO if antigen == [AUTO] else tuple(antigen),
        _copy(value.get("copy"), f"{key}.copy"),
        flag(value.get("check", True), f"{key}.check"),
    )


def _refuse_repeated(names: list[str], key: str) -> None:
    for name in names:
        if names.count(name) > 1:
            raise ConfigError(f"{key}: {name} is named {names.count(name)} times; a chain has one role")


def check_chains(chains: Chains, key: str) -> Chains:
    """Checks chains that Python's users have made, as stated ones are; names are taken as they are.

    Parameters
    ----------
    chains : Chains
        `antigen` may be any sequence.
    key : str
        Names it in messages.

    Returns
    -------
    chains : Chains

    Raises
    ------
    ConfigError
    """
    heavy, light = chains.heavy, chains.light
    antigen = (chains.antigen,) if isinstance(chains.antigen, str) else chains.antigen
    if not (isinstance(heavy, str) and heavy):
        raise ConfigError(f"{key}.heavy: expected the name of the antibody's heavy chain, found {heavy!r}")
    if light is not None and not (isinstance(light, str) and light):
        raise ConfigError(f"{key}.light: expected the name of a chain, or None, found {light!r}")
    if not (isinstance(antigen, (tuple, list)) and antigen and all(isinstance(name, str) and name for name in antigen)):
        raise ConfigError(f"{key}.antigen: expected a chain name or a list of them, found {chains.antigen!r}")
    for role, part in (("heavy_range", chains.heavy_range), ("light_range", chains.light_range)):
        if not (isinstance(part, ResidueRange) and _is_range(part)):
            raise ConfigError(
                f"{key}.{role}: expected ResidueRange(first, stop) with 0 <= first < stop, found {part!r}"
            )
    if light == heavy and _overlap(chains.heavy_range, chains.light_range):
        raise ConfigError(
            f"{key}: heavy and light are of one chain, {heavy}, and heavy_range and light_range share residues; "
            "state ranges that share none, or heavy and light alone by name, and the ranges are found"
        )
    _refuse_repeated([heavy, *([] if light in (None, heavy) else [light]), *antigen], key)
    return replace(chains, antigen=tuple(antigen), check=flag(chains.check, f"{key}.check"))


def _is_range(part: ResidueRange) -> bool:
    ends = (part.first,) if part.stop is None else (part.first, part.stop)
    return all(type(end) is int for end in ends) and part.first >= 0 and (part.stop is None or part.first < part.stop)


def _overlap(one: ResidueRange, other: ResidueRange) -> bool:
    first, second = sorted((one, other), key=lambda part: part.first)
    return first.stop is None or second.first < first.stop


def _role(value: dict[str, Any], role: str, key: str) -> str | None:
    return _chain_name(value[role], f"{key}.{role}") if role in value else AUTO


def _chain_name(value: Any, key: str) -> str | None:
    if value is None or (isinstance(value, str) and value.strip().lower() in _NO_CHAIN):
        return None
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        raise ConfigError(f"{key}: expected the name of a chain, found {value!r}; write it as text, in quotes")
    name = str(value).strip()
    return AUTO if name.lower() == AUTO else name


def _copy(value: Any, key: str) -> int | None:
    if value in (None, "", AUTO):
        return None
    if isinstance(value, bool) or not re.fullmatch(r"\d+", str(value).strip()) or int(value) < 1:
        raise ConfigError(f"{key}: expected the number of a copy, from 1 on, found {value!r}")
    return int(value)


def read_table(path: Any, key: str = "chains.table", environment: Mapping[str, str] | None = None) -> ChainTable:
    """Reads a table of chains, separated by commas, semicolons or tabs: model, heavy, light, antigen (and copy, check).

    An antigen of several chains is written with blanks between them, or in quotes with commas. An empty cell, like a
    column that is not there, is to be found; ``-`` is no light chain.

    Raises
    ------
    ConfigError
        With the table's name and line.
    """
    table = read_rows(path, key, _TABLE_COLUMNS, "model", environment)
    found = []
    for where, row in table.rows:
        if not row["model"]:
            raise ConfigError(f"{where}: expected a model, found {list(row.values())}")
        found.append((row["model"], _rule(stated_chains(row), where)))
    return ChainTable(table.path, tuple(found), table.digest)


def stated_chains(row: Mapping[str, str]) -> dict[str, str]:
    """What a row of a table states of chains; an empty cell is to be found."""
    return {name: cell for name, cell in row.items() if name in _TABLE_COLUMNS[1:] and cell}


@dataclass(frozen=True)
class Rows:
    """A table as it is read.

    Attributes
    ----------
    path : Path
    rows : tuple of (str, dict)
        The line, for messages, and its cells by column, without blanks around them.
    digest : str
        SHA-256 of the table.
    """

    path: Path
    rows: tuple[tuple[str, dict[str, str]], ...]
    digest: str


def read_rows(
    path: Any, key: str, known: Sequence[str], required: str, environment: Mapping[str, str] | None = None
) -> Rows:
    """Reads a table that is separated by commas, semicolons or tabs, by the columns of its first line.

    Raises
    ------
    ConfigError
        The table cannot be read, has other columns than the known ones or lacks the required one, or has no rows.
    """
    if not isinstance(path, str):
        raise ConfigError(f"{key}: expected a path, found {path!r}")
    path = expanded(path, key, environment)
    try:
        content = path.read_bytes()
        text = content.decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{key}: {path} cannot be read: {error}") from error
    header = text.split("\n", 1)[0]
    rows = csv.DictReader(io.StringIO(text), delimiter=max("\t;,", key=header.count), skipinitialspace=True)
    columns = [(name or "").strip() for name in rows.fieldnames or []]
    rows.fieldnames = columns
    if required not in columns or any(name not in known for name in columns):
        raise ConfigError(
            f"{key}: {path}: expected the columns {', '.join(known)}, found {', '.join(columns) or 'none'}"
        )
    found = []
    for row in rows:
        where = f"{key}: {path}: line {rows.line_num}"
        if None in row:
            raise ConfigError(f"{where}: expected at most {len(columns)} cells, found {list(row.values())}")
        found.append((where, {name: (cell or "").strip() for name, cell in row.items()}))
    if not found:
        raise ConfigError(f"{key}: {path} has no rows")
    return Rows(path, tuple(found), hashlib.sha256(content).hexdigest())
