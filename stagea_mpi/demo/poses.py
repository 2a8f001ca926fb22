"""Docking poses for the demo and for benchmarks, made from the shipped complexes.

    python -m stagea_mpi.demo.poses OUT_DIR [--reference FILE]

Each pose is a seeded rigid-body move of the antigen: it is turned about the interface's normal, tilted, slid along the
interface, and then brought in along the normal until it bumps into the antibody or stops a little short of it. The
antibody stays where it is. Poses range from near the shipped complex to anywhere on the paratope, and the best of a few
tries is kept, of many in one pose and of a single one in another, so that interfaces come in all sizes. Every sixteenth
pose stops too far away to touch.
"""

import argparse
import gzip
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import gemmi
import numpy as np

#: Pairs of heavy atoms closer than so many Å, and how many of them a pose may have, as models before refinement do.
BUMPS = ((1.2, 0), (2.0, 8))
#: Å; antibody and antigen touch where two heavy atoms are within it.
CONTACT_DISTANCE = 5.0
#: Every so many poses one does not touch: 6 %, fewer than the failures that a run lets pass by default (10 %).
POSES_PER_MISS = 16

# The largest moves: standard deviation of each tilt in degrees, slide and gap in Å; the gaps of a pose that misses.
_TILT, _SLIDE, _GAP = 12.0, 10.0, 2.0
_MISSING_GAPS = (1.0, 20.0)
_MOST_TRIES = 8
# Å from the interface's centre: what of the antibody the antigen can meet.
_REACH = 40.0


@dataclass(frozen=True)
class ShippedComplex:
    """One of the complexes in stagea_mpi/data/structures, whose SOURCES.md says where it came from.

    Attributes
    ----------
    name, file : str
    heavy, light : str
        Names of the antibody's chains; light is "-" where there is none.
    antigen : tuple of str
    """

    name: str
    file: str
    heavy: str
    light: str
    antigen: tuple[str, ...]

    @property
    def antibody(self) -> tuple[str, ...]:
        return tuple(chain for chain in (self.heavy, self.light) if chain != "-")


COMPLEXES = {
    "7DAA": ShippedComplex("7DAA", "7DAA_model.pdb.gz", "H", "L", ("A",)),
    "7CFN": ShippedComplex("7CFN", "7CFN.cif.gz", "N", "-", ("A", "B", "G", "R")),
}


@dataclass(frozen=True)
class Pose:
    """A rigid-body move of the antigen, x → rotation · x + translation.

    Attributes
    ----------
    name : str
    rotation : ndarray, shape=(3, 3)
    translation : ndarray, shape=(3,)
        In Å.
    touching : bool
        Whether antibody and antigen touch.
    """

    name: str
    rotation: np.ndarray
    translation: np.ndarray
    touching: bool


def read_complex(source: ShippedComplex) -> gemmi.Structure:
    """The complex as shipped, without chains that are neither antibody nor antigen."""
    text = gzip.decompress((resources.files("stagea_mpi") / "data" / "structures" / source.file).read_bytes()).decode()
    if source.file.endswith(".cif.gz"):
        structure = gemmi.make_structure_from_block(gemmi.cif.read_string(text).sole_block())
    else:
        structure = gemmi.read_pdb_string(text)
    for chain in [chain.name for chain in structure[0]]:
        if chain not in source.antibody + source.antigen:
            structure[0].remove_chain(chain)
    structure.setup_entities()
    return structure


def make_poses(source: ShippedComplex, count: int = 96, seed: int = 2026) -> Iterator[Pose]:
    """Seeded poses of a shipped complex. Pose k is the same however many are made.

    Parameters
    ----------
    source : ShippedComplex
    count : int
        Number of poses; `count // POSES_PER_MISS` of them do not touch.
    seed : int

    Yields
    ------
    Pose
    """
    model = read_complex(source)[0]
    antibody, antigen = (heavy_atoms(model, chains) for chains in (source.antibody, source.antigen))
    for number in range(1, count + 1):
        rng, touching = np.random.default_rng([seed, number]), number % POSES_PER_MISS != 0
        yield Pose(f"pose_{number:04d}", *random_move(rng, antibody, antigen, touching), touching)


def heavy_atoms(model: gemmi.Model, chains: tuple[str, ...]) -> np.ndarray:
    """Coordinates of the chains' atoms that are not hydrogens, in Å, shape=(n, 3)."""
    positions = [
        atom.pos.tolist() for chain in chains for residue in model[chain] for atom in residue if not atom.is_hydrogen()
    ]
    return np.array(positions)


