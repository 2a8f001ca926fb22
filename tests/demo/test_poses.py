import gemmi
import numpy as np
import pytest

from stagea_mpi.demo import poses

pytestmark = pytest.mark.slow

FAB, NANOBODY = poses.COMPLEXES["7DAA"], poses.COMPLEXES["7CFN"]
ROUNDING = 0.001  # Å: a coordinate in a PDB file has three decimals


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    out = tmp_path_factory.mktemp("made") / "poses"
    assert len(poses.write_poses(out, FAB, count=32)) == 32
    return out


@pytest.fixture(scope="module")
def models(folder):
    return [gemmi.read_structure(str(path))[0] for path in sorted(folder.iterdir())]


def gaps(model, source):
    antibody, antigen = poses.heavy_atoms(model, source.antibody), poses.heavy_atoms(model, source.antigen)
    return np.linalg.norm(antibody[:, None] - antigen[None], axis=2)


def distances_within(xyz):
    return np.linalg.norm(xyz[:, None] - xyz[None], axis=2)


def test_the_same_seed_gives_the_same_bytes(folder, tmp_path):
    again = poses.write_poses(tmp_path / "again", FAB, count=3)
    assert [path.read_bytes() for path in again] == [(folder / path.name).read_bytes() for path in again]


def test_another_seed_gives_other_poses(folder, tmp_path):
    (other,) = poses.write_poses(tmp_path / "other", FAB, count=1, seed=1)
    assert other.read_bytes() != (folder / other.name).read_bytes()


def test_the_antibody_stays_where_it_is(models):
    shipped = poses.heavy_atoms(poses.read_complex(FAB)[0], FAB.antibody)
    for model in models:
        assert np.array_equal(poses.heavy_atoms(model, FAB.antibody), shipped)


def test_the_antigen_moves_as_a_rigid_body(models):
    shipped = poses.heavy_atoms(poses.read_complex(FAB)[0], FAB.antigen)
    for model in models[:8]:
        moved = poses.heavy_atoms(model, FAB.antigen)
        assert np.abs(moved - shipped).max() > 0.1
        assert np.abs(distances_within(moved) - distances_within(shipped)).max() < 2 * np.sqrt(3) * ROUNDING


def test_the_moves_written_down_give_the_coordinates(models):
    shipped = poses.heavy_atoms(poses.read_complex(FAB)[0], FAB.antigen)
    for pose, model in zip(poses.make_poses(FAB, count=4), models, strict=False):
        expected = shipped @ pose.rotation.T + pose.translation
        assert np.abs(poses.heavy_atoms(model, FAB.antigen) - expected).max() < ROUNDING


def test_every_sixteenth_pose_does_not_touch_and_all_others_do(models):
    touching = [bool(gaps(model, FAB).min() <= poses.CONTACT_DISTANCE) for model in models]
    assert touching == [number % poses.POSES_PER_MISS != 0 for number in range(1, 33)]


def test_atoms_do_not_lie_on_top_of_each_other(models):
    for model in models:
        distances = gaps(model, FAB)
        for distance, allowed in poses.BUMPS:
            assert np.count_nonzero(distances < distance - 2 * ROUNDING) <= allowed


def test_interfaces_come_in_all_sizes(models):
    sizes = [np.count_nonzero(gaps(model, FAB) <= poses.CONTACT_DISTANCE) for model in models]
    assert min(size for size in sizes if size) < 60
    assert max(sizes) > 400


def test_a_pose_says_that_it_was_made_and_how(folder):
    head = (folder / "pose_0001.pdb").read_text()[:400]
    for part in ("MADE BY stagea_mpi.demo.poses", FAB.file, "SEED 2026", "ROTATION", "TRANSLATION"):
        assert part in head


def test_an_ensemble_names_its_models_after_the_poses(folder, tmp_path):
    path = poses.write_ensemble(tmp_path / "ensemble.pdb", FAB, count=2)
    lines = path.read_text().splitlines()
    assert [line for line in lines if " FROM " in line] == [
        "REMARK   4      MODEL     1 FROM poses/pose_0001.pdb",
        "REMARK   4      MODEL     2 FROM poses/pose_0002.pdb",
    ]
    single = (folder / "pose_0002.pdb").read_text().splitlines()
    second = lines[lines.index("MODEL        2") + 1 : -2]
    assert second == [line for line in single if line.startswith(("ATOM", "TER"))]


def test_the_nanobody_complex_moves_all_its_antigen_chains_together(tmp_path):
    (path,) = poses.write_poses(tmp_path / "poses", NANOBODY, count=1)
    model = gemmi.read_structure(str(path))[0]
    assert [chain.name for chain in model] == ["N", "A", "B", "G", "R"]
    shipped = poses.heavy_atoms(poses.read_complex(NANOBODY)[0], NANOBODY.antigen)[::40]
    moved = poses.heavy_atoms(model, NANOBODY.antigen)[::40]
    assert np.abs(distances_within(moved) - distances_within(shipped)).max() < 2 * np.sqrt(3) * ROUNDING


def test_a_folder_with_files_in_it_is_left_alone(folder, capsys):
    with pytest.raises(SystemExit) as end:
        poses.main([str(folder)])
    assert end.value.code == 2
    assert "not empty" in capsys.readouterr().err


def test_approach_is_the_last_offset_at_which_one_pair_too_many_is_close():
    fixed, moving, up = np.zeros((1, 3)), np.array([[0.0, 0.0, 5.0], [1.0, 0.0, 9.0], [7.0, 0.0, 0.0]]), np.eye(3)[2]
    assert poses.approach(fixed, moving, up, 2.0, 0) == pytest.approx(-3.0)
    assert poses.approach(fixed, moving, up, 2.0, 1) == pytest.approx(-9.0 + np.sqrt(3.0))
    with pytest.raises(ValueError, match="2 pairs meet"):
        poses.approach(fixed, moving, up, 2.0, 2)


def test_the_reference_is_the_complex_that_is_moved(tmp_path):
    """Each pose's antibody, and its antigen moved back."""
    assert poses.main([str(tmp_path / "poses"), "--count", "1", "--reference", str(tmp_path / "native.pdb")]) == 0
    both = [gemmi.read_structure(str(path))[0] for path in (tmp_path / "native.pdb", *tmp_path.glob("poses/*"))]
    (move,) = poses.make_poses(FAB, 1)
    for chain in "HLA":
        before, after = (np.array([atom.pos.tolist() for residue in m[chain] for atom in residue]) for m in both)
        moved = before @ move.rotation.T + move.translation if chain == "A" else before
        assert np.abs(after - moved).max() < 2 * ROUNDING
