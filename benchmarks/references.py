"""The programs whose numbers the kernels give, called as stagea_mpi called them before it had kernels of its own.

Only atoms in reach of the wanted ones are handed over, and to Voronota those around as mock solvent, between which it
constructs nothing: the comparison is with the cheapest known use of each program, not with the most obvious one.
"""

import functools
import re
import shutil
import subprocess

import freesasa
import numpy as np
from scipy.sparse import csc_array
from scipy.spatial import cKDTree

from stagea_mpi.antibody.complexes import Complex
from stagea_mpi.graph.voronoi import radii_of

_CONTACT = re.compile(rb"^c<A>r<1>a<(\d+)>R<X>A<X> c<A>r<1>a<(\d+)>R<X>A<X> ([0-9.e+-]+) ", re.MULTILINE)
#: Å; the trees search a little further than a cutoff, and the distance decides.
_MARGIN = 1e-6

freesasa.setVerbosity(freesasa.nowarnings)


def contacts(xyz_a: np.ndarray, xyz_b: np.ndarray, cutoff: float) -> tuple[np.ndarray, np.ndarray]:
    """Pairs and distances by SciPy's trees; arguments and results as of `structure.neighbours.pairs_between`."""
    found = cKDTree(xyz_a).sparse_distance_matrix(cKDTree(xyz_b), cutoff + _MARGIN, output_type="ndarray")
    pairs = np.stack([found["i"], found["j"]], axis=1)
    distance = np.linalg.norm(xyz_a[pairs[:, 0]] - xyz_b[pairs[:, 1]], axis=1)
    return _ascending(pairs, distance, distance <= cutoff)


def internal_pairs(xyz: np.ndarray, chain: np.ndarray, cutoff: float) -> tuple[np.ndarray, np.ndarray]:
    """Pairs and distances by SciPy's tree; arguments and results as of `structure.neighbours.pairs_within`."""
    pairs = cKDTree(xyz).query_pairs(cutoff + _MARGIN, output_type="ndarray")
    distance = np.linalg.norm(xyz[pairs[:, 0]] - xyz[pairs[:, 1]], axis=1)
    return _ascending(pairs, distance, (distance < cutoff) & (chain[pairs[:, 0]] == chain[pairs[:, 1]]))


