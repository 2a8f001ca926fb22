"""All features of nodes and of edges: one row each, which whatever stores, shows, checks or describes them reads.

A row is a field of `NodeFeatures` or `EdgeFeatures`: its name is the array's in a graph and the column's in packed.h5,
and `Feature` says what stands in it beside the name. Kernels take arrays and know nothing of this table.
"""

import functools
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated, Any

import numpy as np

from ..antibody.complexes import Complex
from ..structure.residue_numbers import author_texts, imgt_texts
from ..structure.residues import ATOM_TYPES, HYDROPATHY, POLARITIES, POLARITY, REGIONS, RESIDUE_TYPES
from .forcefield import COVALENT_CUTOFF, AtomParameters, atom_parameters, pair_energies
from .orientation import backbone_atoms, backbone_rows, edge_orientations, residue_frames

#: Arrays under the names of their features: of one graph, or columns of several behind each other.
Columns = Mapping[str, np.ndarray]


@dataclass(frozen=True, repr=False)
class Feature:
    """What is said of a feature.

    Attributes
    ----------
    dtype : str
        NumPy's, in a graph and in packed.h5.
    row : tuple of int
        Shape of one node's or one edge's value. An edge's of shape (2, …) is one for each direction.
    unit : str
        Empty without one.
    meaning : str
    of : callable
        The values, by its kernel, from `NodeInputs` or `EdgeInputs`.
    on_internal : bool
        Whether internal edges have it. Where they have not, its kernel gives 0 there, and packed.h5 has no column.
    deeprank : dict of str to callable
        Names in graphs.h5 (DeepRank-Ab's own), and how the values there come from those here, row by row: several
        graphs' rows are given behind each other.
    codes : sequence of str
        What the values are positions in.
    columns : tuple of str or None
        Headings in tables of nodes and edges, one for each number of a row; None: the feature's own name where it is
        one number.
    text : callable or None
        How tables write a number.
    since : int
        Version of packed.h5's schema that has brought it.
    name : str
    """

    dtype: str
    row: tuple[int, ...]
    unit: str
    meaning: str
    of: Callable[[Any], np.ndarray]
    on_internal: bool = True
    deeprank: Mapping[str, Callable[[np.ndarray], np.ndarray]] = field(default_factory=dict)
    codes: Sequence[str] = ()
    columns: tuple[str, ...] | None = None
    text: Callable[[np.ndarray], np.ndarray] | None = None
    since: int = 2
    name: str = ""

    def __repr__(self) -> str:
        return f"{np.dtype(self.dtype).name}, {self.meaning}{f' ({self.unit})' if self.unit else ''}"

    @property
    def headings(self) -> tuple[str, ...]:
        """Headings in tables."""
        if self.columns is not None:
            return self.columns
        return () if self.row else (self.name,)


@dataclass(frozen=True)
class NodeInputs:
    """What features of nodes are made of.

    Attributes
    ----------
    complex_ : Complex
    atoms : ndarray of int, shape=(n,)
        The nodes, as atoms of the complex.
    residue_type, atom_type : ndarray of uint8, shape=(n,)
    residues : ndarray of int, shape=(k,)
        Residues of the complex with a node, ascending.
    residue_row : ndarray of int, shape=(n,)
        Where each node's residue is in `residues`.
    region : ndarray of uint8, shape=(all residues of the complex,)
    imgt : ndarray of int32, shape=(all residues of the complex,)
        IMGT numbers (`residue_numbers.encode_number`).
    bsa : ndarray of float64, shape=(k,)
        Buried areas, Å².
    """

    complex_: Complex
    atoms: np.ndarray
    residue_type: np.ndarray
    atom_type: np.ndarray
    residues: np.ndarray
    residue_row: np.ndarray
    region: np.ndarray
    imgt: np.ndarray
    bsa: np.ndarray

    @functools.cached_property
    def parameters(self) -> AtomParameters:
        """Of the force field, shape=(n,)."""
        complex_ = self.complex_
        known = complex_.findings.setdefault("parameters", {})
        return atom_parameters(complex_.residue, complex_.residue_name, complex_.atom_name, self.atoms, known)

    @functools.cached_property
    def backbone(self) -> np.ndarray:
        """N, CA and C of each of `residues`, Å, shape=(k, 3, 3)."""
        complex_ = self.complex_
        if "backbone" not in complex_.findings:
            complex_.findings["backbone"] = backbone_rows(complex_.residue, complex_.atom_name)
        return backbone_atoms(complex_.findings["backbone"], complex_.xyz, self.residues)

    @functools.cached_property
    def frames(self) -> np.ndarray:
        """The local frame of each of `residues`, shape=(k, 3, 3)."""
        return residue_frames(self.backbone)


