"""Which atoms meet: contacts across the interface, and pairs within a chain."""

import numpy as np

from ..structure.neighbours import INTERFACE_CUTOFF, pairs_between, pairs_within

#: Distance (Å, exclusive) below which two nodes of one chain are joined by an internal edge.
INTERNAL_CUTOFF = 3.0


def interface_contacts(
    xyz_a: np.ndarray, xyz_b: np.ndarray, cutoff: float = INTERFACE_CUTOFF
) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of atoms of two sets that are within a cutoff: `neighbours.pairs_between`."""
    return pairs_between(xyz_a, xyz_b, cutoff)


def internal_pairs(
    xyz: np.ndarray, chain: np.ndarray, cutoff: float = INTERNAL_CUTOFF
) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of atoms of the same chain that are closer than a cutoff: `neighbours.pairs_within`."""
    return pairs_within(xyz, chain, cutoff)
