"""Where the nodes of a graph stand in the structure that it is of, and what the graph says of its residues.

A graph counts atoms and residues through merged chains. A viewer, and whoever looks at a model, knows the structure's
own chains, numbers and insertion codes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from ..antibody.chain_checking import CheckedChains, antibody_regions
from ..antibody.complexes import Chains, merge_chains, merged_rows
from ..errors import ConfigError, listed
from ..graph.interface_graph import GraphArrays
from ..inputs import AtomTable
from ..structure.residues import ANTIGEN, ATOM_TYPES, REGIONS, RESIDUE_TYPES, encode
from .graph_tables import pandas_module

if TYPE_CHECKING:
    import pandas as pd

ROLES = ("heavy", "light", "antigen", "other")


@dataclass(frozen=True, eq=False)
class ModelResidues:
    """A model's residues as its structure has them, in file order, with what its graph says of them.

    Attributes
    ----------
    name : str
        The model's.
    atoms : AtomTable
        Of the structure.
    first : ndarray of int, shape=(r + 1,)
        Row of `atoms` at which each residue begins, and the one behind the last.
    chain, label, residue : list of str, length r
        The structure's chain, number with insertion code (``52A``), and residue name.
    role : list of str, length r
        One of `ROLES`; ``other`` is what is no part of the complex.
    region : list of str, length r
        H1 to L3, CONST or AG; empty outside the complex.
    is_interface : ndarray of bool, shape=(r,)
        Whether the residue has a node.
    contact_area, bsa : ndarray of float64, shape=(r,)
        Å²: the sum of the areas (`voro_area`) of the residue's contacts across the interface, and its buried area.
        NaN without a node.
    b_factor : ndarray of float64, shape=(r,)
        Mean of the residue's atoms, as the structure has it (pLDDT where a program writes it there).
    up : ndarray of float64, shape=(3,)
        From the antigen's to the antibody's part of the interface, of length 1.
    """

    name: str
    atoms: AtomTable
    first: np.ndarray
    chain: list[str]
    label: list[str]
    residue: list[str]
    role: list[str]
    region: list[str]
    is_interface: np.ndarray
    contact_area: np.ndarray
    bsa: np.ndarray
    b_factor: np.ndarray
    up: np.ndarray

    def __len__(self) -> int:
        return len(self.chain)

    def __repr__(self) -> str:
        return f"ModelResidues({self.name!r}: {len(self)} residues, {int(self.is_interface.sum())} in contact)"

    def values(self, name: str) -> np.ndarray:
        """The values of `colours.VALUES`, shape=(r,); pLDDT stands in the B factors."""
        found: np.ndarray = getattr(self, "b_factor" if name == "plddt" else name)
        return found

    def by_residue(self, values: Mapping[tuple[str, str | int], float]) -> np.ndarray:
        """Values that somebody has for some residues, shape=(r,), NaN for the others.

        Parameters
        ----------
        values : mapping of (chain, number) to float
            The number with its insertion code: ``("H", 52)``, ``("H", "52A")``.

        Raises
        ------
        ConfigError
            The structure has no such residue.
        """
        try:
            wanted = {(str(chain), str(label)): float(value) for (chain, label), value in values.items()}
        except (TypeError, ValueError, AttributeError) as error:
            raise ConfigError(
                f"values: expected numbers by (chain, number with insertion code), as {{('H', '52A'): 1.5}}: {error}"
            ) from error
        known = list(zip(self.chain, self.label, strict=True))
        unknown = [f"{chain} {label}" for chain, label in sorted(wanted.keys() - set(known))]
        if unknown:
            raise ConfigError(f"values: {self.name} has no residue {listed(unknown)}; expected its chains and numbers")
        return np.array([wanted.get(key, np.nan) for key in known])

    def table(self) -> pd.DataFrame:
        """A row for each residue: `chain`, `number` (with insertion code), `residue`, `role`, `region`, `is_interface`,
        `contact_area` and `bsa` (Å²), `b_factor`."""
        return pandas_module().DataFrame(
            {
                "chain": self.chain,
                "number": self.label,
                "residue": self.residue,
                "role": self.role,
                "region": self.region,
                "is_interface": self.is_interface,
                "contact_area": self.contact_area,
                "bsa": self.bsa,
                "b_factor": self.b_factor,
            }
        )


class Origin(Protocol):
    """Where a graph is from."""

    def residues(self, graph: GraphArrays) -> ModelResidues:
        """The residues of the graph's structure, which is read once more."""


