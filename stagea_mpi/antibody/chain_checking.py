"""Whether a model's chains are what they are said to be, by the variable domains that ANARCI finds in them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from ..errors import ModelError
from .chain_geometry import LIGHT_TYPES
from .complexes import Chains, Complex
from .numbering import CDR_POSITIONS, Domain, imgt_numbers, regions

#: ANARCI's types of the domain that each role has.
ROLE_TYPES = {"heavy": ("H",), "light": LIGHT_TYPES}
_ANTIBODY_TYPES = ROLE_TYPES["heavy"] + ROLE_TYPES["light"]


@dataclass(frozen=True)
class CheckedChains:
    """The domains that are labelled, and what is odd about a model's chains.

    Attributes
    ----------
    heavy, light : Domain or None
        The numbered domain of each role, None where its chain has none (or there is no such chain).
    notes : tuple of str
        What a person should know of the chains, a sentence each.
    """

    heavy: Domain | None
    light: Domain | None
    notes: tuple[str, ...] = ()


def role_domain(role: str, domains: Sequence[Domain]) -> Domain | None:
    """The domain of a chain that a role is about: the first of its type, else of an antibody's, else the first."""
    for types in (ROLE_TYPES[role], _ANTIBODY_TYPES):
        for domain in domains:
            if domain.chain_type in types:
                return domain
    return domains[0] if domains else None


def is_in_doubt(domains: Mapping[str, Sequence[Domain]]) -> bool:
    """Whether a role (heavy or light) lacks an antibody's domain, so that those of the antigen's chains decide."""
    return any(not any(domain.chain_type in _ANTIBODY_TYPES for domain in found) for found in domains.values())


def check_chains(
    chains: Chains,
    domains: Mapping[str, Sequence[Domain]],
    antigen: Mapping[str, Sequence[Domain]],
) -> CheckedChains:
    """The domains to be labelled, if the chains can be what they are said to be.

    Parameters
    ----------
    chains : Chains
        `check` False: nothing is refused, all is noted.
    domains : mapping
        By role, heavy and light, the domains in its chain (or in the part of it that is meant).
    antigen : mapping
        By chain of the antigen its domains.

    Raises
    ------
    ModelError
        ``wrong_chain_type`` where a heavy chain is a light one, or the other way round; ``antibody_in_antigen`` where
        a domain that the antibody lacks is in the antigen.
    """
    found = {role: role_domain(role, domains.get(role, ())) for role, _ in _roles(chains)}
    wrong = [_wrong_type(role, name, found[role]) for role, name in _roles(chains)]
    wrong = [problem for problem in wrong if problem]
    lacking = [role for role, own in found.items() if own is None or own.chain_type not in _ANTIBODY_TYPES]
    notes = [_note(role, name, found[role], domains.get(role, ())) for role, name in _roles(chains)]
    notes = [note for note in notes if note]
    misplaced = _with_domain_of(_lacked_types(lacking, len(found)), antigen)
    if wrong and chains.check:
        advice = "state them the other way round, or chains: auto, or chains.check: false to have it so"
        raise ModelError("wrong_chain_type", f"{' and '.join(wrong)}; {advice}", "chains")
    if misplaced and chains.check:
        advice = "state the antibody's chains as heavy and light, or chains: auto, or chains.check: false to have it so"
        what = f"{' and '.join(notes)}, but {' and '.join(misplaced)}; {advice}"
        raise ModelError("antibody_in_antigen", what, "chains")
    notes += _with_domain_of(_ANTIBODY_TYPES, antigen)
    return CheckedChains(found["heavy"], found.get("light"), (*wrong, *notes))


class NumberedDomains(Protocol):
    """Domains by sequence."""

    def __getitem__(self, sequence: str) -> tuple[Domain, ...]:
        """Raises ModelError where they could not be looked for."""


