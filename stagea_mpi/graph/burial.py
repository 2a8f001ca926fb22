"""Buried surface area of residues: solvent-accessible area in the lone merged chain minus that in the complex.

The areas are Lee & Richards' (1971) with 20 slices and a probe of 1.4 Å, to the last bit those of FreeSASA, with which
the model was trained. The two sides take different radii, and it was trained on that difference: in the complex those
of ProtOr (Tsai, Taylor, Chothia & Gerstein, J. Mol. Biol. 290 (1999) 253) by residue and atom name, without hydrogens;
in the lone chain those of the atom name's first letter alone, hydrogens too. An atom's area is set by its neighbours,
so only those are handed over.
"""

import csv
import functools
from importlib import resources

import numpy as np

from ..kernels import compiled
from ..structure.neighbours import within_reach

#: Å; two radii of at most 1.9 and two probes of 1.4 are less.
_REACH = 7.0
_PROBE = 1.4  # Å
_SLICES = 20


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
        of = np.flatnonzero(is_wanted[atoms])
        area = np.empty(len(of))
        compiled.lee_richards(xyz[atoms], radii, of, _PROBE, _SLICES, area)
        return np.bincount(slot[atoms[of]], weights=area, minlength=len(wanted))

    in_complex = np.flatnonzero(near & ~is_hydrogen)
    buried = -area_by_residue(in_complex, atom_radii(residue_name[in_complex], atom_name[in_complex]))
    for code in (0, 1):
        alone = np.flatnonzero(near & (chain == code))
        if len(alone):
            first_letter = atom_name[alone].astype("S1")
            buried += area_by_residue(alone, atom_radii(residue_name[alone], first_letter))
    return buried


def atom_radii(residue_name: np.ndarray, atom_name: np.ndarray) -> np.ndarray:
    """Radii as FreeSASA gives them: ProtOr's by residue and atom name, else one guessed from the name's first letter.

    Parameters
    ----------
    residue_name, atom_name : ndarray of bytes, shape=(n,)
        Of atom names three characters count, as in FreeSASA's columns.

    Returns
    -------
    radii : ndarray of float64, shape=(n,)
        Å. 0 where neither the name nor its first letter is known.
    """
    keys, radii, guesses = _radius_tables()
    wanted = _keys(residue_name, atom_name)
    place = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    first_letter = atom_name.astype("S1").view(np.uint8)
    return np.where(keys[place] == wanted, radii[place], guesses[first_letter])


def _keys(residue_name: np.ndarray, atom_name: np.ndarray) -> np.ndarray:
    """Each pair of names as a number. Residue names of four letters or more are in no table, and are so here."""
    names = np.stack([residue_name.astype("S4"), atom_name.astype("S3").astype("S4")], axis=1)
    return names.view(">u8").ravel().astype(np.uint64)


@functools.cache
def _radius_tables() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Keys of residue and atom, ascending, and their radii; the guesses by the code of a letter."""
    text = resources.files("stagea_mpi").joinpath("data", "radii.csv").read_text(encoding="utf-8")
    rows = list(csv.DictReader(text.splitlines()))
    guesses = np.zeros(256)
    for row in rows:
        if row["residue"] == "*":
            guesses[ord(row["atom"])] = float(row["radius"])
    known = [row for row in rows if row["residue"] != "*"]
    keys = _keys(*(np.array([row[column].encode() for row in known]) for column in ("residue", "atom")))
    order = np.argsort(keys)
    return keys[order], np.array([float(row["radius"]) for row in known])[order], guesses
