"""Which atoms of a model belong to which of its reference: all of a comparison that does not depend on coordinates."""

from dataclasses import dataclass

import numpy as np

from ..antibody.complexes import Complex
from ..antibody.matching import LEAST_COVERED, LEAST_EQUAL, MOST_ASSIGNMENTS, Matching, assignments, match_residues
from ..antibody.numbering import CDR_POSITIONS, Domain
from ..graph.superposition import moved, rmsd, superposition
from .reference import Reference, backbone_rows_in_file, heavy_atoms

#: Atoms that lie in one way only on others.
_LEAST_ATOMS = 3


@dataclass(frozen=True)
class Atoms:
    """Atoms of a model and where they belong.

    Attributes
    ----------
    rows : ndarray of int64, shape=(n,)
        The model's atoms.
    fixed : ndarray of float64, shape=(n, 3)
        The same atoms of the reference, in Å.
    """

    rows: np.ndarray
    fixed: np.ndarray

    def rest_rmsd(self, rest: "Atoms", xyz: np.ndarray) -> float:
        """How far other atoms of a model are from where they belong (Å) when these ones are superposed."""
        return rmsd(rest.fixed, moved(xyz[rest.rows], superposition(self.fixed, xyz[self.rows])))


_NO_ATOMS = Atoms(np.empty(0, dtype=np.intp), np.empty((0, 3)))


@dataclass(frozen=True)
class Way:
    """One way to take the model's antigen chains for the reference's.

    Attributes
    ----------
    antigen_place : ndarray of int64, shape=(residues,)
        Of the model's antigen residues the reference's, -1 for none.
    interface, receptor, ligand : Atoms
        Backbone of the interface, of the larger partner and of the smaller one.
    """

    antigen_place: np.ndarray
    interface: Atoms
    receptor: Atoms
    ligand: Atoms


@dataclass(frozen=True)
class Plan:
    """What is compared.

    Attributes
    ----------
    antibody, antigen : ndarray of int64, shape=(n,) and (m,)
        Rows of the model's heavy atoms whose contacts count.
    antibody_place, antigen_residue : ndarray of int64, shape=(n,) and (m,)
        Residue of each: the antibody's as the reference counts them, the antigen's as the model does.
    ways : tuple of Way
    framework, h3 : Atoms
        Backbone of the heavy domain's framework and of the CDR-H3; both empty where this is not to be compared.
    """

    antibody: np.ndarray
    antibody_place: np.ndarray
    antigen: np.ndarray
    antigen_residue: np.ndarray
    ways: tuple[Way, ...]
    framework: Atoms
    h3: Atoms


def planned(reference: Reference, complex_: Complex) -> Plan | str:
    """How a model is compared with a reference, whatever its coordinates are; or why it cannot be."""
    problem = reference.problem or _other_antibody(reference, complex_)
    if problem:
        return problem
    matchings = [[match_residues(own, other) for own in complex_.antigen] for other in reference.antigen]
    chosen = assignments(np.array([[matching.is_same for matching in row] for row in matchings]))
    problem = _unassigned(reference, matchings, chosen)
    if isinstance(chosen, int) or problem:
        return problem
    n_antibody = len(complex_.sequences[0])
    heavy = _places(match_residues(complex_.heavy, reference.heavy), len(complex_.heavy))
    light = _places(match_residues(complex_.light, reference.light), len(complex_.light), len(reference.heavy))
    antibody = np.concatenate([heavy, light])
    rows = backbone_rows_in_file(complex_)
    antigens = [_antigen_places(reference, complex_, way, matchings) for way in chosen]
    ways = [way for antigen in antigens if (way := _way(reference, antibody, antigen, rows)) is not None]
    if not ways:
        return f"the model has too little of the backbone at the interface in the reference {reference.name}"
    place = complex_.sequence_place[complex_.residue]
    a, b = heavy_atoms(complex_)
    a = a[antibody[place[a]] >= 0]
    return Plan(
        a, antibody[place[a]], b, place[b] - n_antibody, tuple(ways), *_framework_and_h3(reference, heavy, rows)
    )


def _places(matching: Matching, length: int, first: int = 0) -> np.ndarray:
    """Of each residue of a chain its place in the reference, where its chain begins at `first`; -1 for none."""
    result = np.full(length, -1, dtype=np.int64)
    result[matching.equal[:, 0]] = matching.equal[:, 1] + first
    return result


def _antigen_places(
    reference: Reference, complex_: Complex, way: tuple[int, ...], matchings: list[list[Matching]]
) -> np.ndarray:
    """`Way.antigen_place` where each chain of the reference is one of the model (-1 for none)."""
    starts, own_starts = (np.cumsum([0, *map(len, of.antigen)]).tolist() for of in (reference, complex_))
    result = np.full(own_starts[-1], -1, dtype=np.int64)
    for chain, own in enumerate(way):
        if own >= 0:
            first, stop = own_starts[own : own + 2]
            result[first:stop] = _places(matchings[chain][own], stop - first, starts[chain])
    return result