def check_numbered(
    chains: Chains, heavy: str, light: str, antigen: Sequence[str], numbering: NumberedDomains
) -> CheckedChains:
    """`check_chains` by the domains of the chains' sequences (`light` empty where there is no such chain).

    An antigen's chain that ANARCI cannot take fails the model only where its domains decide.

    Raises
    ------
    ModelError
        As `check_chains`, or why domains could not be looked for.
    """
    sequences = {"heavy": heavy, "light": light}
    domains = {role: numbering[sequence] for role, sequence in sequences.items() if sequence}
    found = {}
    for name, sequence in zip(chains.antigen, antigen, strict=True):
        try:
            found[name] = numbering[sequence]
        except ModelError:
            if is_in_doubt(domains):
                raise
            found[name] = ()
    return check_chains(chains, domains, found)


def _roles(chains: Chains) -> list[tuple[str, str]]:
    """The roles of the antibody and the chains that have them."""
    return [("heavy", chains.heavy)] + ([("light", chains.light)] if chains.light is not None else [])


def _wrong_type(role: str, name: str, domain: Domain | None) -> str:
    other = "light" if role == "heavy" else "heavy"
    if domain is None or domain.chain_type not in ROLE_TYPES[other]:
        return ""
    return f"chain {name}, stated as {role}, is a {other} chain (ANARCI: {domain.chain_type})"


def _lacked_types(lacking: list[str], n_roles: int) -> tuple[str, ...]:
    """Types of the domains that the antibody lacks; all, where it has none."""
    return _ANTIBODY_TYPES if len(lacking) == n_roles else tuple(kind for role in lacking for kind in ROLE_TYPES[role])


def _with_domain_of(types: tuple[str, ...], antigen: Mapping[str, Sequence[Domain]]) -> list[str]:
    """Which of the antigen's chains have a domain of some types, in words."""
    return [
        f"antigen chain {name} has the variable domain of an antibody ({domain})"
        for name, domains in antigen.items()
        for domain in [next((domain for domain in domains if domain.chain_type in types), None)]
        if domain is not None
    ]


def _note(role: str, name: str, domain: Domain | None, domains: Sequence[Domain]) -> str:
    """What is odd about a chain that is labelled all the same."""
    if domain is None:
        return f"{role} chain {name} has no variable domain, and so no CDR"
    if domain.chain_type not in _ANTIBODY_TYPES:
        return f"{role} chain {name} is a T-cell receptor's (ANARCI: {domain.chain_type})"
    last = max(domain.positions, default=CDR_POSITIONS[2][1])
    if last < CDR_POSITIONS[2][1]:
        return f"{role} chain {name} is numbered to IMGT {last} only: what follows of its CDR3 has no label"
    others = [other for other in domains if other is not domain and other.chain_type in _ANTIBODY_TYPES]
    if others:
        listed = ", ".join(str(other) for other in others)
        return f"{role} chain {name} has more variable domains, which get no CDR: {listed}"
    return ""


def antibody_imgt(complex_: Complex, checked: CheckedChains) -> np.ndarray:
    """IMGT number of every residue of a complex's chain A, int32, shape=(length of its sequence,).

    See `numbering.imgt_numbers`; 0 outside the labelled domains.
    """
    key = "imgt", checked.heavy, checked.light
    if key not in complex_.findings:
        in_file = np.zeros(len(complex_.sequences[0]), dtype=np.int32)
        for domain, offset in ((checked.heavy, 0), (checked.light, len(complex_.heavy))):
            if domain is not None:
                in_file[offset + domain.start : offset + domain.stop] = imgt_numbers(domain)
        found = in_file[complex_.sequence_place[: len(in_file)]]
        found.setflags(write=False)  # others will get it, too
        complex_.findings[key] = found
    numbers: np.ndarray = complex_.findings[key]
    return numbers


def antibody_regions(complex_: Complex, checked: CheckedChains) -> np.ndarray:
    """Region of every residue of a complex's chain A, shape=(length of its sequence,); see `numbering.regions`."""
    key = "regions", checked.heavy, checked.light
    if key not in complex_.findings:
        heavy = ("H", complex_.heavy, checked.heavy, 0)
        light = ("L", complex_.light, checked.light, len(complex_.heavy))
        found = regions(complex_.sequences[0], (heavy, light))
        found.setflags(write=False)  # others will get it, too
        complex_.findings[key] = found
    region: np.ndarray = complex_.findings[key]
    return region
