"""Contact areas are Voronota's: stored ones in all digits, and those that the program prints, geometry by geometry."""

import shutil
import signal
import subprocess
from pathlib import Path

import numpy as np
import pytest
from holding import HANG_S

from stagea_mpi.kernels import compiled

PROBE = 1.4
#: Å; Voronota's own.
RADII = (1.52, 1.55, 1.70, 1.80)
#: What six printed digits leave open.
PRINTED = {"rtol": 5.1e-6, "atol": 1e-12}
STORED = np.load(Path(__file__).parents[1] / "data/voronota_areas.npz")


def by_kernel(xyz, radii, pairs):
    area = np.full(len(pairs), -1.0)
    compiled.contact_areas(np.ascontiguousarray(xyz), np.ascontiguousarray(radii), np.ascontiguousarray(pairs), area)
    return area


needs_voronota = pytest.mark.skipif(shutil.which("voronota") is None, reason="voronota is not installed")


def by_voronota(xyz, radii, pairs):
    balls = [f"c<A>r<1>a<{i}>R<X>A<X> {x!r} {y!r} {z!r} {r!r} . .\n" for i, (x, y, z, r) in
             enumerate(np.column_stack([xyz, radii]).tolist())]  # fmt: skip
    done = subprocess.run(
        ["voronota", "calculate-contacts", "--annotated"],
        input="".join(balls).encode(), capture_output=True, check=True, timeout=HANG_S,
    )  # fmt: skip
    found = {}
    for line in done.stdout.decode().splitlines():
        *atoms, area = line.split()[:3]
        if "solvent" not in line:
            found[tuple(sorted(int(atom.split("a<")[1].split(">")[0]) for atom in atoms))] = float(area)
    return np.array([found.get(tuple(pair), 0.0) for pair in pairs.tolist()])


def pairs_in_reach(xyz, radii):
    i, j = np.triu_indices(len(xyz), 1)
    near = np.linalg.norm(xyz[i] - xyz[j], axis=1) < radii[i] + radii[j] + 2 * PROBE
    return np.stack([i, j], axis=1)[near]


def packed(random, n, *, apart, density, grid=0.001):
    """Places on a grid, none closer to another than `apart`, so many in a cubic Å."""
    edge, places = (n / density) ** (1 / 3), []
    while len(places) < n:
        place = np.round(random.uniform(0, edge, 3) / grid) * grid
        if all(np.linalg.norm(place - other) > apart for other in places):
            places.append(place)
    return np.array(places)


@pytest.mark.parametrize("case", sorted({name.rpartition("/")[0] for name in STORED.files}))
def test_areas_are_voronotas_in_all_digits(case):
    xyz, radii, pairs, expected = (STORED[f"{case}/{part}"] for part in ("xyz", "radii", "pairs", "area"))
    assert np.count_nonzero(expected) > 100
    # Where a ball is nearly hidden in another, their bisector is sharply bent, and rounding shows a little more.
    assert np.allclose(by_kernel(xyz, radii, pairs.astype(np.int64)), expected, rtol=0, atol=1e-7)


GEOMETRIES = {
    "a protein's": lambda random, n: (packed(random, n, apart=1.2, density=0.06), random.choice(RADII, n)),
    "close": lambda random, n: (packed(random, n, apart=0.2, density=0.15), random.choice(RADII, n)),
    "closer": lambda random, n: (packed(random, n, apart=0.1, density=1.0), random.choice(RADII, n)),
    "sparse": lambda random, n: (packed(random, n, apart=1.0, density=0.01), random.choice(RADII, n)),
    "hydrogens": lambda random, n: (
        packed(random, n, apart=0.9, density=0.1), random.choice((1.1, 1.2, 1.52, 1.7), n)
    ),
    "unusual": lambda random, n: (packed(random, n, apart=1.7, density=0.04), random.uniform(0.8, 2.4, n).round(2)),
    "lattice": lambda random, n: (packed(random, n, apart=1.2, density=0.06, grid=0.1), random.choice(RADII, n)),
}  # fmt: skip


@needs_voronota
@pytest.mark.parametrize("kind", GEOMETRIES)
def test_areas_are_those_that_voronota_prints(kind):
    random = np.random.default_rng(len(kind))
    n_areas = 0
    for _ in range(12):
        xyz, radii = GEOMETRIES[kind](random, int(random.integers(4, 90)))
        pairs = pairs_in_reach(xyz, radii)
        expected = by_voronota(xyz, radii, pairs)
        assert np.allclose(by_kernel(xyz, radii, pairs), expected, **PRINTED)
        n_areas += np.count_nonzero(expected)
    assert n_areas > 500


@needs_voronota
def test_areas_of_twenty_thousand_balls_are_those_of_the_ones_around():
    random = np.random.default_rng(5)
    lattice = np.stack(np.meshgrid(*[np.arange(27)] * 3), axis=-1).reshape(-1, 3) * 2.6
    xyz, radii = np.round(lattice + random.uniform(-0.6, 0.6, lattice.shape), 3), random.choice(RADII, 27**3)
    assert len(xyz) > 19_000
    middle = np.flatnonzero(np.linalg.norm(xyz - 34, axis=1) < 12)
    near = pairs_in_reach(xyz[middle], radii[middle])
    inner = np.linalg.norm(xyz[middle] - 34, axis=1) < 4
    near = near[inner[near].all(axis=1)]
    assert len(near) > 40
    expected = by_voronota(xyz[middle], radii[middle], near)
    assert np.allclose(by_kernel(xyz, radii, middle[near]), expected, **PRINTED)


