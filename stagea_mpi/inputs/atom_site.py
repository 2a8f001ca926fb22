"""mmCIF's table of atoms, made complete: what one of several columns says, what follows from others, what is usual.

gemmi wants columns that the dictionary calls optional, and takes no value for no name. Where something necessary is
said by no column, the failure names these.
"""

import functools
import math
import re
from collections import Counter
from collections.abc import Callable
from typing import Any

from gemmi import cif

from ..errors import ModelError
from ..structure.residues import RESIDUE_TYPES

PREFIX = "_atom_site."
#: How the table begins in most files, with the names of its columns.
ATOM_SITE_LOOP = re.compile(rb"^loop_[ \t\r]*\n((?:[ \t]*_atom_site\.\S+[ \t\r]*\n)+)", re.MULTILINE | re.IGNORECASE)
#: Each in the author's name and in the archive's; one of both is needed, and stands in where the other has no value.
_PAIRS = ("asym_id", "comp_id", "atom_id", "seq_id")
_COORDINATES = ("Cartn_x", "Cartn_y", "Cartn_z")
#: Columns that no graph needs, and that would fail a model where something strange stands in them.
_UNUSED = ("pdbx_formal_charge", "label_seq_id")
_WHOLE_NUMBER = re.compile(r"[+-]?\d{1,9}")
#: By these a table of atoms is known, whatever it lacks.
_TELLING = {
    PREFIX + name.lower() for name in (*_COORDINATES, "type_symbol", *(f"label_{name}" for name in _PAIRS), "label")
}
#: Columns without which gemmi reads nothing, or the usual value is meant.
_USUAL = {"label_alt_id": ".", "occupancy": "1", "B_iso_or_equiv": "0", "pdbx_PDB_ins_code": "?"}


def find_table(block: cif.Block) -> cif.Loop | None:
    """The block's table of atoms under the names of the mmCIF dictionary, None where it has none with rows.

    Before mmCIF, names had an underscore where a point stands today (``_atom_site_Cartn_x``).
    """
    pairs = {}
    for item in block:
        pair: Any = item.pair  # of two texts or None, of which gemmi's stubs only say that it is an object
        if pair and _named_today(pair[0]).startswith(PREFIX):
            pairs[pair[0]] = pair[1]
        tags = list(item.loop.tags) if item.loop else []
        names = [_named_today(tag) for tag in tags]
        if _TELLING.intersection(names):
            if all("." in tag for tag in tags):
                return item.loop
            return _rebuilt(block, names, [list(block.find_values(tag)) for tag in tags])
    if _TELLING.intersection(map(_named_today, pairs)):  # a single atom needs no table
        return _rebuilt(block, [_named_today(tag) for tag in pairs], [[value] for value in pairs.values()])
    return None


def _repeated(value: str, times: int) -> list[str]:
    return [value] * times


def _named_today(tag: str) -> str:
    tag = tag.lower()
    return PREFIX + tag[len(PREFIX) :] if tag.startswith("_atom_site_") and "." not in tag else tag


def _rebuilt(block: cif.Block, names: list[str], columns: list[list[str]]) -> cif.Loop:
    block.set_mmcif_category(PREFIX, {name.removeprefix(PREFIX): ["?"] for name in names})
    loop = block.find_values(names[0]).get_loop()
    loop.set_all_values(columns)
    return loop


def complete(block: cif.Block, loop: cif.Loop) -> cif.Block:
    """A block with nothing but the table of atoms, with every column that gemmi needs.

    Raises
    ------
    ModelError
        ``unreadable`` names the columns that are missing or have no value; ``bad_coordinates`` the row.
    """
    table = _Table(block, loop)
    _check_columns(table)
    for name in _COORDINATES:
        _check_coordinates(table, name)
    has_labels = table.has_values("label_seq_id")
    for name in _PAIRS:
        _fill_from_each_other(table, name)
    if has_labels and not table.has_values("pdbx_PDB_ins_code"):
        _tell_residues_apart(table)
    for name, value in _USUAL.items():
        table.add(name, functools.partial(_repeated, value, len(table)))
    table.add("id", lambda: [str(k) for k in range(1, len(table) + 1)])
    table.add("group_PDB", lambda: [_group(name) for name in table.names("comp_id")])
    _fill_elements(table)
    for name in ("label_alt_id", "pdbx_PDB_ins_code"):
        _check_letters(table, name)
    _check_whole_numbers(table, "auth_seq_id")
    _check_model_numbers(table)
    for name in _UNUSED:
        if not all(cif.is_null(value) or _WHOLE_NUMBER.fullmatch(value) for value in table.distinct(name)):
            table.remove(name)
    return table.as_block()


