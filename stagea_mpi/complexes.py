"""One complex as two merged chains: the antibody (heavy, then light) is chain A, the antigen is chain B."""

from dataclasses import dataclass

import numpy as np

from .errors import ModelError
from .inputs import AtomTable
from .residues import is_amino_acid, one_letter


@dataclass(frozen=True)
class Chains:
    """Which chains of the input are what.

    Attributes
    ----------
    heavy : str
    light : str or None
        None for a single-domain antibody (VHH).
    antigen : tuple of str
        In the order in which they are merged.
    """

    heavy: str
    light: str | None
    antigen: tuple[str, ...]


@dataclass(frozen=True)
class Complex:
    """Atoms (ATOM records only) and sequences of a merged complex, chain A before chain B.

    Attributes
    ----------
    chain : ndarray of uint8, shape=(n,)
        0 for A, 1 for B.
    residue_number : ndarray of int32, shape=(n,)
        From 1 through each merged chain; position k of the chain's sequence is residue k.
    residue : ndarray of int32, shape=(n,)
        Index of the residue among all residues of the complex, from 0.
    residue_name, atom_name : ndarray of bytes, shape=(n,)
    is_hydrogen : ndarray of bool, shape=(n,)
    xyz : ndarray of float64, shape=(n, 3)
        Å.
    sequences : tuple of str
        Of the merged chains A and B: one letter a residue, X for a residue without a parent amino acid.
    heavy, light : str
        Sequences of the antibody's chains as they run in the file; `light` is empty where there is none.
    """

    chain: np.ndarray
    residue_number: np.ndarray
    residue: np.ndarray
    residue_name: np.ndarray
    atom_name: np.ndarray
    is_hydrogen: np.ndarray
    xyz: np.ndarray
    sequences: tuple[str, str]
    heavy: str
    light: str


def merge_chains(atoms: AtomTable, chains: Chains, source: str) -> Complex:
    """Merges the stated chains of a model.

    HETATM atoms stay out; a modified residue (MSE, say) still has its place in the numbering and in the sequence. Within a
    chain, residues are ordered by their number and insertion code, as DeepRank-Ab merges them. (That is the file's order but
    for IMGT's 112B, 112A, 112; where numbers repeat, the file's order stays.)

    Parameters
    ----------
    atoms : AtomTable
    chains : Chains
    source : str
        The model's origin, for messages.

    Raises
    ------
    ModelError
        ``chain_missing`` or ``chain_empty``.
    """
    antibody = [chains.heavy] if chains.light is None else [chains.heavy, chains.light]
    wanted = antibody + list(chains.antigen)
    present = list(dict.fromkeys(name.decode(errors="replace") for name in atoms.chain.tolist()))
    missing = [name for name in wanted if name not in present]
    if missing:
        raise ModelError("chain_missing", f"{source}: no chain {', '.join(missing)}; there are {', '.join(present)}", "chains")
    parts = [_merged_part(atoms, name) for name in wanted]
    for name, part in zip(wanted, parts, strict=True):
        if not len(part.rows):
            raise ModelError("chain_empty", f"{source}: chain {name} has no amino-acid residue with ATOM records", "chains")

    lengths = [len(part.sequence) for part in parts]
    offsets = np.cumsum([0, *lengths[:-1]])
    rows = np.concatenate([part.rows for part in parts])
    residue = np.concatenate([part.position + offset for part, offset in zip(parts, offsets, strict=True)])
    antibody_length = sum(lengths[: len(antibody)])
    is_antigen = residue >= antibody_length
    merged = ["".join(part.sequence[i] for i in np.argsort(part.place)) for part in parts]
    return Complex(
        chain=is_antigen.astype(np.uint8),
        residue_number=(residue + 1 - np.where(is_antigen, antibody_length, 0)).astype(np.int32),
        residue=residue.astype(np.int32),
        residue_name=atoms.residue_name[rows],
        atom_name=atoms.atom_name[rows],
        is_hydrogen=atoms.is_hydrogen[rows],
        xyz=atoms.xyz[rows],
        sequences=("".join(merged[: len(antibody)]), "".join(merged[len(antibody) :])),
        heavy=parts[0].sequence,
        light="" if chains.light is None else parts[1].sequence,
    )


@dataclass(frozen=True)
class _Part:
    """One chain of the input: its ATOM rows and their residues' positions, and its sequence in file order with their places."""

    rows: np.ndarray
    position: np.ndarray
    sequence: str
    place: np.ndarray


def _merged_part(atoms: AtomTable, name: str) -> _Part:
    """A HETATM residue belongs to a chain where it is an amino acid; all else (glycans, ligands, ions) does not."""
    rows = np.flatnonzero(atoms.chain == name.encode())
    _, first, index = np.unique(atoms.residue[rows], return_index=True, return_inverse=True)
    names = [n.decode(errors="replace") for n in atoms.residue_name[rows[first]].tolist()]
    hetatm = atoms.is_hetatm[rows[first]].tolist()
    belongs = np.array([not het or is_amino_acid(n) for n, het in zip(names, hetatm, strict=True)], dtype=bool)
    number = atoms.author_number[rows[first]][belongs]
    place = np.argsort(np.argsort(number)) if len(np.unique(number)) == len(number) else np.arange(len(number))
    sequence = "".join(one_letter(n) for n, inside in zip(names, belongs, strict=True) if inside)

    is_atom = belongs[index] & ~atoms.is_hetatm[rows]
    position = place[(np.cumsum(belongs) - 1)[index[is_atom]]]
    order = np.argsort(position, kind="stable")
    return _Part(rows[is_atom][order], position[order], sequence, place)
