"""Compares two graph files in DeepRank-Ab's layout, independent of the order of nodes and edges.

An atom is known by its chain, residue number, residue name and atom name, an edge by its two atoms, a cluster by its
members. The serial number of an atom is bookkeeping, not identity.
"""

from pathlib import Path

import h5py
import numpy as np

#: Feature → absolute and relative tolerance.
TOLERANCES = {"voro_area": (1e-4, 1e-6), "bsa": (1e-3, 1e-6), "orientation": (1e-5, 0.0), "pos": (1e-3, 0.0)}
DEFAULT_TOLERANCE = (1e-5, 1e-5)


def differences(ours_path: str | Path, theirs_path: str | Path) -> list[str]:
    """What differs between two graph files, a sentence each.

    Parameters
    ----------
    ours_path, theirs_path : path
        graphs.h5, with clusters where theirs has them.
    """
    with h5py.File(ours_path) as ours, h5py.File(theirs_path) as theirs:
        found = [f"{name}: only ours" for name in sorted(set(ours) - set(theirs))]
        found += [f"{name}: only theirs" for name in sorted(set(theirs) - set(ours))]
        for name in sorted(set(ours) & set(theirs)):
            found += [f"{name}: {difference}" for difference in _model_differences(ours[name], theirs[name])]
    return found


def _model_differences(ours: h5py.Group, theirs: h5py.Group) -> list[str]:
    our_atoms, their_atoms = (_atoms(group["nodes"][()]) for group in (ours, theirs))
    order, found = _matched("nodes", our_atoms, their_atoms)
    if order is None:
        return found
    found += _feature_differences("node_data", ours, theirs, order)
    for index, features in (("edge_index", "edge_data"), ("internal_edge_index", "internal_edge_data")):
        our_edges = [(our_atoms[i], our_atoms[j]) for i, j in ours[index][()]]
        their_edges = [(their_atoms[i], their_atoms[j]) for i, j in theirs[index][()]]
        edge_order, problems = _matched(index, our_edges, their_edges)
        found += problems if edge_order is None else _feature_differences(features, ours, theirs, edge_order)
    return found + _cluster_differences(ours, theirs, our_atoms, their_atoms)


def _atoms(nodes: np.ndarray) -> list[tuple]:
    return [(chain, int(number), residue, atom) for chain, number, residue, _, atom in nodes.tolist()]


def _matched(what: str, ours: list, theirs: list) -> tuple[np.ndarray | None, list[str]]:
    """Where each of theirs stands among ours, or how the two lists differ."""
    only_ours, only_theirs = len(set(ours) - set(theirs)), len(set(theirs) - set(ours))
    if only_ours or only_theirs or len(ours) != len(theirs):
        return None, [f"{what}: {only_ours} only ours, {only_theirs} only theirs, {len(ours)} and {len(theirs)} in all"]
    place = {key: row for row, key in enumerate(ours)}
    return np.array([place[key] for key in theirs], dtype=int), []


def _feature_differences(group: str, ours: h5py.Group, theirs: h5py.Group, order: np.ndarray) -> list[str]:
    found = []
    for name in theirs[group]:
        if name not in ours[group]:
            found.append(f"{group}/{name}: only theirs")
            continue
        a, b = (owner[group][name][()].reshape(len(order), -1) for owner in (ours, theirs))
        if a.shape != b.shape:
            found.append(f"{group}/{name}: {a.shape[1]} columns ours, {b.shape[1]} theirs")
            continue
        different = ~_close(name, a[order], b)
        if different.any():
            found.append(f"{group}/{name}: {different.sum()} of {different.size} values differ")
    return found


def _close(feature: str, ours: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    if theirs.dtype.kind not in "fiu":
        return ours == theirs
    absolute, relative = TOLERANCES.get(feature, DEFAULT_TOLERANCE)
    return np.isclose(ours.astype(float), theirs.astype(float), rtol=relative, atol=absolute, equal_nan=True)


def _cluster_differences(ours: h5py.Group, theirs: h5py.Group, our_atoms: list, their_atoms: list) -> list[str]:
    if "clustering" not in theirs:
        return []
    if "clustering" not in ours:
        return ["clustering: only theirs"]
    for depth, partition in enumerate((_atom_clusters, _cluster_clusters)):
        a, b = partition(ours, our_atoms), partition(theirs, their_atoms)
        if a != b:  # of other clusters there are other clusters: depth 1 would tell nothing new
            return [f"clustering/mcl/depth_{depth}: {len(a)} clusters ours, {len(b)} theirs, {len(a & b)} in common"]
    return []


def _atom_clusters(group: h5py.Group, atoms: list) -> set[frozenset]:
    return set(_members(group["clustering/mcl/depth_0"][()], atoms))


def _cluster_clusters(group: h5py.Group, atoms: list) -> set[frozenset]:
    clusters = _members(group["clustering/mcl/depth_0"][()], atoms)
    return set(_members(group["clustering/mcl/depth_1"][()], clusters))


def _members(labels: np.ndarray, items: list) -> list[frozenset]:
    """Items of each label, in ascending order of the labels."""
    return [frozenset(items[i] for i in np.flatnonzero(labels == label)) for label in np.unique(labels)]
