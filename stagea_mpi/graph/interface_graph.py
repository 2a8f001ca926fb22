"""The interface graph of one complex: nodes are atoms in contact, edges the contacts and the bonds among them."""

from dataclasses import dataclass, field, fields, replace
from typing import Self

import numpy as np

from ..antibody.complexes import Complex
from ..errors import ModelError
from ..structure.residues import ANTIGEN, ATOM_TYPES, RESIDUE_TYPES, UNKNOWN, encode
from .burial import buried_areas
from .clustering import cluster_two_depths
from .contacts import interface_contacts, internal_pairs
from .features import EDGE_FEATURES, NODE_FEATURES, EdgeFeatures, EdgeInputs, NodeFeatures, NodeInputs, computed
from .timing import StageClock
from .voronoi import contact_areas

#: Labels of depth 0 (of nodes) and of depth 1 (of depth-0 clusters), as `clustering.cluster_two_depths` gives them.
Clusters = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True, eq=False, repr=False)
class Edges(EdgeFeatures):
    """Undirected edges with their features: `features.EdgeFeatures` has a row for each. Equal are those with equal
    arrays; as these may change, there is no hash.
    """

    def __len__(self) -> int:
        return len(self.nodes)

    def __repr__(self) -> str:
        return f"Edges({len(self)})"

    def __eq__(self, other: object) -> bool:
        return _have_equal_arrays(Edges, self, other) if isinstance(other, Edges) else NotImplemented


@dataclass(frozen=True, eq=False, repr=False)
class GraphArrays(NodeFeatures):
    """Nodes and edges of one model's interface. Equal are graphs with equal arrays; there is no hash.

    Attributes
    ----------
    chain, residue_number, … : ndarray, shape=(n, …)
        Features of the nodes: `features.NodeFeatures` has a row for each.
    interface, internal : Edges
        Contacts across the interface (antibody's node first), and pairs within one chain.
    name : str
        The model's, where it is known; says nothing of the graph, so that graphs of two names may be equal.
    clusters : tuple of ndarray, or None
        Labels of depth 0, int32, shape=(n,), and of depth 1, int32, shape=(number of depth-0 clusters,), once the graph
        has been clustered. They follow from the edges and are not compared either.
    b_factor : ndarray of float32, shape=(n,), or None
        B factor of each node as its file has it (Å²; of predicted models the pLDDT, 0 to 100), where it was kept. It
        says nothing of the interface and is not compared either.
    """

    interface: Edges
    internal: Edges
    name: str = ""
    clusters: Clusters | None = None
    b_factor: np.ndarray | None = field(default=None, compare=False)

    def __len__(self) -> int:
        return len(self.chain)

    def __repr__(self) -> str:
        sizes = f"{len(self)} nodes, {len(self.interface)} interface edges, {len(self.internal)} internal edges"
        return f"{type(self).__name__}({repr(self.name) + ': ' if self.name else ''}{sizes})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, GraphArrays):
            return NotImplemented
        return (
            _have_equal_arrays(GraphArrays, self, other)
            and self.interface == other.interface
            and self.internal == other.internal
        )

    def cluster(self) -> Self:
        """The same graph with clusters: Markov clusters of the internal edges, and clusters of these."""
        return replace(self, clusters=cluster_two_depths(len(self), self.internal.nodes))

    @property
    def nbytes(self) -> int:
        """Bytes of all its arrays."""
        arrays = [value for part in (self, self.interface, self.internal) for value in vars(part).values()]
        return sum(array.nbytes for array in arrays if isinstance(array, np.ndarray))


def _have_equal_arrays(kind: type, one: object, other: object) -> bool:
    """Whether two objects have equal values in the fields of a dataclass that are arrays; NaN equals NaN."""
    pairs = [(getattr(one, f.name), getattr(other, f.name)) for f in fields(kind) if f.compare]
    return all(np.array_equal(a, b, equal_nan=True) for a, b in pairs if isinstance(a, np.ndarray))


