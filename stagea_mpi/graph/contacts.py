"""Which atoms meet: contacts across the interface, pairs within a chain, atoms in reach of others."""

import numpy as np

from ..structure.neighbours import INTERFACE_CUTOFF, atom_tree

#: Distance (Å, exclusive) below which two nodes of one chain are joined by an internal edge.
INTERNAL_CUTOFF = 3.0

_MARGIN = 1e-6  # Å; the trees search a little further than the cutoff, the exact distance then decides


def interface_contacts(
    xyz_a: np.ndarray, xyz_b: np.ndarray, cutoff: float = INTERFACE_CUTOFF
) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of atoms of two sets that are within a cutoff.

    Parameters
    ----------
    xyz_a : ndarray of float, shape=(n, 3)
    xyz_b : ndarray of float, shape=(m, 3)
        Coordinates in Å.
    cutoff : float
        Å, inclusive.

    Returns
    -------
    pairs : ndarray of int, shape=(k, 2)
        Indices into the two sets, in ascending order of the first, then of the second.
    distance : ndarray of float64, shape=(k,)
        Å.
    """
    if not len(xyz_a) or not len(xyz_b):
        return np.zeros((0, 2), dtype=np.intp), np.zeros(0)
    found = atom_tree(xyz_a).sparse_distance_matrix(atom_tree(xyz_b), cutoff + _MARGIN, output_type="ndarray")
    pairs = np.stack([found["i"], found["j"]], axis=1)
    distance = np.linalg.norm(xyz_a[pairs[:, 0]] - xyz_b[pairs[:, 1]], axis=1)
    pairs, distance = pairs[distance <= cutoff], distance[distance <= cutoff]
    order = np.lexsort((pairs[:, 1], pairs[:, 0]))
    return pairs[order], distance[order]


def internal_pairs(
    xyz: np.ndarray, chain: np.ndarray, cutoff: float = INTERNAL_CUTOFF
) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of atoms of the same chain that are closer than a cutoff.

    Parameters
    ----------
    xyz : ndarray of float, shape=(n, 3)
        Å.
    chain : ndarray of int, shape=(n,)
    cutoff : float
        Å, exclusive.

    Returns
    -------
    pairs : ndarray of int, shape=(k, 2)
        The lower index first, in ascending order.
    distance : ndarray of float64, shape=(k,)
        Å.
    """
    pairs = atom_tree(xyz).query_pairs(cutoff + _MARGIN, output_type="ndarray")
    distance = np.linalg.norm(xyz[pairs[:, 0]] - xyz[pairs[:, 1]], axis=1)
    keep = (distance < cutoff) & (chain[pairs[:, 0]] == chain[pairs[:, 1]])
    pairs, distance = pairs[keep], distance[keep]
    order = np.lexsort((pairs[:, 1], pairs[:, 0]))
    return pairs[order], distance[order]


def within_reach(xyz: np.ndarray, of: np.ndarray, reach: float) -> np.ndarray:
    """Which atoms lie within a distance of any of some atoms.

    Parameters
    ----------
    xyz : ndarray of float, shape=(n, 3)
        Å.
    of : ndarray of float, shape=(m, 3)
        Å.
    reach : float
        Å, inclusive.

    Returns
    -------
    inside : ndarray of bool, shape=(n,)
    """
    distance, _ = atom_tree(of).query(xyz, distance_upper_bound=reach + _MARGIN)
    return distance <= reach + _MARGIN
