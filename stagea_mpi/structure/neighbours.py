"""Which atoms are near which."""

from collections.abc import Callable

import numpy as np

from ..kernels import compiled

#: Largest distance (Å, inclusive) of two atoms in contact across an interface.
INTERFACE_CUTOFF = 5.0


def pairs_between(xyz_a: np.ndarray, xyz_b: np.ndarray, cutoff: float) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of atoms of two sets that are within a cutoff.

    Parameters
    ----------
    xyz_a : ndarray of float, shape=(n, 3)
    xyz_b : ndarray of float, shape=(m, 3)
        Coordinates in Å, finite.
    cutoff : float
        Å, inclusive.

    Returns
    -------
    pairs : ndarray of int64, shape=(k, 2)
        Indices into the two sets, in ascending order of the first, then of the second.
    distance : ndarray of float64, shape=(k,)
        Å.
    """
    a, b = _places(xyz_a), _places(xyz_b)
    return _listed(lambda *room: compiled.pairs_between(a, b, cutoff, *room), len(a) + len(b))


def pairs_within(xyz: np.ndarray, label: np.ndarray, cutoff: float) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of atoms of the same label that are closer than a cutoff.

    Parameters
    ----------
    xyz : ndarray of float, shape=(n, 3)
        Å, finite.
    label : ndarray of int, shape=(n,)
    cutoff : float
        Å, exclusive.

    Returns
    -------
    pairs : ndarray of int64, shape=(k, 2)
        The lower index first, in ascending order.
    distance : ndarray of float64, shape=(k,)
        Å.
    """
    places, labels = _places(xyz), np.ascontiguousarray(label, dtype=np.int64)
    return _listed(lambda *room: compiled.pairs_within(places, labels, cutoff, *room), 4 * len(places))


def count_between(xyz_a: np.ndarray, xyz_b: np.ndarray, cutoff: float) -> int:
    """How many pairs of atoms of two sets are within a cutoff.

    Parameters
    ----------
    xyz_a : ndarray of float, shape=(n, 3)
    xyz_b : ndarray of float, shape=(m, 3)
        Å, finite.
    cutoff : float
        Å, inclusive.
    """
    return compiled.count_between(_places(xyz_a), _places(xyz_b), cutoff)


def within_reach(xyz: np.ndarray, of: np.ndarray, reach: float) -> np.ndarray:
    """Which atoms lie within a distance of any of some atoms.

    Parameters
    ----------
    xyz : ndarray of float, shape=(n, 3)
        Å, finite.
    of : ndarray of float, shape=(m, 3)
        Å, finite.
    reach : float
        Å, inclusive.

    Returns
    -------
    inside : ndarray of bool, shape=(n,)
    """
    inside = np.empty(len(xyz), dtype=bool)
    compiled.within_reach(_places(xyz), _places(of), reach, inside)
    return inside


def _places(xyz: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(xyz, dtype=np.float64)


def _listed(fill: Callable[[np.ndarray, np.ndarray], int], guess: int) -> tuple[np.ndarray, np.ndarray]:
    """Pairs and distances of a kernel, which says how many there are; more than was guessed are asked for again."""
    room = guess
    while True:
        pairs, distance = np.empty((room, 2), dtype=np.int64), np.empty(room)
        found = fill(pairs, distance)
        if found <= room:
            return pairs[:found], distance[:found]
        room = found
