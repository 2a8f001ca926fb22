"""Confidences of a predicted complex where it binds: means over the graph's own contacts, and published scores.

pLDDT and predicted aligned errors (PAE) are the predictor's. ipSAE, LIS and pDockQ2 are defined for two chains of a
prediction; where a side of the interface has several, the best pair counts. Their numbers are those of R. L. Dunbrack's
ipsae.py (version 4).
"""

import functools
import math
from dataclasses import dataclass

import numpy as np

from ..kernels import compiled
from ..structure.neighbours import pairs_between
from ..structure.residues import REGIONS

#: Å, inclusive: residues whose Cβ (glycine: Cα) are no further apart are in contact for pDockQ2.
CB_CUTOFF = 8.0
#: Å; d0 of pDockQ2.
PDOCKQ2_D0 = 10.0

_H3 = REGIONS.index("H3")


@dataclass(frozen=True)
class AlignedErrors:
    """Predicted aligned errors between residues of the two sides of an interface.

    Attributes
    ----------
    forward : ndarray of float32, shape=(n, m)
        Å, of the second side's residues where the first side's are aligned; NaN where unknown.
    backward : ndarray of float32, shape=(m, n)
        The other way round.
    first_chain, second_chain : ndarray of int, shape=(n,) and shape=(m,)
        Which chain of the prediction each residue is in.
    """

    forward: np.ndarray
    backward: np.ndarray
    first_chain: np.ndarray
    second_chain: np.ndarray

    @functools.cached_property
    def of_chains(self) -> tuple[np.ndarray, np.ndarray]:
        """ipSAE and LIS of pairs of a chain of the first side and one of the second, in both directions: each of
        shape=(2, a, b), 0 to 1."""
        forward = _of_chains(self.forward, self.first_chain, self.second_chain)
        backward = _of_chains(self.backward, self.second_chain, self.first_chain)
        return np.stack([forward[0], backward[0].T]), np.stack([forward[1], backward[1].T])

    @property
    def is_empty(self) -> bool:
        """Whether a side has no residues."""
        return not self.forward.size


