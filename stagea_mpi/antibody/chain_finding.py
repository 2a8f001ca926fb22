"""Finding a model's antibody and antigen: domains by ANARCI's chain types, what belongs together by who touches whom.

Domains of the types H, K and L are the antibody's; a T-cell receptor's (A, B, G, D) are an antigen's. The sequences
decide where they can. Coordinates are only looked at where there are several ways.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from ..errors import ModelError
from ..inputs import AtomTable
from .chain_checking import CheckedChains, check_chains
from .chain_geometry import LIGHT_TYPES, Antibody, ChainSlice, Geometry
from .chain_rules import AUTO, ChainRule
from .complexes import WHOLE, Chains, ResidueRange, said_of_segments
from .numbering import Domain

#: Pairs of Cα atoms within `chain_geometry.PAIRING_DISTANCE` that paired variable domains have at least.
LEAST_PAIRS = 5
#: An antigen also belongs to an antibody that touches it less than another one does, but at least by this share.
_SHARE = 0.5
#: Share of unknown residues from which these are named as the reason that no domain is found.
_MANY_UNKNOWN = 0.2


@dataclass(frozen=True)
class Choice:
    """The chains of a model, and how they were chosen.

    Attributes
    ----------
    chains : Chains
    checked : CheckedChains
        Their domains, counted in the parts that are meant.
    chain_source : str
        A few words for the manifest.
    """

    chains: Chains
    checked: CheckedChains
    chain_source: str


def find_chains(
    rule: ChainRule,
    sequences: Mapping[str, str],
    domains: Mapping[str, tuple[Domain, ...]],
    read: Callable[[], AtomTable],
) -> Choice:
    """Heavy, light and antigen of a model.

    Parameters
    ----------
    rule : ChainRule
        What is stated.
    sequences : mapping
        By chain, in file order (`complexes.chain_sequences`).
    domains : mapping
        Variable domains by sequence (`numbering.find_domains`).
    read : callable
        Gives the model's atoms; called where there are several ways.

    Raises
    ------
    ModelError
        ``chain_missing``, ``wrong_chain_type``, ``antibody_in_antigen``, ``no_antibody``, ``no_antigen`` or
        ``unknown_residues``.
    """
    found = {name: domains[sequence] for name, sequence in sequences.items()}
    inventory = _describe(sequences, found)
    named = [rule.heavy, rule.light, *(() if rule.antigen == AUTO else rule.antigen)]
    missing = [name for name in dict.fromkeys(named) if name not in (None, AUTO, *sequences)]
    if missing:
        message = f"no chain {', '.join(missing)} with amino acids; there are {inventory}{said_of_segments(read())}"
        raise ModelError("chain_missing", message, "chains")
    pieces = [
        piece
        for name, sequence in sequences.items()
        if rule.antigen == AUTO or name not in rule.antigen
        for piece in _pieces(name, found[name], rule)
    ]
    geometry = Geometry(read)
    antibodies = _antibodies(rule, pieces, geometry, inventory, sequences)
    asked = _asked_for(rule, antibodies, inventory)
    if rule.antigen != AUTO:
        index, antigen = _touching_most(antibodies, asked, list(rule.antigen), geometry)
    else:
        typed = {piece.chain for piece in pieces if piece.is_heavy or piece.is_light}
        others = [name for name in sequences if name not in typed and name not in (rule.heavy, rule.light)]
        index, antigen = _with_antigen(antibodies, asked, others, list(sequences), geometry, inventory)
    how = "found" if len(antibodies) == 1 else f"found: copy {index + 1} of {len(antibodies)}"
    chains = _chains(antibodies[index], antigen, rule.check)
    return Choice(chains, _checked(chains, found), how)


def _describe(sequences: Mapping[str, str], found: Mapping[str, tuple[Domain, ...]]) -> str:
    """The model's chains in words, for messages."""
    words = []
    for name, sequence in sequences.items():
        types = ", ".join(f"{domain.chain_type} {domain.start + 1}-{domain.stop}" for domain in found[name])
        words.append(f"{name} ({len(sequence)} residues, {types or 'no variable domain'})")
    return "; ".join(words) or "none with amino acids"


