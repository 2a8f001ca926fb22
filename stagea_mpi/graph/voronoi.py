"""Contact areas of atoms in the Voronoi diagram of spheres (Olechnovič & Venclovas, J. Comput. Chem. 35 (2014) 672),
with the numbers of Voronota, with which the model was trained. docs/kernels.md tells what such an area is.
"""

import numpy as np

from ..kernels import compiled
from ..structure.neighbours import within_reach

#: Å; two radii of at most 1.8 and two probes of 1.4 are 6.4.
_REACH = 6.5
#: van der Waals radii in Å by the atom name's first letter, and of all others: Voronota's own.
_RADII = {b"C": 1.70, b"N": 1.55, b"O": 1.52, b"S": 1.80, b"P": 1.80}
_DEFAULT_RADIUS = 1.70


def contact_areas(atom_name: np.ndarray, xyz: np.ndarray, nodes: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    """Contact areas of pairs of atoms.

    Parameters
    ----------
    atom_name : ndarray of bytes, shape=(n,)
    xyz : ndarray of float64, shape=(n, 3)
        Heavy atoms of the whole complex, Å.
    nodes : ndarray of int, shape=(k,)
        The atoms that occur in pairs.
    pairs : ndarray of int, shape=(e, 2)
        Pairs of nodes, as indices into `nodes`.

    Returns
    -------
    area : ndarray of float64, shape=(e,)
        Å², 0 where the two atoms do not touch.
    """
    # Areas depend, in the fourth digit, on the order of the atoms: it must be that of the file. An area is set by the
    # atoms in reach of both partners, so only those near the wanted ones are handed over.
    atoms = np.flatnonzero(within_reach(xyz, xyz[nodes], _REACH))
    wanted = np.searchsorted(atoms, nodes)[pairs].reshape(-1, 2)
    order = np.argsort(wanted.min(axis=1, initial=len(atoms)), kind="stable")  # one atom's pairs one after the other
    area = np.empty(len(wanted))
    compiled.contact_areas(xyz[atoms], radii_of(atom_name[atoms]), wanted[order], area)
    found = np.empty_like(area)
    found[order] = area
    return found


def radii_of(atom_name: np.ndarray) -> np.ndarray:
    """Voronota's radii (Å) of atoms with names (bytes), shape=(n,)."""
    letters = atom_name.astype("S1")
    radii = np.full(len(letters), _DEFAULT_RADIUS)
    for letter, radius in _RADII.items():
        radii[letters == letter] = radius
    return radii