def numbers_in(block: cif.Block, loop: cif.Loop) -> list[int]:
    """Numbers of the models in the table, each once.

    Raises
    ------
    ModelError
        ``unreadable``: columns are missing, or a number is none.
    """
    table = _Table(block, loop)
    _check_columns(table)
    if not table.has_values("pdbx_PDB_model_num"):
        return [1]
    _check_whole_numbers(table, "pdbx_PDB_model_num")
    return list(dict.fromkeys(map(int, table.values("pdbx_PDB_model_num"))))


def _check_columns(table: "_Table") -> None:
    missing = [name for name in _COORDINATES if name not in table]
    missing += [f"auth_{name} or label_{name}" for name in _PAIRS if not table.has_either(name)]
    if missing:
        listed = ", ".join(f"_atom_site.{name}" for name in missing)
        raise ModelError(
            "unreadable", f"the table of atoms has no column {listed}; write the file with {_them(missing)}", "read"
        )


class _Table:
    """Columns of the table of atoms by their names without the category, as they stand in the file."""

    def __init__(self, block: cif.Block, loop: cif.Loop):
        self._block, self._loop = block, loop
        self._columns: dict[str, list[str] | None] = {tag.lower().removeprefix(PREFIX): None for tag in loop.tags}
        self._is_as_read = True

    def __len__(self) -> int:
        return self._loop.length()

    def __contains__(self, name: str) -> bool:
        return name.lower() in self._columns

    def has_either(self, name: str) -> bool:
        return f"auth_{name}" in self or f"label_{name}" in self

    def has_values(self, name: str) -> bool:
        return not self.distinct(name) <= {"?", "."}

    def values(self, name: str) -> list[str]:
        column = self._columns[name.lower()]
        if column is None:
            column = self._columns[name.lower()] = list(self._block.find_values(PREFIX + name))
        return column

    def distinct(self, name: str) -> set[str]:
        """Values of a column, each once; none where it is missing."""
        return set(self.values(name)) if name in self else set()

    def names(self, name: str) -> list[str]:
        """The author's or, without these, the archive's, without quotes."""
        values = self.values(f"auth_{name}" if f"auth_{name}" in self else f"label_{name}")
        plain = {value: cif.as_string(value) for value in set(values)}
        return [plain[value] for value in values]

    def add(self, name: str, values: Callable[[], list[str]]) -> None:
        """Adds a column where it is missing."""
        if name not in self:
            self.replace(name, values())

    def replace(self, name: str, values: list[str]) -> None:
        self._columns[name.lower()] = values
        self._is_as_read = False

    def remove(self, name: str) -> None:
        del self._columns[name.lower()]
        self._is_as_read = False

    def as_block(self) -> cif.Block:
        """The table alone: other tables are not needed, and may be wrong."""
        alone = cif.Block(self._block.name)
        if self._is_as_read:
            alone.add_item(self._block.find_loop_item(self._loop.tags[0].lower()))
        else:
            loop = alone.init_mmcif_loop(PREFIX, list(self._columns))
            loop.set_all_values([self.values(name) for name in self._columns])
        return alone


def _them(names: list[str]) -> str:
    return "it" if len(names) == 1 else "them"


def _check_coordinates(table: _Table, name: str) -> None:
    if _are_all(float, table.values(name)):
        return
    values = _without_quotes(table, name)
    for row, value in enumerate(values, start=1):
        if not math.isfinite(cif.as_number(value)):  # with an uncertainty in brackets it is a number, too
            raise ModelError(
                "bad_coordinates", f"row {row} of the table of atoms has {value!r} for _atom_site.{name}, expected a "
                "number", "read",
            )  # fmt: skip


def _without_quotes(table: _Table, name: str) -> list[str]:
    """Values of a column of numbers: in quotes they are text for gemmi."""
    values = table.values(name)
    if any(value[0] in "'\"" for value in values):
        values = [cif.as_string(value) if value[0] in "'\"" else value for value in values]
        table.replace(name, values)
    return values


def _fill_from_each_other(table: _Table, name: str) -> None:
    """The author's names are those that are read; where they lack a value, the archive's stand in, and vice versa."""
    auth, label = f"auth_{name}", f"label_{name}"
    if name in ("asym_id", "seq_id"):  # of the other two, gemmi takes whichever there is
        table.add(auth, lambda: table.values(label))
        table.add(label, lambda: table.values(auth))
    one, other = (auth, label) if auth in table else (label, auth)
    values = table.values(one)
    if "?" in values or "." in values:
        others = table.values(other) if other in table else values
        values = [o if cif.is_null(value) else value for value, o in zip(values, others, strict=True)]
        if name == "seq_id":
            values = _numbered_on(table, values)
        empty = next((row for row, value in enumerate(values, start=1) if cif.is_null(value)), None)
        if empty is not None and name != "asym_id":
            raise _without_value(empty, name)
        table.replace(one, values)


