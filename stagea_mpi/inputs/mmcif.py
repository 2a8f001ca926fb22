"""Models in mmCIF: the data block with atoms, and residues that share a number."""

import gemmi
import numpy as np

from ..errors import ModelError

_CHAIN, _NUMBER, _CODE = "_atom_site.auth_asym_id", "_atom_site.auth_seq_id", "_atom_site.pdbx_PDB_ins_code"


def atom_block(document: gemmi.cif.Document) -> gemmi.cif.Block:
    """The data block with atoms.

    Raises
    ------
    ModelError
        ``no_models`` where no block, or more than one, has atoms.
    """
    blocks = [block for block in document if len(block.find_values("_atom_site.Cartn_x"))]
    if len(blocks) != 1:
        found = f"{len(blocks)} of {len(document)} data blocks hold atoms (_atom_site), expected 1"
        raise ModelError("no_models", found, "read")
    return blocks[0]


def mmcif_structure(content: bytes, serial: int | None) -> gemmi.Structure:
    """One model of an mmCIF text; the first where none is asked for."""
    block = atom_block(gemmi.cif.read_string(content))
    structure = _model_of(block, serial)
    if _has_an_atom_twice(structure) and _renumber(block):
        structure = _model_of(block, serial)
    return structure


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


def _renumber(block: gemmi.cif.Block) -> bool:
    """Numbers residues by their order where numbers of a chain occur again behind others; says whether they do."""
    columns = [block.find_values(tag) for tag in (_CHAIN, _NUMBER, _CODE, "_atom_site.pdbx_PDB_model_num")]
    if not len(columns[0]) or not len(columns[1]):
        return False
    rows = list(zip(*(list(column) for column in columns if len(column)), strict=True))
    starts = np.array([True] + [row != before for before, row in zip(rows, rows[1:], strict=False)])
    if len({rows[k] for k in np.flatnonzero(starts)}) == int(starts.sum()):
        return False
    for k, number in enumerate(np.cumsum(starts).tolist()):
        columns[1][k] = str(number)
        if len(columns[2]):
            columns[2][k] = "?"
    return True
