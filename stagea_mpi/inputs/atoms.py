"""One model's atoms as arrays, read by gemmi from PDB or mmCIF."""

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any

import gemmi
import numpy as np

from ..errors import ModelError
from ..structure.dialects import standard_names
from ..structure.residues import is_amino_acid, is_water
from .atom_table import AtomTable
from .columns import are_chains_segments, atom_lines, check_columns, has_foreign_elements, split_repeated
from .containers import ModelRef, text_of
from .formats import HEAD_BYTES, Format, text_format_of
from .locations import changes, choose_locations, distinct
from .long_names import with_short_names
from .mmcif import mmcif_structure
from .skeletons import Memory, Skeleton, b_factors, rows_of
from .unpacking import readable
from .waters import are_waters, without_waters_in_mmcif, without_waters_in_pdb

#: Å; farther from the origin than any real structure, and where three decimals are still exact.
_FARTHEST = 1e6
#: gemmi's arrays have room for so many letters of a name.
_LONGEST_NAME = 7
_END_LINE = re.compile(rb"^END(?=[ \t\r]*$)", re.MULTILINE)
#: What a blank chain identifier is called.
BLANK_CHAIN = "_"


def read_model(ref: ModelRef, text: bytes | None = None) -> AtomTable:
    """Atoms of one model: waters left out, of alternative locations the most occupied one.

    With `text`, which is then what `text_of` would give, its file is not opened. A blank chain identifier is called
    `BLANK_CHAIN`. Where all amino acids have one identifier, chains are told apart by their segments (in mmCIF by
    label_asym_id).

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
        is_pdb = structure.input_format == gemmi.CoorFormat.Pdb
        shared_chain = _split_shared_chain(structure, _segment_of if is_pdb else _subchain_of)
        table, _ = _as_table([_columns(ModelPart(structure, None, shared_chain))], shared_chain)
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


@dataclass(frozen=True)
class ModelPart:
    """The model, or a part of it where gemmi would take residues of one number for one residue.

    Attributes
    ----------
    structure : gemmi.Structure
    numbers : ndarray of int64, shape=(r,), or None
        The file's residue numbers, where the structure has others (`mmcif_structure`).
    shared_chain : str or None
        As in `AtomTable`.
    """

    structure: gemmi.Structure
    numbers: np.ndarray | None = None
    shared_chain: str | None = None


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
    key = kind.name, skeleton.key
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
    table, is_clear = _as_table([_columns(part) for part in parts], parts[0].shared_chain)
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


def parts_of_mmcif(content: bytes, serial: int | None) -> list[ModelPart]:
    """A model in mmCIF; the first where no number is given."""
    structure, numbers = mmcif_structure(without_waters_in_mmcif(content), serial)
    return [ModelPart(structure, numbers, _split_shared_chain(structure, _subchain_of))]


def parts_of_pdb(content: bytes, serial: int | None = None) -> list[ModelPart]:
    """A model in PDB, the only one in its text."""
    if b"\n" not in content:
        content = content.replace(b"\r", b"\n")
    starts, lengths = atom_lines(content)
    is_water = are_waters(content, starts)
    check_columns(content, starts[~is_water])
    dry = without_waters_in_pdb(content, starts, lengths, is_water)
    if dry is not content:
        content = dry
        starts, lengths = atom_lines(content)
    content = with_short_names(content, starts)
    is_old = has_foreign_elements(content, starts, lengths)
    by_segment = not is_old and are_chains_segments(content, starts, lengths)
    if (
        len(starts) and content.find(b"\nEND", 0, starts[-1]) >= 0
    ):  # gemmi stops there; what follows belongs to the model
        content = _END_LINE.sub(b"REM", content[: starts[-1]]) + content[starts[-1] :]
    return [_read_pdb(part, is_old, by_segment) for part in split_repeated(content, starts, by_segment)]


def _read_pdb(content: bytes, is_old: bool, by_segment: bool) -> ModelPart:
    try:
        structure = gemmi.read_pdb_string(_cut(content) if is_old else content)
    except RuntimeError:
        structure = gemmi.read_pdb_string(_cut(content))
    shared = _split_shared_chain(structure, _segment_of, least=1) if by_segment else None  # one of several parts
    return ModelPart(structure, None, shared)


def _cut(content: bytes) -> bytes:
    """Without what is behind the B factors: before 1996, an identifier stood in the place of element and charge."""
    return b"\n".join(line[:66] for line in content.splitlines())


def _segment_of(residue: gemmi.Residue) -> str:
    return residue.segment


def _subchain_of(residue: gemmi.Residue) -> str:
    return residue.subchain


def _split_shared_chain(
    structure: gemmi.Structure, part_of: Callable[[gemmi.Residue], str], least: int = 2
) -> str | None:
    """Makes chains of the parts of the chain that all amino acids (ATOM records) are in; gives that chain's name.

    None where they are in several, or this one has fewer parts than `least`.
    """
    (model,) = structure
    proteins = [chain for chain in model if any(_is_of_protein(residue) for residue in chain)]
    if len(proteins) != 1 or len({part_of(residue) for residue in proteins[0] if _is_of_protein(residue)}) < least:
        return None
    shared = proteins[0].name
    chains: dict[str, list[gemmi.Residue]] = {}
    for chain in model:
        for residue in chain:
            name = part_of(residue) or BLANK_CHAIN if chain.name == shared else chain.name
            chains.setdefault(name, []).append(residue.clone())
    for name in [chain.name for chain in model]:
        model.remove_chain(name)
    for name, residues in chains.items():
        chain = gemmi.Chain(name)
        chain.append_residues(residues)
        model.add_chain(chain)
    return shared.strip() or BLANK_CHAIN


def _is_of_protein(residue: gemmi.Residue) -> bool:
    return residue.het_flag != "H" and is_amino_acid(residue.name)


@dataclass(frozen=True)
class _Columns:
    """All atoms of a structure, in the order in which gemmi holds them."""

    chain: np.ndarray
    residue_name: np.ndarray
    atom_name: np.ndarray
    author_number: np.ndarray
    altloc: np.ndarray
    occupancy: np.ndarray
    is_hetatm: np.ndarray
    element: np.ndarray
    xyz: np.ndarray
    b_factor: np.ndarray


def _columns(part: ModelPart) -> _Columns:
    flat, chain = _flat(part.structure)
    number = np.asarray(flat.resnums).astype(np.int64)
    return _Columns(
        chain=_escaped(chain),
        residue_name=_escaped(_as_bytes(flat.residue_names)),
        atom_name=_escaped(_as_bytes(flat.atom_names)),
        author_number=(
            _author_numbers(number, np.asarray(flat.icodes)) if part.numbers is None else part.numbers[number]
        ),
        altloc=np.array(flat.altlocs),
        occupancy=np.array(flat.occ),
        is_hetatm=np.asarray(flat.het_flags) == ord("H"),
        element=np.array(flat.element_names),
        xyz=np.round(np.asarray(flat.pos), 3),
        b_factor=np.array(flat.b_iso, dtype=np.float32),
    )


def _author_numbers(number: np.ndarray, code: np.ndarray) -> np.ndarray:
    """Numbers and insertion codes as integers. Codes are letters: a digit there is the fifth of a number, as 12345."""
    is_fifth = (code >= ord("0")) & (code <= ord("9")) & (number >= 1000) & (number <= 9999)
    if is_fifth.any():
        number = np.where(is_fifth, 10 * number + code - ord("0"), number)
        code = np.where(is_fifth, ord(" "), code)
    return number * 256 + code


def _as_table(parts: list[_Columns], shared_chain: str | None) -> tuple[AtomTable, bool]:
    """The table, and whether coordinates have played no part in which atoms it has."""
    part = np.repeat(np.arange(len(parts)), [len(part.chain) for part in parts])
    columns = {f.name: np.concatenate([getattr(part, f.name) for part in parts]) for f in fields(_Columns)}
    names = distinct(columns["residue_name"])
    is_water_name = [name for name in names if is_water(name.decode(errors="replace"))]
    if is_water_name:
        dry = ~np.isin(columns["residue_name"], is_water_name)
        columns, part = {name: column[dry] for name, column in columns.items()}, part[dry]
    altloc, occupancy = (columns.pop(name) for name in ("altloc", "occupancy"))
    begins = changes(part)
    residue = np.cumsum(begins | changes(columns["chain"], columns["author_number"], columns["residue_name"]))
    columns["residue_name"], columns["atom_name"], columns["is_hetatm"] = standard_names(
        residue, columns["residue_name"], columns["atom_name"], columns["element"], columns["is_hetatm"]
    )
    columns["is_hydrogen"] = np.isin(columns["element"], (b"H", b"D")) | np.char.startswith(columns["atom_name"], b"H")
    chosen = choose_locations(
        columns["chain"],
        columns["author_number"],
        columns["residue_name"],
        columns["atom_name"],
        altloc,
        occupancy,
        columns["xyz"],
        begins,
    )
    dropped = chosen.dropped[~columns["is_hetatm"][chosen.dropped]]
    table = AtomTable(
        residue=chosen.residue,
        dropped=columns["chain"][dropped],
        shared_chain=shared_chain,
        **{name: column[chosen.rows] for name, column in columns.items()},
    )
    return table, chosen.is_clear


def _flat(structure: gemmi.Structure) -> tuple[gemmi.FlatStructure, np.ndarray]:
    """The atoms as arrays, and the chain of each."""
    if not any(len(chain.name) > _LONGEST_NAME or len(chain.name) == 0 for model in structure for chain in model):
        try:
            flat = gemmi.FlatStructure(structure)
            return flat, _as_bytes(flat.chain_ids)
        except RuntimeError:  # long names of mmCIF's label_asym_id, which nobody asks for
            pass
    names = [chain.name.strip().encode() or BLANK_CHAIN.encode() for model in structure for chain in model]
    for index, chain in enumerate(chain for model in structure for chain in model):
        chain.name = str(index)
        for residue in chain:
            residue.subchain = residue.entity_id = ""
    flat = gemmi.FlatStructure(structure)
    return flat, np.array(names, dtype="S")[_as_bytes(flat.chain_ids).astype(np.int64)]


def _escaped(names: np.ndarray) -> np.ndarray:
    """Names in ASCII, a question mark for what is not: the programs that they are handed to take nothing else."""
    codes = np.ascontiguousarray(names).view(np.uint8)
    odd = (codes > 126) | ((codes < 32) & (codes != 0))
    return np.where(odd, np.uint8(ord("?")), codes).view(names.dtype) if odd.any() else names


def _as_bytes(characters: Any) -> np.ndarray:
    """Fixed-width names of gemmi's character matrix, shape=(n, 8) to shape=(n,)."""
    characters = np.ascontiguousarray(characters)
    return characters.view(f"S{characters.shape[1]}").ravel()
