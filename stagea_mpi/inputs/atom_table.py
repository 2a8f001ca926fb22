"""What all that follows sees of a file: one model's atoms as arrays."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass(frozen=True)
class AtomTable:
    """Atoms of one model in file order, under standard names: one alternative location each.

    Attributes
    ----------
    chain, residue_name, atom_name : ndarray of bytes, shape=(n,)
    residue : ndarray of int32, shape=(n,)
        Index of the atom's residue, counted from 0 through the model.
    author_number : ndarray of int64, shape=(n,)
        The residue's number and insertion code as one integer that sorts as they do.
    is_hetatm, is_hydrogen : ndarray of bool, shape=(n,)
    element : ndarray of bytes, shape=(n,)
        Chemical symbols, such as ``Cl``: the file's, or by the atoms' names where it has none; ``X`` where unknown.
    xyz : ndarray of float64, shape=(n, 3)
        Å, rounded to the three decimals of the PDB format.
    b_factor : ndarray of float32, shape=(n,)
        As the file has it: Å², or what a program writes in its place, such as pLDDT. As gemmi has it where the file has
        none: 20 where a line ends before it or mmCIF has ?, 0 where its columns are blank or missing, NaN for what is
        no number.
    dropped : ndarray of bytes, shape=(d,)
        Chain of each atom that gave way to another location of it (ATOM records only).
    shared_chain : str or None
        The chain identifier that all amino acids have in the file, where their segments are the chains here.
    findings : dict
        What has been found out of all this but the coordinates and B factors, by what it is: tables that differ in
        these alone share it.
    """

    chain: np.ndarray
    residue_name: np.ndarray
    atom_name: np.ndarray
    residue: np.ndarray
    author_number: np.ndarray
    is_hetatm: np.ndarray
    is_hydrogen: np.ndarray
    element: np.ndarray
    xyz: np.ndarray
    b_factor: np.ndarray
    dropped: np.ndarray
    shared_chain: str | None = None
    findings: dict[Any, Any] = field(default_factory=dict, compare=False, repr=False)
