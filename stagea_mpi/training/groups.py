"""Groups of models that have to stay together, and how they are shared out among the parts of a data set."""

from __future__ import annotations

import importlib
import itertools
from collections.abc import Hashable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from ..errors import ConfigError

#: Pairs of sequences are aligned where HMMER finds them homologous by an E-value of at most this, in `_DATABASE` ones.
_E_VALUE, _DATABASE = 1e-3, 1000
#: BLOSUM62, a gap of k residues costs 11 + k (BLASTP's own), at the ends nothing.
_MATRIX, _GAP_OPENS, _GAP_EXTENDS = "BLOSUM62", -12, -1
_KNOWN_LETTERS = frozenset("ACDEFGHIKLMNPQRSTVWY")


def numbered(keys: Iterable[Hashable]) -> np.ndarray:
    """A number for each key, equal ones for equal keys, in the order in which they come.

    >>> numbered(["b", "a", "b"]).tolist()
    [0, 1, 0]
    """
    found: dict[Hashable, int] = {}
    return np.array([found.setdefault(key, len(found)) for key in keys], dtype=np.int64)


def clusters_by_identity(sequences: Sequence[str], identity: float) -> np.ndarray:
    """Clusters such that no two sequences of different ones are alike.

    Two sequences are alike where HMMER's phmmer finds them homologous (E-value up to 0.001 among 1000 sequences) and
    their best global alignment (BLOSUM62, gaps 11 + k, at the ends free) has equal residues at `identity` of the
    shorter one's positions. Whatever is linked by a chain of such pairs is one cluster (single linkage).

    Parameters
    ----------
    sequences : sequence of str
        One letter a residue; X equals nothing.
    identity : float
        0 to 1.

    Returns
    -------
    cluster : ndarray of int, shape=(n,)
        From 0 on, in the order of the sequences.
    """
    distinct = list(dict.fromkeys(sequences))
    leader = list(range(len(distinct)))

    def leader_of(k: int) -> int:
        while leader[k] != k:
            leader[k] = leader[leader[k]]
            k = leader[k]
        return k

    aligner = _aligner()
    for one, other in sorted({tuple(sorted(pair)) for pair in _homologous(distinct)}):
        first, second = sorted((leader_of(one), leader_of(other)))
        if first != second and _identity(aligner, distinct[one], distinct[other]) >= identity:
            leader[second] = first
    cluster_of = {sequence: leader_of(k) for k, sequence in enumerate(distinct)}
    return numbered(cluster_of[sequence] for sequence in sequences)


def _homologous(sequences: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Pairs of sequences that phmmer finds, by their places; most come in both directions."""
    hmmer: Any = importlib.import_module("pyhmmer")
    alphabet = hmmer.easel.Alphabet.amino()
    texts = (hmmer.easel.TextSequence(name=str(k), sequence=_plain(s)) for k, s in enumerate(sequences))
    digital = [text.digitize(alphabet) for text in texts]
    block = hmmer.easel.DigitalSequenceBlock(alphabet, digital)
    for k, hits in enumerate(hmmer.hmmer.phmmer(digital, block, cpus=1, E=_E_VALUE, Z=_DATABASE)):
        for hit in hits.reported:
            if (other := int(hit.name)) != k:
                yield k, other


def _plain(sequence: str) -> str:
    """Letters that BLOSUM62 and HMMER both know."""
    return "".join(letter if letter in _KNOWN_LETTERS else "X" for letter in sequence)


def _aligner() -> Any:
    from Bio import Align

    aligner = Align.PairwiseAligner(mode="global")
    aligner.substitution_matrix = Align.substitution_matrices.load(_MATRIX)
    aligner.open_gap_score, aligner.extend_gap_score = _GAP_OPENS, _GAP_EXTENDS
    aligner.end_gap_score = 0
    return aligner


def _identity(aligner: Any, one: str, other: str) -> float:
    """Share of the shorter sequence's residues that stand at equal ones in the best alignment."""
    first, second = _plain(one), _plain(other)
    alignment = aligner.align(first, second)[0]
    n_equal = 0
    for (begin, end), (start, stop) in zip(*alignment.aligned, strict=True):
        pairs = zip(first[begin:end], second[start:stop], strict=True)
        n_equal += sum(a == b != "X" for a, b in pairs)
    return n_equal / max(1, min(len(first), len(second)))


def shared_out(groups: np.ndarray, fractions: Sequence[float], seed: int) -> list[np.ndarray]:
    """Members of each part, such that no group is in two.

    The largest groups go first, each to the part that lacks most of its share; the seed decides among groups of equal
    size. No part stays empty.

    Parameters
    ----------
    groups : ndarray of int, shape=(n,)
        Numbers of the members' groups, from 0 on.
    fractions : sequence of float
        Their sum is 1.
    seed : int

    Returns
    -------
    parts : list of ndarray of int
        Places of their members, ascending.

    Raises
    ------
    ConfigError
        The fractions are wrong, or there are fewer groups than parts.
    """
    shares = np.array([float(fraction) for fraction in fractions])
    if len(shares) < 1 or not (shares > 0).all() or abs(shares.sum() - 1) > 1e-6:
        raise ConfigError(f"fractions: expected numbers over 0 whose sum is 1, found {tuple(fractions)}")
    sizes = np.bincount(groups) if len(groups) else np.zeros(0, dtype=int)
    if len(sizes) < len(shares):
        raise ConfigError(
            f"split: {len(groups)} models are in {len(sizes)} groups, which cannot be shared out into {len(shares)} "
            "parts; ask for fewer parts, a higher identity, or other groups (by=)"
        )
    order = np.random.default_rng(seed).permutation(len(sizes))
    order = order[np.argsort(-sizes[order], kind="stable")]
    lacks, part_of, empty = shares * len(groups), np.zeros(len(sizes), dtype=int), set(range(len(shares)))
    for n_left, group in zip(itertools.count(len(order), -1), order.tolist(), strict=False):
        allowed = sorted(empty) if n_left == len(empty) else range(len(shares))
        part = max(allowed, key=lambda k: lacks[k])
        part_of[group] = part
        lacks[part] -= sizes[group]
        empty.discard(part)
    return [np.flatnonzero(part_of[groups] == part) for part in range(len(shares))]
