"""Atoms of gemmi's structures as one table, under the graphs' names and at one location each."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import gemmi
import numpy as np

from ..structure.dialects import standard_names
from ..structure.residues import is_water
from .atom_table import AtomTable
from .locations import changes, choose_locations, distinct
from .model_parts import BLANK_CHAIN, ModelPart

#: gemmi's arrays have room for so many letters of a name.
_LONGEST_NAME = 7


def flat_atoms(parts: Sequence[ModelPart]) -> tuple[AtomTable, bool]:
    """The table of a model's parts, and whether coordinates have played no part in which atoms it has.

    Waters are left out, and of alternative locations all but the most occupied one.
    """
    found = [_columns(part) for part in parts]
    part = np.repeat(np.arange(len(found)), [len(one.chain) for one in found])
    columns = {f.name: np.concatenate([getattr(one, f.name) for one in found]) for f in fields(_Columns)}
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
        shared_chain=parts[0].shared_chain,
        **{name: column[chosen.rows] for name, column in columns.items()},
    )
    return table, chosen.is_clear


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
