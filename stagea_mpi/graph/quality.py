"""Quality flags of a model: those that DeepRank-Ab 1.0.2 (`scripts/inference.py`, Apache-2.0) gives beside its score,
and what its graph leaves out.
"""

from collections import Counter
from dataclasses import dataclass

import numpy as np

from ..antibody.chain_checking import CheckedChains
from ..antibody.complexes import Complex
from ..antibody.numbering import Domain
from ..structure.neighbours import pairs_between
from .interface_graph import GraphArrays
from .left_out import names_of

#: Å, exclusive: two Cα atoms of the heavy and the light chain are in contact.
CA_DISTANCE = 8.0
#: Residues of the heavy and of the light chain that are looked at. DeepRank-Ab says 125 and 115, and reads one more.
HEAVY_RESIDUES, LIGHT_RESIDUES = 126, 116
#: With fewer contacts than this the two domains do not stand as in an antibody.
LEAST_CONTACTS = 15
#: kcal/mol; 1st and 99th percentile of the interface edges' vdw in DeepRank-Ab's training set.
VDW_BOUNDS = (-0.17884573325514794, 3.8368936753273264)
#: With a larger share of interface edges outside these bounds the model is likely to clash.
MOST_OUTSIDE = 0.05


@dataclass(frozen=True)
class Quality:
    """Quality of one model.

    Attributes
    ----------
    heavy_light_contacts : int
        Pairs of Cα atoms of the two variable domains under 8 Å; -1 without a light chain.
    vdw_outside : float
        Share of interface edges whose vdw is outside `VDW_BOUNDS`; -1 without a graph.
    low_heavy_light, vdw_clash : bool
        The flags.
    left_out : int
        Residues, and atoms under unknown names, within 5 Å of the partner that are in no graph; -1 without one.
    left_out_names : str
        Their names with how many there are of each (`left_out.names_of`).
    modified_interface : bool
        Whether there are any.
    dropped_locations : int
        Atoms that gave way to another location of them; -1 without a graph.
    """

    heavy_light_contacts: int
    vdw_outside: float
    low_heavy_light: bool
    vdw_clash: bool
    left_out: int
    left_out_names: str
    modified_interface: bool
    dropped_locations: int


#: Of a model without a graph.
UNKNOWN_QUALITY = Quality(-1, -1.0, False, False, -1, "", False, -1)


def assess(
    complex_: Complex, graph: GraphArrays, checked: CheckedChains, missing: Counter[str] | None = None
) -> Quality:
    """Quality flags of a model.

    Parameters
    ----------
    complex_ : Complex
    graph : GraphArrays
        Its graph, with at least one interface edge.
    checked : CheckedChains
        Its variable domains.
    missing : Counter, optional
        What the graph leaves out (`left_out.left_out`).
    """
    missing = Counter() if missing is None else missing
    contacts = heavy_light_contacts(complex_, checked)
    outside = vdw_outside(graph.interface.vdw)
    return Quality(
        contacts, outside, 0 <= contacts < LEAST_CONTACTS, outside > MOST_OUTSIDE,
        missing.total(), names_of(missing), missing.total() > 0, complex_.n_dropped_locations,
    )  # fmt: skip


def heavy_light_contacts(complex_: Complex, checked: CheckedChains) -> int:
    """Pairs of Cα atoms of the heavy and the light chain under `CA_DISTANCE`; -1 where one of them has none.

    DeepRank-Ab looks at the first residues of each chain. So it is here, unless the variable domain ends behind them:
    then these residues are counted from where it begins.
    """
    is_ca = (complex_.chain == 0) & (complex_.atom_name == b"CA")
    place = complex_.residue_number - 1
    is_heavy = place < len(complex_.heavy)
    heavy = complex_.xyz[is_ca & is_heavy & (place >= _first(checked.heavy, HEAVY_RESIDUES))][:HEAVY_RESIDUES]
    first_light = len(complex_.heavy) + _first(checked.light, LIGHT_RESIDUES)
    light = complex_.xyz[is_ca & ~is_heavy & (place >= first_light)][:LIGHT_RESIDUES]
    if not len(heavy) or not len(light):
        return -1
    _, distance = pairs_between(heavy, light, CA_DISTANCE)
    return int((distance < CA_DISTANCE).sum())


def _first(domain: Domain | None, n_residues: int) -> int:
    """The residue of a chain from which it is looked at."""
    return domain.start if domain is not None and domain.stop > n_residues else 0


def vdw_outside(vdw: np.ndarray) -> float:
    """Share of interface edges outside `VDW_BOUNDS`.

    Parameters
    ----------
    vdw : ndarray of float32, shape=(e,)
        kcal/mol.
    """
    low, high = (np.float32(bound) for bound in VDW_BOUNDS)
    return float(((vdw < low) | (vdw > high)).mean())
