"""What made samples of a predictor are: a structure, random numbers for it, and what is to be found of it."""

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

_CIF_COLUMNS = (
    "group_PDB id type_symbol label_atom_id label_alt_id label_comp_id label_asym_id label_entity_id label_seq_id "
    "pdbx_PDB_ins_code Cartn_x Cartn_y Cartn_z occupancy B_iso_or_equiv auth_seq_id auth_asym_id pdbx_PDB_model_num"
).split()


@dataclass(frozen=True)
class Structure:
    """A complex of proteins as predictors number it: each chain from 1.

    Attributes
    ----------
    lines : list of str
        Its ATOM lines.
    residue : ndarray of int, shape=(n_atoms,)
        The residue (a token) of each atom.
    chains : list of str
        In their order.
    chain : ndarray of str, shape=(n_residues,)
    number : ndarray of int, shape=(n_residues,)
    """

    lines: list[str]
    residue: np.ndarray
    chains: list[str]
    chain: np.ndarray
    number: np.ndarray

    def pdb(self, plddt: np.ndarray) -> bytes:
        """The structure with the residues' pLDDT (0 to 100) as B factors."""
        lines = [f"{line[:60]}{plddt[k]:6.2f}{line[66:]}" for line, k in zip(self.lines, self.residue, strict=True)]
        return ("\n".join(["MODEL     1", *lines, "ENDMDL", "END"]) + "\n").encode()

    def cif(self, plddt: np.ndarray) -> bytes:
        rows = [
            f"ATOM {n} {line[76:78].strip()} {line[12:16].strip()} . {line[17:20]} {line[21]} "
            f"{self.chains.index(line[21]) + 1} {int(line[22:26])} ? {float(line[30:38]):.3f} {float(line[38:46]):.3f} "
            f"{float(line[46:54]):.3f} 1.00 {plddt[k]:.2f} {int(line[22:26])} {line[21]} 1"
            for n, (line, k) in enumerate(zip(self.lines, self.residue, strict=True), 1)
        ]
        head = ["data_made", "#", "loop_", *(f"_atom_site.{name}" for name in _CIF_COLUMNS)]
        return "\n".join([*head, *rows, "#", ""]).encode()


def structure_of(lines: Iterable[str], most: int | None = None) -> Structure:
    """A structure of ATOM lines: of each chain all residues, or only the first so many."""
    kept: list[str] = []
    residue: list[int] = []
    tokens: list[tuple[str, int]] = []
    counts: dict[str, int] = {}
    last = None
    for line in lines:
        chain = line[21]
        if (chain, line[22:27]) != last:
            last = (chain, line[22:27])
            counts[chain] = counts.get(chain, 0) + 1
            tokens.append((chain, counts[chain]))
        if most is None or counts[chain] <= most:
            kept.append(f"{line[:6]}{len(kept) + 1:5d}{line[11:22]}{counts[chain]:4d} {line[27:]}")
            residue.append(len(tokens) - 1)
    ids, at = np.unique(residue, return_inverse=True)
    return Structure(
        kept, at, list(counts), np.array([tokens[k][0] for k in ids]), np.array([tokens[k][1] for k in ids])
    )


@dataclass(frozen=True)
class Made:
    """A model that was made, and what is true of it.

    Attributes
    ----------
    path : str
        Below the folder.
    target, name : str
    seed, sample : int or None
    values : dict of str to float
        As `Scores.values` should be.
    pair_iptm : ndarray or None
    pae : ndarray of float, shape=(n_tokens, n_tokens), or None
        Rows are aligned tokens.
    plddt : ndarray of float, shape=(n_residues,)
    """

    path: str
    target: str
    name: str
    seed: int | None
    sample: int | None
    values: dict[str, float]
    pair_iptm: np.ndarray | None
    pae: np.ndarray | None
    plddt: np.ndarray = field(repr=False)


class Draw:
    """Random numbers of one model."""

    def __init__(self, structure: Structure, *seed: int):
        self._rng = np.random.default_rng(seed)
        n, k = len(structure.chain), len(structure.chains)
        self.plddt = self._rng.uniform(40, 98, n).round(2)
        self.pae = self._rng.uniform(0.8, 31, (n, n)).round(1)
        self.pair_iptm = self._rng.uniform(0.05, 0.95, (k, k)).round(2)
        self.ptm, self.iptm = self.unit(), self.unit()

    def unit(self) -> float:
        """A number from 0 to 1 with two decimals."""
        return round(float(self._rng.uniform(0.05, 0.95)), 2)
