"""Areas are FreeSASA's to the last bit, on proteins and where it does not matter to anybody but us."""

import freesasa
import numpy as np
import pytest
from shipped import fab, nanobody

from stagea_mpi.graph.burial import atom_radii
from stagea_mpi.kernels import compiled

PROBE, SLICES = 1.4, 20
#: Å; hydrogens without one among them.
RADII = (0.0, 1.1, 1.42, 1.61, 1.64, 1.76, 1.88)
GEOMETRIES = 4000


def by_freesasa(xyz, radii, of, probe=PROBE, slices=SLICES):
    parameters = freesasa.Parameters({"n-slices": slices, "probe-radius": probe, "n-threads": 1})
    result = freesasa.calcCoord(xyz.ravel().tolist(), radii.tolist(), parameters)
    return np.array([result.atomArea(i) for i in of.tolist()])


def by_kernel(xyz, radii, of, probe=PROBE, slices=SLICES):
    area = np.full(len(of), -1.0)
    compiled.lee_richards(xyz, radii, of, probe, slices, area)
    return area


def assert_same_bits(found, expected):
    """NaN of either sign is the same; all else is compared as bits."""
    found, expected = (np.where(np.isnan(area), np.nan, area) for area in (found, expected))
    assert found.tobytes() == expected.tobytes()


#: Ways to make many equal heights, directions and distances of atoms.
ARRANGEMENTS = {
    "anywhere": lambda xyz, random: xyz,
    "thousandths": lambda xyz, random: np.round(xyz, 3),
    "tenths": lambda xyz, random: np.round(xyz, 1),
    "halves": lambda xyz, random: np.round(2 * xyz) / 2,
    "a lattice": lambda xyz, random: np.round(xyz),
    "on top of each other": lambda xyz, random: xyz[random.integers(0, len(xyz), len(xyz))],
    "rows along x and z": lambda xyz, random: np.column_stack([xyz[:, 0], np.round(xyz[:, 1]), xyz[:, 2]]),
    "columns along z": lambda xyz, random: np.column_stack([np.round(xyz[:, :2]), xyz[:, 2]]),
    "a slice's thickness apart": lambda xyz, random: np.round(xyz / 0.301) * 0.301,
    "close together": lambda xyz, random: xyz * 0.02,
    "touching": lambda xyz, random: np.round(xyz / 6.02) * 6.02,
    "far apart": lambda xyz, random: xyz + np.round(xyz[:, :1] / 4) * [60, 0, 0],
}


