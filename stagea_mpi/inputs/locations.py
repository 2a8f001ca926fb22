"""One atom for each atom of a molecule, where a file has several: alternative locations, residues of either of two
types, atoms and residues that are written twice.

Labels say it where there are any. Without them, the same residue again and another residue that only has its number
(a tool has dropped insertion codes, a chain's numbers start again) are told apart by where their backbones are.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from math import dist, inf

import numpy as np

from ..structure.residues import is_amino_acid

#: Å. Cα atoms of neighbours in a chain are 3.8 apart (2.9 across a cis peptide), so what is nearer is the same one.
_SAME_ATOM = 2.5
#: Å. Locations of one residue are not farther apart.
_FARTHEST_LOCATION = 10.0
#: Å. A peptide bond has 1.33; from one location's C to another one's N it is about 2.5.
_BOND = 1.8
#: Occupancies of two locations of one atom add up to 1, within rounding.
_ROUNDING = 0.021
#: By which atoms two residues are compared, the first that both have.
_COMPARED = (b"CA", b"N", b"C", b"CB")
_NO_LABEL = 0


@dataclass(frozen=True)
class Chosen:
    """The atoms that stay.

    Attributes
    ----------
    rows : ndarray of int, shape=(m,)
        In the order of their residues, and in these of their atoms, where each is first mentioned.
    residue : ndarray of int32, shape=(m,)
        Index of the atom's residue, from 0.
    dropped : ndarray of int, shape=(n - m,)
        Those that gave way to another location.
    is_clear : bool
        Whether there was nothing to choose: no site's coordinates have been looked at.
    """

    rows: np.ndarray
    residue: np.ndarray
    dropped: np.ndarray
    is_clear: bool = False


def choose_locations(
    chain: np.ndarray,
    number: np.ndarray,
    residue_name: np.ndarray,
    atom_name: np.ndarray,
    altloc: np.ndarray,
    occupancy: np.ndarray,
    xyz: np.ndarray,
    begins: np.ndarray,
) -> Chosen:
    """One atom a site, the most occupied; on a tie the one without a label, then by label, then the first.

    Where a site is described as either of several residues, the one whose Cα is the most occupied stays, by the same
    rule on ties.

    Parameters
    ----------
    chain, residue_name, atom_name : ndarray of bytes, shape=(n,)
    number : ndarray of int64, shape=(n,)
        The residue's number and insertion code.
    altloc : ndarray of int8, shape=(n,)
        Character code of the location, 0 for none.
    occupancy : ndarray of float, shape=(n,)
    xyz : ndarray of float64, shape=(n, 3)
        Å.
    begins : ndarray of bool, shape=(n,)
        Where a residue begins for another reason than another chain, number or name.
    """
    if not len(chain):
        return Chosen(np.zeros(0, dtype=np.intp), np.zeros(0, dtype=np.int32), np.zeros(0, dtype=np.intp))
    is_start = begins | changes(chain, number, residue_name)
    first, run = np.flatnonzero(is_start), np.cumsum(is_start) - 1
    site = _sites(chain[first], number[first])[run]
    is_unclear = _unclear_sites(site, first, run, residue_name, atom_name, altloc)
    rows = np.flatnonzero(is_unclear[site]) if is_unclear.any() else np.zeros(0, dtype=np.intp)
    if not len(rows):
        return Chosen(np.arange(len(chain)), run.astype(np.int32), rows, is_clear=True)
    keep = np.ones(len(chain), dtype=bool)
    of_residue, of_atom = first[run], np.arange(len(chain))
    rows = rows[np.argsort(site[rows], kind="stable")]
    atoms = _atoms(rows, run, residue_name, atom_name, altloc, np.nan_to_num(occupancy), xyz)
    bounds = np.flatnonzero(np.append(changes(site[rows]), True)).tolist()
    for begin, end in zip(bounds, bounds[1:], strict=False):
        keep[rows[begin:end]] = False
        for residue in _residues(atoms[begin:end]):
            for mentioned, atom in residue.chosen():
                keep[atom.row] = True
                of_residue[atom.row], of_atom[atom.row] = residue.place, mentioned
    kept = np.flatnonzero(keep)
    kept = kept[np.lexsort((of_atom[kept], of_residue[kept]))]
    index = np.cumsum(changes(of_residue[kept])) - 1
    return Chosen(kept, index.astype(np.int32), np.flatnonzero(~keep))


def changes(*columns: np.ndarray) -> np.ndarray:
    """True where a row differs in any column from the row before; True in the first row."""
    change = np.zeros(len(columns[0]), dtype=bool)
    change[:1] = True
    for column in map(_comparable, columns):
        change[1:] |= column[1:] != column[:-1]
    return change


def distinct(names: np.ndarray) -> np.ndarray:
    """Each name once, in any order."""
    return np.unique(_comparable(names)).view(names.dtype)


def _comparable(column: np.ndarray) -> np.ndarray:
    """Names of eight bytes as integers, which take a fraction of the time to compare."""
    return column.view(np.uint64) if column.dtype == "S8" and column.flags.c_contiguous else column


def _sites(chain: np.ndarray, number: np.ndarray) -> np.ndarray:
    """Index of each run's chain and number; a number that comes back has the same one."""
    names = np.unique(chain, return_inverse=True)[1]
    numbers = np.unique(number, return_inverse=True)[1]
    return np.unique(names * (numbers.max(initial=0) + 1) + numbers, return_inverse=True)[1]


