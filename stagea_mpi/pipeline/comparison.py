"""How near a model is to a known complex, by CAPRI's measures and DockQ."""

from dataclasses import dataclass

import numpy as np

from ..antibody.complexes import Complex
from ..graph.dockq import capri_class, contact_fractions, dockq, residue_contacts
from ..graph.superposition import superposed_rmsd
from .comparison_plan import Plan, Way, planned
from .reference import Reference

_UNKNOWN = float("nan")


@dataclass(frozen=True)
class Comparison:
    """A model beside its reference.

    Attributes
    ----------
    dockq, fnat, fnonnat : float
        DockQ; the share of the reference's contacts that the model has, and of the model's that are not the
        reference's. NaN where the model cannot be compared.
    irmsd, lrmsd : float
        Root mean square distance (Å) of backbone atoms: of the interface, superposed; and of the smaller partner where
        the larger one is superposed. NaN likewise.
    capri_class : int
        0 incorrect, 1 acceptable, 2 medium, 3 high; -1 likewise.
    h3_rmsd : float
        Root mean square distance (Å) of the CDR-H3's backbone where the heavy domain's framework is superposed. NaN
        likewise, and where the reference's heavy chain is not numbered or the model lacks a residue of its CDR-H3.
    problem : str
        Why the model cannot be compared; empty where it can.
    """

    dockq: float = _UNKNOWN
    fnat: float = _UNKNOWN
    fnonnat: float = _UNKNOWN
    irmsd: float = _UNKNOWN
    lrmsd: float = _UNKNOWN
    capri_class: int = -1
    h3_rmsd: float = _UNKNOWN
    problem: str = ""


def compare(reference: Reference, complex_: Complex) -> Comparison:
    """A model beside its reference.

    Residues are the same where sequences, aligned chain by chain, have them at the same place with the same letter.
    Other residues of the model do not count; contacts of other residues of the reference are contacts that the model
    lacks. Of several copies of an antigen's chain those are taken for each other with which DockQ is largest.

    Parameters
    ----------
    reference : Reference
    complex_ : Complex

    Returns
    -------
    comparison : Comparison
        The numbers of DockQ 2 for a file with the merged antibody as its first and the merged antigen as its second
        chain.
    """
    key = "comparison", reference.key
    if key not in complex_.findings:
        complex_.findings[key] = planned(reference, complex_)
    plan: Plan | str = complex_.findings[key]
    if isinstance(plan, str):
        return Comparison(problem=plan)
    xyz = complex_.xyz
    contacts = residue_contacts(xyz[plan.antibody], plan.antibody_place, xyz[plan.antigen], plan.antigen_residue)
    h3 = plan.framework.rest_rmsd(plan.h3, xyz) if len(plan.h3.rows) else _UNKNOWN
    return _best(reference, plan.ways, contacts, xyz, h3)


def _best(reference: Reference, ways: tuple[Way, ...], contacts: np.ndarray, xyz: np.ndarray, h3: float) -> Comparison:
    """The comparison by the way to assign the antigen's chains that gives the largest DockQ."""
    best = Comparison(dockq=-1.0)
    fractions = [_fractions(reference, way, contacts) for way in ways]
    for (fnat, fnonnat), way in sorted(zip(fractions, ways, strict=True), key=lambda found: -found[0][0]):
        if dockq(fnat, 0.0, 0.0) <= best.dockq:
            break
        irmsd = superposed_rmsd(way.interface.fixed, xyz[way.interface.rows])
        if dockq(fnat, irmsd, 0.0) <= best.dockq:
            continue
        lrmsd = way.receptor.rest_rmsd(way.ligand, xyz)
        score = dockq(fnat, irmsd, lrmsd)
        if score > best.dockq:
            best = Comparison(score, fnat, fnonnat, irmsd, lrmsd, capri_class(fnat, irmsd, lrmsd), h3)
    return best


def _fractions(reference: Reference, way: Way, contacts: np.ndarray) -> tuple[float, float]:
    """fnat and fnonnat by contacts of the reference's antibody and the model's antigen."""
    partner = way.antigen_place[contacts[:, 1]]
    matched = np.stack([contacts[:, 0], partner], axis=1)[partner >= 0]
    return contact_fractions(reference.native, reference.n_native, matched)
