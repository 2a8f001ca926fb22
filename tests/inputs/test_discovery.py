import os

import pytest
from made import fv_lines, refusal, write

from stagea_mpi.errors import ConfigError
from stagea_mpi.inputs import discover, list_models


def test_files_are_found_once_in_the_order_of_their_paths_with_their_sizes(tmp_path):
    for name in ("b/x.pdb", "a/z.pdb", "a.pdb", "a/b/y.pdb", "a/notes.txt"):
        write(tmp_path / name, b"123")
    found = discover(tmp_path, ["**/*.pdb", "a/*.pdb"])
    assert [os.path.relpath(path, tmp_path) for path in found.paths] == ["a/b/y.pdb", "a/z.pdb", "a.pdb", "b/x.pdb"]
    assert found.sizes.tolist() == [3, 3, 3, 3]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("*.pdb", ["one.pdb"]),
        ("**/*.pdb", ["deep/er/three.pdb", "deep/two.pdb", "one.pdb"]),
        ("deep/*.pdb", ["deep/two.pdb"]),
        ("**/t[wh]*.pdb", ["deep/er/three.pdb", "deep/two.pdb"]),
        ("**/[!t]*.pdb", ["one.pdb"]),
        ("**/??o.pdb", ["deep/two.pdb"]),
        ("deep/**", ["deep/er/three.pdb", "deep/two.pdb"]),
    ],
)
def test_patterns_mean_what_they_mean_in_a_shell(pattern, expected, tmp_path):
    for name in ("one.pdb", "deep/two.pdb", "deep/er/three.pdb"):
        write(tmp_path / name, b"")
    assert [os.path.relpath(path, tmp_path) for path in discover(tmp_path, [pattern]).paths] == expected


def test_pipes_and_linked_folders_are_left_out_and_broken_links_are_told_of(tmp_path):
    write(tmp_path / "in" / "good.pdb", fv_lines())
    os.mkfifo(tmp_path / "in" / "pipe.pdb")
    (tmp_path / "in" / "loop.pdb").symlink_to(tmp_path / "in")
    (tmp_path / "in" / "nowhere.pdb").symlink_to(tmp_path / "absent")
    names = [os.path.basename(path) for path in discover(tmp_path / "in", ["**/*.pdb"]).paths]
    assert names == ["good.pdb", "nowhere.pdb"]
    assert refusal(list_models, str(tmp_path / "in" / "nowhere.pdb")).reason == "unreadable"
    assert refusal(list_models, str(tmp_path / "in" / "pipe.pdb")).reason == "unreadable"


@pytest.mark.parametrize("patterns", [(), ("**/*.pdb",)])
def test_notes_that_macos_leaves_beside_files_are_no_models(patterns, tmp_path):
    write(tmp_path / "pose.pdb", fv_lines())
    write(tmp_path / "._pose.pdb", b"\x00\x05\x16\x07")
    assert [os.path.basename(path) for path in discover(tmp_path, patterns).paths] == ["pose.pdb"]


def test_linked_folders_are_warned_of(tmp_path, caplog):
    write(tmp_path / "in" / "good.pdb", fv_lines())
    write(tmp_path / "elsewhere" / "other.pdb", fv_lines())
    for name in ("job_1", "job_2"):
        (tmp_path / "in" / name).symlink_to(tmp_path / "elsewhere")
    assert len(discover(tmp_path / "in")) == 1
    assert "folders in it that are links are not entered: job_1, job_2; link their files" in caplog.text
    (tmp_path / "in" / "good.pdb").unlink()
    with pytest.raises(ConfigError, match=r"; there are folders that are links, which are not entered: job_1, job_2$"):
        discover(tmp_path / "in")


def test_a_file_in_the_place_of_the_folder_is_told_how_it_is_given(tmp_path):
    archive = write(tmp_path / "fold_ab.zip", b"")
    with pytest.raises(ConfigError) as found:
        discover(archive)
    assert str(found.value) == (
        f"pdb_root: {archive} is a file; set it to {tmp_path}, and stage_a.glob to 'fold_ab.zip'"
    )


def test_a_layout_that_was_stated_wrongly_is_told_whose_output_it_is(tmp_path):
    write(tmp_path / "ab" / "seed-1_sample-0" / "ab_seed-1_sample-0_model.cif", b"data_x\n")
    with pytest.raises(ConfigError) as found:
        discover(tmp_path, layout="boltz")
    assert str(found.value) == (
        f"stage_a.layout: no file below {tmp_path} is a model in Boltz's output as boltz knows it; there is output of "
        'AlphaFold 3 (layout: alphafold3, or auto) and there are others that can be read: set glob: ["**/*.cif"]'
    )


def test_nothing_found_says_what_there_is_instead(tmp_path):
    write(tmp_path / "a.cif.gz", b"")
    with pytest.raises(ConfigError, match=r'set glob: \["\*\*/\*\.cif\.gz"\]'):
        discover(tmp_path, ["**/*.pdb"])
