"""A model's text, or what gemmi holds of it, as gemmi structures whose residues and chains are told apart."""

import re
from collections.abc import Callable
from dataclasses import dataclass

import gemmi
import numpy as np

from ..structure.residues import is_amino_acid
from .columns import are_chains_segments, atom_lines, check_columns, has_foreign_elements, split_repeated
from .long_names import with_short_names
from .mmcif import mmcif_structure
from .waters import are_waters, without_waters_in_mmcif, without_waters_in_pdb

#: What a blank chain identifier is called.
BLANK_CHAIN = "_"
_END_LINE = re.compile(rb"^END(?=[ \t\r]*$)", re.MULTILINE)


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
    if len(starts) and content.find(b"\nEND", 0, starts[-1]) >= 0:
        # gemmi stops there; what follows belongs to the model
        content = _END_LINE.sub(b"REM", content[: starts[-1]]) + content[starts[-1] :]
    return [_read_pdb(part, is_old, by_segment) for part in split_repeated(content, starts, by_segment)]


def part_of_structure(structure: gemmi.Structure) -> ModelPart:
    """The only model of a structure that gemmi has read, which is changed where its chains share an identifier."""
    is_pdb = structure.input_format == gemmi.CoorFormat.Pdb
    return ModelPart(structure, None, _split_shared_chain(structure, _segment_of if is_pdb else _subchain_of))


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
