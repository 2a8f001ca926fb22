"""Which residues of the antibody belong to which CDR: ANARCI numbers each distinct sequence once (IMGT).

ANARCI: Dunbar & Deane, Bioinformatics 32 (2016) 298. IMGT's CDRs: Lefranc et al., Dev. Comp. Immunol. 27 (2003) 55.
"""

import contextlib
import io
import logging
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from .errors import LaunchError, ModelError
from .hmmscan import anarci_module
from .residues import CONST, REGIONS

log = logging.getLogger(__name__)

T = TypeVar("T")

#: A variable domain stands in a chain's first residues; only these are numbered.
DOMAIN_LENGTH = 130
#: Where domains are searched in a chain whose role is to be found; ANARCI takes no more than 10,000 residues.
SEARCHED_LENGTH = 5000
#: IMGT positions of CDR 1, 2 and 3, both ends inclusive.
CDR_POSITIONS = ((27, 38), (56, 65), (105, 117))


@dataclass(frozen=True)
class Numbering:
    """IMGT numbers of a sequence's residues.

    Attributes
    ----------
    positions : tuple of int
        IMGT position of each residue, 0 where it is outside the first domain.
    chain_type : str or None
        ANARCI's type of the first domain (H, K, L, or a T-cell receptor's A, B, G, D); None where there is no domain.
    problem : str or None
        Why ANARCI failed on this sequence, where it did.
    """

    positions: tuple[int, ...]
    chain_type: str | None
    problem: str | None = None


@dataclass(frozen=True)
class Domain:
    """A variable domain in a chain.

    Attributes
    ----------
    chain_type : str
        ANARCI's: H, K, L, or a T-cell receptor's A, B, G, D.
    start, stop : int
        Its residues, counted from 0 in the chain's sequence.
    """

    chain_type: str
    start: int
    stop: int


def domain_of(chain_sequence: str) -> str:
    """The part of a chain that is numbered."""
    return chain_sequence[:DOMAIN_LENGTH]


