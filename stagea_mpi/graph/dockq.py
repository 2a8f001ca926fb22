"""How near a docking model is to a known complex: CAPRI's measures, its classes, and DockQ.

Méndez et al., Proteins 52 (2003) 51 and Lensink et al., Proteins 69 (2007) 704 (CAPRI); Basu & Wallner, PLoS ONE 11
(2016) e0161879 (DockQ).
"""

import numpy as np

from ..structure.neighbours import pairs_between

#: Å, exclusive: residues are in contact where heavy atoms of theirs are closer, and of the interface where they are
#: closer to one of the other partner's than the second.
CONTACT_CUTOFF, INTERFACE_CUTOFF = 5.0, 10.0
#: What is superposed.
BACKBONE = (b"CA", b"C", b"N", b"O")
#: Å at which a root mean square distance counts half in DockQ.
_IRMSD_SCALE, _LRMSD_SCALE = 1.5, 8.5
#: CAPRI's classes from 1 on: the least fnat, the largest LRMSD and iRMSD (Å); one of the two is enough.
CAPRI_CLASSES = ((0.1, 10.0, 4.0), (0.3, 5.0, 2.0), (0.5, 1.0, 1.0))
#: What a class is called, from 0 on.
CAPRI_NAMES = ("incorrect", "acceptable", "medium", "high")


def residue_contacts(
    xyz_a: np.ndarray, residue_a: np.ndarray, xyz_b: np.ndarray, residue_b: np.ndarray, cutoff: float = CONTACT_CUTOFF
) -> np.ndarray:
    """Pairs of residues of two partners that have atoms closer than a cutoff.

    Parameters
    ----------
    xyz_a, xyz_b : ndarray of float, shape=(n, 3) and (m, 3)
        Å, finite. Heavy atoms.
    residue_a, residue_b : ndarray of int, shape=(n,) and (m,)
        Residue of each atom, from 0.
    cutoff : float
        Å, exclusive.

    Returns
    -------
    contacts : ndarray of int64, shape=(k, 2)
        Each pair once, in ascending order.
    """
    pairs, distance = pairs_between(xyz_a, xyz_b, cutoff)
    pairs = pairs[distance < cutoff]
    stride = int(residue_b.max(initial=0)) + 1
    code = np.unique(residue_a[pairs[:, 0]].astype(np.int64) * stride + residue_b[pairs[:, 1]])
    return np.stack(np.divmod(code, stride), axis=1)


def contact_fractions(native: np.ndarray, n_native: int, contacts: np.ndarray) -> tuple[float, float]:
    """Shares of native contacts that a model has, and of its contacts that are not native.

    Parameters
    ----------
    native : ndarray of bool, shape=(r, s)
        Whether two residues of the reference are in contact.
    n_native : int
        Contacts of the reference, those of residues that the model lacks too.
    contacts : ndarray of int, shape=(k, 2)
        Of the model, by residues of the reference.

    Returns
    -------
    fnat, fnonnat : float
        `fnonnat` is 0 for a model without a contact.
    """
    n_shared = int(native[contacts[:, 0], contacts[:, 1]].sum())
    return n_shared / n_native, (len(contacts) - n_shared) / max(len(contacts), 1)


def dockq(fnat: float, irmsd: float, lrmsd: float) -> float:
    """DockQ, from 0 to 1, of fnat and of the interface's and the ligand's root mean square distance (Å)."""
    return (fnat + _near(irmsd, _IRMSD_SCALE) + _near(lrmsd, _LRMSD_SCALE)) / 3.0


def _near(distance: float, scale: float) -> float:
    return 1.0 / (1.0 + (distance / scale) ** 2)


def capri_class(fnat: float, irmsd: float, lrmsd: float) -> int:
    """CAPRI's class of a model of two proteins: 0 incorrect, 1 acceptable, 2 medium, 3 high.

    Of all classes whose fnat a model has, and one of whose distances (Å) it keeps, the best.
    """
    kept = (
        fnat >= least and (lrmsd <= farthest or irmsd <= farthest_interface)
        for least, farthest, farthest_interface in CAPRI_CLASSES
    )
    return max((number for number, is_kept in enumerate(kept, start=1) if is_kept), default=0)