@dataclass(frozen=True)
class EdgeInputs:
    """What features of edges are made of, of those across the interface or of the internal ones.

    Attributes
    ----------
    nodes : NodeInputs
    pairs : ndarray of int, shape=(e, 2)
        The two nodes of each edge.
    distance : ndarray of float64, shape=(e,)
        Å.
    voro_area : ndarray of float64, shape=(e,)
        Å².
    is_internal : bool
    """

    nodes: NodeInputs
    pairs: np.ndarray
    distance: np.ndarray
    voro_area: np.ndarray
    is_internal: bool

    @functools.cached_property
    def energies(self) -> tuple[np.ndarray, np.ndarray]:
        """Coulomb and Lennard-Jones energies, kcal/mol, each of shape=(e,)."""
        return pair_energies(self.nodes.parameters, self.pairs, self.distance, self.is_internal)

    @property
    def orientations(self) -> np.ndarray:
        """Of first → second and of second → first, shape=(e, 2, 3)."""
        rows = self.nodes.residue_row[self.pairs]
        found = edge_orientations(self.nodes.backbone, rows.ravel(), rows[:, ::-1].ravel(), self.nodes.frames)
        return found.reshape(-1, 2, 3)


def doubles(values: np.ndarray) -> np.ndarray:
    """As graphs.h5 has most numbers."""
    return values.astype(np.float64)


def fitting(numbers: np.ndarray) -> np.ndarray:
    """Integers as int32, 0 for one that does not fit."""
    return np.where(np.abs(numbers) < 2**31, numbers, 0).astype(np.int32)


def one_hot(width: int) -> Callable[[np.ndarray], np.ndarray]:
    """As graphs.h5 has codes."""
    return lambda codes: np.eye(width, dtype=np.float32)[codes]


@dataclass(frozen=True, eq=False, repr=False)
class NodeFeatures:
    """The table of features of nodes, in the order of packed.h5."""

    chain: Annotated[np.ndarray, Feature(
        "u1", (), "", "0 antibody, 1 antigen", lambda nodes: nodes.complex_.chain[nodes.atoms],
        deeprank={"chain": lambda codes: codes.astype(np.int64)}, codes=("antibody", "antigen"), columns=("side",),
    )]  # fmt: skip
    residue_number: Annotated[np.ndarray, Feature(
        "i4", (), "", "number in the merged chain, from 1", lambda nodes: nodes.complex_.residue_number[nodes.atoms],
    )]  # fmt: skip
    residue_type: Annotated[np.ndarray, Feature(
        "u1", (), "", "position in residues.RESIDUE_TYPES", lambda nodes: nodes.residue_type,
        deeprank={
            "res_type": one_hot(len(RESIDUE_TYPES)),
            "charge": lambda codes: HYDROPATHY[codes],
            "polarity": lambda codes: one_hot(len(POLARITIES))(POLARITY[codes]),
        },
        codes=RESIDUE_TYPES, columns=("residue",),
    )]  # fmt: skip
    atom_type: Annotated[np.ndarray, Feature(
        "u1", (), "", "position in residues.ATOM_TYPES", lambda nodes: nodes.atom_type,
        deeprank={"atom_type": one_hot(len(ATOM_TYPES))}, codes=ATOM_TYPES, columns=("atom",),
    )]  # fmt: skip
    region: Annotated[np.ndarray, Feature(
        "u1", (), "", "position in residues.REGIONS", lambda nodes: nodes.region[nodes.complex_.residue[nodes.atoms]],
        deeprank={"region": one_hot(len(REGIONS))}, codes=REGIONS,
    )]  # fmt: skip
    serial: Annotated[np.ndarray, Feature(
        "i4", (), "", "number of the atom in the merged complex, from 1", lambda nodes: nodes.atoms + 1, columns=(),
    )]  # fmt: skip
    position: Annotated[np.ndarray, Feature(
        "f4", (3,), "Å", "coordinates", lambda nodes: nodes.complex_.xyz[nodes.atoms],
        deeprank={"pos": lambda xyz: np.round(doubles(xyz), 3)}, columns=("x", "y", "z"),
    )]  # fmt: skip
    bsa: Annotated[np.ndarray, Feature(
        "f4", (), "Å²", "buried surface area of the atom's residue", lambda nodes: nodes.bsa[nodes.residue_row],
        deeprank={"bsa": lambda areas: doubles(areas)[:, None]},
    )]  # fmt: skip
    input_chain: Annotated[np.ndarray, Feature(
        "u2", (), "", "chain of the input: position in model/input_chains",
        lambda nodes: nodes.complex_.input_chain[nodes.atoms], columns=(), since=3,
    )]  # fmt: skip
    author_number: Annotated[np.ndarray, Feature(
        "i4", (), "", "number in the input · 256 + code of the insertion letter, a blank's without one; 0 if too large",
        lambda nodes: fitting(nodes.complex_.author_number[nodes.atoms]), columns=("number",), text=author_texts,
        since=3,
    )]  # fmt: skip
    imgt_number: Annotated[np.ndarray, Feature(
        "i4", (), "", "IMGT number of a labelled domain's residue · 256 + code of the letter, likewise; else 0",
        lambda nodes: nodes.imgt[nodes.complex_.residue[nodes.atoms]], columns=("imgt",), text=imgt_texts, since=3,
    )]  # fmt: skip


