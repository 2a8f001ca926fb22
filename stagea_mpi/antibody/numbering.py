"""Variable domains of chains, each residue with its IMGT number, by ANARCI; which residues belong to which CDR.

ANARCI: Dunbar & Deane, Bioinformatics 32 (2016) 298. IMGT's CDRs: Lefranc et al., Dev. Comp. Immunol. 27 (2003) 55.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np

from ..errors import LaunchError, ModelError
from ..structure.residue_numbers import MOST_AT_ONE_POSITION, encode_number
from ..structure.residues import CONST, REGIONS
from .hmm_search import anarci_module

#: Residues that are searched at once, of a chain that is longer in windows that overlap by more than a domain has;
#: ANARCI takes no more than 10,000.
WINDOW, OVERLAP = 5000, 1000
#: IMGT positions of CDR 1, 2 and 3, both ends inclusive.
CDR_POSITIONS = ((27, 38), (56, 65), (105, 117))
#: IMGT positions: the cysteine before CDR3; the first of the last ones, where an alignment has the J region whole.
_CYS, _J_END = 104, 126
#: Positions before which residues are inserted; elsewhere these stand behind their position.
_INSERTED_BEFORE = (33, 61, 112)
#: Residues that a J region has at least; bits by which ANARCI takes one for found.
_SHORTEST_J, _J_BITS = 10, 10


@dataclass(frozen=True)
class Domain:
    """A variable domain in a sequence.

    Attributes
    ----------
    chain_type : str
        ANARCI's: H, K, L, or a T-cell receptor's A, B, G, D.
    start, stop : int
        Its residues, counted from 0 in the sequence.
    positions : tuple of int
        IMGT position of each of these residues; 0 for one without a letter, and for those before the alignment's first.
    """

    chain_type: str
    start: int
    stop: int
    positions: tuple[int, ...] = ()

    def within(self, first: int) -> "Domain":
        """The same, counted in the part of the sequence that begins at residue `first`."""
        return replace(self, start=self.start - first, stop=self.stop - first)

    def __str__(self) -> str:
        return f"{self.chain_type} {self.start + 1}-{self.stop}"


def find_domains(sequences: Sequence[str], batches: int = 1) -> list[tuple[Domain, ...] | ModelError]:
    """Variable domains of some chains, numbered, in the order in which they stand there.

    Parameters
    ----------
    sequences : sequence of str
        Whole chains. X (no parent amino acid) is kept out of the query and gets no number.
    batches : int
        So many batches at once, each on a thread of its own.

    Returns
    -------
    found : list
        By sequence its domains, or why they could not be looked for: one that ANARCI cannot take costs only itself.
    """
    if not sequences:
        return []
    batches = min(batches, len(sequences))
    if batches == 1:
        return list(_each(sequences, _find_batch))
    shares = [sequences[len(sequences) * i // batches : len(sequences) * (i + 1) // batches] for i in range(batches)]
    with ThreadPoolExecutor(batches) as pool:
        return [domains for share in pool.map(lambda share: _each(share, _find_batch), shares) for domains in share]


def _each(
    sequences: Sequence[str], work: Callable[[Sequence[str]], list[tuple[Domain, ...]]]
) -> Sequence[tuple[Domain, ...] | ModelError]:
    """What `work` makes of a batch. One that fails is done one by one: what ANARCI raises costs its sequence alone."""
    try:
        return work(sequences)
    except (LaunchError, ModelError):  # the latter of a time limit that the caller has set
        raise
    except Exception as error:
        if len(sequences) > 1:
            return [result for sequence in sequences for result in _each([sequence], work)]
        what = " ".join(str(error).split())[:200]
        return [ModelError("numbering_failed", f"ANARCI: {type(error).__name__}: {what}")]


def _find_batch(sequences: Sequence[str]) -> list[tuple[Domain, ...]]:
    """Domains of some sequences, of long ones window by window."""
    windows = [(k, first) for k, sequence in enumerate(sequences) for first in _window_starts(len(sequence))]
    found = _search([sequences[k][first : first + WINDOW] for k, first in windows])
    result: list[list[Domain]] = [[] for _ in sequences]
    for (k, first), domains in zip(windows, found, strict=True):
        # Of the residues that two windows share, the first window's half is the first one's.
        least = first + OVERLAP // 2 if first else 0
        stop = first + WINDOW - OVERLAP // 2 if first + WINDOW < len(sequences[k]) else len(sequences[k])
        placed = [domain.within(-first) for domain in domains]
        result[k] += [domain for domain in placed if least <= domain.start < stop]
    return [tuple(domains) for domains in result]


def _window_starts(length: int) -> range:
    return range(0, max(length - OVERLAP, 1), WINDOW - OVERLAP)


def _search(sequences: Sequence[str]) -> list[tuple[Domain, ...]]:
    """ANARCI's domains, each numbered to its end.

    With a long CDR3, HMMER aligns the V region alone, or takes a part of the CDR3 for the J region. ANARCI looks for
    the J region where there is nothing behind position 119, and only in a chain of one domain: so here it is looked for
    in every domain that ends before it, in the residues between cysteine 104 and the next domain.
    """
    found = _anarci(sequences)
    return [
        tuple(
            _with_j_region(sequence, domain, domains[place + 1].start if place + 1 < len(domains) else len(sequence))
            for place, domain in enumerate(domains)
        )
        for sequence, domains in zip(sequences, found, strict=True)
    ]


def _with_j_region(sequence: str, domain: Domain, stop: int) -> Domain:
    """A domain that ends before the J region's end with it and the whole CDR3, where there is one before `stop`."""
    if max(domain.positions) >= _J_END or _CYS not in domain.positions:
        return domain
    behind = domain.start + domain.positions.index(_CYS) + 1
    keep = [i for i in range(behind, stop) if sequence[i] != "X"]
    if len(keep) <= _SHORTEST_J:
        return domain
    query = [("j", "".join(sequence[i] for i in keep))]
    ((_, states, _),) = anarci_module().run_hmmer(query, bit_score_threshold=_J_BITS, ncpu=1)
    if not states or states[0][0][0][0] > CDR_POSITIONS[2][1] or states[0][-1][0][0] < _J_END:
        return domain
    j_region = {keep[i]: state for (state, _), i in states[0] if i is not None and state > CDR_POSITIONS[2][1]}
    cdr = [i for i in keep if i < min(j_region)]
    positions = {i: min(CDR_POSITIONS[2][0] + k, CDR_POSITIONS[2][1]) for k, i in enumerate(cdr)} | j_region
    last = max(j_region) + 1
    known = domain.positions[: behind - domain.start]
    return replace(domain, stop=last, positions=(*known, *(positions.get(i, 0) for i in range(behind, last))))


