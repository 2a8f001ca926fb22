"""What of an interface is in no graph: modified residues, amino acids as HETATM, atoms under names in no table."""

from collections import Counter

import numpy as np

from ..antibody.complexes import Chains
from ..inputs import AtomTable
from ..structure.dialects import is_dialect
from ..structure.neighbours import INTERFACE_CUTOFF, within_reach
from ..structure.residues import ATOM_TYPES, RESIDUE_TYPES, UNKNOWN, encode, is_amino_acid

#: Bytes of the names in a model's record.
NAMES_WIDTH = 64


def left_out(atoms: AtomTable, chains: Chains) -> Counter[str]:
    """Residues of a complex within 5 Å of the partner that give no nodes, and heavy atoms of others that give none.

    Parameters
    ----------
    atoms : AtomTable
    chains : Chains
        Which of the model's chains are the antibody and the antigen.

    Returns
    -------
    counts : Counter
        Residues by name (``SEP``), where they are amino acids or have N, CA and C; atoms of standard residues by the
        residue's name and theirs (``ILE/CDX``). A C-terminus' OXT, which never is a node, does not count.
    """
    key = "may be left out", chains
    if key not in atoms.findings:
        atoms.findings[key] = _candidates(atoms, chains)
    is_lone, sides = atoms.findings[key]
    counts: Counter[str] = Counter()
    for rows, partner in sides:
        if len(rows) and len(partner):
            near = within_reach(atoms.xyz[rows], atoms.xyz[partner], INTERFACE_CUTOFF)
            counts += _counted(atoms, rows[near], is_lone)
    return counts


def _candidates(atoms: AtomTable, chains: Chains) -> tuple[np.ndarray, list[tuple[np.ndarray, np.ndarray]]]:
    """Whether each atom's residue gives no nodes; of each side the atoms that may be left out, and the partner's."""
    side = np.full(len(atoms.chain), -1)
    side[np.isin(atoms.chain, [name.encode() for name in (chains.heavy, chains.light) if name])] = 0
    side[np.isin(atoms.chain, [name.encode() for name in chains.antigen])] = 1
    is_heavy = ~atoms.is_hydrogen & (side >= 0)
    is_standard = ~atoms.is_hetatm & (encode(atoms.residue_name, RESIDUE_TYPES) != UNKNOWN)
    is_named = encode(atoms.atom_name, ATOM_TYPES) != UNKNOWN
    has_nodes = _of_residues(atoms, is_standard & is_named)
    is_amino = _are_amino_acids(atoms)
    is_lone = ~has_nodes & is_amino
    is_odd = is_standard & has_nodes & ~is_named & (atoms.atom_name != b"OXT")
    is_partner = is_heavy & (~atoms.is_hetatm | is_amino)
    sides = [
        (np.flatnonzero((is_lone | is_odd) & is_heavy & (side == own)), np.flatnonzero(is_partner & (side == other)))
        for own, other in ((0, 1), (1, 0))
    ]
    return is_lone, sides


def names_of(counts: Counter[str]) -> str:
    """What was left out as a text of at most `NAMES_WIDTH` bytes, the most frequent first.

    >>> names_of(Counter({"SEP": 1, "TYS": 2}))
    'TYS:2,SEP:1'
    """
    parts = [f"{name}:{count}" for name, count in sorted(counts.items(), key=lambda item: (-item[1], item[0]))]
    for kept in range(len(parts), -1, -1):
        rest = sum(int(part.rsplit(":", 1)[1]) for part in parts[kept:])
        text = ",".join([*parts[:kept], *([f"others:{rest}"] if rest else [])])
        if len(text.encode()) <= NAMES_WIDTH:
            break
    return text


def _of_residues(atoms: AtomTable, is_one: np.ndarray) -> np.ndarray:
    """For each atom whether any atom of its residue is one of some."""
    return np.bincount(atoms.residue[is_one], minlength=atoms.residue.max(initial=0) + 1)[atoms.residue] > 0


def _are_amino_acids(atoms: AtomTable) -> np.ndarray:
    """For each atom whether its residue is an amino acid by its name, or has the backbone of one."""
    names, index = np.unique(atoms.residue_name, return_inverse=True)
    texts = [name.decode(errors="replace") for name in names.tolist()]
    by_name = np.array([is_amino_acid(name) and not is_dialect(name) for name in texts], dtype=bool)[index]
    has_backbone = [_of_residues(atoms, atoms.atom_name == name) for name in (b"N", b"CA", b"C")]
    return by_name | np.logical_and.reduce(has_backbone)


def _counted(atoms: AtomTable, rows: np.ndarray, is_lone: np.ndarray) -> Counter[str]:
    def named(row: int) -> str:
        residue = atoms.residue_name[row].decode(errors="replace")
        return residue if is_lone[row] else f"{residue}/{atoms.atom_name[row].decode(errors='replace')}"

    _, first = np.unique(atoms.residue[rows], return_index=True)
    lone = [row for row in rows[first].tolist() if is_lone[row]]
    return Counter(named(row) for row in [*lone, *rows[~is_lone[rows]].tolist()])
