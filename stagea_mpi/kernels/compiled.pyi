"""The kernels in C. Arrays are contiguous; results go into arrays that the caller has made."""

import numpy as np

def pairs_between(
    xyz_a: np.ndarray, xyz_b: np.ndarray, cutoff: float, pairs: np.ndarray, distance: np.ndarray, /
) -> int: ...
def pairs_within(
    xyz: np.ndarray, label: np.ndarray, cutoff: float, pairs: np.ndarray, distance: np.ndarray, /
) -> int: ...
def within_reach(xyz: np.ndarray, of: np.ndarray, reach: float, inside: np.ndarray, /) -> None: ...