def random_move(
    rng: np.random.Generator, antibody: np.ndarray, antigen: np.ndarray, touching: bool
) -> tuple[np.ndarray, np.ndarray]:
    """A random move of the antigen about its place in the interface.

    Parameters
    ----------
    rng : Generator
    antibody, antigen : ndarray, shape=(n, 3) and (m, 3)
        Heavy atoms of the complex, in Å.
    touching : bool
        Whether to stop where the two bump, or up to 2 Å before; else 1 to 20 Å beyond the last contact.

    Returns
    -------
    rotation : ndarray, shape=(3, 3)
    translation : ndarray, shape=(3,)
        In Å.
    """
    centre, axes = interface_frame(antibody, antigen)
    antibody = antibody[np.linalg.norm(antibody - centre, axis=1) < _REACH]
    limits: tuple[tuple[float, int], ...]
    if touching:
        limits, tries, gap = BUMPS, int(rng.integers(1, _MOST_TRIES, endpoint=True)), rng.uniform(0.0, _GAP)
    else:
        limits, tries, gap = ((CONTACT_DISTANCE, 0),), 1, rng.uniform(*_MISSING_GAPS)
    amplitude = rng.uniform()
    best_size = -1
    best: tuple[np.ndarray, np.ndarray] | None = None
    for _ in range(tries):
        turn, slide = _turn_and_slide(rng, axes, amplitude)
        turned = (antigen - centre) @ turn.T + centre + slide
        advance = (max(approach(antibody, turned, axes[2], *limit) for limit in limits) + gap) * axes[2]
        size = int(_within(antibody, turned + advance, CONTACT_DISTANCE).sum())
        if size > best_size:
            best_size, best = size, (turn, centre - turn @ centre + slide + advance)
    assert best is not None  # of at least one try
    return best