def _way(reference: Reference, antibody: np.ndarray, antigen: np.ndarray, rows: np.ndarray) -> Way | None:
    """What is compared, by the reference's place of each residue of the model; None where that is nothing."""
    n_antibody = len(reference.native)
    of_antibody, of_antigen = _pairs(antibody), _pairs(antigen) + (len(antibody), n_antibody)
    near = reference.near + (0, n_antibody)
    near = near[np.isin(near[:, 0], of_antibody[:, 1]) & np.isin(near[:, 1], of_antigen[:, 1])]
    both = np.concatenate([of_antibody, of_antigen])
    interface = both[np.isin(both[:, 1], near)]
    sides = (of_antibody, of_antigen) if reference.is_antibody_larger else (of_antigen, of_antibody)
    found = Way(antigen, *(_backbone(reference, pairs, rows) for pairs in (interface, *sides)))
    superposed = min(len(found.interface.rows), len(found.receptor.rows))
    return found if superposed >= _LEAST_ATOMS and len(found.ligand.rows) else None


def _pairs(places: np.ndarray) -> np.ndarray:
    """Residues with a place, and their places, shape=(k, 2)."""
    known = np.flatnonzero(places >= 0)
    return np.stack([known, places[known]], axis=1)


def _backbone(reference: Reference, pairs: np.ndarray, rows: np.ndarray) -> Atoms:
    """Atoms that both structures have, of residues of the model and of the reference, shape=(k, 2)."""
    own, fixed = rows[pairs[:, 0]], reference.backbone[pairs[:, 1]]
    both = (own >= 0) & np.isfinite(fixed[:, :, 0])
    return Atoms(own[both], fixed[both])


def _framework_and_h3(reference: Reference, heavy: np.ndarray, rows: np.ndarray) -> tuple[Atoms, Atoms]:
    """`Plan.framework` and `Plan.h3`, by the reference's place of each residue of the model's heavy chain."""
    domain = reference.domains.heavy
    if domain is None:
        return _NO_ATOMS, _NO_ATOMS
    position = np.zeros(len(reference.heavy), dtype=np.int64)
    position[domain.start : domain.stop] = domain.positions
    in_cdr = [(position >= first) & (position <= last) for first, last in CDR_POSITIONS]
    pairs = _pairs(heavy)
    in_h3 = in_cdr[2][pairs[:, 1]]
    in_framework = ((position > 0) & ~np.any(in_cdr, axis=0))[pairs[:, 1]]
    framework, h3 = _backbone(reference, pairs[in_framework], rows), _backbone(reference, pairs[in_h3], rows)
    is_whole = in_h3.sum() == in_cdr[2].sum()
    return (framework, h3) if is_whole and len(framework.rows) >= _LEAST_ATOMS else (_NO_ATOMS, _NO_ATOMS)


def _other_antibody(reference: Reference, complex_: Complex) -> str:
    """Why the model's antibody is not the reference's; empty where it is."""
    for role, own, other, domain in (
        ("heavy", complex_.heavy, reference.heavy, reference.domains.heavy),
        ("light", complex_.light, reference.light, reference.domains.light),
    ):
        if bool(own) != bool(other):
            has, lacks = ("model", f"reference {reference.name}")[:: 1 if own else -1]
            return f"the {has} has a {role} chain of {len(own or other)} residues, the {lacks} has none"
        matching = _of_domain(match_residues(own, other), domain)
        if own and not matching.is_same:
            return _said(f"the {role} chain", matching, reference)
    return ""


def _of_domain(matching: Matching, domain: Domain | None) -> Matching:
    """Antibodies are told apart by their variable domains: behind them is a constant domain, a linker or nothing."""
    return matching if domain is None else matching.within(domain.start, domain.stop)


def _unassigned(reference: Reference, matchings: list[list[Matching]], chosen: list[tuple[int, ...]] | int) -> str:
    """Why the antigen's chains cannot be taken for the reference's; empty where they can."""
    starts = np.cumsum([0, *map(len, reference.antigen)]).tolist()
    for chain, row in enumerate(matchings):
        meets = reference.native[:, starts[chain] : starts[chain + 1]].any()
        if meets and not any(matching.is_same for matching in row):
            best = max(row, key=lambda matching: len(matching.equal))
            which = f" {chain + 1} of {len(matchings)}" if len(matchings) > 1 else ""
            return _said(f"the reference's antigen chain{which}", best, reference)
    if isinstance(chosen, int) or not chosen:
        ways = chosen or "no"
        return (
            f"the antigen's chains can be those of the reference {reference.name} in {ways} ways, and at most "
            f"{MOST_ASSIGNMENTS} are tried; state fewer copies as the antigen"
        )
    return ""


def _said(what: str, matching: Matching, reference: Reference) -> str:
    expected = f"expected at least {LEAST_EQUAL:.0%} of those aligned and {LEAST_COVERED:.0%} of those that could be"
    return f"{what}: {matching}; {expected}. State the model's own complex as its reference, not {reference.name}"