def _pieces(name: str, domains: tuple[Domain, ...], rule: ChainRule) -> list[ChainSlice]:
    """A chain as it is, or cut where its second, third, … variable domain begins, so that no residue is lost."""
    domains = tuple(domain for domain in domains if domain.chain_type == "H" or domain.chain_type in LIGHT_TYPES)
    if rule.light is None:  # without a light chain, a chain is what its heavy domain makes it
        domains = tuple(domain for domain in domains if domain.chain_type == "H")[:1] or domains[:1]
    if len(domains) < 2:
        domain = domains[0] if domains else None
        return [ChainSlice(name, WHOLE, domain)]
    starts = [0, *(domain.start for domain in domains[1:])]
    return [
        ChainSlice(name, ResidueRange(first, stop), domain)
        for domain, first, stop in zip(domains, starts, [*starts[1:], None], strict=True)
    ]


def _antibodies(
    rule: ChainRule, pieces: list[ChainSlice], geometry: Geometry, inventory: str, sequences: Mapping[str, str]
) -> list[Antibody]:
    """All antibodies of the model, in file order: heavy chains with their light ones."""
    heavies = _with_stated("heavy", rule.heavy, rule.check, [piece for piece in pieces if piece.is_heavy], pieces)
    if not heavies:
        unknown, total = sum(s.count("X") for s in sequences.values()), sum(map(len, sequences.values()))
        if unknown >= _MANY_UNKNOWN * total:
            message = f"no heavy variable domain, and {unknown} of {total} residues are unknown: {inventory}"
            raise ModelError("unknown_residues", message, "chains")
        where = "" if rule.antigen == AUTO else f" in other chains than the antigen's ({', '.join(rule.antigen)})"
        raise ModelError("no_antibody", f"no heavy variable domain (ANARCI's type H){where}: {inventory}", "chains")
    if rule.light is None:
        return [Antibody(heavy, None) for heavy in heavies]
    lights = _with_stated("light", rule.light, rule.check, [piece for piece in pieces if piece.is_light], pieces)
    if AUTO not in (rule.heavy, rule.light):
        heavy = next(piece for piece in heavies if piece.chain == rule.heavy)
        light = next((piece for piece in lights if piece.chain == rule.light and piece != heavy), None)
        if light is None:
            raise ModelError("no_antibody", f"chain {rule.light} has no light variable domain: {inventory}", "chains")
        return [Antibody(heavy, light)]
    return _paired(heavies, [light for light in lights if light not in heavies], geometry)


def _asked_for(rule: ChainRule, antibodies: list[Antibody], inventory: str) -> list[int]:
    """Which of the antibodies fit what is stated."""
    asked = [
        index
        for index, antibody in enumerate(antibodies)
        if rule.heavy in (AUTO, antibody.heavy.chain)
        and (rule.light in (None, AUTO) or (antibody.light is not None and antibody.light.chain == rule.light))
    ]
    if not asked:
        message = f"no heavy chain stands beside the light chain {rule.light}: {inventory}"
        raise ModelError("no_antibody", message, "chains")
    if rule.copy is None:
        return asked
    if rule.copy > len(asked):
        names = "; ".join(" and ".join(antibodies[index].names) for index in asked)
        message = f"copy {rule.copy} of the antibody is asked for, but there are {len(asked)}: {names}"
        raise ModelError("chain_missing", message, "chains")
    return [asked[rule.copy - 1]]


def _with_stated(
    role: str, stated: str, check: bool, typed: list[ChainSlice], pieces: list[ChainSlice]
) -> list[ChainSlice]:
    """Pieces of a role's type; a stated chain is among them also where it has no domain at all."""
    own = [piece for piece in pieces if piece.chain == stated]
    if stated == AUTO or any(piece in typed for piece in own):
        return typed
    if own and own[0].domain is not None and check:
        kind, other = own[0].domain.chain_type, {"heavy": "light", "light": "heavy"}[role]
        what = f"chain {stated}, stated as {role}, is a {other} chain (ANARCI: {kind})"
        raise ModelError("wrong_chain_type", f"{what}; state it so, or leave it to be found", "chains")
    return sorted([*typed, *own], key=pieces.index)


def _paired(heavies: list[ChainSlice], lights: list[ChainSlice], geometry: Geometry) -> list[Antibody]:
    """Each heavy domain with the light one that it touches most."""
    partner: dict[ChainSlice, ChainSlice] = {}
    if len(heavies) == len(lights) == 1:
        partner[heavies[0]] = lights[0]
    elif lights:
        pairs = [(geometry.ca_pairs(heavy, light), heavy, light) for heavy in heavies for light in lights]
        for count, heavy, light in sorted(pairs, key=lambda found: -found[0]):
            if count >= LEAST_PAIRS and heavy not in partner and light not in partner.values():
                partner[heavy] = light
    return [Antibody(heavy, partner.get(heavy)) for heavy in heavies]