def interface_frame(antibody: np.ndarray, antigen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Centre and axes of an interface.

    Parameters
    ----------
    antibody, antigen : ndarray, shape=(n, 3) and (m, 3)
        Heavy atoms, in Å, at least one pair of them in contact.

    Returns
    -------
    centre : ndarray, shape=(3,)
        Of the antigen's atoms in contact.
    axes : ndarray, shape=(3, 3)
        Unit vectors as rows: two along the interface, the third its normal, pointing from antibody to antigen.
    """
    contact = _within(antibody, antigen, CONTACT_DISTANCE)
    paratope, epitope = antibody[contact.any(axis=1)], antigen[contact.any(axis=0)]
    both = np.concatenate([paratope, epitope])
    axes = np.linalg.svd(both - both.mean(axis=0), full_matrices=False)[2]
    if axes[2] @ (epitope.mean(axis=0) - paratope.mean(axis=0)) < 0:
        axes = -axes
    return epitope.mean(axis=0), axes


def approach(fixed: np.ndarray, moving: np.ndarray, direction: np.ndarray, distance: float, allowed: int) -> float:
    """How far along `direction` atoms coming from afar must stay so that few pairs are closer than a distance.

    Parameters
    ----------
    fixed, moving : ndarray, shape=(n, 3) and (m, 3)
        In Å.
    direction : ndarray, shape=(3,)
        Unit vector, pointing to where the moving atoms come from.
    distance : float
        In Å.
    allowed : int
        Number of pairs that may be closer.

    Returns
    -------
    float
        The smallest offset t, in Å, such that at every larger one at most `allowed` pairs of `fixed` and
        `moving + t · direction` are closer than `distance`.
    """
    along = np.subtract.outer(fixed @ direction, moving @ direction)
    across = (fixed**2).sum(1)[:, None] + (moving**2).sum(1) - 2.0 * fixed @ moving.T - along**2
    reached = across < distance**2
    enters = np.sort(along[reached] + np.sqrt(distance**2 - across[reached].clip(0.0)))
    if len(enters) <= allowed:
        raise ValueError(f"{len(enters)} pairs meet along the direction, more than {allowed} expected")
    return float(enters[-1 - allowed])


def write_poses(out_dir: Path, source: ShippedComplex, count: int = 96, seed: int = 2026) -> list[Path]:
    """Write `make_poses` to one PDB file each, all or none, into a folder that does not exist or is empty."""
    out_dir = Path(out_dir)
    if out_dir.exists() and any(out_dir.iterdir()):
        raise FileExistsError(f"{out_dir} exists and is not empty; name another folder or remove it")
    draft = out_dir.with_name(out_dir.name + ".tmp")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    structure = read_complex(source)
    for pose in make_poses(source, count, seed):
        text = _remark(pose, source, seed) + _coordinates(structure, source, pose) + "END\n"
        (draft / f"{pose.name}.pdb").write_text(text)
    draft.replace(out_dir)
    return sorted(out_dir.glob("*.pdb"))


def write_complex(path: Path, source: ShippedComplex) -> Path:
    """Write the shipped complex itself, of which the poses are moves, as a PDB file: what they are compared with."""
    path = Path(path)
    unmoved = Pose("reference", np.eye(3), np.zeros(3), touching=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(path.name + ".tmp")
    draft.write_text(_coordinates(read_complex(source), source, unmoved) + "END\n")
    return draft.replace(path)


def write_ensemble(path: Path, source: ShippedComplex, count: int = 96, seed: int = 2026) -> Path:
    """Write `make_poses` as the models of one PDB file, named after the files that `write_poses` would write."""
    path = Path(path)
    structure = read_complex(source)
    poses = list(make_poses(source, count, seed))
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(path.name + ".tmp")
    with draft.open("w") as out:
        out.writelines(_remark(pose, source, seed) for pose in poses)
        out.writelines(
            f"REMARK   4      MODEL     {n} FROM poses/{pose.name}.pdb\n" for n, pose in enumerate(poses, start=1)
        )
        for n, pose in enumerate(poses, start=1):
            out.write(f"MODEL {n:8d}\n{_coordinates(structure, source, pose)}ENDMDL\n")
        out.write("END\n")
    return draft.replace(path)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m stagea_mpi.demo.poses", description=__doc__)
    parser.add_argument("out_dir", type=Path, help="folder for the poses; it may not exist yet or must be empty")
    parser.add_argument("--count", type=int, default=96, help="number of poses (default %(default)s)")
    parser.add_argument("--seed", type=int, default=2026, help="of the random moves (default %(default)s)")
    parser.add_argument("--complex", choices=COMPLEXES, default="7DAA", help="what to move (default %(default)s)")
    parser.add_argument("--ensemble", action="store_true", help="one file with many models, OUT_DIR/ensemble.pdb")
    parser.add_argument("--reference", type=Path, metavar="FILE", help="write the complex itself, too, as a PDB file")
    options = parser.parse_args(arguments)
    if options.count < 1:
        parser.error(f"--count {options.count}: at least 1 pose expected")
    source = COMPLEXES[options.complex]
    try:
        if options.ensemble:
            print(write_ensemble(options.out_dir / "ensemble.pdb", source, options.count, options.seed))
        else:
            written = write_poses(options.out_dir, source, options.count, options.seed)
            print(f"{len(written)} poses of {source.name} in {options.out_dir}")
        if options.reference is not None:
            print(write_complex(options.reference, source))
    except FileExistsError as error:
        parser.error(str(error))
    return 0


def _within(a: np.ndarray, b: np.ndarray, distance: float) -> np.ndarray:
    return ((a**2).sum(1)[:, None] + (b**2).sum(1) - 2.0 * a @ b.T) <= distance**2


def _turn_and_slide(rng: np.random.Generator, axes: np.ndarray, amplitude: float) -> tuple[np.ndarray, np.ndarray]:
    """A rotation that turns about the normal and tilts about the other axes, and a vector along the interface."""
    tilts = np.radians(rng.normal(0.0, _TILT * amplitude, size=2))
    turn = _rotation(axes[2], rng.uniform(-np.pi, np.pi) * amplitude)
    direction, length = rng.uniform(0.0, 2.0 * np.pi), _SLIDE * amplitude * np.sqrt(rng.uniform())
    slide = length * (np.cos(direction) * axes[0] + np.sin(direction) * axes[1])
    return _rotation(axes[0], tilts[0]) @ _rotation(axes[1], tilts[1]) @ turn, slide


def _rotation(axis: np.ndarray, angle: float) -> np.ndarray:
    """Rodrigues' formula, the angle in radians."""
    x, y, z = axis
    cross = np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
    return np.eye(3) + np.sin(angle) * cross + (1.0 - np.cos(angle)) * cross @ cross


def _remark(pose: Pose, source: ShippedComplex, seed: int) -> str:
    lines = [f"{pose.name} MADE BY stagea_mpi.demo.poses, NOT DOCKED", f"{source.file}, SEED {seed}"]
    lines += [f"ANTIGEN {' '.join(source.antigen)} TRANSLATION " + _numbers(pose.translation)]
    lines += [f"ROTATION {row} " + _numbers(values) for row, values in enumerate(pose.rotation, start=1)]
    return "".join(f"REMARK     {line}\n" for line in lines)


def _numbers(values: np.ndarray) -> str:
    return " ".join(f"{value:.6f}" for value in values)


def _coordinates(structure: gemmi.Structure, source: ShippedComplex, pose: Pose) -> str:
    """ATOM and TER lines of the complex, antibody first, the antigen moved."""
    move = gemmi.Transform(gemmi.Mat33(pose.rotation.tolist()), gemmi.Vec3(*pose.translation))
    moved = gemmi.Structure()
    model = gemmi.Model(1)
    for name in source.antibody + source.antigen:
        chain = model.add_chain(structure[0][name])
        if name in source.antigen:
            chain.whole().transform_pos_and_adp(move)
    moved.add_model(model)
    moved.assign_serial_numbers()
    return moved.make_pdb_string(gemmi.PdbWriteOptions(minimal=True, cryst1_record=False, end_record=False))


if __name__ == "__main__":
    sys.exit(main())