def _anarci(sequences: Sequence[str]) -> list[tuple[Domain, ...]]:
    """What ANARCI finds in some sequences, by the residues of the whole sequence."""
    kept = [[i for i, letter in enumerate(sequence) if letter != "X"] for sequence in sequences]
    queries = [
        (f"s{k}", "".join(sequence[i] for i in keep))
        for k, (sequence, keep) in enumerate(zip(sequences, kept, strict=True))
        if keep
    ]
    if not queries:
        return [() for _ in sequences]
    anarci = anarci_module()
    for _, query in queries:
        anarci.validate_sequence(query)
    numbered, details, _ = anarci.anarci(queries, scheme="imgt", output=False, ncpu=1)
    if len(numbered) != len(queries):
        raise ValueError(f"ANARCI returned {len(numbered)} results for {len(queries)} sequences")
    by_name = {}
    for (name, query), domains, detail in zip(queries, numbered, details, strict=True):
        if domains:
            if detail[0]["query_name"] != name:
                raise ValueError(f"ANARCI returned {detail[0]['query_name']} in the place of {name}")
            types = (found["chain_type"] for found in detail)
            by_name[name] = query, sorted(zip(domains, types, strict=True), key=lambda found: found[0][1])
    return [_domains(keep, *by_name.get(f"s{k}", ("", ()))) for k, keep in enumerate(kept)]