def _touching_most(
    antibodies: list[Antibody], asked: list[int], antigen: list[str], geometry: Geometry
) -> tuple[int, list[str]]:
    """The antibody that touches a known antigen most."""
    index = asked[0]
    if len(asked) > 1:
        index = max(asked, key=lambda k: (sum(geometry.contacts(antibodies[k], name) for name in antigen), -k))
    return index, antigen


def _with_antigen(
    antibodies: list[Antibody],
    asked: list[int],
    others: list[str],
    names: list[str],
    geometry: Geometry,
    inventory: str,
) -> tuple[int, list[str]]:
    """The antibody that has the largest interface, with its antigen."""
    if len(antibodies) == 1 and others:
        return 0, others
    sizes = np.zeros((len(antibodies), len(others)), dtype=int)
    for index, antibody in enumerate(antibodies):
        sizes[index] = [geometry.contacts(antibody, name) for name in others]
    touching = [index for index in asked if sizes[index].any()]
    if touching:
        index = max(touching, key=lambda k: (_own(sizes, k).sum(), -k))
        own = [name for name, is_own in zip(others, _own(sizes, index) > 0, strict=True) if is_own]
        return index, _attached(own, others, sizes, geometry)
    return _with_antibody_as_antigen(antibodies, asked, others, names, geometry, inventory)


def _own(sizes: np.ndarray, index: int) -> np.ndarray:
    """Sizes of an antibody's interfaces with its antigen's chains: those that no other antibody touches much more."""
    own = np.where(sizes[index] >= _SHARE * sizes.max(axis=0), sizes[index], 0)
    return own if own.any() else np.where(sizes[index] == sizes[index].max(), sizes[index], 0)


def _attached(own: list[str], others: list[str], sizes: np.ndarray, geometry: Geometry) -> list[str]:
    """An antigen's chains, with those that no antibody touches and that stand closest to one of its own."""
    group = dict.fromkeys(own, True) | {
        name: False for name, touched in zip(others, np.any(sizes, axis=0), strict=True) if touched and name not in own
    }
    free = [name for name in others if name not in group]
    while free and group:
        counts = [(geometry.between(name, known), name, known) for name in free for known in group]
        count, name, known = max(counts, key=lambda found: found[0])
        if count == 0:
            break
        group[name] = group[known]
        free.remove(name)
    return [name for name in others if group.get(name)]


def _with_antibody_as_antigen(
    antibodies: list[Antibody],
    asked: list[int],
    others: list[str],
    names: list[str],
    geometry: Geometry,
    inventory: str,
) -> tuple[int, list[str]]:
    """Where no other chain is touched: an antibody against an antibody, or two that do not meet at all."""
    best, pair = 0, None
    for index in asked:
        for other in antibodies:
            chains = [name for name in other.names if name not in antibodies[index].names]
            size = sum(geometry.contacts(antibodies[index], name) for name in chains)
            if other is not antibodies[index] and size > best:
                best, pair = size, (index, chains)
    if pair is not None:
        return pair
    left = others or [name for name in names if not any(name in antibody.names for antibody in antibodies)]
    if not left:
        raise ModelError("no_antigen", _nothing_left(antibodies, inventory), "chains")
    return asked[0], left


def _nothing_left(antibodies: list[Antibody], inventory: str) -> str:
    """Why there is no antigen, in words; both partners may be in one chain."""
    names = ", ".join(dict.fromkeys(name for antibody in antibodies for name in antibody.names))
    return (
        f"no chain is left to be the antigen: {inventory}. Where a chain with a variable domain ({names}) holds the "
        "antigen, too, write that as a chain of its own"
    )


def _chains(antibody: Antibody, antigen: list[str], check: bool) -> Chains:
    heavy, light = antibody.heavy, antibody.light
    if light is None:
        return Chains(heavy.chain, None, tuple(antigen), heavy.part, check=check)
    return Chains(heavy.chain, light.chain, tuple(antigen), heavy.part, light.part, check)


def _checked(chains: Chains, found: Mapping[str, tuple[Domain, ...]]) -> CheckedChains:
    """The domains of the chosen chains, counted in the parts that are meant."""
    parts = {"heavy": (chains.heavy, chains.heavy_range), "light": (chains.light, chains.light_range)}
    domains = {
        role: [
            domain.within(part.first)
            for domain in found[name]
            if domain.start >= part.first and (part.stop is None or domain.stop <= part.stop)
        ]
        for role, (name, part) in parts.items()
        if name is not None
    }
    return check_chains(chains, domains, {name: found[name] for name in chains.antigen})
