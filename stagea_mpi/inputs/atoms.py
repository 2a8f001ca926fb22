"""One model's atoms as arrays, read by gemmi from PDB or mmCIF."""

import hashlib
from dataclasses import replace
from typing import Any

import gemmi
import numpy as np

from ..errors import ModelError
from .atom_table import AtomTable
from .containers import ModelRef, text_of
from .flat_atoms import flat_atoms
from .formats import HEAD_BYTES, Format, text_format_of
from .model_parts import ModelPart, part_of_structure
from .skeletons import Memory, Skeleton, b_factors, rows_of
from .unpacking import readable

#: Å; farther from the origin than any real structure, and where three decimals are still exact.
_FARTHEST = 1e6


def read_model(ref: ModelRef, text: bytes | None = None) -> AtomTable:
    """Atoms of one model: waters left out, of alternative locations the most occupied one.

    With `text`, which is then what `text_of` would give, its file is not opened. A blank chain identifier is called
    `model_parts.BLANK_CHAIN`. Where all amino acids have one identifier, chains are told apart by their segments (in
    mmCIF by label_asym_id).

    Raises
    ------
    ModelError
        ``unreadable``, ``no_models``, ``too_large``, ``bad_coordinates`` or ``no_backbone``.
    """
    try:
        with readable(ref.source):
            content = text_of(ref) if text is None else text
            return _table_of(content, text_format_of(ref.member or ref.path, content[:HEAD_BYTES]), ref)
    except ModelError as failure:
        raise _told_of(ref, failure) from failure


def atoms_of_structure(structure: gemmi.Structure, serial: int, source: str) -> AtomTable:
    """Atoms of one model that gemmi holds already, as `read_model` gives them. The structure stays as it is.

    What is read from a file's text alone (segments of PDB apart) is not looked at: columns, names that are too long for
    them, residues of one number.

    Parameters
    ----------
    structure : gemmi.Structure
    serial : int
        The model's number (`gemmi.Model.num`).
    source : str
        Its origin, for messages.

    Raises
    ------
    ModelError
        As `read_model`.
    """
    structure = structure.clone()
    chosen = next((i for i, model in enumerate(structure) if model.num == serial), None)
    for i in reversed(range(len(structure))):
        if i != chosen:
            del structure[i]
    with readable(source):
        table, _ = flat_atoms([part_of_structure(structure)])
    return _usable(table, source, serial)


def _usable(table: AtomTable, source: str, serial: int) -> AtomTable:
    """The table, unless no graph can come of it."""
    if not len(table.xyz):
        raise ModelError("no_models", f"{source}: model {serial} holds no atoms", "read")
    real = np.isfinite(table.xyz).all(axis=1) & (np.abs(table.xyz) < _FARTHEST).all(axis=1)
    if not real.all():
        atom = int(np.argmin(real))
        raise ModelError("bad_coordinates", f"{source}: atom {atom + 1} has the coordinates {table.xyz[atom]}", "read")
    if not all((table.atom_name == name).any() for name in (b"N", b"CA")):
        raise ModelError("no_backbone", f"{source}: none of {len(table.xyz)} atoms is an N, or none a CA", "read")
    return table


def _told_of(ref: ModelRef, failure: ModelError) -> ModelError:
    """The failure, with the file in its message."""
    message = str(failure)
    return (
        failure
        if message.startswith(ref.path)
        else ModelError(failure.reason, f"{ref.source}: {message}", failure.stage)
    )


#: By a skeleton its table without coordinates, the atom line of each atom and the B factors as they are written, or
#: None three times where coordinates have a say in which atoms there are; by a text, or a skeleton and its numbers, the
#: table.
_tables = Memory()
#: What is kept takes so many bytes at least.
_LEAST_BYTES = 512


def _table_of(content: bytes, kind: Format, ref: ModelRef) -> AtomTable:
    """A text's table, if a graph can come of it. What only coordinates tell from an earlier text is not parsed."""
    skeleton: Skeleton | None = kind.skeleton_with(content) if kind.skeleton else None
    if skeleton is None:
        whole = kind.name, ref.serial, hashlib.sha256(content).digest()
        known = _tables.get(whole)
        return known if known is not None else _remembered(whole, _parsed(content, kind, ref)[0])
    key = kind.name, skeleton.key, ref.serial if skeleton.has_models else None
    known = _tables.get(key)
    if known is None:
        table, is_clear = _parsed(content, kind, ref)
        rows = rows_of(skeleton, table.xyz) if is_clear else None
        bare = replace(table, xyz=np.zeros((0, 3))) if rows is not None else None
        kept = None if bare is None else skeleton.b_factor
        n_bytes = 2 * _n_bytes(bare) if bare is not None else _LEAST_BYTES  # with its findings
        _tables.put(key, (bare, rows, kept), n_bytes + (0 if kept is None else kept.nbytes))
        return table if bare is not None else _remembered((key, skeleton.digest()), table)
    bare, rows, kept = known
    if bare is not None:
        written = skeleton.b_factor
        if written is None or np.array_equal(written, kept):  # docking poses' are those of the structures docked
            return replace(bare, xyz=skeleton.xyz[rows])
        return replace(bare, xyz=skeleton.xyz[rows], b_factor=b_factors(written[rows]))
    known = _tables.get((key, skeleton.digest()))
    return known if known is not None else _remembered((key, skeleton.digest()), _parsed(content, kind, ref)[0])


def _parsed(content: bytes, kind: Format, ref: ModelRef) -> tuple[AtomTable, bool]:
    """The table, and whether coordinates have played no part in which atoms it has."""
    parts: list[ModelPart] = kind.read_with(content, ref.serial)
    table, is_clear = flat_atoms(parts)
    for column in _arrays(table):
        column.setflags(write=False)  # others will get it, too
    return _usable(table, ref.source, ref.serial or 1), is_clear


def _remembered(key: Any, table: AtomTable) -> AtomTable:
    _tables.put(key, table, 2 * _n_bytes(table))
    return table


def _arrays(table: AtomTable) -> list[np.ndarray]:
    return [value for value in vars(table).values() if isinstance(value, np.ndarray)]


def _n_bytes(table: AtomTable) -> int:
    return sum(column.nbytes for column in _arrays(table))