def _domains(keep: list[int], query: str, found: Sequence[tuple]) -> tuple[Domain, ...]:
    """ANARCI's domains of a query, whose residue i is residue `keep[i]` of the sequence.

    An alignment may leave out a domain's first residues, which are as many as it has gaps there.
    """
    domains: list[Domain] = []
    for (aligned, start, _), chain_type in found:
        numbers = [number for (number, _), letter in aligned if letter != "-"]
        letters = "".join(letter for _, letter in aligned if letter != "-")
        if query[start : start + len(letters)] != letters:
            raise ValueError(f"ANARCI numbered {letters}, which is not at residue {start + 1} of {query}")
        gaps = next((k for k, (_, letter) in enumerate(aligned) if letter != "-"), 0)
        first = max(keep[max(start - gaps, 0)], domains[-1].stop if domains else 0)
        positions = [0] * (keep[start + len(letters) - 1] + 1 - first)
        for i, number in zip(keep[start : start + len(letters)], numbers, strict=True):
            positions[i - first] = number
        domains.append(Domain(chain_type, first, first + len(positions), tuple(positions)))
    return tuple(domains)


def regions(merged: str, chains: Sequence[tuple[str, str, Domain | None, int]]) -> np.ndarray:
    """Region of every residue of the merged antibody chain.

    As in DeepRank-Ab, a numbered residue is the next one of its letter in the merged chain. So a chain whose residue
    numbers do not ascend (IMGT's 112B, 112A, 112) gets shifted labels from there on, those that the model was trained
    on.

    Parameters
    ----------
    merged : str
        Sequence of the merged chain.
    chains : sequence of (str, str, Domain or None, int)
        Of the heavy and of the light chain: the role, H or L; the sequence in file order; the domain in it, None where
        there is none; and where it begins in the merged chain.

    Returns
    -------
    region : ndarray of uint8, shape=(len(merged),)
        Positions in `residues.REGIONS`: H1-H3 in the heavy chain, L1-L3 in the light one, else CONST.
    """
    result = np.full(len(merged), CONST, dtype=np.uint8)
    for role, sequence, domain, offset in chains:
        if domain is None:
            continue
        place = offset + domain.start
        for position, letter in zip(domain.positions, sequence[domain.start : domain.stop], strict=True):
            if not position:
                continue
            place = merged.find(letter, place)
            if place < 0:
                break
            result[place] = _region(role, position)
            place += 1
    return result


def imgt_numbers(domain: Domain) -> np.ndarray:
    """IMGT numbers of a domain's residues, with their insertion letters.

    What is inserted into a CDR stands in its middle: behind 32, 60 and 111 with letters that ascend, before 33, 61 and
    112 with letters that descend. CDR3 is numbered by its length alone (Lefranc et al. 2003): of 15 residues the middle
    ones are 111, 111A, 112A, 112. All numbers are those of ANARCI, which goes on with AA behind Z.

    Parameters
    ----------
    domain : Domain

    Returns
    -------
    numbers : ndarray of int32, shape=(stop - start,)
        As `residue_numbers.encode_number` has them; 0 for a residue without a number, which is not counted
        either, and where letters end, in a CDR3 of more than 117 residues.
    """
    positions = np.array(domain.positions, dtype=np.int32)
    first, last = CDR_POSITIONS[2]
    cdr3 = np.flatnonzero((positions >= first) & (positions <= last))
    positions[cdr3] = _cdr3_positions(len(cdr3))  # where the J region was looked for, they are counted to the last
    numbers = np.zeros(len(positions), dtype=np.int32)
    for position in np.unique(positions[positions > 0]).tolist():
        repeated = np.flatnonzero(positions == position)
        order = repeated[::-1] if position in _INSERTED_BEFORE else repeated
        known = order[:MOST_AT_ONE_POSITION]
        numbers[known] = [encode_number(position, inserted) for inserted in range(len(known))]
    return numbers


def _cdr3_positions(n_residues: int) -> list[int]:
    """Positions of a CDR3: from both ends to the middle, and what is too much at 112 and 111 in turn."""
    first, last = CDR_POSITIONS[2]
    usual = last - first + 1
    ahead, behind = -(-min(n_residues, usual) // 2), min(n_residues, usual) // 2
    inserted = max(0, n_residues - usual)
    return [
        *range(first, first + ahead),
        *[first + ahead - 1] * (inserted // 2),
        *[last - behind + 1] * (inserted - inserted // 2),
        *range(last - behind + 1, last + 1),
    ]


def _region(role: str, position: int) -> int:
    for cdr, (first, last) in enumerate(CDR_POSITIONS, start=1):
        if first <= position <= last:
            return REGIONS.index(f"{role}{cdr}")
    return CONST
