"""Trees of atoms by their places, which tell what is near what.

scipy.spatial takes longer to load than all else that a rank needs to start, and a rank whose models are computed in a
process beside it needs no tree: it is loaded with the first one.
"""

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from scipy.spatial import cKDTree

#: Largest distance (Å, inclusive) of two atoms in contact across an interface.
INTERFACE_CUTOFF = 5.0


def atom_tree(xyz: np.ndarray) -> "cKDTree":
    """A tree of some atoms.

    Parameters
    ----------
    xyz : ndarray of float, shape=(n, 3)
        Å.

    Returns
    -------
    tree : scipy.spatial.cKDTree
    """
    from scipy.spatial import cKDTree

    return cKDTree(xyz)