def _ascending(pairs: np.ndarray, distance: np.ndarray, keep: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    pairs, distance = pairs[keep], distance[keep]
    order = np.lexsort((pairs[:, 1], pairs[:, 0]))
    return pairs[order], distance[order]


def has_voronota() -> bool:
    return shutil.which("voronota") is not None


def contact_areas(atom_name: np.ndarray, xyz: np.ndarray, nodes: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    """Contact areas (Å²) by ``voronota calculate-contacts``; arguments as of `graph.voronoi.contact_areas`."""
    atoms = np.flatnonzero(_in_reach(xyz, xyz[nodes], 6.5))
    balls = [
        f"c<A>a<{i}>r<1>R<X>A<X> {x:.3f} {y:.3f} {z:.3f} {radius:.2f} . .\n"
        if wanted
        else f"c<w>a<{i}>r<1>R<w>A<w> {x:.3f} {y:.3f} {z:.3f} {radius:.2f} . .\n"
        for i, (wanted, (x, y, z), radius) in enumerate(
            zip(np.isin(atoms, nodes).tolist(), xyz[atoms].tolist(), radii_of(atom_name[atoms]).tolist(), strict=True)
        )
    ]
    command = ["voronota", "calculate-contacts", "--annotated"]
    output = subprocess.run(command, input="".join(balls).encode(), capture_output=True, check=True).stdout
    rows = np.array(_CONTACT.findall(output), dtype="S24").astype(np.float64).reshape(-1, 3)
    keys = _keys(rows[:, :2].astype(np.int64), len(atoms))
    order = np.argsort(keys)
    keys, area = np.append(keys[order], len(atoms) ** 2), np.append(rows[order, 2], 0.0)
    wanted_keys = _keys(np.searchsorted(atoms, nodes)[pairs], len(atoms))
    place = np.searchsorted(keys, wanted_keys)
    return np.where(keys[place] == wanted_keys, area[place], 0.0)


def _keys(pairs: np.ndarray, n: int) -> np.ndarray:
    return pairs.min(axis=1) * n + pairs.max(axis=1)


def _in_reach(xyz: np.ndarray, of: np.ndarray, reach: float) -> np.ndarray:
    return np.isfinite(cKDTree(of).query(xyz, distance_upper_bound=reach)[0])


def buried_areas(complex_: Complex, wanted: np.ndarray) -> np.ndarray:
    """Buried areas (Å²) of residues by three calls of `freesasa.calcCoord`: the complex, and each side alone."""
    is_wanted = np.isin(complex_.residue, wanted)
    near = _in_reach(complex_.xyz, complex_.xyz[is_wanted], 7.0)
    first_letter = complex_.atom_name.astype("S1")

    def area_by_residue(atoms: np.ndarray, names: np.ndarray) -> np.ndarray:
        pairs = zip(complex_.residue_name[atoms].tolist(), names[atoms].tolist(), strict=True)
        result = freesasa.calcCoord(complex_.xyz[atoms].ravel().tolist(), [_radius(*pair) for pair in pairs])
        of = np.flatnonzero(is_wanted[atoms])
        rows = np.searchsorted(wanted, complex_.residue[atoms[of]])
        return np.bincount(rows, weights=[result.atomArea(i) for i in of.tolist()], minlength=len(wanted))

    buried = -area_by_residue(np.flatnonzero(near & ~complex_.is_hydrogen), complex_.atom_name)
    for code in (0, 1):
        alone = np.flatnonzero(near & (complex_.chain == code))
        if len(alone):
            buried += area_by_residue(alone, first_letter)
    return buried


@functools.cache
def _radius(residue_name: bytes, atom_name: bytes) -> float:
    structure = freesasa.Structure()
    structure.addAtom(f" {atom_name.decode()}"[:4], residue_name.decode(), "1", "A", 0.0, 0.0, 0.0)
    return structure.radius(0)


def two_depths(n_nodes: int, edges: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Clusters and clusters of clusters, as `graph.clustering.cluster_two_depths`, by SciPy's sparse matrices."""
    depth_0 = markov_clusters(n_nodes, edges)
    present, pooled = np.unique(depth_0, return_inverse=True)
    between = np.sort(pooled[edges], axis=1)
    return depth_0, markov_clusters(len(present), np.unique(between[between[:, 0] != between[:, 1]], axis=0))


def markov_clusters(n_nodes: int, edges: np.ndarray) -> np.ndarray:
    """Labels by the arithmetic of markov_clustering 0.0.6, with its defaults."""
    nodes = np.arange(n_nodes)
    rows, columns = np.concatenate([edges, edges[:, ::-1], np.stack([nodes, nodes], axis=1)]).T
    matrix = _normalised(csc_array((np.ones(len(rows)), (rows, columns)), shape=(n_nodes, n_nodes)))
    for _ in range(100):
        last, matrix = matrix, matrix @ matrix
        matrix.sort_indices()
        matrix.data **= 2
        matrix = _pruned(_normalised(matrix))
        if np.all((abs(matrix - last) - 1e-5 * abs(last)).data <= 1e-8):
            break
    by_row = matrix.tocsr()
    by_row.sort_indices()
    attractors = np.flatnonzero(matrix.diagonal())
    clusters = {tuple(by_row.indices[by_row.indptr[a] : by_row.indptr[a + 1]].tolist()) for a in attractors.tolist()}
    labels = np.zeros(n_nodes, dtype=np.int32)
    for label, members in enumerate(sorted(clusters)):
        labels[list(members)] = label
    return labels


def _column_of_entries(matrix: csc_array) -> np.ndarray:
    return np.repeat(np.arange(matrix.shape[1]), np.diff(matrix.indptr))


def _normalised(matrix: csc_array) -> csc_array:
    column = _column_of_entries(matrix)
    matrix.data /= np.bincount(column, weights=matrix.data, minlength=matrix.shape[1])[column]
    return matrix


def _pruned(matrix: csc_array) -> csc_array:
    """Without the entries below a thousandth; a column keeps its largest, the first of equals."""
    column = _column_of_entries(matrix)
    keep = matrix.data >= 0.001
    for j in np.setdiff1d(column, column[keep]).tolist():
        keep[matrix.indptr[j] + np.argmax(matrix.data[matrix.indptr[j] : matrix.indptr[j + 1]])] = True
    ends = np.concatenate([[0], np.cumsum(np.bincount(column[keep], minlength=matrix.shape[1]))])
    return csc_array((matrix.data[keep], matrix.indices[keep], ends), shape=matrix.shape)
