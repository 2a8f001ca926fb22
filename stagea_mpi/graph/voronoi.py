"""Contact areas of atoms in the Voronoi diagram of spheres, by Voronota (Olechnovič & Venclovas, J. Comput. Chem. 35
(2014) 672).

Two exact reductions keep it cheap. An area is set by the atoms in reach of both partners, so only atoms near the
wanted ones are handed over. And those that only stand around are declared to be (mock) solvent: Voronota constructs no
contact between two solvent balls, and no solvent-accessible patches.
"""

import re

import numpy as np

from ..errors import ModelError
from ..mpi.child_process import run_child
from ..structure.neighbours import within_reach

#: Å; two radii of at most 1.8 and two probes of 1.4 are 6.4.
_REACH = 6.5
#: van der Waals radii in Å by the atom name's first letter, and of all others: Voronota's own.
_RADII = {b"C": 1.70, b"N": 1.55, b"O": 1.52, b"S": 1.80, b"P": 1.80}
_DEFAULT_RADIUS = 1.70

_CONTACT_LINE = re.compile(rb"^c<A>r<1>a<(\d+)>R<X>A<X> c<A>r<1>a<(\d+)>R<X>A<X> ([0-9.e+-]+) ", re.MULTILINE)


def contact_areas(
    atom_name: np.ndarray, xyz: np.ndarray, nodes: np.ndarray, pairs: np.ndarray, timeout: float | None = None
) -> np.ndarray:
    """Contact areas of pairs of atoms.

    Parameters
    ----------
    atom_name : ndarray of bytes, shape=(n,)
    xyz : ndarray of float64, shape=(n, 3)
        Heavy atoms of the whole complex, Å.
    nodes : ndarray of int, shape=(k,)
        The atoms that occur in pairs.
    pairs : ndarray of int, shape=(e, 2)
        Pairs of nodes, as indices into `nodes`.
    timeout : float, optional
        Seconds that Voronota may take.

    Returns
    -------
    area : ndarray of float64, shape=(e,)
        Å², 0 where the two atoms do not touch.

    Raises
    ------
    ModelError
        ``child_failed`` where Voronota fails or prints something else.
    """
    # Areas depend, in the fourth digit, on the order in which Voronota gets its balls: it must be that of the file.
    atoms = np.flatnonzero(within_reach(xyz, xyz[nodes], _REACH))
    is_node = np.isin(atoms, nodes)
    letters = atom_name[atoms].astype("S1")
    radii = np.full(len(atoms), _DEFAULT_RADIUS)
    for letter, radius in _RADII.items():
        radii[letters == letter] = radius
    output = run_child(
        ["voronota", "calculate-contacts", "--annotated"], _annotated_balls(xyz[atoms], radii, is_node), timeout
    )
    found, area = _parse_contacts(output, len(atoms))
    return _lookup(found, area, np.searchsorted(atoms, nodes)[pairs], len(atoms))


def _annotated_balls(xyz: np.ndarray, radii: np.ndarray, is_real: np.ndarray) -> bytes:
    """Voronota's input: balls numbered from 0, the unreal ones called solvent ("w")."""
    lines = [
        f"c<A>a<{i}>r<1>R<X>A<X> {x:.3f} {y:.3f} {z:.3f} {radius:.2f} . ."
        if real
        else f"c<w>a<{i}>r<1>R<w>A<w> {x:.3f} {y:.3f} {z:.3f} {radius:.2f} . ."
        for i, ((x, y, z), radius, real) in enumerate(zip(xyz.tolist(), radii.tolist(), is_real.tolist(), strict=True))
    ]
    return ("\n".join(lines) + "\n").encode()


def _parse_contacts(output: bytes, n_balls: int) -> tuple[np.ndarray, np.ndarray]:
    """Pairs (shape=(m, 2)) and areas (shape=(m,)) of the lines without solvent."""
    rows = _CONTACT_LINE.findall(output)
    if len(rows) + output.count(b"c<solvent>") != output.count(b"\n") or not output.endswith(b"\n"):
        ends = f"it begins with {output[:80]!r} and ends with {output[-40:]!r}"
        raise ModelError("child_failed", f"voronota printed something other than lines of contacts: {ends}")
    table = np.array(rows, dtype="S24").astype(np.float64).reshape(-1, 3)
    pairs = table[:, :2].astype(np.int64)
    if len(pairs) and pairs.max() >= n_balls:
        raise ModelError("child_failed", f"voronota printed the atom number {pairs.max()}, of {n_balls} balls")
    return pairs, table[:, 2]


def _lookup(found: np.ndarray, area: np.ndarray, pairs: np.ndarray, n: int) -> np.ndarray:
    keys = np.min(found, axis=1) * n + np.max(found, axis=1)
    order = np.argsort(keys)
    keys, area = np.append(keys[order], n * n), np.append(area[order], 0.0)
    wanted = np.min(pairs, axis=1) * n + np.max(pairs, axis=1)
    position = np.searchsorted(keys, wanted)
    return np.where(keys[position] == wanted, area[position], 0.0)
