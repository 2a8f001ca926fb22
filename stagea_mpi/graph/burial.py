"""Buried surface area of residues: solvent-accessible area in the lone merged chain minus that in the complex.

FreeSASA computes the areas (Lee & Richards 1971, 20 slices, probe 1.4 Å). The two sides take different radii, and the
model was trained on that difference: in the complex ProtOr's by residue and atom name, without hydrogens; in the lone
chain those of the atom name's first letter alone, hydrogens too. An atom's area is set by its neighbours, so only
those are handed over.
"""

import functools

import freesasa
import numpy as np

from ..structure.neighbours import within_reach

#: Å; two radii of at most 1.9 and two probes of 1.4 are less.
_REACH = 7.0

freesasa.setVerbosity(freesasa.nowarnings)


def buried_areas(
    chain: np.ndarray,
    residue: np.ndarray,
    residue_name: np.ndarray,
    atom_name: np.ndarray,
    is_hydrogen: np.ndarray,
    xyz: np.ndarray,
    wanted: np.ndarray,
) -> np.ndarray:
    """Buried areas of some residues of a complex.

    Parameters
    ----------
    chain : ndarray of uint8, shape=(n,)
        0 or 1.
    residue : ndarray of int, shape=(n,)
    residue_name, atom_name : ndarray of bytes, shape=(n,)
    is_hydrogen : ndarray of bool, shape=(n,)
    xyz : ndarray of float64, shape=(n, 3)
        Å.
    wanted : ndarray of int, shape=(k,)
        Residue indices, ascending and each once.

    Returns
    -------
    buried : ndarray of float64, shape=(k,)
        Å². Negative where the radii differ more than the partner buries.
    """
    is_wanted = np.isin(residue, wanted)
    near = within_reach(xyz, xyz[is_wanted], _REACH)
    slot = np.searchsorted(wanted, residue)

    def area_by_residue(atoms: np.ndarray, radii: np.ndarray) -> np.ndarray:
        areas = _atom_areas(xyz[atoms], radii, np.flatnonzero(is_wanted[atoms]))
        inside = atoms[is_wanted[atoms]]
        return np.bincount(slot[inside], weights=areas, minlength=len(wanted))

    in_complex = np.flatnonzero(near & ~is_hydrogen)
    buried = -area_by_residue(in_complex, _radii(residue_name[in_complex], atom_name[in_complex]))
    for code in (0, 1):
        alone = np.flatnonzero(near & (chain == code))
        if len(alone):
            first_letter = atom_name[alone].astype("S1")
            buried += area_by_residue(alone, _radii(residue_name[alone], first_letter))
    return buried


def _atom_areas(xyz: np.ndarray, radii: np.ndarray, of: np.ndarray) -> np.ndarray:
    result = freesasa.calcCoord(xyz.ravel().tolist(), radii.tolist())
    return np.array([result.atomArea(i) for i in of.tolist()])


def _radii(residue_name: np.ndarray, atom_name: np.ndarray) -> np.ndarray:
    pairs = np.stack([residue_name.astype("S8"), atom_name.astype("S8")], axis=1)
    unique, inverse = np.unique(pairs.view("S16").ravel(), return_inverse=True)
    unique = np.ascontiguousarray(unique).view("S8").reshape(-1, 2)
    return np.array([_radius(residue.decode(), atom.decode()) for residue, atom in unique.tolist()])[inverse]


@functools.cache
def _radius(residue_name: str, atom_name: str) -> float:
    """FreeSASA's radius (Å) of an atom: ProtOr's, else a guess from the element, else 0."""
    structure = freesasa.Structure()
    structure.addAtom(
        f"{atom_name:>2}" if len(atom_name) < 2 else f" {atom_name}"[:4], residue_name, "1", "A", 0.0, 0.0, 0.0
    )
    return structure.radius(0)