def build_graph(
    complex_: Complex, region: np.ndarray, imgt: np.ndarray | None = None, clock: StageClock | None = None
) -> GraphArrays:
    """The interface graph of a complex.

    Parameters
    ----------
    complex_ : Complex
    region : ndarray of uint8, shape=(length of chain A's sequence,)
        Region of each residue of chain A (`numbering.regions`).
    imgt : ndarray of int32, shape=(length of chain A's sequence,), optional
        IMGT number of each of these residues (`chain_checking.antibody_imgt`); without them the nodes' are 0.
    clock : StageClock, optional
        Books the seconds of each stage.

    Raises
    ------
    ModelError
        ``no_interface`` or ``bad_coordinates``.
    """
    clock = clock or StageClock()
    residue_type = encode(complex_.residue_name, RESIDUE_TYPES)
    atom_type = encode(complex_.atom_name, ATOM_TYPES)
    atoms, contacts, distance = _nodes(complex_, (residue_type != UNKNOWN) & (atom_type != UNKNOWN))
    chain, xyz = complex_.chain[atoms], complex_.xyz[atoms]
    bonded, bonded_distance = internal_pairs(xyz, chain)
    _refuse_overlaps(complex_, atoms, contacts, distance)
    _refuse_overlaps(complex_, atoms, bonded, bonded_distance)
    clock.lap("contacts")
    areas = _voronoi_areas(complex_, atoms, np.concatenate([contacts, bonded]))
    clock.lap("voronoi")
    residues, residue_row = np.unique(complex_.residue[atoms], return_inverse=True)
    bsa = buried_areas(
        complex_.chain,
        complex_.residue,
        complex_.residue_name,
        complex_.atom_name,
        complex_.is_hydrogen,
        complex_.xyz,
        residues,
    )
    clock.lap("burial")
    n_antibody, n_antigen = map(len, complex_.sequences)
    nodes = NodeInputs(
        complex_,
        atoms,
        residue_type[atoms],
        atom_type[atoms],
        residues,
        residue_row,
        np.append(region, np.full(n_antigen, ANTIGEN, dtype=np.uint8)),
        np.append(np.zeros(n_antibody, np.int32) if imgt is None else imgt, np.zeros(n_antigen, np.int32)),
        bsa,
    )
    n = len(contacts)
    graph = GraphArrays(
        **computed(NODE_FEATURES, nodes),
        interface=Edges(**computed(EDGE_FEATURES, EdgeInputs(nodes, contacts, distance, areas[:n], False))),
        internal=Edges(**computed(EDGE_FEATURES, EdgeInputs(nodes, bonded, bonded_distance, areas[n:], True))),
    )
    clock.lap("edges")
    return graph


def _nodes(complex_: Complex, is_candidate: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Atoms in contact, in node order, and their contacts as pairs of nodes with distances (Å).

    Node order: chain A's atoms in file order, each followed by those of its partners in chain B that no earlier one has
    brought. (MCL breaks ties by it.)
    """
    side_a, side_b = (np.flatnonzero(is_candidate & (complex_.chain == code)) for code in (0, 1))
    pairs, distance = interface_contacts(complex_.xyz[side_a], complex_.xyz[side_b])
    if not len(pairs):
        raise ModelError("no_interface", "no antibody atom is within 5.0 Å of an antigen atom", "graph")
    a, first_of_a = np.unique(pairs[:, 0], return_index=True)
    b, first_of_b = np.unique(pairs[:, 1], return_index=True)
    # Row k of the sorted pairs brings its A atom at place 2k and its B atom at 2k + 1, each at its first row.
    order = np.argsort(np.concatenate([2 * first_of_a, 2 * first_of_b + 1]))
    atoms = np.concatenate([side_a[a], side_b[b]])[order]
    node_of = np.empty(len(complex_.chain), dtype=np.intp)
    node_of[atoms] = np.arange(len(atoms))
    contacts = np.stack([node_of[side_a[pairs[:, 0]]], node_of[side_b[pairs[:, 1]]]], axis=1)
    return atoms, contacts, distance


def _refuse_overlaps(complex_: Complex, atoms: np.ndarray, pairs: np.ndarray, distance: np.ndarray) -> None:
    if len(distance) and distance.min() == 0.0:
        first, second = (_describe(complex_, atom) for atom in atoms[pairs[np.argmin(distance)]])
        raise ModelError("bad_coordinates", f"atoms {first} and {second} have the same coordinates", "graph")


def _describe(complex_: Complex, atom: int) -> str:
    residue = f"{complex_.residue_name[atom].decode()} {complex_.residue_number[atom]}"
    return f"{complex_.atom_name[atom].decode()} of {residue} in merged chain {'AB'[complex_.chain[atom]]}"


def _voronoi_areas(complex_: Complex, atoms: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    heavy = np.flatnonzero(~complex_.is_hydrogen)
    return contact_areas(complex_.atom_name[heavy], complex_.xyz[heavy], np.searchsorted(heavy, atoms), pairs)
