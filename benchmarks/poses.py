"""Poses of shipped complexes that are measured, each with the arrays that a model's kernels are given."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from stagea_mpi.antibody.chain_checking import CheckedChains, antibody_regions, check_numbered
from stagea_mpi.antibody.complexes import Chains, Complex, merge_chains
from stagea_mpi.demo.poses import COMPLEXES, POSES_PER_MISS, ShippedComplex, write_poses
from stagea_mpi.errors import ModelError
from stagea_mpi.graph.clustering import cluster_two_depths
from stagea_mpi.graph.interface_graph import GraphArrays, build_graph
from stagea_mpi.inputs import AtomTable, list_models, read_model
from stagea_mpi.inputs.containers import ModelRef
from stagea_mpi.mpi.teams import SerialComm
from stagea_mpi.pipeline.shared_numbering import Numbering

#: Poses of these are measured; the first is a nanobody on one of the four chains that it has in the third.
SUBJECTS = {
    "small": ShippedComplex("7CFN, its nanobody on chain A", "7CFN.cif.gz", "N", "-", ("A",)),
    "usual": COMPLEXES["7DAA"],
    "large": COMPLEXES["7CFN"],
}


@dataclass(frozen=True)
class Model:
    """A model on its whole way, and the arrays that its kernels are given.

    Attributes
    ----------
    ref, chains, checked, atoms, complex_, region, graph
        As in `pipeline.compute_model`.
    clusters : tuple of ndarray
    sides : tuple of ndarray, shape=(n, 3) and (m, 3)
        Coordinates of the two sides, Å.
    nodes : ndarray of int, shape=(k,)
        The graph's nodes, as atoms of the complex.
    heavy : ndarray of int
        The complex's atoms that are not hydrogens.
    pairs : ndarray of int, shape=(e, 2)
        All edges, those across the interface first.
    residues : ndarray of int
        Residues with a node.
    """

    ref: ModelRef
    chains: Chains
    checked: CheckedChains
    atoms: AtomTable
    complex_: Complex
    region: np.ndarray
    graph: GraphArrays
    clusters: tuple[np.ndarray, np.ndarray]
    sides: tuple[np.ndarray, np.ndarray]
    nodes: np.ndarray
    heavy: np.ndarray
    pairs: np.ndarray
    residues: np.ndarray

    @classmethod
    def of(cls, ref: ModelRef, chains: Chains, checked: CheckedChains) -> "Model":
        atoms = read_model(ref)
        complex_ = merge_chains(atoms, chains, ref.name)
        region = antibody_regions(complex_, checked)
        graph = build_graph(complex_, region)
        nodes = graph.serial.astype(np.int64) - 1
        return cls(
            ref, chains, checked, atoms, complex_, region, graph,
            clusters=cluster_two_depths(len(graph), graph.internal.nodes),
            sides=tuple(complex_.xyz[complex_.chain == code] for code in (0, 1)),
            nodes=nodes,
            heavy=np.flatnonzero(~complex_.is_hydrogen),
            pairs=np.concatenate([graph.interface.nodes, graph.internal.nodes]).astype(np.int64),
            residues=np.unique(complex_.residue[nodes]),
        )  # fmt: skip


def poses_of(source: ShippedComplex, count: int, folder: Path) -> list[Model]:
    """So many poses of a complex that have a graph, from their files in a new folder."""
    chains = Chains(source.heavy, None if source.light == "-" else source.light, source.antigen)
    paths = write_poses(folder, source, count + count // (POSES_PER_MISS - 1), 2026)
    refs = [ref for path in paths for ref in list_models(str(path)).models]
    checked = _checked(refs[0], chains)  # all have the same sequences
    models = []
    for ref in refs:
        try:
            models.append(Model.of(ref, chains, checked))
        except ModelError as error:
            if error.reason != "no_interface":
                raise
    return models


def _checked(ref: ModelRef, chains: Chains) -> CheckedChains:
    complex_ = merge_chains(read_model(ref), chains, ref.name)
    numbering = Numbering(SerialComm())
    numbering.number(sequence for sequence in (complex_.heavy, complex_.light, *complex_.antigen) if sequence)
    return check_numbered(chains, complex_.heavy, complex_.light, complex_.antigen, numbering)


Models = Sequence[Model]