def _unclear_sites(
    site: np.ndarray,
    first: np.ndarray,
    run: np.ndarray,
    residue_name: np.ndarray,
    atom_name: np.ndarray,
    altloc: np.ndarray,
) -> np.ndarray:
    """Sites with a label, of several residues, or with an amino acid that has an atom twice."""
    names, which = np.unique(residue_name[first], return_inverse=True)
    is_amino = np.array([is_amino_acid(name.decode(errors="replace")) for name in names.tolist()], dtype=bool)[which]
    runs_of_site = np.bincount(site[first])
    is_unclear = runs_of_site > 1
    has_amino = np.zeros(len(is_unclear), dtype=bool)
    has_amino[site[first[is_amino]]] = True
    is_unclear &= has_amino
    is_unclear[site[altloc != _NO_LABEL]] = True
    # Equal keys are looked at closer, so that two different ones may fall together.
    text = np.ascontiguousarray(atom_name).view(np.uint64).reshape(len(atom_name), -1)[:, 0]
    key = text * np.uint64(0x9E3779B97F4A7C15) + run.astype(np.uint64) * np.uint64(0xC2B2AE3D27D4EB4F)
    in_order = np.sort(key)
    twice = in_order[1:][in_order[1:] == in_order[:-1]]
    if len(twice):
        again = np.flatnonzero(np.isin(key, twice))
        is_unclear[site[again[is_amino[run[again]]]]] = True
    return is_unclear


@dataclass(frozen=True, slots=True)
class _Atom:
    row: int
    run: int
    residue_name: bytes
    name: bytes
    label: int
    occupancy: float
    xyz: tuple[float, float, float]

    @property
    def rank(self) -> tuple[float, int, int]:
        """The lowest stays."""
        return -self.occupancy, self.label, self.row


def _atoms(rows: np.ndarray, run: np.ndarray, *columns: np.ndarray) -> list[_Atom]:
    values = [column[rows].tolist() for column in columns]
    return [_Atom(*row) for row in zip(rows.tolist(), run[rows].tolist(), *values, strict=True)]


@dataclass
class _Residue:
    """Atoms of one residue name at one place; several of these are alternatives where they share the place.

    Attributes
    ----------
    place : int
        Row of the first atom that was found there.
    """

    place: int
    name: bytes
    is_amino: bool
    atoms: list[_Atom] = field(default_factory=list)

    def of(self, name: bytes) -> list[_Atom]:
        return [atom for atom in self.atoms if atom.name == name]

    @property
    def labels(self) -> set[int]:
        return {atom.label for atom in self.atoms}

    @property
    def rank(self) -> tuple:
        """Of alternative residues, the lowest stays."""
        alphas = self.of(b"CA")
        return not alphas, min(atom.rank for atom in alphas or self.atoms)

    def chosen(self) -> Iterator[tuple[int, _Atom]]:
        """The atoms that stay, each with the row where one of its name is first mentioned."""
        by_name: dict[bytes, list[_Atom]] = {}
        for atom in self.atoms:
            by_name.setdefault(atom.name, []).append(atom)
        for atoms in by_name.values():
            if self.is_amino or any(atom.label != _NO_LABEL for atom in atoms):
                yield min(atom.row for atom in atoms), min(atoms, key=lambda atom: atom.rank)
            else:  # ligands and lipids may have names for kinds of atoms alone
                yield from ((atom.row, atom) for atom in atoms)


def _residues(atoms: list[_Atom]) -> list[_Residue]:
    """Residues that stay of one site (a chain's number), each with all its atoms."""
    found: list[_Residue] = []
    blocks = [
        _Residue(
            block[0].row, block[0].residue_name, is_amino_acid(block[0].residue_name.decode("latin-1")), list(block)
        )
        for block in _blocks(atoms)
    ]
    for new in blocks:
        known = _home(found, new, blocks)
        if known is not None and known.name == new.name:
            known.atoms.extend(new.atoms)
            continue
        if known is not None:
            new.place = known.place
        found.append(new)
    places: dict[int, list[_Residue]] = {}
    for residue in found:
        places.setdefault(residue.place, []).append(residue)
    return [min(alternatives, key=lambda residue: residue.rank) for alternatives in places.values()]


