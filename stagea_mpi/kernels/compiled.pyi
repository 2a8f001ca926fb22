"""The kernels in C. Arrays are contiguous; results go into arrays that the caller has made."""

import numpy as np

def contact_areas(xyz: np.ndarray, radii: np.ndarray, pairs: np.ndarray, area: np.ndarray, /) -> None: ...
def count_between(xyz_a: np.ndarray, xyz_b: np.ndarray, cutoff: float, /) -> int: ...
def json_key(text: bytes | memoryview, key: bytes, start: int, /) -> int: ...
def json_matrix_blocks(
    text: bytes | memoryview,
    start: int,
    is_whole: bool,
    row: int,
    n: int,
    first: np.ndarray,
    second: np.ndarray,
    forward: np.ndarray,
    backward: np.ndarray,
    /,
) -> tuple[int, int]: ...
def lee_richards(
    xyz: np.ndarray, radii: np.ndarray, of: np.ndarray, probe: float, n_slices: int, area: np.ndarray, /
) -> None: ...
def markov_clusters(edges: np.ndarray, labels: np.ndarray, /) -> None: ...
def pairs_between(
    xyz_a: np.ndarray, xyz_b: np.ndarray, cutoff: float, pairs: np.ndarray, distance: np.ndarray, /
) -> int: ...
def pairs_within(
    xyz: np.ndarray, label: np.ndarray, cutoff: float, pairs: np.ndarray, distance: np.ndarray, /
) -> int: ...
def within_reach(xyz: np.ndarray, of: np.ndarray, reach: float, inside: np.ndarray, /) -> None: ...