def label_of(author_number: int) -> str:
    """A residue's number and insertion code, from `AtomTable.author_number`.

    >>> label_of(52 * 256 + ord("A")), label_of(52 * 256 + ord(" ")), label_of(-3 * 256 + ord(" "))
    ('52A', '52', '-3')
    """
    number, code = divmod(int(author_number), 256)
    return f"{number}{chr(code)}".rstrip(" \0")


def rows_of_nodes(graph: GraphArrays, atoms: AtomTable, chains: Chains, name: str) -> np.ndarray:
    """The row of each node's atom in the table of the structure that the graph is of, shape=(n,).

    A graph says of each node which atom of the merged complex it is (`serial`); that it is that of this structure is
    checked by its coordinates, its atom's and its residue's name.

    Parameters
    ----------
    graph : GraphArrays
    atoms : AtomTable
    chains : Chains
        Those that the graph was built with.
    name : str
        The model's, for messages.

    Raises
    ------
    ModelError
        The structure lacks such chains.
    ConfigError
        The graph is not one of this structure and these chains.
    """
    merged = merged_rows(atoms, chains, name)
    inside = (graph.serial >= 1) & (graph.serial <= len(merged))
    rows = merged[np.where(inside, graph.serial - 1, 0)]
    same = inside & (atoms.xyz[rows].astype(np.float32) == graph.position).all(axis=1)
    same &= encode(atoms.atom_name[rows], ATOM_TYPES) == graph.atom_type
    same &= encode(atoms.residue_name[rows], RESIDUE_TYPES) == graph.residue_type
    if not same.all():
        node = int(np.argmin(same))
        atom = f"{ATOM_TYPES[graph.atom_type[node]]} of {RESIDUE_TYPES[graph.residue_type[node]]}"
        at = ", ".join(f"{value:.3f}" for value in graph.position[node].tolist())
        raise ConfigError(
            f"{name}: atom {graph.serial[node]} of the complex of {chains} is not the graph's {atom} at ({at}); "
            "expected the structure and the chains that the graph was built from"
        )
    return rows


def residues_of(
    graph: GraphArrays, atoms: AtomTable, chains: Chains, checked: CheckedChains, name: str
) -> ModelResidues:
    """The residues of a structure with what its graph says of them.

    Parameters
    ----------
    graph : GraphArrays
    atoms : AtomTable
    chains : Chains
        Those that the graph was built with.
    checked : CheckedChains
        Their domains, for the regions of residues that are not in contact.
    name : str

    Raises
    ------
    ModelError, ConfigError
        As `rows_of_nodes`.
    """
    rows, node_rows = merged_rows(atoms, chains, name), rows_of_nodes(graph, atoms, chains, name)
    complex_ = merge_chains(atoms, chains, name)
    _, first, index = np.unique(atoms.residue, return_index=True, return_inverse=True)
    r, node_residue = len(first), index[node_rows]

    role, region = np.full(r, ROLES.index("other")), np.full(r, -1)
    of_complex = index[rows]
    place = complex_.residue
    bounds = (len(complex_.heavy), len(complex_.heavy) + len(complex_.light))
    role[of_complex] = np.searchsorted(bounds, place, side="right")
    antibody = antibody_regions(complex_, checked)
    region[of_complex] = np.append(antibody, np.full(len(complex_.sequences[1]), ANTIGEN))[place]
    region[node_residue] = graph.region  # the graph's word counts, should ANARCI's now be another one

    contact_area, bsa = np.full(r, np.nan), np.full(r, np.nan)
    ends = node_residue[graph.interface.nodes]
    areas = np.repeat(graph.interface.voro_area.astype(np.float64), 2)
    contact_area[node_residue] = np.bincount(ends.ravel(), areas, minlength=r)[node_residue]
    bsa[node_residue] = graph.bsa
    position = graph.position.astype(np.float64)
    up = position[graph.chain == 0].mean(axis=0) - position[graph.chain == 1].mean(axis=0)
    return ModelResidues(
        name=name,
        atoms=atoms,
        first=np.append(first, len(atoms.xyz)),
        chain=_texts(atoms.chain[first]),
        label=[label_of(number) for number in atoms.author_number[first].tolist()],
        residue=_texts(atoms.residue_name[first]),
        role=[ROLES[k] for k in role.tolist()],
        region=[REGIONS[k] if k >= 0 else "" for k in region.tolist()],
        is_interface=np.isin(np.arange(r), node_residue),
        contact_area=contact_area,
        bsa=bsa,
        b_factor=np.bincount(index, atoms.b_factor.astype(np.float64)) / np.bincount(index),
        up=up / (np.linalg.norm(up) or 1.0),
    )


def _texts(names: np.ndarray) -> list[str]:
    return [name.decode(errors="replace") for name in names.tolist()]