def _of_chains(pae: np.ndarray, chain: np.ndarray, other: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    n_chains = int(chain.max(initial=0)) + 1, int(other.max(initial=0)) + 1
    ipsae, lis = np.empty(n_chains), np.empty(n_chains)
    compiled.aligned_errors(np.ascontiguousarray(pae), chain.astype(np.int64), other.astype(np.int64), ipsae, lis)
    return ipsae, lis


def residue_plddt(residue: np.ndarray, is_hydrogen: np.ndarray, plddt: np.ndarray, n_residues: int) -> np.ndarray:
    """Mean pLDDT of the heavy atoms of each residue.

    Parameters
    ----------
    residue : ndarray of int, shape=(n,)
        Index of each atom's residue, from 0.
    is_hydrogen : ndarray of bool, shape=(n,)
    plddt : ndarray of float, shape=(n,)
        0 to 100.
    n_residues : int

    Returns
    -------
    means : ndarray of float64, shape=(n_residues,)
        NaN for residues without heavy atoms.
    """
    heavy = ~is_hydrogen
    counts = np.bincount(residue[heavy], minlength=n_residues)
    sums = np.bincount(residue[heavy], weights=plddt[heavy], minlength=n_residues)
    return np.divide(sums, counts, out=np.full(n_residues, np.nan), where=counts > 0)


def interface_plddt(plddt: np.ndarray, residues: np.ndarray) -> float:
    """Mean pLDDT of the residues with an edge across the interface; NaN where there is none.

    Parameters
    ----------
    plddt : ndarray of float, shape=(r,)
        Of each residue of the complex (`residue_plddt`).
    residues : ndarray of int, shape=(k,)
        Residues of the nodes, each as often as it has nodes.
    """
    found = plddt[np.unique(residues)]
    return float(found.mean()) if len(found) else math.nan


def h3_plddt(plddt: np.ndarray, region: np.ndarray) -> float:
    """Mean pLDDT of the residues of CDR-H3 that have heavy atoms; NaN where there is none.

    Parameters
    ----------
    plddt : ndarray of float, shape=(n,)
        Of each residue of chain A (`residue_plddt`).
    region : ndarray of uint8, shape=(n,)
        Positions in `residues.REGIONS`.
    """
    found = plddt[region == _H3]
    found = found[~np.isnan(found)]
    return float(found.mean()) if len(found) else math.nan


def interface_pae(errors: AlignedErrors, pairs: np.ndarray) -> float:
    """Mean error (Å) of pairs of residues, each in both directions; NaN where there is none.

    Parameters
    ----------
    errors : AlignedErrors
    pairs : ndarray of int, shape=(k, 2)
        A residue of the first side and one of the second that have atoms in contact; a pair may be there several times.
    """
    first, second = np.divmod(np.unique(pairs[:, 0] * len(errors.second_chain) + pairs[:, 1]), len(errors.second_chain))
    if not len(first):
        return math.nan
    both = errors.forward[first, second].mean(dtype=np.float64), errors.backward[second, first].mean(dtype=np.float64)
    return float(sum(both) / 2)


def ipsae(errors: AlignedErrors) -> float:
    """ipSAE (0 to 1) of the pair of chains that has the largest: its direction that has the larger one.

    R. L. Dunbrack, bioRxiv 2025.02.10.637595. Of a direction it is the largest of the aligned chain's residues, each of
    which has the mean of 1 / (1 + (PAE / d0)²) over the other chain's residues with a PAE below 10 Å, with
    the d0 of so many residues (Zhang & Skolnick, Proteins 57 (2004) 702-710); 0 without any.

    Parameters
    ----------
    errors : AlignedErrors
    """
    if errors.is_empty:
        return math.nan
    return float(errors.of_chains[0].max())


def _tm(pae: np.ndarray, d0: np.ndarray | float) -> np.ndarray:
    """The term of the TM score."""
    result = pae / d0
    result *= result
    result += 1.0
    return np.reciprocal(result, out=result)


def lis(errors: AlignedErrors) -> float:
    """Local interaction score (0 to 1) of the pair of chains that has the largest: the mean of its two directions.

    A.-R. Kim et al., bioRxiv 2024.02.19.580970. Of a direction it is the mean of (12 - PAE) / 12 over all pairs of
    residues with a PAE below 12 Å; 0 without any.

    Parameters
    ----------
    errors : AlignedErrors
    """
    if errors.is_empty:
        return math.nan
    return float(errors.of_chains[1].mean(axis=0).max())


def pdockq2(
    errors: AlignedErrors,
    first_cb: np.ndarray,
    second_cb: np.ndarray,
    first_plddt: np.ndarray,
    second_plddt: np.ndarray,
) -> float:
    """pDockQ2 (0 to 1.31) of the pair of chains that has the largest: its direction that has the larger one.

    W. Zhu et al., Bioinformatics 39 (2023) btad424: 1.31 / (1 + exp(-0.075 (x - 84.733))) + 0.005 with x the mean pLDDT
    of the residues in contact times the mean of 1 / (1 + (PAE / 10)²) of the contacts; 0 without any. As in ipsae.py,
    each residue counts once, and with the pLDDT of its Cβ.

    Parameters
    ----------
    errors : AlignedErrors
    first_cb, second_cb : ndarray of float, shape=(n, 3) and shape=(m, 3)
        Places of Cβ (glycine: Cα), Å.
    first_plddt, second_plddt : ndarray of float, shape=(n,) and shape=(m,)
        Their pLDDT, 0 to 100.
    """
    if errors.is_empty:
        return math.nan
    contacts, _ = pairs_between(first_cb, second_cb, CB_CUTOFF)
    first, second = contacts.T
    tm = _tm(np.stack([errors.forward[first, second], errors.backward[second, first]]).astype(np.float64), PDOCKQ2_D0)
    pair = errors.first_chain[first] * (int(errors.second_chain.max()) + 1) + errors.second_chain[second]
    best = 0.0
    for own in (pair == code for code in set(pair.tolist())):
        plddt = np.concatenate([_of_each(first_plddt, first[own]), _of_each(second_plddt, second[own])])
        x = plddt.mean(dtype=np.float64) * tm[:, own].mean(axis=1).max()
        best = max(best, 1.31 / (1.0 + math.exp(-0.075 * (x - 84.733))) + 0.005)
    return best


def _of_each(values: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Values of places, each once."""
    is_there = np.zeros(len(values), dtype=bool)
    is_there[places] = True
    return values[is_there]


def chain_pair_iptm(iptm: np.ndarray, first: np.ndarray, second: np.ndarray) -> float:
    """The largest ipTM of a chain of the first side with one of the second, in either direction; NaN without any.

    Parameters
    ----------
    iptm : ndarray of float, shape=(k, k)
        Of pairs of chains; NaN where unknown.
    first, second : ndarray of int, shape=(a,) and shape=(b,)
        The chains of the sides.
    """
    both = np.concatenate([iptm[np.ix_(first, second)].ravel(), iptm[np.ix_(second, first)].ravel()])
    known = both[~np.isnan(both)]
    return float(known.max()) if len(known) else math.nan
