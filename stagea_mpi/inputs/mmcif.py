"""Models in mmCIF: the data block with atoms, and residues that share a number."""

import gemmi
import numpy as np

from ..errors import ModelError
from .atom_site import complete, find_table, numbers_in
from .skeletons import Memory, skeleton_of_mmcif

_CHAIN, _NUMBER, _CODE = "_atom_site.auth_asym_id", "_atom_site.auth_seq_id", "_atom_site.pdbx_PDB_ins_code"
_NAME = "_atom_site.label_comp_id"
#: Bytes that count for each of these at least, so that a few thousand are kept.
_AN_ENTRY = 4096
#: Numbers of models by the skeleton of their text.
_numbers = Memory()


def atom_block(content: bytes) -> gemmi.cif.Block:
    """The table of atoms of the data block that has one, complete; see `atom_site`.

    Raises
    ------
    ModelError
        ``no_models`` where no block, or more than one, has atoms; ``unreadable`` or ``bad_coordinates`` where the
        table lacks what is necessary.
    """
    return complete(*_found(content))


def model_numbers(content: bytes) -> list[int]:
    """Numbers of the models of an mmCIF text, in their order; 1 where there are none. Atoms are not looked at.

    Raises
    ------
    ModelError
        ``no_models`` or ``unreadable``.
    """
    skeleton = skeleton_of_mmcif(content)
    if skeleton is None:
        return numbers_in(*_found(content))
    known: list[int] | None = _numbers.get(skeleton.key)
    if known is None:
        known = numbers_in(*_found(content))
        _numbers.put(skeleton.key, known, _AN_ENTRY + 8 * len(known))
    return list(known)


def _found(content: bytes) -> tuple[gemmi.cif.Block, gemmi.cif.Loop]:
    document = gemmi.cif.read_string(content)
    found = [(block, table) for block in document if (table := find_table(block)) is not None]
    if len(found) != 1:
        message = f"{len(found)} of {len(document)} data blocks hold atoms (_atom_site), expected 1"
        raise ModelError("no_models", message, "read")
    return found[0]


def mmcif_structure(content: bytes, serial: int | None) -> tuple[gemmi.Structure, np.ndarray | None]:
    """One model of an mmCIF text; the first where none is asked for.

    Returns
    -------
    structure : gemmi.Structure
    numbers : ndarray of int64, shape=(r,), or None
        Where residues had to be numbered anew, from 0, so that none are taken for one: the number of each as it stands
        in the file, 256 · number + character code of the insertion code.
    """
    block = atom_block(content)
    _zero_missing_occupancies(block)
    structure, numbers = _model_of(block, serial), None
    if _has_an_atom_twice(structure):
        numbers = _renumber(block)
        structure = structure if numbers is None else _model_of(block, serial)
    return structure, numbers


def _zero_missing_occupancies(block: gemmi.cif.Block) -> None:
    """As in PDB: to gemmi, what has no occupancy has all of it."""
    column = block.find_values("_atom_site.occupancy")
    for k in [k for k, value in enumerate(column) if value in ("?", ".")]:
        column[k] = "0"


def _model_of(block: gemmi.cif.Block, serial: int | None) -> gemmi.Structure:
    structure = gemmi.make_structure_from_block(block)
    kept = structure[0].num if serial is None else serial
    for i in reversed(range(len(structure))):
        if structure[i].num != kept:
            del structure[i]
    return structure


def _has_an_atom_twice(structure: gemmi.Structure) -> bool:
    """Whether a residue has an atom twice: gemmi takes residues of a chain with one number and name for one."""
    return any(
        len({(atom.name, atom.altloc) for atom in residue}) < len(residue)
        for model in structure
        for chain in model
        for residue in chain
    )


def _renumber(block: gemmi.cif.Block) -> np.ndarray | None:
    """Numbers residues by their order where one of a chain comes back behind others; gives the numbers before."""
    tags = (_CHAIN, _NUMBER, _CODE, "_atom_site.pdbx_PDB_model_num", _NAME)
    columns = [block.find_values(tag) for tag in tags]
    if not len(columns[0]) or not len(columns[1]):
        return None
    rows = list(zip(*(list(column) for column in columns if len(column)), strict=True))
    starts = [0] + [k for k, (row, before) in enumerate(zip(rows[1:], rows, strict=False), 1) if row != before]
    if len({rows[k] for k in starts}) == len(starts):
        return None
    numbers = [_as_integer(columns[1][k], columns[2][k] if len(columns[2]) else "?") for k in starts]
    for index, (first, stop) in enumerate(zip(starts, [*starts[1:], len(rows)], strict=True)):
        for k in range(first, stop):
            columns[1][k] = str(index)
            if len(columns[2]):
                columns[2][k] = "?"
    return np.array(numbers, dtype=np.int64)


def _as_integer(number: str, code: str) -> int:
    return gemmi.cif.as_int(number, 0) * 256 + ord(" " if gemmi.cif.is_null(code) else gemmi.cif.as_string(code)[0])