@pytest.mark.parametrize("arrangement", ARRANGEMENTS)
def test_areas_of_any_spheres_are_freesasas(arrangement):
    random = np.random.default_rng(len(arrangement))
    n_undefined = 0
    for _ in range(GEOMETRIES // len(ARRANGEMENTS)):
        n = random.integers(1, 60)
        xyz = ARRANGEMENTS[arrangement](random.uniform(-1, 1, (n, 3)) * random.choice([2, 4, 8, 15]), random)
        xyz = np.ascontiguousarray(xyz)
        choices = random.choice(RADII, n), np.full(n, random.choice(RADII)), random.uniform(0, 20, n)
        radii = choices[random.integers(3)]
        of = random.permutation(n)[: random.integers(1, n + 1)]
        expected = by_freesasa(xyz, radii, of)
        assert_same_bits(by_kernel(xyz, radii, of), expected)
        n_undefined += np.isnan(expected).sum()
    assert n_undefined or arrangement not in ("a lattice", "on top of each other")


@pytest.mark.parametrize(("probe", "slices"), [(1.4, 1), (0.0, 20), (1.4, 7), (3.0, 100)])
def test_areas_are_freesasas_with_other_probes_and_slices(probe, slices):
    random = np.random.default_rng(slices)
    for _ in range(50):
        xyz, radii = np.round(random.uniform(-5, 5, (30, 3)), 3), random.choice(RADII[1:], 30)
        expected = by_freesasa(xyz, radii, np.arange(30), probe, slices)
        assert_same_bits(by_kernel(xyz, radii, np.arange(30), probe, slices), expected)


@pytest.mark.parametrize("built", [fab, nanobody])
def test_areas_of_all_atoms_of_a_complex_are_freesasas(built):
    complex_ = built().complex_
    radii, of = atom_radii(complex_.residue_name, complex_.atom_name), np.arange(len(complex_.xyz))
    assert_same_bits(by_kernel(complex_.xyz, radii, of), by_freesasa(complex_.xyz, radii, of))


@pytest.mark.slow
def test_areas_of_twenty_thousand_atoms_are_freesasas():
    random = np.random.default_rng(20)
    xyz, radii = np.round(random.uniform(0, 60, (20_000, 3)), 3), random.choice(RADII, 20_000)
    of = np.arange(0, 20_000, 7)
    assert_same_bits(by_kernel(xyz, radii, of), by_freesasa(xyz, radii, of))


def test_a_sphere_alone_has_all_of_its_surface_and_one_inside_another_none():
    xyz, radii = np.array([[0.0, 0.0, 0.0], [50.0, 0.0, 0.0], [50.0, 0.1, 0.0]]), np.array([1.6, 3.0, 1.0])
    area = by_kernel(xyz, radii, np.arange(3))
    assert area == pytest.approx([4 * np.pi * 3.0**2, 4 * np.pi * 4.4**2, 0.0])


def test_there_may_be_no_spheres_and_none_that_are_wanted():
    none = np.zeros(0, dtype=np.int64)
    assert by_kernel(np.zeros((0, 3)), np.zeros(0), none).shape == (0,)
    assert by_kernel(np.zeros((1, 3)), np.ones(1), none).shape == (0,)
    assert by_kernel(np.zeros((2, 3)), np.zeros(2), np.arange(2), probe=0.0).tolist() == [0.0, 0.0]


XYZ, SIZES, OF, AREA = np.arange(12.0).reshape(4, 3), np.ones(4), np.arange(4), np.zeros(4)


@pytest.mark.parametrize(
    ("arguments", "error", "says"),
    [
        ((XYZ, SIZES[:3], OF, PROBE, SLICES, AREA), ValueError, r"radii has the shape \(3,\), expected \(4,\)"),
        ((XYZ, -SIZES, OF, PROBE, SLICES, AREA), ValueError, r"radii has a number below 0 at place 0"),
        ((XYZ, SIZES * np.inf, OF, PROBE, SLICES, AREA), ValueError, r"radii has inf at place 0"),
        ((XYZ, SIZES, OF + 1, PROBE, SLICES, AREA), ValueError, r"of has 4 at place 3, expected indices .* below 4"),
        ((XYZ, SIZES, OF - 1, PROBE, SLICES, AREA), ValueError, r"of has -1 at place 0"),
        ((XYZ, SIZES, OF.astype("i4"), PROBE, SLICES, AREA), TypeError, r"of has numbers of the format i"),
        ((XYZ, SIZES, OF, PROBE, 0, AREA), ValueError, r"n_slices is 0, expected a whole number from 1 to 1000"),
        ((XYZ, SIZES, OF, PROBE, 2.5, AREA), ValueError, r"n_slices is 2.5, expected a whole number"),
        ((XYZ, SIZES, OF, PROBE, 2**80, AREA), ValueError, r"n_slices is 1208925819614629174706176"),
        ((XYZ, SIZES, OF, None, SLICES, AREA), TypeError, r"probe is None, expected a number"),
        ((XYZ, SIZES, OF, PROBE, SLICES, AREA[:2]), ValueError, r"area has the shape \(2,\), expected \(4,\)"),
    ],
)
def test_an_argument_that_is_none_such_is_named_with_what_was_found_and_expected(arguments, error, says):
    with pytest.raises(error, match=says):
        compiled.lee_richards(*arguments)