def test_areas_do_not_depend_on_where_the_balls_are():
    """Voronota 1.28's; the box of corners, which has a say, reaches to 0 in 1.22 where all coordinates are negative."""
    xyz = np.array([
        (-8.992, -10.594, -11.227), (-7.816, -11.032, -10.614), (2.046, -12.466, -15.636), (-15.320, -8.312, -21.219),
        (-8.070, -8.352, -11.625), (-9.396, -10.191, -10.394), (-7.887, -8.375, -10.312), (-8.266, -11.703, -11.133),
        (-7.145, -11.758, -11.633),
    ])  # fmt: skip
    radii = np.array([1.55, 1.0, 1.0, 1.52, 1.7, 1.0, 1.55, 1.7, 1.52])
    areas = [by_kernel(xyz + shift, radii, np.array([[6, 7]]))[0] for shift in (0.0, 100.0, -100.0)]
    assert areas == pytest.approx([3.770623230263224] * 3, rel=1e-9)


def disc(distance, radius):
    """Å² of the disc in which two equal balls, widened by the probe, meet."""
    return np.pi * ((radius + PROBE) ** 2 - (distance / 2) ** 2)


@pytest.mark.parametrize("distance", [1.0, 3.0, 5.9])
def test_two_balls_alone_share_a_disc(distance):
    (area,) = by_kernel(np.array([[0.0, 0.0, 0.0], [0.0, distance, 0.0]]), np.full(2, 1.7), np.array([[1, 0]]))
    # A polygon of at least 6 points.
    assert 0.82 * disc(distance, 1.7) < area < disc(distance, 1.7)
    assert distance > 5 or area > 0.99 * disc(distance, 1.7)


def test_half_of_a_disc_is_left_where_a_third_ball_stands_beside_two():
    """By symmetry: the third ball is as far from one as the other, and its bisectors go through the disc's middle."""
    far = np.array([[1.5, 1.5 / np.sqrt(3), 40.0]])
    corners = np.array([[0.0, 0.0, 0.0], [3.0, 0.0, 0.0], [1.5, 1.5 * np.sqrt(3), 0.0]])
    areas = by_kernel(np.vstack([corners, far]), np.full(4, 1.7), np.array([[0, 1], [1, 2], [0, 2]]))
    assert np.ptp(areas) < 0.02
    height = 1.5 / np.sqrt(3)  # from the middle of a side to where all three meet
    rim = 1.7 + PROBE
    chord = np.sqrt(rim**2 - 1.5**2)
    segment = chord**2 * np.arccos(height / chord) - height * np.sqrt(chord**2 - height**2)
    assert areas[0] == pytest.approx(np.pi * chord**2 - segment, rel=0.01)


@pytest.mark.parametrize("n", [0, 1])
def test_no_pairs_have_no_areas(n):
    assert by_kernel(np.zeros((n, 3)), np.ones(n), np.zeros((0, 2), dtype=np.int64)).shape == (0,)


def test_hidden_balls_coincident_balls_and_a_ball_with_itself_have_no_contact():
    xyz = np.array([[0.0, 0.0, 0.0], [0.1, 0.0, 0.0], [3.0, 0.0, 0.0], [3.0, 0.0, 0.0]])
    radii = np.array([1.8, 1.5, 1.7, 1.7])  # the second lies inside the first
    pairs = np.array([[0, 1], [1, 2], [2, 3], [2, 2], [0, 2]])
    *none, some = by_kernel(xyz, radii, pairs)
    assert none == [0.0] * 4
    assert some == pytest.approx(by_kernel(xyz[[0, 2]], radii[[0, 2]], np.array([[0, 1]]))[0], rel=1e-12)


@needs_voronota
def test_on_a_lattice_where_many_balls_touch_one_the_areas_are_those_of_balls_next_to_it():
    """There Voronota misses vertices, and areas are off by Å²; with balls moved by a hundred-thousandth it does not."""
    random = np.random.default_rng(2)
    n_areas = 0
    for _ in range(6):
        xyz = np.unique(random.integers(0, 7, (60, 3)) * 1.0, axis=0)
        radii = random.choice(RADII, len(xyz))
        pairs = pairs_in_reach(xyz, radii)
        moved = xyz + random.uniform(-1e-5, 1e-5, xyz.shape)
        found, expected = by_kernel(xyz, radii, pairs), by_voronota(moved, radii, pairs)
        # Which side of a tie a point falls on shows where an outline is drawn coarsely.
        assert np.abs(found - expected).max() < 0.25
        assert np.abs(found - expected).mean() < 1e-3
        n_areas += np.count_nonzero(expected)
    assert n_areas > 1500


@pytest.mark.parametrize("spread", [1.0, 1e-3, 0.0], ids=["an ångström", "a thousandth", "a point"])
def test_a_thousand_balls_on_top_of_each_other_come_to_an_end(spread):
    random = np.random.default_rng(8)
    xyz = random.uniform(0, spread, (1000, 3))
    area = by_kernel(xyz, random.choice(RADII, 1000), random.integers(0, 1000, (300, 2)))
    assert np.all(area >= 0)
    assert np.all(np.isfinite(area))


def test_a_signal_ends_a_long_call():
    class TimeIsUp(Exception):
        pass

    def stop(*_):
        raise TimeIsUp

    random = np.random.default_rng(8)
    xyz, radii = random.uniform(0, 1.0, (3000, 3)), random.choice(RADII, 3000)
    pairs = random.integers(0, 3000, (4_000_000, 2))  # of which all would take many minutes
    area = np.empty(len(pairs))
    before = signal.signal(signal.SIGALRM, stop)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.2)
        with pytest.raises(TimeIsUp):
            compiled.contact_areas(xyz, radii, pairs, area)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