def number_sequences(sequences: Sequence[str], batches: int = 1) -> list[Numbering]:
    """IMGT numbering of some sequences, in their order.

    One sequence that ANARCI cannot take costs only itself: a batch that fails is numbered one by one.

    Parameters
    ----------
    sequences : sequence of str
        X (no parent amino acid) is kept out of the query and gets no number.
    batches : int
        So many batches at once, each with an hmmscan of its own.

    Returns
    -------
    numberings : list of Numbering
    """
    if not sequences:
        return []
    batches = min(batches, len(sequences))
    shares = [sequences[len(sequences) * i // batches : len(sequences) * (i + 1) // batches] for i in range(batches)]
    silence = io.StringIO()  # ANARCI prints what it also returns or raises
    with contextlib.redirect_stdout(silence), contextlib.redirect_stderr(silence), ThreadPoolExecutor(batches) as pool:
        return [numbering for share in pool.map(_number_share, shares) for numbering in share]


def _number_share(sequences: Sequence[str]) -> list[Numbering]:
    def failed(sequence: str, error: Exception) -> Numbering:
        problem = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
        return Numbering((0,) * len(sequence), None, problem)

    return _each(sequences, _number_batch, failed)


def _each(
    sequences: Sequence[str],
    work: Callable[[Sequence[str]], list[T]],
    failed: Callable[[str, Exception], T],
) -> list[T]:
    """What `work` makes of a batch. One that fails is done one by one: whatever ANARCI raises costs its sequence alone.

    An hmmscan that hangs is no sequence's fault, and would take its whole time limit for each of them.
    """
    try:
        return work(sequences)
    except LaunchError:
        raise
    except Exception as error:
        hangs = isinstance(error, ModelError) and error.reason == "timeout"
        if len(sequences) > 1 and not hangs:
            return [result for sequence in sequences for result in _each([sequence], work, failed)]
        return [failed(sequence, error) for sequence in sequences]


def find_domains(sequences: Sequence[str]) -> list[tuple[Domain, ...] | ModelError]:
    """Variable domains of some chains, in the order in which they stand there.

    A chain that ANARCI cannot take has none; where hmmscan failed, an error stands in the place of the domains. Only
    the first `SEARCHED_LENGTH` residues are searched.
    """
    if not sequences:
        return []

    def failed(sequence: str, error: Exception) -> tuple | ModelError:
        if isinstance(error, ModelError):
            return ModelError(error.reason, str(error), "chains")
        log.warning("ANARCI failed on %s: %s", sequence, error)
        return ()

    silence = io.StringIO()
    with contextlib.redirect_stdout(silence), contextlib.redirect_stderr(silence):
        return _each([sequence[:SEARCHED_LENGTH] for sequence in sequences], _find_batch, failed)


def _find_batch(sequences: Sequence[str]) -> list[tuple[Domain, ...]]:
    kept, queries = _queries(sequences)
    found = _anarci_domains(anarci_module(), [query for query in queries if query[1]], assign_germline=False)
    return [_domains(keep, found.get(name, ())) for keep, (name, _) in zip(kept, queries, strict=True)]


def _queries(sequences: Sequence[str]) -> tuple[list[list[int]], list[tuple[str, str]]]:
    """Which residues of each sequence have a letter that ANARCI knows, and these as its queries."""
    kept = [[i for i, letter in enumerate(sequence) if letter != "X"] for sequence in sequences]
    return kept, [
        (f"s{k}", "".join(sequence[i] for i in keep))
        for k, (sequence, keep) in enumerate(zip(sequences, kept, strict=True))
    ]


def _domains(keep: list[int], found: Iterable[tuple]) -> tuple[Domain, ...]:
    """ANARCI's domains by the residues of the whole sequence.

    An alignment may leave out a domain's first residues, which are as many as it has gaps there.
    """
    domains: list[Domain] = []
    for (aligned, start, end), chain_type in sorted(found, key=lambda domain: domain[0][1]):
        gaps = next((k for k, (_, letter) in enumerate(aligned) if letter != "-"), 0)
        before = domains[-1].stop if domains else 0
        domains.append(Domain(chain_type, max(keep[max(start - gaps, 0)], before), keep[end] + 1))
    return tuple(domains)


def regions(
    heavy: str, light: str, merged: str, numberings: dict[str, Numbering], places: tuple[int, int] | None = None
) -> np.ndarray:
    """Region of every residue of the merged antibody chain.

    As in DeepRank-Ab, a numbered residue is the next one of its letter in the merged chain. So a chain whose residue
    numbers do not ascend (IMGT's 112B, 112A, 112) gets shifted labels from there on, those that the model was trained
    on.

    Parameters
    ----------
    heavy, light : str
        Sequences of the chains in file order; `light` is empty for a single-domain antibody.
    merged : str
        Sequence of the merged chain, as long as both.
    numberings : dict
        Numbering by `domain_of` each of the sequences.
    places : tuple of int, optional
        Where the two begin in the merged chain, if not one behind the other.

    Returns
    -------
    region : ndarray of uint8, shape=(len(merged),)
        Positions in `residues.REGIONS`: H1-H3 in the heavy chain, L1-L3 in the light one, else CONST.

    Raises
    ------
    ModelError
        ``numbering_failed``.
    """
    result = np.full(len(merged), CONST, dtype=np.uint8)
    heavy_place, light_place = places or (0, len(heavy))
    for role, sequence, place in (("H", heavy, heavy_place), ("L", light, light_place)):
        if not sequence:
            continue
        numbering = numberings[domain_of(sequence)]
        if numbering.problem:
            raise ModelError("numbering_failed", f"the chain stated as {role}: {numbering.problem}", "annotate")
        for position, letter in zip(numbering.positions, sequence, strict=False):
            if not position:
                continue
            place = merged.find(letter, place)
            if place < 0:
                break
            result[place] = _region(role, position)
            place += 1
    return result


def _region(role: str, position: int) -> int:
    for cdr, (first, last) in enumerate(CDR_POSITIONS, start=1):
        if first <= position <= last:
            return REGIONS.index(f"{role}{cdr}")
    return CONST


def _number_batch(sequences: Sequence[str]) -> list[Numbering]:
    kept, queries = _queries(sequences)
    numbered = _run(anarci_module(), [query for query in queries if query[1]])
    return [
        _numbering(sequence, keep, *numbered.get(name, (None, None)))
        for sequence, keep, (name, _) in zip(sequences, kept, queries, strict=True)
    ]


def _run(anarci, queries: list[tuple[str, str]]) -> dict:
    return {name: found[0] for name, found in _anarci_domains(anarci, queries, assign_germline=True).items()}


def _anarci_domains(anarci, queries: list[tuple[str, str]], assign_germline: bool) -> dict[str, list[tuple]]:
    """By query what ANARCI found in it: alignment and chain type of each domain."""
    if not queries:
        return {}
    for _, query in queries:
        anarci.validate_sequence(query)
    domains, details, _ = anarci.anarci(queries, scheme="imgt", assign_germline=assign_germline, output=False, ncpu=1)
    if len(domains) != len(queries):
        raise ValueError(f"ANARCI returned {len(domains)} results for {len(queries)} sequences")
    result = {}
    for (name, _), domain, detail in zip(queries, domains, details, strict=True):
        if domain:
            if detail[0]["query_name"] != name:
                raise ValueError(f"ANARCI returned {detail[0]['query_name']} in the place of {name}")
            result[name] = list(zip(domain, (found["chain_type"] for found in detail), strict=False))
    return result


def _numbering(sequence: str, keep: list[int], domain, chain_type) -> Numbering:
    positions = [0] * len(sequence)
    if domain is not None:
        aligned, start, _ = domain
        numbers = [number for (number, _), letter in aligned if letter != "-"]
        letters = "".join(letter for _, letter in aligned if letter != "-")
        place = keep[start : start + len(numbers)]
        if "".join(sequence[i] for i in place) != letters:
            raise ValueError(f"ANARCI numbered {letters}, which is not at residue {start + 1} of {sequence}")
        for i, number in zip(place, numbers, strict=True):
            positions[i] = number
    return Numbering(tuple(positions), chain_type)
