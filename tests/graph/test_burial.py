import freesasa
import numpy as np
import pytest
from shipped import fab

from stagea_mpi.graph.burial import buried_areas

PROBE = 1.4
#: Radii in Å that FreeSASA gives to an atom known by its first letter alone; of any other letter 0.
LETTER_RADII = {"C": 1.61, "N": 1.64, "O": 1.42, "S": 1.80, "H": 1.10}


def columns(complex_):
    return (
        complex_.chain,
        complex_.residue,
        complex_.residue_name,
        complex_.atom_name,
        complex_.is_hydrogen,
        complex_.xyz,
    )


def whole_complex_areas(chain, residue, residue_name, atom_name, is_hydrogen, xyz, folder):
    """Area in the lone chain minus that in the complex of every residue, of all atoms and without any reduction."""
    lines = [
        f"ATOM  {i % 100000:5d} {atom if len(atom) == 4 else ' ' + atom:<4s} {name:3s} {'AB'[c]}{number:4d}    "
        f"{x:8.3f}{y:8.3f}{z:8.3f}  1.00  0.00          {atom.lstrip('0123456789')[0]:>2s}\n"
        for i, (c, number, name, atom, (x, y, z)) in enumerate(
            zip(chain, residue, residue_name.astype(str), atom_name.astype(str), xyz, strict=True), start=1
        )
    ]
    (folder / "complex.pdb").write_text("".join(lines))
    structure = freesasa.Structure(str(folder / "complex.pdb"))
    result = freesasa.calc(structure)
    buried = np.zeros(residue.max() + 1)
    for i in range(structure.nAtoms()):
        buried[int(structure.residueNumber(i))] -= result.atomArea(i)
    for code in (0, 1):
        alone = chain == code
        radii = [LETTER_RADII.get(name[:1], 0.0) for name in atom_name[alone].astype(str)]
        lone = freesasa.calcCoord(xyz[alone].ravel().tolist(), radii)
        np.add.at(buried, residue[alone], [lone.atomArea(i) for i in range(alone.sum())])
    return buried


def with_hydrogens(complex_, atoms):
    """Columns of some atoms of a complex, each N followed by an H and each CB by a 1HB, placed somewhere near."""
    rows, names = [], []
    for i in atoms:
        rows.append(i)
        names.append(complex_.atom_name[i])
        if names[-1] in (b"N", b"CB"):
            rows.append(i)
            names.append({b"N": b"H", b"CB": b"1HB"}[names[-1]])
    names = np.array(names)
    is_hydrogen = np.isin(names, (b"H", b"1HB"))
    xyz = np.round(complex_.xyz[rows] + np.outer(is_hydrogen, [0.6, -0.5, 0.6]), 3)
    return complex_.chain[rows], complex_.residue[rows], complex_.residue_name[rows], names, is_hydrogen, xyz


def lone_sphere(radius):
    return 4.0 * np.pi * (radius + PROBE) ** 2


def of_atoms(chain, name, xyz, residue_name="ALA"):
    """Buried area of the first residue, every atom being a residue of its own."""
    n = len(name)
    names = np.array([residue_name.encode()] * n), np.array([atom.encode() for atom in name])
    hydrogen = np.char.startswith(names[1], b"H")
    return buried_areas(np.array(chain), np.arange(n), *names, hydrogen, np.array(xyz), np.array([0]))[0]


def test_interface_residues_are_buried_as_freesasa_says_of_the_whole_complex(tmp_path):
    built = fab()
    wanted = np.unique(built.complex_.residue[built.graph.serial - 1])
    expected = whole_complex_areas(*columns(built.complex_), tmp_path)[wanted]
    assert np.allclose(buried_areas(*columns(built.complex_), wanted), expected, rtol=0, atol=1e-6)


def test_hydrogens_count_in_the_lone_chain_and_not_in_the_complex(tmp_path):
    built = fab()
    nodes = built.complex_.xyz[built.graph.serial - 1]
    near = np.linalg.norm(built.complex_.xyz - nodes.mean(axis=0), axis=1) < 18.0
    atoms = with_hydrogens(built.complex_, np.flatnonzero(near))
    wanted = np.unique(atoms[1])[::3]
    expected = whole_complex_areas(*atoms, tmp_path)[wanted]
    assert np.allclose(buried_areas(*atoms, wanted), expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("residue_name", "atom", "protor"),
    [("ALA", "CA", 1.88), ("ALA", "C", 1.61), ("LYS", "NZ", 1.64), ("SER", "OG", 1.46)],
)
def test_an_atom_alone_is_buried_by_the_difference_of_its_radii(residue_name, atom, protor):
    expected = lone_sphere(LETTER_RADII[atom[0]]) - lone_sphere(protor)
    assert of_atoms([0], [atom], [[0.0, 0.0, 0.0]], residue_name) == pytest.approx(expected, rel=1e-9, abs=1e-9)


def test_a_partner_buries_the_cap_that_it_covers():
    distance = 4.0
    buried = of_atoms([0, 1], ["C", "C"], [[0.0, 0.0, 0.0], [distance, 0.0, 0.0]])
    radius = 1.61 + PROBE  # of the backbone's C on either side
    cap = 2.0 * np.pi * radius * (radius - distance / 2.0)
    assert buried == pytest.approx(cap, rel=0.05)  # FreeSASA cuts an atom into 20 slices


def test_an_atom_of_the_same_chain_buries_nothing():
    assert of_atoms([0, 0], ["C", "C"], [[0.0, 0.0, 0.0], [4.0, 0.0, 0.0]]) == pytest.approx(0.0, abs=1e-9)


def test_a_partner_out_of_reach_buries_nothing():
    assert of_atoms([0, 1], ["C", "C"], [[0.0, 0.0, 0.0], [6.1, 0.0, 0.0]]) == pytest.approx(0.0, abs=1e-9)