@dataclass(frozen=True, eq=False, repr=False)
class EdgeFeatures:
    """The table of features of edges, in the order of packed.h5. Each undirected edge stands once."""

    nodes: Annotated[np.ndarray, Feature(
        "i4", (2,), "", "the edge's nodes, counted within the graph; the antibody's, or the lower, first",
        lambda edges: edges.pairs,
    )]  # fmt: skip
    dist: Annotated[np.ndarray, Feature(
        "f4", (), "Å", "distance", lambda edges: edges.distance,
        deeprank={"dist": doubles, "covalent": lambda dist: doubles(doubles(dist) < COVALENT_CUTOFF)},
    )]  # fmt: skip
    elec: Annotated[np.ndarray, Feature(
        "f4", (), "kcal/mol", "Coulomb energy", lambda edges: edges.energies[0],
        on_internal=False, deeprank={"elec": doubles},
    )]  # fmt: skip
    vdw: Annotated[np.ndarray, Feature(
        "f4", (), "kcal/mol", "Lennard-Jones energy", lambda edges: edges.energies[1],
        on_internal=False, deeprank={"vdw": doubles},
    )]  # fmt: skip
    voro_area: Annotated[np.ndarray, Feature(
        "f4", (), "Å²", "Voronoi contact area", lambda edges: edges.voro_area, deeprank={"voro_area": doubles},
    )]  # fmt: skip
    orientation: Annotated[np.ndarray, Feature(
        "f4", (2, 3), "", "direction in the residue frame of the first and of the second node",
        lambda edges: edges.orientations, deeprank={"orientation": lambda both: both},
    )]  # fmt: skip


def _rows(table: type) -> tuple[Feature, ...]:
    hints = typing.get_type_hints(table, include_extras=True)
    return tuple(replace(hint.__metadata__[0], name=name) for name, hint in hints.items())


#: The rows.
NODE_FEATURES, EDGE_FEATURES = _rows(NodeFeatures), _rows(EdgeFeatures)


def computed(features: Iterable[Feature], inputs: NodeInputs | EdgeInputs) -> dict[str, Any]:
    """The values of features by name, each an ndarray."""
    return {feature.name: np.asarray(feature.of(inputs)).astype(feature.dtype, copy=False) for feature in features}


def table_columns(features: Iterable[Feature], values: Columns) -> dict[str, np.ndarray]:
    """Columns of a table for people: codes as what they stand for, a column for each number of a row.

    Parameters
    ----------
    features : iterable of Feature
    values : mapping
        By name; one that is missing (an internal edge's energy) is 0.

    Returns
    -------
    columns : dict of str to ndarray, shape=(rows,)
        By heading.
    """
    n_rows = len(next(iter(values.values())))
    found = {}
    for feature in features:
        column = values.get(feature.name, np.zeros((n_rows, *feature.row), dtype=feature.dtype))
        parts = column.reshape(n_rows, len(feature.headings)).T if feature.headings else ()
        for heading, part in zip(feature.headings, parts, strict=True):
            spelled = np.array(feature.codes)[part] if feature.codes else part
            found[heading] = feature.text(part) if feature.text else spelled
    return found
