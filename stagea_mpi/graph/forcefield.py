"""Electrostatics and Lennard-Jones energies of atom pairs, with a united-atom force field.

The parameters are the tables in `stagea_mpi/data/forcefield` (see SOURCES.md there): charge and Lennard-Jones type by
residue and atom name, patched by the residue's class (a terminus, a protonation), which the names of the residue's own
atoms decide.
"""

import csv
import functools
from dataclasses import dataclass
from importlib import resources

import numpy as np

#: Coulomb's constant in kcal·Å/(mol·e²), with a relative permittivity of 1.
COULOMB_CONSTANT = 332.0636
#: Below this distance (Å) a pair counts as covalently bonded.
COVALENT_CUTOFF = 2.1
#: Within one chain, pairs closer than these (Å) count as bonded over two bonds (no energy) or over three (1-4
#: parameters).
CUTOFF_13 = 3.6
CUTOFF_14 = 4.2


@dataclass(frozen=True)
class AtomParameters:
    """Force-field parameters of atoms.

    Attributes
    ----------
    charge : ndarray of float64, shape=(n,)
        e.
    epsilon, sigma : ndarray of float64, shape=(n,)
        Lennard-Jones well depth (kcal/mol) and diameter (Å).
    epsilon14, sigma14 : ndarray of float64, shape=(n,)
        The same between atoms that are three bonds apart.
    """

    charge: np.ndarray
    epsilon: np.ndarray
    sigma: np.ndarray
    epsilon14: np.ndarray
    sigma14: np.ndarray


def atom_parameters(
    residue: np.ndarray,
    residue_name: np.ndarray,
    atom_name: np.ndarray,
    of: np.ndarray,
    known: dict[int, dict[bytes, tuple[float, ...]]] | None = None,
) -> AtomParameters:
    """Parameters of some atoms of a structure.

    Parameters
    ----------
    residue : ndarray of int, shape=(n,)
        Index of each atom's residue, ascending.
    residue_name, atom_name : ndarray of bytes, shape=(n,)
    of : ndarray of int, shape=(k,)
        The atoms whose parameters are wanted.
    known : dict, optional
        What earlier calls for the same residues and names have found by residue; added to.

    Returns
    -------
    parameters : AtomParameters
        Arrays of shape=(k,). An atom that is in no table has zeros.
    """
    wanted, inverse = np.unique(residue[of], return_inverse=True)
    known = {} if known is None else known
    new = np.array([index for index in wanted.tolist() if index not in known], dtype=residue.dtype)
    begin, end = np.searchsorted(residue, new, "left"), np.searchsorted(residue, new, "right")
    for index, b, e in zip(new.tolist(), begin.tolist(), end.tolist(), strict=True):
        known[index] = _residue_parameters(residue_name[b].decode(), tuple(atom_name[b:e].tolist()))
    tables = [known[index] for index in wanted.tolist()]
    rows = np.array(
        [tables[r].get(name, _ZEROS) for r, name in zip(inverse.tolist(), atom_name[of].tolist(), strict=True)]
    )
    return AtomParameters(*rows.reshape(-1, 5).T)


def pair_energies(
    parameters: AtomParameters, pairs: np.ndarray, distance: np.ndarray, same_chain: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Coulomb and Lennard-Jones (12-6, Lorentz-Berthelot) energies of atom pairs.

    elec = 332.0636 · qᵢ · qⱼ / d and vdw = 4ε((σ/d)¹² − (σ/d)⁶), with σ the mean and ε the geometric mean of the two
    atoms'; within one chain vdw takes the 1-4 parameters below 4.2 Å, and both are 0 below 3.6 Å.

    Parameters
    ----------
    parameters : AtomParameters
    pairs : ndarray of int, shape=(k, 2)
    distance : ndarray of float, shape=(k,)
        Å.
    same_chain : bool
        Whether the pairs' atoms are of one chain.

    Returns
    -------
    elec, vdw : ndarray of float64, shape=(k,)
        kcal/mol.
    """
    i, j = pairs.T
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        elec = COULOMB_CONSTANT * parameters.charge[i] * parameters.charge[j] / distance
        vdw = _lennard_jones(parameters.epsilon, parameters.sigma, i, j, distance)
        if same_chain:
            vdw14 = _lennard_jones(parameters.epsilon14, parameters.sigma14, i, j, distance)
            vdw = np.where(distance < CUTOFF_14, vdw14, vdw)
            elec, vdw = (np.where(distance < CUTOFF_13, 0.0, energy) for energy in (elec, vdw))
    return elec, vdw


def _lennard_jones(
    epsilon: np.ndarray, sigma: np.ndarray, i: np.ndarray, j: np.ndarray, distance: np.ndarray
) -> np.ndarray:
    power6 = (0.5 * (sigma[i] + sigma[j]) / distance) ** 6
    return 4.0 * np.sqrt(epsilon[i] * epsilon[j]) * (power6**2 - power6)


_ZEROS = (0.0, 0.0, 0.0, 0.0, 0.0)


@functools.lru_cache(maxsize=4096)
def _residue_parameters(residue_name: str, atom_names: tuple[bytes, ...]) -> dict[bytes, tuple[float, ...]]:
    """(charge, ε, σ, ε14, σ14) by atom name for a residue with just these atoms."""
    field = _force_field()
    names = [name.decode(errors="replace") for name in atom_names]
    residue_class = _residue_class(residue_name, set(names))
    result: dict[bytes, tuple[float, ...]] = {}
    for name in names:
        lj_type, charge = field.atoms.get((residue_name, name), (None, 0.0))
        patched_type, patched_charge = None, None
        if residue_class is not None:
            patched_type, patched_charge = field.patches.get((residue_class, name), (None, None))
        if lj_type is not None:
            lj_type = patched_type or lj_type
        charge = charge if patched_charge is None else patched_charge
        lennard_jones = None if lj_type is None else field.lennard_jones.get(lj_type)
        result[name.encode()] = (charge, *(lennard_jones or _ZEROS[1:]))
    return result


def _residue_class(residue_name: str, atom_names: set[str]) -> str | None:
    for name, residue, present, absent in _force_field().classes:
        if residue in ("all", residue_name) and present <= atom_names and not absent & atom_names:
            return name
    return None


@dataclass(frozen=True)
class _ForceField:
    atoms: dict[tuple[str, str], tuple[str, float]]
    classes: list[tuple[str, str, set[str], set[str]]]
    patches: dict[tuple[str, str], tuple[str | None, float | None]]
    lennard_jones: dict[str, tuple[float, ...]]


@functools.cache
def _force_field() -> _ForceField:
    return _ForceField(
        atoms={(r["residue"], r["atom"]): (r["lj_type"], float(r["charge_e"] or 0.0)) for r in _rows("atoms")},
        classes=[
            (r["residue_class"], r["residue"], set(r["present"].split()), set(r["absent"].split()))
            for r in _rows("classes")
        ],
        patches={
            (r["residue_class"], r["atom"]): (r["lj_type"] or None, float(r["charge_e"]) if r["charge_e"] else None)
            for r in _rows("patches")
        },
        lennard_jones={
            r["lj_type"]: tuple(float(r[k]) for k in ("epsilon_kcal_mol", "sigma_A", "epsilon14_kcal_mol", "sigma14_A"))
            for r in _rows("lj")
        },
    )


def _rows(table: str) -> list[dict[str, str]]:
    text = (resources.files("stagea_mpi") / "data" / "forcefield" / f"{table}.csv").read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))
