import os

import pytest
from made import fv_lines, text_of, write

from stagea_mpi.inputs import FileNames, RunNames, list_models, stem
from stagea_mpi.inputs.model_names import container_names, model_name, name_files


@pytest.mark.parametrize(
    ("file", "name"),
    [("x.pdb", "x"), ("x.PDB.GZ", "x"), ("x.1.cif.gz", "x.1"), ("x.tar.gz", "x"), ("x.qv", "x"), ("x.y", "x.y")],
)
def test_a_stem_has_no_ending_of_a_format(file, name):
    assert stem(f"folder/{file}") == name


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("a b", "a b"),
        ("a/b", "a_b"),
        ("ä", "ä"),
        ("a\tb", "a_b"),
        (".", "_"),
        ("..", "__"),
        ("", "_"),
        ("a\udce9", "a%E9"),
    ],
)
def test_names_are_made_such_that_hdf5_and_tables_take_them(text, name):
    assert model_name(text) == name


def test_a_name_of_300_characters_stays(tmp_path):
    path = write(tmp_path / "designs.qv", f"QV_TAG {'n' * 300}\n".encode() + text_of(fv_lines()))
    assert list_models(path).models[0].name == "n" * 300


def test_files_of_one_stem_are_named_by_folder_and_then_by_ending():
    files = ["/in/a/x.pdb", "/in/b/x.pdb", "/in/b/x.cif", "/in/y.pdb"]
    names = _run_names(files)
    assert [names.of(path).base for path in files] == ["a__x", "b__x.pdb", "b__x.cif", "y"]


def _run_names(files, inner=None):
    ambiguous = name_files(files, "/in")[0]
    bases = [RunNames(_params(ambiguous)).of(path).base for path in files]
    bare, separators = container_names(lambda: bases, inner or {})
    return RunNames(_params(ambiguous, bare, separators))


def _params(ambiguous, bare=(), separators=None):
    return {
        "pdb_root": "/in", "layout": "auto", "layouts": [],
        "ambiguous_stems": ambiguous, "bare_containers": list(bare), "separators": separators or {},
        "shared_targets": [],
    }  # fmt: skip


@pytest.mark.parametrize("layouts", [[], ["alphafold_multimer"]])
def test_targets_whose_folders_are_no_utf8_are_told_apart_as_names_of_models_are(layouts):
    names = RunNames(_params([]) | {"layouts": layouts})
    paths = [f"/in/{os.fsdecode(folder)}/ranked_0.pdb" for folder in (b"j\xfe", b"j\xff", "jä".encode())]
    assert [names.of(path).place.target for path in paths] == ["j%FE", "j%FF", "jä"]


def test_names_inside_a_container_stay_as_they_are_where_nothing_else_has_them():
    names = _run_names(["/in/a.qv", "/in/b.pdb"], {"a": ["one", "two"]})
    assert names.of("/in/a.qv").inner("one") == "one"


@pytest.mark.parametrize(
    ("files", "inner"),
    [
        (["/in/a.qv", "/in/c.qv"], {"a": ["one"], "c": ["one"]}),
        (["/in/a.qv", "/in/one.pdb"], {"a": ["one"]}),
        (["/in/a.qv", "/in/x.pdb"], {"a": ["x_model_3"]}),
        (["/in/a.qv", "/in/x.pdb"], {"a": ["x__3"]}),
        (["/in/a.qv"], {}),
    ],
)
def test_names_inside_a_container_get_its_name_where_something_else_may_have_them(files, inner):
    names = _run_names(files, inner).of("/in/a.qv")
    assert names.inner("n") == "a__n"


def test_no_file_can_be_called_what_a_model_of_another_file_is_called():
    files = ["/in/x.pdb", "/in/x_model_1.pdb", "/in/x__one.pdb"]
    names = _run_names(files).of("/in/x.pdb")
    assert names.serial(1) not in ("x_model_1", "x__one")
    assert names.inner("one") not in ("x_model_1", "x__one")


def test_names_of_a_file_alone_are_its_own():
    assert (FileNames.of_stem("x").inner("y"), FileNames.of_stem("x").serial(3)) == ("y", "x_model_3")


def test_names_that_only_look_continued_need_no_longer_separator_among_many():
    files = [f"/in/x_model_{k}.pdb" for k in range(30_000)] + [f"/in/y__{k}.pdb" for k in range(5)] + ["/in/y.pdb"]
    ambiguous, hashes = name_files(files, "/in")
    names = RunNames(_params(ambiguous))
    bare, separators = container_names(lambda: (names.of(path).base for path in files), {}, hashes)
    assert (ambiguous, bare, separators) == ([], [], {"y": "___"})


def test_an_archives_own_name_may_begin_those_of_its_members_and_anothers_may_not():
    bases = ["fold_x", "other"]
    inner = {"fold_x": ["fold_x_model_0", "fold_x_model_1"]}
    assert container_names(lambda: bases, inner, archives={"fold_x"})[0] == ["fold_x"]
    assert container_names(lambda: bases, inner)[0] == []
    assert container_names(lambda: [*bases, "x"], {"fold_x": ["x_model_0"]}, archives={"fold_x"})[0] == []
