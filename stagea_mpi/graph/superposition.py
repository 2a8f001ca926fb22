"""Atoms of two structures laid onto each other."""

import numpy as np


def superposition(fixed: np.ndarray, moving: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The rigid-body move that brings atoms nearest to others: least squares, without a reflection.

    Parameters
    ----------
    fixed, moving : ndarray of float, shape=(n, 3)
        Å; row i of one belongs to row i of the other.

    Returns
    -------
    rotation : ndarray of float64, shape=(3, 3)
    translation : ndarray of float64, shape=(3,)
        Å. `moved(moving, (rotation, translation))` is where the atoms come to lie.

    References
    ----------
    Kabsch, Acta Cryst. A34 (1978) 827, by singular values.
    """
    centre, from_centre = fixed.mean(axis=0), moving.mean(axis=0)
    left, _, right = np.linalg.svd((moving - from_centre).T @ (fixed - centre))
    if np.linalg.det(left @ right) < 0:
        left[:, 2] *= -1.0
    rotation = (left @ right).T
    return rotation, centre - rotation @ from_centre


def moved(xyz: np.ndarray, move: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """Coordinates (Å), shape=(n, 3), after a rotation and then a translation."""
    rotation, translation = move
    return xyz @ rotation.T + translation


def rmsd(one: np.ndarray, other: np.ndarray) -> float:
    """Root mean square distance (Å) of atoms, shape=(n, 3), as they lie."""
    apart = (one - other).ravel()
    return float(np.sqrt(apart @ apart / len(one)))


def superposed_rmsd(fixed: np.ndarray, moving: np.ndarray) -> float:
    """`rmsd` after `superposition`."""
    return rmsd(fixed, moved(moving, superposition(fixed, moving)))
