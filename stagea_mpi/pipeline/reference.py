"""A known complex that models are compared with, and all of it that can be prepared once."""

import hashlib
from dataclasses import dataclass

import numpy as np

from ..antibody.chain_checking import CheckedChains
from ..antibody.complexes import Complex
from ..graph.dockq import BACKBONE, INTERFACE_CUTOFF, residue_contacts
from ..graph.orientation import backbone_rows


@dataclass(frozen=True, eq=False)
class Reference:
    """A known complex, prepared for comparisons. Residues are counted as in `Complex.sequence_place`.

    Attributes
    ----------
    name : str
        For messages.
    key : str
        Differs where another complex would give other numbers.
    heavy, light : str
    antigen : tuple of str
        Sequences in file order.
    domains : CheckedChains
        The numbered domains of heavy and light chain.
    native : ndarray of bool, shape=(antibody's residues, antigen's residues)
        Whether they are in contact.
    n_native : int
        How many are.
    near : ndarray of int64, shape=(k, 2)
        Pairs of residues, the antigen's counted from 0, within `INTERFACE_CUTOFF`.
    backbone : ndarray of float64, shape=(residues, 4, 3)
        CA, C, N, O in Å; NaN where there is none.
    is_antibody_larger : bool
        Whether the antibody has more residues than the antigen: then it is what is superposed for the LRMSD.
    """

    name: str
    key: str
    heavy: str
    light: str
    antigen: tuple[str, ...]
    domains: CheckedChains
    native: np.ndarray
    n_native: int
    near: np.ndarray
    backbone: np.ndarray
    is_antibody_larger: bool

    @classmethod
    def of(cls, complex_: Complex, domains: CheckedChains, name: str) -> "Reference":
        """The reference that a complex is, with the domains of its heavy and light chain."""
        place = complex_.sequence_place[complex_.residue]
        n_antibody = len(complex_.sequences[0])
        antibody, antigen = heavy_atoms(complex_)
        a, b = place[antibody], place[antigen] - n_antibody
        xyz_a, xyz_b = complex_.xyz[antibody], complex_.xyz[antigen]
        native = np.zeros((n_antibody, len(complex_.sequences[1])), dtype=bool)
        native[tuple(residue_contacts(xyz_a, a, xyz_b, b).T)] = True
        rows = backbone_rows_in_file(complex_)
        backbone = complex_.xyz[rows]
        backbone[rows < 0] = np.nan
        identity = hashlib.sha256(repr((complex_.sequences, complex_.heavy, complex_.antigen, domains)).encode())
        for column in (place, complex_.atom_name, complex_.is_hydrogen, complex_.xyz):
            identity.update(np.ascontiguousarray(column).tobytes())
        return cls(
            name,
            identity.hexdigest(),
            complex_.heavy,
            complex_.light,
            complex_.antigen,
            domains,
            native,
            int(native.sum()),
            residue_contacts(xyz_a, a, xyz_b, b, INTERFACE_CUTOFF),
            backbone,
            len(np.unique(a)) > len(np.unique(b)),
        )

    @property
    def problem(self) -> str:
        """Why nothing can be compared with it; empty where it can."""
        if self.n_native:
            return ""
        return f"the reference {self.name} has no contact of antibody and antigen, so no model can be compared with it"


def heavy_atoms(complex_: Complex) -> tuple[np.ndarray, np.ndarray]:
    """Rows of the antibody's and of the antigen's heavy atoms."""
    antibody, antigen = (np.flatnonzero(~complex_.is_hydrogen & (complex_.chain == side)) for side in (0, 1))
    return antibody, antigen


def backbone_rows_in_file(complex_: Complex) -> np.ndarray:
    """Rows of the `BACKBONE` of residues as `Complex.sequence_place` counts them, -1 where there is no atom."""
    found = backbone_rows(complex_.residue, complex_.atom_name, BACKBONE)
    rows = np.full((len(complex_.sequence_place), len(BACKBONE)), -1, dtype=np.intp)
    rows[complex_.sequence_place[: len(found)]] = found
    return rows
