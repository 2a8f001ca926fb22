"""Draws docs/contact_area.png, a contact area as the kernel measures it: ``python docs/contact_area.py``."""

from pathlib import Path

import gemmi
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.patches import Circle

from stagea_mpi.graph.voronoi import radii_of
from stagea_mpi.kernels import compiled

PROBE, STEP = 1.4, 0.2
STRUCTURE = Path("stagea_mpi/data/structures/7DAA_model.pdb.gz")


def main() -> None:
    xyz, radii = heavy_atoms()
    a, b = telling_pair(xyz, radii)
    figure, (section, face) = plt.subplots(1, 2, figsize=(11, 4.6), layout="constrained")
    draw_section(section, xyz, radii, a, b)
    draw_face(face, xyz, radii, a, b)
    figure.savefig("docs/contact_area.png", dpi=110)


def heavy_atoms() -> tuple[np.ndarray, np.ndarray]:
    atoms = [atom for chain in gemmi.read_structure(str(STRUCTURE))[0] for residue in chain for atom in residue]
    atoms = [atom for atom in atoms if not atom.element.is_hydrogen]
    xyz = np.array([atom.pos.tolist() for atom in atoms])
    return xyz, radii_of(np.array([atom.name.encode() for atom in atoms]))


def telling_pair(xyz: np.ndarray, radii: np.ndarray) -> tuple[int, int]:
    """Two atoms of one size, not bonded, of which neighbours leave about half of what a probe would touch."""
    i, j = np.triu_indices(len(xyz), 1)
    apart = np.linalg.norm(xyz[i] - xyz[j], axis=1)
    fitting = (apart > 3.6) & (apart < 4.0) & (radii[i] == radii[j])
    pairs, area = np.stack([i, j], axis=1)[fitting], np.empty(fitting.sum())
    compiled.contact_areas(xyz, radii, pairs, area)
    whole = np.pi * ((radii[pairs[:, 0]] + PROBE) ** 2 - (apart[fitting] / 2) ** 2)
    a, b = pairs[np.argmin(np.abs(area / whole - 0.55))]
    return int(a), int(b)


def depth(points: np.ndarray, xyz: np.ndarray, radii: np.ndarray, i: int) -> np.ndarray:
    """Distance (Å) of points from the surface of an atom."""
    return np.linalg.norm(points - xyz[i], axis=-1) - radii[i]


def plane(xyz: np.ndarray, a: int, b: int, c: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Directions from a to b, in the plane of both towards c, and at right angles to both."""
    along = (xyz[b] - xyz[a]) / np.linalg.norm(xyz[b] - xyz[a])
    towards = xyz[c] - xyz[a] - along * np.dot(xyz[c] - xyz[a], along)
    towards /= np.linalg.norm(towards)
    return along, towards, np.cross(along, towards)


def around(xyz: np.ndarray, radii: np.ndarray, a: int, b: int) -> list[int]:
    """Atoms near the middle of two others, the nearest first."""
    distance = depth((xyz[a] + xyz[b]) / 2, xyz, radii, slice(None))
    return [int(i) for i in np.argsort(distance)[:25] if i not in (a, b)]


def draw_section(axes: plt.Axes, xyz: np.ndarray, radii: np.ndarray, a: int, b: int) -> None:
    """A cut through both atoms and the nearest third one."""
    others = around(xyz, radii, a, b)
    along, up, across = plane(xyz, a, b, others[0])
    middle = (xyz[a] + xyz[b]) / 2
    for i in (a, b, *others[:12]):
        off = np.dot(xyz[i] - middle, across)
        if abs(off) >= radii[i]:
            continue
        place = np.dot(xyz[i] - middle, along), np.dot(xyz[i] - middle, up)
        colour = {a: "tab:blue", b: "tab:orange"}.get(i, "0.75")
        axes.add_patch(Circle(place, np.sqrt(radii[i] ** 2 - off**2), color=colour, alpha=0.6, lw=0))
        if i in (a, b):
            axes.add_patch(Circle(place, radii[i] + PROBE, fill=False, color=colour, ls="--"))
            axes.annotate("ab"[i == b], place, ha="center", va="center", fontsize=14)
    heights = np.linspace(-5, 5, 2001)
    points = middle + heights[:, None] * up
    inside = depth(points, xyz, radii, a) <= PROBE
    kept = inside & np.all([depth(points, xyz, radii, i) >= depth(points, xyz, radii, a) for i in others], axis=0)
    axes.plot(np.zeros(inside.sum()), heights[inside], color="0.3", lw=1, ls=":")
    axes.plot(np.where(kept, 0.0, np.nan), heights, color="tab:red", lw=4, label="contact of a and b")
    axes.set(xlim=(-5.2, 5.2), ylim=(-4.2, 4.2), aspect="equal", xlabel="Å", ylabel="Å")
    title = "From the side: a and b equally far, within\na probe's radius, and no other nearer"
    axes.set_title(title, fontsize=10)
    axes.legend(loc="lower right", fontsize=9)


def draw_face(axes: plt.Axes, xyz: np.ndarray, radii: np.ndarray, a: int, b: int) -> None:
    """The same contact from a towards b."""
    others = around(xyz, radii, a, b)
    _, up, across = plane(xyz, a, b, others[0])
    middle = (xyz[a] + xyz[b]) / 2
    grid = np.linspace(-3.2, 3.2, 641)
    x, y = np.meshgrid(grid, grid)
    points = middle + x[..., None] * across + y[..., None] * up
    own = depth(points, xyz, radii, a)
    nearest = np.min([depth(points, xyz, radii, i) for i in others], axis=0) - own
    left = np.minimum(PROBE - own, nearest)
    axes.contourf(x, y, left, levels=[0, np.inf], colors=["tab:red"], alpha=0.3)
    axes.contour(x, y, own, levels=[PROBE], colors=["0.3"], linestyles=["--"])
    for i in others:
        axes.contour(x, y, depth(points, xyz, radii, i) - own, levels=[0.0], colors=["0.7"], linewidths=[0.8])
    (outline,) = axes.contour(x, y, left, levels=[0.0], colors=["tab:red"], linewidths=[1.0]).allsegs
    for line in outline:
        length = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(line, axis=0), axis=1))])
        at = np.arange(0, length[-1], STEP)
        axes.plot(np.interp(at, length, line[:, 0]), np.interp(at, length, line[:, 1]), ".", color="tab:red", ms=5)
    area = np.empty(1)
    compiled.contact_areas(xyz, radii, np.array([[a, b]]), area)
    axes.set(xlim=(-3.2, 3.2), ylim=(-3.2, 3.2), aspect="equal", xlabel="Å", ylabel="Å")
    title = f"From a towards b: a probe's circle, cut by the\nneighbours' bisectors; {area[0]:.1f} Å² are left"
    axes.set_title(title, fontsize=10)


if __name__ == "__main__":
    main()