def _without_value(row: int, name: str) -> ModelError:
    what = f"row {row} of the table of atoms has no value for _atom_site.auth_{name} nor label_{name}"
    return ModelError("unreadable", what, "read")


def _numbered_on(table: _Table, values: list[str]) -> list[str]:
    """Residue numbers, with new ones where ligands have none: label_seq_id is of polymers only."""
    highest = max((int(value) for value in values if value.lstrip("-").isdigit()), default=0)
    result, before = [], None
    columns = (values, table.values("auth_asym_id"), table.names("comp_id"))
    for row, (value, *key) in enumerate(zip(*columns, strict=True), start=1):
        if cif.is_null(value):
            if key[1] in RESIDUE_TYPES:
                raise _without_value(row, "seq_id")
            highest += before != key
            before = key
            value = str(highest)
        else:
            before = None
        result.append(value)
    return result


def _tell_residues_apart(table: _Table) -> None:
    """Without insertion codes, residues that share the author's number are numbered as the archive does."""
    columns = (table.values(name) for name in ("auth_asym_id", "auth_seq_id", "label_asym_id", "label_seq_id"))
    polymer = {row for row in set(zip(*columns, strict=True)) if not cif.is_null(row[3])}
    is_author_ambiguous = len({(chain, number) for chain, number, _, _ in polymer}) < len(polymer)
    if is_author_ambiguous and len({(chain, label) for chain, _, _, label in polymer}) == len(polymer):
        table.replace("auth_seq_id", _numbered_on(table, table.values("label_seq_id")))


def _group(residue_name: str) -> str:
    return "ATOM" if residue_name in RESIDUE_TYPES else "HETATM"


def _fill_elements(table: _Table) -> None:
    elements = table.values("type_symbol") if "type_symbol" in table else ["?"] * len(table)
    if "?" in elements or "." in elements:
        names = zip(table.names("atom_id"), table.names("comp_id"), strict=True)
        found = [_element(*pair) if cif.is_null(value) else value for value, pair in zip(elements, names, strict=True)]
        table.replace("type_symbol", found)


def _element(atom_name: str, residue_name: str) -> str:
    """Of an amino acid's atom the first letter; an ion is called as its residue."""
    letters = atom_name.lstrip("0123456789'\" ")
    if residue_name not in RESIDUE_TYPES and letters[:2].upper() in ("SE", "CL", "BR", "ZN", "MG", "FE", residue_name):
        return letters[:2]
    return letters[:1] or "X"


def _check_model_numbers(table: _Table) -> None:
    if "pdbx_PDB_model_num" not in table:
        _refuse_several_models(table)
        return
    if not table.has_values("pdbx_PDB_model_num"):
        table.replace("pdbx_PDB_model_num", ["1"] * len(table))
        return
    _check_whole_numbers(table, "pdbx_PDB_model_num")


def _are_all(kind: type, values: list[str]) -> bool:
    try:
        return math.isfinite(sum(map(kind, values if kind is float else set(values))))
    except ValueError:
        return False


def _check_letters(table: _Table, name: str) -> None:
    if all(len(cif.as_string(value)) <= 1 for value in table.distinct(name)):
        return
    for row, value in enumerate(table.values(name), start=1):
        if len(cif.as_string(value)) > 1:
            raise ModelError(
                "unreadable", f"row {row} of the table of atoms has {value!r} for _atom_site.{name}, expected one "
                "letter", "read",
            )  # fmt: skip


def _check_whole_numbers(table: _Table, name: str) -> None:
    values = table.values(name)
    if _are_all(int, values) and max(map(len, values), default=0) < 10:
        return
    for row, value in enumerate(_without_quotes(table, name), start=1):
        if not _WHOLE_NUMBER.fullmatch(value):
            raise ModelError(
                "unreadable", f"row {row} of the table of atoms has {value!r} for _atom_site.{name}, expected a whole "
                "number", "read",
            )  # fmt: skip


def _refuse_several_models(table: _Table) -> None:
    """Without numbers of models, the same atoms all over again would be taken for more residues."""
    names = [f"{whose}_{name}" for whose in ("auth", "label") for name in _PAIRS if f"{whose}_{name}" in table]
    names += ["pdbx_PDB_ins_code", "label_alt_id"]
    counts = set(Counter(zip(*(table.values(name) for name in names), strict=True)).values())
    if counts != {1} and len(counts) == 1:
        raise ModelError(
            "unreadable", f"the table of atoms has each atom {counts.pop()} times, as several models have, but no "
            "column _atom_site.pdbx_PDB_model_num tells them apart; write it", "read",
        )  # fmt: skip
