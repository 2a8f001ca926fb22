"""Which residues and which chains of two structures are the same, by their sequences alone."""

import functools
import itertools
import math
from dataclasses import dataclass

import numpy as np

#: Two chains are one protein's where so many of their aligned residues are equal, and these are so many of the shorter
#: chain's: a few mutations are allowed, another protein of the family is not.
LEAST_EQUAL, LEAST_COVERED = 0.9, 0.5
#: In so many ways chains may be assigned to each other: five copies have 120.
MOST_ASSIGNMENTS = 120

# Scores of an alignment, as DockQ 2 has them: of two alignments that are as good, both then take the same.
_EQUAL, _OTHER, _GAP, _LONGER_GAP = 5.0, 0.0, -4.0, -0.5


@dataclass(frozen=True, eq=False)
class Matching:
    """An alignment of two sequences.

    Attributes
    ----------
    equal, other : ndarray of int64, shape=(k, 2) and (m, 2)
        Places, from 0, in the one and in the other sequence, of aligned residues of one letter and of two.
    shorter : int
        Length of the shorter sequence.
    """

    equal: np.ndarray
    other: np.ndarray
    shorter: int

    def within(self, first: int, stop: int) -> "Matching":
        """The part of it that lies in residues `first` to `stop` (exclusive) of the second sequence."""
        equal, other = (rows[(rows[:, 1] >= first) & (rows[:, 1] < stop)] for rows in (self.equal, self.other))
        return Matching(equal, other, min(self.shorter, stop - first))

    @property
    def is_same(self) -> bool:
        """Whether both are sequences of one protein: `LEAST_EQUAL` and `LEAST_COVERED`."""
        enough = len(self.equal) >= LEAST_EQUAL * (len(self.equal) + len(self.other))
        return enough and 0 < len(self.equal) >= LEAST_COVERED * self.shorter

    def __str__(self) -> str:
        aligned = len(self.equal) + len(self.other)
        return f"{len(self.equal)} of {aligned} aligned residues are equal, and {self.shorter} could be"


@functools.lru_cache(maxsize=1024)
def match_residues(one: str, other: str) -> Matching:
    """The best global alignment of two sequences, as DockQ has it.

    Parameters
    ----------
    one, other : str
        One letter a residue.

    References
    ----------
    Mirabello & Wallner, Bioinformatics 40 (2024) btae586: 5 for two equal letters, 0 for others, -4 for a gap, -0.5 for
    each further residue of it, at the ends too. Biopython's aligner.
    """
    blocks = [((0, len(one)), (0, len(other)))] if one == other else _aligned_blocks(one, other)
    places = [np.stack([np.arange(*span) for span in block], axis=1) for block in blocks]
    pairs = np.concatenate([np.empty((0, 2), dtype=np.int64), *places])
    letters = (np.frombuffer(text.encode("latin-1", "replace"), dtype=np.uint8) for text in (one, other))
    equal = np.equal(*(text[column] for text, column in zip(letters, pairs.T, strict=True)))
    result = Matching(pairs[equal], pairs[~equal], min(len(one), len(other)))
    for rows in (result.equal, result.other):
        rows.setflags(write=False)  # others will get it, too
    return result


def _aligned_blocks(one: str, other: str) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    """Stretches without gaps: first and stop in each of the two."""
    if not one or not other:
        return []
    from Bio.Align import PairwiseAligner  # 50 ms, and only where two structures are compared

    aligner = PairwiseAligner(
        mode="global",
        match_score=_EQUAL,
        mismatch_score=_OTHER,
        open_gap_score=_GAP,
        extend_gap_score=_LONGER_GAP,
    )
    aligned = aligner.align(one, other)[0].aligned
    return [((int(a), int(b)), (int(c), int(d))) for (a, b), (c, d) in zip(*aligned, strict=True)]


def assignments(fits: np.ndarray) -> list[tuple[int, ...]] | int:
    """All ways to assign chains of one structure to those of another, as many as possible in each.

    Parameters
    ----------
    fits : ndarray of bool, shape=(r, m)
        Whether a chain of the first can be that of the second.

    Returns
    -------
    ways : list of tuple of int, or int
        By chain of the first the one of the second, -1 for none. Where they are more than `MOST_ASSIGNMENTS`, how many.
    """
    groups = _groups(fits)
    count = math.prod(math.perm(max(len(rows), len(columns)), min(len(rows), len(columns))) for rows, columns in groups)
    if count > MOST_ASSIGNMENTS:
        return count
    ways = []
    for choice in itertools.product(*(_within_group(*group) for group in groups)):
        chosen = dict(itertools.chain.from_iterable(choice))
        if all(fits[pair] for pair in chosen.items()):
            ways.append(tuple(chosen.get(row, -1) for row in range(len(fits))))
    return ways


def _groups(fits: np.ndarray) -> list[tuple[list[int], list[int]]]:
    """Rows and columns that hang together: copies of one chain."""
    groups: list[tuple[list[int], list[int]]] = []
    for row in np.flatnonzero(fits.any(axis=1)).tolist():
        columns = np.flatnonzero(fits[row]).tolist()
        joined = [group for group in groups if set(group[1]) & set(columns)]
        groups = [group for group in groups if group not in joined]
        rows = sorted(itertools.chain([row], *(group[0] for group in joined)))
        groups.append((rows, sorted({*columns, *itertools.chain.from_iterable(group[1] for group in joined)})))
    return groups


def _within_group(rows: list[int], columns: list[int]) -> list[list[tuple[int, int]]]:
    """Ways to pair them off, as many pairs as the fewer of both are."""
    if len(rows) <= len(columns):
        return [list(zip(rows, chosen, strict=True)) for chosen in itertools.permutations(columns, len(rows))]
    return [list(zip(chosen, columns, strict=True)) for chosen in itertools.permutations(rows, len(columns))]
