"""Directions of edges in the local frames of residues."""

import numpy as np

_EPSILON = 1e-6  # added to a norm before dividing by it, as the model was trained


def backbone_rows(
    residue: np.ndarray, atom_name: np.ndarray, names: tuple[bytes, ...] = (b"N", b"CA", b"C")
) -> np.ndarray:
    """Which atoms are the N, CA and C (or others of a name) of each residue.

    Parameters
    ----------
    residue : ndarray of int, shape=(n,)
        Index of each atom's residue.
    atom_name : ndarray of bytes, shape=(n,)
    names : tuple of bytes

    Returns
    -------
    rows : ndarray of int, shape=(largest residue + 1, len(names))
        The first atom of the name; -1 where there is none.
    """
    rows = np.full((residue.max(initial=-1) + 1, len(names)), -1, dtype=np.intp)
    for column, name in enumerate(names):
        atoms = np.flatnonzero(atom_name == name)[::-1]  # the first of a name is written last
        rows[residue[atoms], column] = atoms
    return rows


def backbone_atoms(rows: np.ndarray, xyz: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Coordinates of N, CA and C of some residues.

    Parameters
    ----------
    rows : ndarray of int, shape=(r, 3)
        `backbone_rows`.
    xyz : ndarray of float, shape=(n, 3)
        Å.
    wanted : ndarray of int, shape=(k,)
        Residue indices.

    Returns
    -------
    backbone : ndarray of float32, shape=(k, 3, 3)
        N, CA, C of each residue in Å, in the precision that the model was trained on; NaN where the atom is missing.
    """
    atoms = rows[wanted]
    backbone = xyz[atoms].astype(np.float32)
    backbone[atoms < 0] = np.nan
    return backbone


def residue_frames(backbone: np.ndarray) -> np.ndarray:
    """Local frames: e1 along C − CA, e2 along what N − CA has perpendicular to it, e3 = e1 × e2.

    Parameters
    ----------
    backbone : ndarray of float, shape=(k, 3, 3)
        N, CA, C in Å.

    Returns
    -------
    frames : ndarray of float64, shape=(k, 3, 3)
        e1, e2, e3 as rows; NaN for a residue with an atom missing.
    """
    n, ca, c = backbone.astype(np.float64).transpose(1, 0, 2)
    e1 = _unit(c - ca)
    along = n - ca
    e2 = _unit(along - np.sum(e1 * along, axis=1, keepdims=True) * e1)
    return np.stack([e1, e2, np.cross(e1, e2)], axis=1)


def edge_orientations(
    backbone: np.ndarray, source: np.ndarray, target: np.ndarray, frames: np.ndarray | None = None
) -> np.ndarray:
    """Unit vectors from the target's CA to the source's CA in the frame of the source's residue.

    Parameters
    ----------
    backbone : ndarray of float, shape=(k, 3, 3)
        N, CA, C of the residues in Å.
    source, target : ndarray of int, shape=(e,)
        Residues (rows of `backbone`) of the edges' two ends.
    frames : ndarray of float64, shape=(k, 3, 3), optional
        `residue_frames` of the residues, where they are known.

    Returns
    -------
    orientation : ndarray of float32, shape=(e, 3)
        Zero where both ends are one residue, or where a frame or a CA is missing.
    """
    ca = backbone[:, 1].astype(np.float64)
    direction = ca[source] - ca[target]
    length = np.linalg.norm(direction, axis=1, keepdims=True)
    direction = np.divide(direction, length, out=np.zeros_like(direction), where=length > 1e-12)
    frames = residue_frames(backbone) if frames is None else frames
    components = np.einsum("eij,ej->ei", frames[source], direction)
    missing = np.isnan(components).any(axis=1) | (source == target)
    return np.where(missing[:, None], 0.0, components).astype(np.float32)


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / (np.linalg.norm(vectors, axis=1, keepdims=True) + _EPSILON)
