"""Chains cut at their variable domains, the antibodies that these make, and who touches whom in a model."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..inputs import AtomTable
from ..structure.neighbours import INTERFACE_CUTOFF, count_between
from .complexes import ResidueRange, chain_atoms
from .numbering import Domain

#: ANARCI's types of an antibody's light domains.
LIGHT_TYPES = ("K", "L")
#: Å; Cα atoms of paired variable domains are this close.
PAIRING_DISTANCE = 8.0


@dataclass(frozen=True)
class ChainSlice:
    """A chain, or the part of one that belongs to one of its variable domains."""

    chain: str
    part: ResidueRange
    domain: Domain | None

    @property
    def is_heavy(self) -> bool:
        return self.domain is not None and self.domain.chain_type == "H"

    @property
    def is_light(self) -> bool:
        return self.domain is not None and self.domain.chain_type in LIGHT_TYPES


@dataclass(frozen=True)
class Antibody:
    """A heavy domain with its light one, where it has one."""

    heavy: ChainSlice
    light: ChainSlice | None

    @property
    def pieces(self) -> list[ChainSlice]:
        return [self.heavy] + ([self.light] if self.light else [])

    @property
    def names(self) -> list[str]:
        return list(dict.fromkeys(piece.chain for piece in self.pieces))


#: Atoms that are asked for: CA or domain, of a slice, or chain and its name.
_Selection = tuple[str, ChainSlice | str]


class Geometry:
    """Who touches whom in a model that is read when first asked for."""

    def __init__(self, read: Callable[[], AtomTable]):
        self._read = read
        self._atoms: AtomTable | None = None
        self._xyz: dict[_Selection, np.ndarray] = {}

    def ca_pairs(self, one: ChainSlice, other: ChainSlice) -> int:
        """Pairs of Cα atoms of two variable domains within `PAIRING_DISTANCE`."""
        return self._count(("CA", one), ("CA", other), PAIRING_DISTANCE)

    def contacts(self, antibody: Antibody, chain: str) -> int:
        """Atom pairs in contact between an antibody's variable domains and a chain."""
        return sum(self._count(("domain", piece), ("chain", chain), INTERFACE_CUTOFF) for piece in antibody.pieces)

    def between(self, chain: str, other: str) -> int:
        """Atom pairs in contact between two chains."""
        return self._count(("chain", chain), ("chain", other), INTERFACE_CUTOFF)

    def _count(self, one: "_Selection", other: "_Selection", distance: float) -> int:
        return count_between(self._positions_of(one), self._positions_of(other), distance)

    def _positions_of(self, what: "_Selection") -> np.ndarray:
        if what not in self._xyz:
            self._xyz[what] = self._positions(*what)
        return self._xyz[what]

    def _positions(self, kind: str, of: ChainSlice | str) -> np.ndarray:
        if self._atoms is None:
            self._atoms = self._read()
        atoms = self._atoms
        chain, domain = (of, None) if isinstance(of, str) else (of.chain, of.domain)
        rows, residue = chain_atoms(atoms, chain)
        keep = ~atoms.is_hydrogen[rows]
        if domain is not None:
            keep &= (residue >= domain.start) & (residue < domain.stop)
        if kind == "CA":
            keep &= atoms.atom_name[rows] == b"CA"
        return atoms.xyz[rows[keep]]