def _blocks(atoms: list[_Atom]) -> Iterator[list[_Atom]]:
    """A site's atoms, cut where another run begins, and where a residue may begin for the second time.

    That is where an atom comes again with the same label, or once with and once without one; but not right behind
    itself: two residues are never written atom by atom in turn.
    """
    block: list[_Atom] = []
    labels: dict[bytes, set[int]] = {}
    for atom in atoms:
        known = labels.get(atom.name, set())
        comes_again = atom.label in known or (known and (_NO_LABEL in known) != (atom.label == _NO_LABEL))
        if block and (atom.run != block[-1].run or (comes_again and atom.name != block[-1].name)):
            yield block
            block, labels = [], {}
        block.append(atom)
        labels.setdefault(atom.name, set()).add(atom.label)
    yield block


def _home(found: list[_Residue], new: _Residue, blocks: list[_Residue]) -> _Residue | None:
    """The residue that the new atoms belong to, or of which they are the alternative; None for another residue."""
    near = sorted((distance, k) for k, known in enumerate(found) if (distance := _distance(known, new)) < _SAME_ATOM)
    if near:
        nearest = [k for _, k in near if found[k].name == new.name]
        return found[nearest[0] if nearest else near[0][1]]
    verdicts = [_is_same_place(known, new) for known in found]
    same = [
        known
        for known, verdict in zip(found, verdicts, strict=True)
        if verdict and _have_same_neighbours(known, new, blocks)
    ]
    own = [known for known in same if known.name == new.name]
    if own or same:
        return (own or same)[0]
    open_ = [known for known, verdict in zip(found, verdicts, strict=True) if verdict is None]
    own = [known for known in open_ if known.name == new.name]
    if own:  # hydrogens or side chains apart from the rest: those that lack them come first
        names = {atom.name for atom in new.atoms}
        lacking = [known for known in own if not names & {atom.name for atom in known.atoms}]
        return (lacking or own[-1:])[0]
    labelled = [known for known in open_ if _NO_LABEL not in new.labels and known.labels - {_NO_LABEL}]
    return next((known for known in labelled if not known.labels & new.labels), None)


def _compared(known: _Residue, new: _Residue) -> tuple[list[_Atom], list[_Atom]]:
    name = next((name for name in _COMPARED if known.of(name) and new.of(name)), b"")
    return known.of(name), new.of(name)


def _distance(known: _Residue, new: _Residue) -> float:
    """Å between the atoms by which two amino acids are compared, infinite where they share none."""
    if not (known.is_amino and new.is_amino):
        return inf
    ones, others = _compared(known, new)
    return min((dist(one.xyz, other.xyz) for one in ones for other in others), default=inf)


def _have_same_neighbours(known: _Residue, new: _Residue, blocks: list[_Residue]) -> bool:
    """Whether nothing bonded to two residues says that they are two: of one number, but not of one place."""
    if _are_bonded(known, new) or _are_bonded(new, known):
        return False
    others = [residue for residue in blocks if residue is not known and residue is not new]
    before = [residue for residue in others if _are_bonded(residue, new)]
    behind = [residue for residue in others if _are_bonded(new, residue)]
    if not before and not behind:
        return _distance(known, new) < _FARTHEST_LOCATION
    return any(_are_bonded(residue, known) for residue in before) or any(
        _are_bonded(known, residue) for residue in behind
    )


def _is_same_place(known: _Residue, new: _Residue) -> bool | None:
    """Whether two residues of one number are one, or alternatives; None where nothing tells."""
    if not (known.is_amino and new.is_amino):
        return None
    shared = [name for name in _COMPARED if known.of(name) and new.of(name)]
    if not shared:
        return None
    ones, others = known.of(shared[0]), new.of(shared[0])
    labels, new_labels = {atom.label for atom in ones}, {atom.label for atom in others}
    apart = not labels & new_labels
    if apart and _NO_LABEL not in labels | new_labels:
        return True
    if min(dist(one.xyz, other.xyz) for one in ones for other in others) < _SAME_ATOM:
        return True
    has = [{name for name in _COMPARED if residue.of(name)} for residue in (known, new)]
    if len(shared) < 2 and has[0] != has[1]:  # a single atom, written twice
        return None
    if _are_bonded(known, new) or _are_bonded(new, known):
        return False
    occupancies = [max(atom.occupancy for atom in atoms) for atoms in (ones, others)]
    return apart or (min(occupancies) > 0.0 and abs(sum(occupancies) - 1.0) < _ROUNDING)


def _are_bonded(first: _Residue, second: _Residue) -> bool:
    return any(dist(one.xyz, other.xyz) < _BOND for one in first.of(b"C") for other in second.of(b"N"))
