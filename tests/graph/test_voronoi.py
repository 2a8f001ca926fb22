import shutil
import subprocess

import numpy as np
import pytest
from holding import HANG_S
from shipped import fab

from stagea_mpi.graph.voronoi import contact_areas

PROBE = 1.4
#: What Voronota's six printed digits and float32 leave open.
PRINTED = {"rtol": 5.2e-6, "atol": 1e-12}

needs_voronota = pytest.mark.skipif(shutil.which("voronota") is None, reason="voronota is not installed")


def voronota(*arguments, stdin):
    command = ["voronota", *arguments]
    return subprocess.run(command, input=stdin, capture_output=True, check=True, timeout=HANG_S).stdout


def all_areas(atom_name, xyz):
    """Area of every contact of a complex, as (atom, atom) → Å²: voronota on all its atoms, from a PDB file."""
    lines = [
        f"ATOM  {i + 1:5d}  {name:<3s} ALA A{i // 10:4d}    {x:8.3f}{y:8.3f}{z:8.3f}  1.00  0.00           {name[0]}\n"
        for i, (name, (x, y, z)) in enumerate(zip(atom_name.astype(str), xyz, strict=True))
    ]
    balls = voronota("get-balls-from-atoms-file", "--annotated", stdin="".join(lines).encode())
    assert balls.count(b"\n") == len(lines)
    found = {}
    for line in voronota("calculate-contacts", "--annotated", stdin=balls).decode().splitlines():
        first, second, area = line.split()[:3]
        if "solvent" not in first + second:
            atoms = sorted(int(name.split("a<")[1].split(">")[0]) - 1 for name in (first, second))
            found[tuple(atoms)] = float(area)
    return found


def packed_atoms(n, seed):
    """Atoms at random, no closer than 1.3 Å: pairs of all overlaps, as in a protein's inside."""
    rng = np.random.default_rng(seed)
    xyz = np.empty((0, 3))
    while len(xyz) < n:
        candidate = np.round(rng.uniform(0, 2.8 * n ** (1 / 3), 3), 3)
        if not len(xyz) or np.linalg.norm(xyz - candidate, axis=1).min() > 1.3:
            xyz = np.vstack([xyz, candidate])
    return rng.choice(np.array([b"CA", b"N", b"O", b"SG"]), n), xyz


@needs_voronota
def test_areas_of_an_interface_are_those_of_the_whole_complex():
    complex_, graph = fab().complex_, fab().graph
    expected = all_areas(complex_.atom_name, complex_.xyz)
    for edges in (graph.interface, graph.internal):
        atoms = np.sort(graph.serial[edges.nodes] - 1, axis=1)
        areas = [expected.get(tuple(pair), 0.0) for pair in atoms.tolist()]
        assert np.allclose(edges.voro_area, areas, **PRINTED)
        assert np.count_nonzero(areas) > 100


@needs_voronota
@pytest.mark.parametrize("seed", range(6))
def test_areas_between_any_of_the_atoms_are_those_of_all_atoms(seed):
    names, xyz = packed_atoms(220, seed)
    expected = all_areas(names, xyz)
    nodes = np.sort(np.random.default_rng(seed).choice(220, 40, replace=False))
    pairs = np.array([(j, i) for i in range(40) for j in range(40) if i != j])
    areas = [expected.get(tuple(sorted(pair)), 0.0) for pair in nodes[pairs].tolist()]
    assert np.allclose(contact_areas(names, xyz, nodes, pairs), areas, **PRINTED)
    assert np.count_nonzero(areas) > 20


def test_two_equal_atoms_share_the_disc_where_their_spheres_meet():
    far = np.array([[40.0, 0.0, 0.0], [0.0, 40.0, 0.0], [0.0, 0.0, 40.0]])
    xyz = np.vstack([[[0.0, 0.0, 0.0], [4.0, 0.0, 0.0]], far])
    (area,) = contact_areas(np.array([b"CA"] * 5), xyz, np.arange(5), np.array([[0, 1]]))
    assert area == pytest.approx(np.pi * ((1.7 + PROBE) ** 2 - 2.0**2), rel=0.02)  # Voronota draws polygons


def test_atoms_too_far_apart_for_a_probe_between_them_have_no_area():
    names, xyz = packed_atoms(60, 9)
    pair = np.array(np.unravel_index(np.argmax(np.linalg.norm(xyz[:, None] - xyz[None], axis=2)), (60, 60)))
    assert contact_areas(names, xyz, np.arange(60), pair[None]).tolist() == [0.0]


def test_no_pairs_have_no_areas():
    names, xyz = packed_atoms(30, 9)
    assert contact_areas(names, xyz, np.arange(5), np.zeros((0, 2), dtype=int)).shape == (0,)
