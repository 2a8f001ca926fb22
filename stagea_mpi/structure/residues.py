"""The alphabet of the graphs: residue types, atom types, regions, and what the model was trained to read of each.

All tables are those of DeepRank-Ab 1.0.2 (Apache-2.0, `src/AtomGraph.py`); their order is the order of the one-hot
features.
"""

import functools

import gemmi
import numpy as np

from .dialects import standard_residue

#: Residue types in one-hot order.
RESIDUE_TYPES = ("CYS HIS ASN GLN SER THR TYR TRP ALA PHE GLY ILE VAL MET PRO LEU GLU ASP LYS ARG").split()

#: Hydropathy by residue type, stored as the feature `charge`: Kyte & Doolittle, J. Mol. Biol. 157 (1982) 105-132.
HYDROPATHY = np.array(
    [2.5, -3.2, -3.5, -3.5, -0.8, -0.7, -1.3, -0.9, 1.8, 2.8, -0.4, 4.5, 4.2, 1.9, -1.6, 3.8, -3.5, -3.5, -3.9, -4.5]
)

#: Polarity classes in one-hot order, and the class of each residue type.
POLARITIES = ("apolar", "polar", "negative", "positive")
POLARITY = np.array([1] * 8 + [0] * 8 + [2] * 2 + [3] * 2, dtype=np.uint8)

#: Heavy-atom names in one-hot order; an atom with another name is never a node.
ATOM_TYPES = (
    "N CA C O CB CG CG1 CG2 CD CD1 CD2 CE CE1 CE2 CE3 CZ CZ2 CZ3 CH2 ND1 ND2 NE NE1 NE2 NH1 NH2 NZ OD1 OD2 "
    "OE1 OE2 OG OG1 OH SD SG"
).split()

#: Regions in one-hot order. FR is a label that is never given.
REGIONS = ("FR", "L1", "L2", "L3", "H1", "H2", "H3", "CONST", "AG")
CONST = REGIONS.index("CONST")
ANTIGEN = REGIONS.index("AG")

#: Letters of a name that are compared; those of the tables have three.
_WIDTH = 8

UNKNOWN = 255  #: code of a residue or an atom name that is in no table

#: Water in the PDB, and in AMBER, CHARMM, GROMACS, LAMMPS, Schrödinger and OpenMM by its model.
WATER_NAMES = frozenset(
    "HOH WAT H2O DOD WTR OH2 SOL TIP TIP2 TIP3 TIP4 TIP5 TP3 TP4 TP5 T3P T4P T5P SPC SPCE OPC OPC3".split()
)


def encode(names: np.ndarray, table: list[str] | tuple[str, ...]) -> np.ndarray:
    """Positions of names in a table.

    Parameters
    ----------
    names : ndarray of bytes, shape=(n,)
    table : sequence of str

    Returns
    -------
    codes : ndarray of uint8, shape=(n,)
        `UNKNOWN` for a name that is not in the table.
    """
    known, codes = _as_integers(tuple(table))
    wanted = np.ascontiguousarray(names).astype(f"S{_WIDTH}").view(np.uint64)
    place = np.minimum(np.searchsorted(known, wanted), len(known) - 1)
    return np.where(known[place] == wanted, codes[place], np.uint8(UNKNOWN))


@functools.cache
def _as_integers(table: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray]:
    """A table's names as integers, ascending, with the position of each: strings take ten times as long to compare."""
    integers = np.array(table, dtype=f"S{_WIDTH}").view(np.uint64)
    order = np.argsort(integers)
    return integers[order], order.astype(np.uint8)


@functools.cache
def one_letter(residue_name: str) -> str:
    """The letter of a residue's parent amino acid (MSE is M, PCA is E), X where it has none.

    The parents are gemmi's table of the wwPDB's chemical components, and names of other dialects.
    """
    info = gemmi.find_tabulated_residue(standard_residue(residue_name))
    letter = info.one_letter_code.upper() if info.is_amino_acid() else "X"
    return letter if letter in "ACDEFGHIKLMNPQRSTVWY" else "X"


@functools.cache
def is_amino_acid(residue_name: str) -> bool:
    """Whether the wwPDB's chemical components list the residue, or its parent, as an amino acid."""
    return gemmi.find_tabulated_residue(standard_residue(residue_name)).is_amino_acid()


@functools.cache
def is_water(residue_name: str) -> bool:
    """Whether a residue of this name is a water molecule."""
    return residue_name in WATER_NAMES or gemmi.find_tabulated_residue(residue_name).is_water()
