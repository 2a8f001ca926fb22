"""Confidences of a predicted complex where it binds: means over the graph's own contacts, and published scores.

pLDDT and predicted aligned errors (PAE) are the predictor's. ipSAE, LIS and pDockQ2 are defined for two chains of a
prediction; where a side of the interface has several, the best pair counts. Their numbers are those of R. L. Dunbrack's
ipsae.py (version 4).
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ..structure.neighbours import pairs_between
from ..structure.residues import REGIONS

#: Å, exclusive: pairs of residues with a larger error do not count for ipSAE, and for LIS.
IPSAE_CUTOFF, LIS_CUTOFF = 10.0, 12.0
#: Å, inclusive: residues whose Cβ (glycine: Cα) are no further apart are in contact for pDockQ2.
CB_CUTOFF = 8.0
#: Å; d0 of pDockQ2, and the least one of ipSAE, which so many residues have.
PDOCKQ2_D0, LEAST_D0, LEAST_RESIDUES = 10.0, 1.0, 26

_H3 = REGIONS.index("H3")

#: Rows and columns of a block of a matrix: a slice, or indices where a chain's residues do not stand together.
_Places = slice | np.ndarray


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

    def chain_pairs(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Of each chain of the first side with each of the second the errors in both directions."""
        for rows in _chains(self.first_chain):
            for columns in _chains(self.second_chain):
                yield self.forward[rows][:, columns], self.backward[columns][:, rows]


def _chains(chain: np.ndarray) -> list[_Places]:
    places: list[_Places] = []
    for code in np.unique(chain):
        where = np.flatnonzero(chain == code)
        stands_together = where[-1] - where[0] + 1 == len(where)
        places.append(slice(int(where[0]), int(where[-1]) + 1) if stands_together else where)
    return places


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
    return float(found.mean()) if len(found) else float("nan")


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
    return float(found.mean()) if len(found) else float("nan")


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
        return float("nan")
    both = errors.forward[first, second].mean(dtype=np.float64), errors.backward[second, first].mean(dtype=np.float64)
    return float(sum(both) / 2)


def ipsae(errors: AlignedErrors) -> float:
    """ipSAE (0 to 1) of the pair of chains that has the largest: its direction that has the larger one.

    R. L. Dunbrack, bioRxiv 2025.02.10.637595. Of a direction it is the largest of the aligned chain's residues, each of
    which has the mean of 1 / (1 + (PAE / d0)²) over the other chain's residues with a PAE below `IPSAE_CUTOFF`, with
    the d0 of so many residues (Zhang & Skolnick, Proteins 57 (2004) 702-710); 0 without any.

    Parameters
    ----------
    errors : AlignedErrors
    """
    return _largest(max(_ipsae(forward), _ipsae(backward)) for forward, backward in errors.chain_pairs())


def _ipsae(pae: np.ndarray) -> float:
    is_sure = pae < IPSAE_CUTOFF
    n_sure = np.count_nonzero(is_sure, axis=1)
    n_sure = n_sure[n_sure > 0]
    if not len(n_sure):
        return 0.0
    d0 = np.maximum(LEAST_D0, 1.24 * np.cbrt(np.maximum(n_sure, LEAST_RESIDUES) - 15.0) - 1.8)
    sums = np.add.reduceat(_tm(pae[is_sure], np.repeat(d0, n_sure)), np.cumsum(n_sure) - n_sure)
    return float((sums / n_sure).max())


def _tm(pae: np.ndarray, d0: np.ndarray | float) -> np.ndarray:
    """The term of the TM score."""
    result = pae / d0
    result *= result
    result += 1.0
    return np.reciprocal(result, out=result)


def lis(errors: AlignedErrors) -> float:
    """Local interaction score (0 to 1) of the pair of chains that has the largest: the mean of its two directions.

    A.-R. Kim et al., bioRxiv 2024.02.19.580970. Of a direction it is the mean of (12 - PAE) / 12 over all pairs of
    residues with a PAE below `LIS_CUTOFF`; 0 without any.

    Parameters
    ----------
    errors : AlignedErrors
    """
    return _largest((_lis(forward) + _lis(backward)) / 2 for forward, backward in errors.chain_pairs())


def _lis(pae: np.ndarray) -> float:
    near = pae[pae < LIS_CUTOFF]
    return float(1.0 - near.mean(dtype=np.float64) / LIS_CUTOFF) if len(near) else 0.0


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
    contacts, _ = pairs_between(first_cb, second_cb, CB_CUTOFF)
    first, second = contacts.T
    tm = _tm(np.stack([errors.forward[first, second], errors.backward[second, first]]).astype(np.float64), PDOCKQ2_D0)
    chains = errors.first_chain[first], errors.second_chain[second]
    found = [0.0] if len(errors.first_chain) and len(errors.second_chain) else []
    for one, other in np.unique(np.stack(chains, axis=1), axis=0):
        ours = (chains[0] == one) & (chains[1] == other)
        touching = first_plddt[np.unique(first[ours])], second_plddt[np.unique(second[ours])]
        x = np.concatenate(touching).mean(dtype=np.float64) * tm[:, ours].mean(axis=1).max()
        found.append(float(1.31 / (1.0 + np.exp(-0.075 * (x - 84.733))) + 0.005))
    return _largest(found)


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
    return _largest(both[~np.isnan(both)].tolist())


def _largest(values: Iterator[float] | list[float]) -> float:
    """NaN where there is none, or where one is NaN."""
    found = np.fromiter(values, dtype=np.float64)
    return float(found.max()) if len(found) else float("nan")
