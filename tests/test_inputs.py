import gzip
import io
import os
import tarfile

import gemmi
import numpy as np
import pytest
from made import changed, fv_lines, graph_of, moved, refusal, same_graphs, text_of, write
from shipped import FAB_CHAINS, NANOBODY_CHAINS, STRUCTURES

from stagea_mpi.errors import ConfigError
from stagea_mpi.inputs import FileNames, RunNames, discover, list_models, read_model, stem
from stagea_mpi.inputs.naming import ambiguous_names, container_names, model_name
from stagea_mpi.inputs.unpacking import GzipRanges


def read(path):
    return read_model(list_models(path).models[0])


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """The Fv complex as it should be, and its graph."""
    path = write(tmp_path_factory.mktemp("plain") / "fv.pdb", fv_lines())
    return graph_of(path)


# Files below a folder


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


def test_nothing_found_says_what_there_is_instead(tmp_path):
    write(tmp_path / "a.cif.gz", b"")
    with pytest.raises(ConfigError, match=r'set glob: \["\*\*/\*\.cif\.gz"\]'):
        discover(tmp_path, ["**/*.pdb"])


# Names


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
    ambiguous = ambiguous_names(files, "/in")
    bases = [RunNames(_params(ambiguous)).of(path).base for path in files]
    bare, separators = container_names(lambda: bases, inner or {})
    return RunNames(_params(ambiguous, bare, separators))


def _params(ambiguous, bare=(), separators=None):
    return {
        "pdb_root": "/in", "ambiguous_stems": ambiguous, "bare_containers": list(bare), "separators": separators or {}
    }  # fmt: skip


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
        (["/in/a.qv"], {"a": None}),
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


# Containers


def test_models_of_an_ensemble_are_read_by_their_bytes(tmp_path):
    far = [moved(line, (5.0, 0.0, 0.0)) for line in fv_lines()]
    head = "REMARK     MODEL 1 FROM a/best.pdb\nREMARK     MODEL 2 FROM b/next.pdb\n"
    bodies = [
        f"MODEL        {k}\n" + "\n".join(lines) + "\nENDMDL\n" for k, lines in enumerate((fv_lines(), far, far), 1)
    ]
    content = (head + "".join(bodies) + "END\n").encode()
    for path in (write(tmp_path / "e.pdb", content), write(tmp_path / "e.pdb.gz", gzip.compress(content))):
        models = list_models(path).models
        assert [ref.name for ref in models] == ["best", "next", "e_model_3"]
        shifts = [read_model(ref).xyz[0, 0] - read_model(models[0]).xyz[0, 0] for ref in models]
        assert shifts == pytest.approx([0, 5, 5])


def test_models_with_one_number_are_told_apart_by_their_order(tmp_path):
    body = "MODEL        1\n" + "\n".join(fv_lines()) + "\nENDMDL\n"
    assert [ref.name for ref in list_models(write(tmp_path / "e.pdb", (body * 3).encode())).models] == [
        "e_model_1", "e_model_2", "e_model_3"
    ]  # fmt: skip


def test_a_file_of_one_model_takes_the_stem_whatever_its_number(tmp_path):
    body = "MODEL        7\n" + "\n".join(fv_lines()) + "\nENDMDL\n"
    assert [ref.name for ref in list_models(write(tmp_path / "e.pdb", body.encode())).models] == ["e"]


def test_parts_with_an_end_line_each_are_one_model_and_repeated_chains_are_several(tmp_path, plain):
    antigen = [line for line in fv_lines() if line[21] == "A"]
    antibody = [line for line in fv_lines() if line[21] != "A"]
    joined = write(tmp_path / "joined.pdb", text_of(antibody) + text_of(antigen))
    assert len(list_models(joined).models) == 1
    assert len(graph_of(joined)) == len(plain)
    frames = write(tmp_path / "frames.pdb", text_of(fv_lines()) * 2)
    assert [ref.name for ref in list_models(frames).models] == ["frames_model_1", "frames_model_2"]
    assert same_graphs(graph_of(frames), plain)


def test_a_quiver_file_gives_its_models_by_their_tags(tmp_path, plain):
    body = text_of(fv_lines())
    content = b"QV_TAG design_1\nQV_SCORE design_1 a=1|b=2\n" + body + b"QV_TAG design_2\n" + body + b"QV_TAG empty\n"
    for path in (write(tmp_path / "d.qv", content), write(tmp_path / "d.qv.gz", gzip.compress(content))):
        models = list_models(path).models
        assert [ref.name for ref in models] == ["design_1", "design_2", "empty"]
        assert len(read_model(models[1]).xyz) == len(fv_lines())
        assert refusal(read_model, models[2]).reason == "no_models"
        assert same_graphs(graph_of(path), plain)


def _archive(path, members, mode="w"):
    with tarfile.open(path, mode) as archive:
        for name, content in members:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return str(path)


@pytest.mark.parametrize(("name", "mode"), [("m.tar", "w"), ("m.tar.gz", "w:gz"), ("m.tgz", "w:gz")])
def test_members_of_an_archive_are_models_each_on_its_own(name, mode, tmp_path, plain):
    body = text_of(fv_lines())
    ensemble = b"".join(b"MODEL        %d\n" % k + body + b"ENDMDL\n" for k in (1, 2))
    members = [("a/x.pdb", body), ("b/x.pdb", body), ("notes.txt", b"ATOM"), ("y.pdb.gz", gzip.compress(body)),
               ("e.pdb", ensemble), ("f.pdb.gz", gzip.compress(ensemble)), ("bad.pdb", b"nothing")]  # fmt: skip
    listing = list_models(_archive(tmp_path / name, members, mode))
    assert [ref.name for ref in listing.models] == [
        "a__x.pdb", "b__x.pdb", "y", "e_model_1", "e_model_2", "f_model_1", "f_model_2"
    ]  # fmt: skip
    assert [(ref.name, failure.reason) for ref, failure in listing.failures] == [("bad", "no_models")]
    first = read_model(listing.models[0])
    for ref in listing.models[1:]:
        assert np.array_equal(read_model(ref).xyz, first.xyz)


def test_members_that_lead_out_of_an_archive_and_links_are_refused(tmp_path):
    body = text_of(fv_lines())
    path = _archive(tmp_path / "m.tar", [("../out.pdb", body), ("/etc/out.pdb", body), ("in.pdb", body)])
    with tarfile.open(path, "a") as archive:
        link = tarfile.TarInfo("link.pdb")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    listing = list_models(path)
    assert [ref.name for ref in listing.models] == ["in"]
    assert [failure.reason for _, failure in listing.failures] == ["unsafe_member"] * 3
    assert os.listdir(tmp_path) == ["m.tar"]


def test_whole_members_of_an_archive_cut_short_are_used_and_the_rest_is_told(tmp_path):
    body = text_of(fv_lines())
    path = tmp_path / "m.tar"
    _archive(path, [("a.pdb", body), ("b.pdb", body)])
    path.write_bytes(path.read_bytes()[: len(body) + 3000])
    listing = list_models(str(path))
    assert [ref.name for ref in listing.models] == ["a"]
    assert {failure.reason for _, failure in listing.failures} == {"unreadable"}


def test_any_range_of_a_gzipped_file_is_read_as_from_the_plain_one(tmp_path):
    rng = np.random.default_rng(1)
    content = rng.integers(0, 4, 6_000_000, dtype=np.uint8).tobytes()
    path = tmp_path / "x.gz"
    path.write_bytes(gzip.compress(content[:2_000_000], 1) + gzip.compress(content[2_000_000:], 1))
    ranges = GzipRanges(str(path))
    for start in (5_500_000, 0, 1_999_990, 3_000_000, 2_000_000):
        assert ranges.read(start, start + 1000) == content[start : start + 1000]


def test_a_model_too_large_for_a_rank_is_refused_without_being_unpacked(tmp_path):
    path = tmp_path / "bomb.pdb.gz"
    with gzip.open(path, "wb", 1) as file:
        for _ in range(48):
            file.write(text_of(fv_lines()[:1]) + bytes(2**20))
    assert refusal(list_models, str(path)).reason == "too_large"


# What a file is


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "no_models"),
        (b"not a structure\n" * 99, "no_models"),
        (bytes(range(256)) * 99, "no_models"),
        (b"\x1f\x8b broken", "unreadable"),
        (b"data_x\nloop_\n_a\n_b\n1 2 3\n", "unreadable"),
        (b"data_x\n_cell.length_a 1\n", "no_models"),
    ],
)
def test_what_is_no_structure_is_told(content, reason, tmp_path):
    assert refusal(list_models, write(tmp_path / "x.pdb", content)).reason == reason


def test_the_content_says_what_a_misnamed_file_is(tmp_path, plain):
    structure = gemmi.read_pdb_string(text_of(fv_lines()))
    structure.setup_entities()
    cif = structure.make_mmcif_document().as_string().encode()
    assert same_graphs(graph_of(write(tmp_path / "cif.pdb", cif)), plain)
    assert same_graphs(graph_of(write(tmp_path / "gz.pdb", gzip.compress(text_of(fv_lines())))), plain)
    assert same_graphs(graph_of(write(tmp_path / "pdb.cif", text_of(fv_lines()))), plain)


def test_an_entry_gives_one_graph_as_pdb_and_as_mmcif(tmp_path, plain):
    structure = gemmi.read_pdb_string(text_of(fv_lines()))
    structure.setup_entities()
    structure.make_mmcif_document().write_file(str(tmp_path / "fv.cif"))
    assert same_graphs(graph_of(str(tmp_path / "fv.cif")), plain)
    original = STRUCTURES / "7CFN.cif.gz"
    gemmi.read_structure(str(original)).write_pdb(str(tmp_path / "7cfn.pdb"))
    assert same_graphs(graph_of(str(tmp_path / "7cfn.pdb"), NANOBODY_CHAINS), graph_of(str(original), NANOBODY_CHAINS))


def test_an_mmcif_ensemble_gives_its_models(tmp_path):
    structure = gemmi.read_pdb_string(
        b"".join(b"MODEL %8d\n" % k + text_of(fv_lines())[:-4] + b"ENDMDL\n" for k in (1, 2))
    )
    structure.setup_entities()
    structure.make_mmcif_document().write_file(str(tmp_path / "e.cif"))
    models = list_models(str(tmp_path / "e.cif")).models
    assert [ref.name for ref in models] == ["e_model_1", "e_model_2"]
    assert len(read_model(models[1]).xyz) == len(fv_lines())


# Lines of PDB


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda line: changed(line, 30, "     NaN"), "bad_coordinates"),
        (lambda line: changed(line, 38, "********"), "bad_coordinates"),
        (lambda line: changed(line, 30, "     abc"), "bad_coordinates"),
        (lambda line: changed(line, 30, "        "), "bad_coordinates"),
        (lambda line: line[:30] + " " + line[30:], "bad_coordinates"),
        (lambda line: line[:30] + "-1000.1234" + line[38:], "bad_coordinates"),
        (lambda line: changed(line, 22, "  ? "), "unreadable"),
        (lambda line: line[:45], "unreadable"),
    ],
)
def test_a_line_with_something_else_than_numbers_is_refused_and_shown(spoil, reason, tmp_path):
    lines = list(fv_lines())
    lines[100] = spoil(lines[100])
    failure = refusal(read, write(tmp_path / "x.pdb", lines))
    assert failure.reason == reason
    assert "line 101" in str(failure)


@pytest.mark.parametrize(
    "write_number",
    [lambda x: f"{x:8.3f}", lambda x: f"{x:<8.3f}", lambda x: f"{f'{x:+.3f}':>8}"],
    ids=["right", "left", "sign"],
)
def test_numbers_may_stand_anywhere_in_their_columns(write_number, tmp_path, plain):
    lines = [
        line[:30] + "".join(write_number(float(line[k : k + 8])) for k in (30, 38, 46)) + line[54:]
        for line in fv_lines()
    ]
    assert same_graphs(graph_of(write(tmp_path / "x.pdb", lines)), plain)


@pytest.mark.parametrize("end", [b"\r\n", b"\r"])
def test_lines_may_end_as_other_systems_end_them(end, tmp_path, plain):
    path = write(tmp_path / "x.pdb", text_of(fv_lines()).replace(b"\n", end))
    assert same_graphs(graph_of(path), plain)


def test_files_from_before_1996_have_other_things_in_the_last_columns(tmp_path, plain):
    lines = [f"{line[:66].ljust(72)}1VFB{k % 10000:4d}" for k, line in enumerate(fv_lines(), 1)]
    assert same_graphs(graph_of(write(tmp_path / "x.pdb", lines)), plain)


def test_lines_may_end_behind_the_coordinates(tmp_path, plain):
    assert same_graphs(graph_of(write(tmp_path / "x.pdb", [line[:54] for line in fv_lines()])), plain)


def test_more_than_99999_atoms_are_counted_by_hybrid_36(tmp_path, plain):
    lines = [changed(line, 6, "A000A") for line in fv_lines()]
    assert same_graphs(graph_of(write(tmp_path / "x.pdb", lines)), plain)
    lines = [changed(line, 22, f"A{int(line[22:26]):03d}") if line[21] == "A" else line for line in fv_lines()]
    assert same_graphs(graph_of(write(tmp_path / "y.pdb", lines)), plain)


def test_blank_chains_are_told_apart_by_segments_else_they_are_one(tmp_path, plain):
    by_segment = [changed(changed(line.ljust(80), 21, " "), 72, f"PRO{line[21]}") for line in fv_lines()]
    chains = type(FAB_CHAINS)("PROH", "PROL", ("PROA",))
    assert same_graphs(graph_of(write(tmp_path / "x.pdb", by_segment), chains), plain)
    from_one = [changed(line, 22, f"{int(line[22:26]) % 200:4d}") for line in by_segment]
    assert same_graphs(graph_of(write(tmp_path / "z.pdb", from_one), chains), plain)
    antigen = [changed(line, 21, " ") if line[21] == "A" else line for line in fv_lines()]
    assert same_graphs(graph_of(write(tmp_path / "y.pdb", antigen), type(FAB_CHAINS)("H", "L", ("_",))), plain)


@pytest.mark.parametrize(
    "names", [("h", "l", "a"), ("HH", "LL", "AA"), ("Heavy-chain-1", "Light-chain-1", "Antigen-chain")]
)
def test_chain_names_may_have_any_case_and_length(names, tmp_path, plain):
    structure = gemmi.read_pdb_string(text_of(fv_lines()))
    for old, new in zip("HLA", names, strict=True):
        structure[0][old].name = new
    structure.setup_entities()
    structure.make_mmcif_document().write_file(str(tmp_path / "x.cif"))
    chains = type(FAB_CHAINS)(names[0], names[1], (names[2],))
    assert same_graphs(graph_of(str(tmp_path / "x.cif"), chains), plain)


def test_of_alternative_locations_the_most_occupied_one_stays(tmp_path, plain):
    lines = []
    for line in fv_lines():
        lines += [
            changed(changed(line, 16, "B"), 54, "  0.60"),
            changed(changed(moved(line, (9, 9, 9)), 16, "A"), 54, "  0.40"),
        ]
    assert same_graphs(graph_of(write(tmp_path / "x.pdb", lines)), plain)


@pytest.mark.parametrize("residue", ["HOH", "DOD", "WAT"])
def test_waters_are_left_out(residue, tmp_path, plain):
    water = [changed(changed(moved(line, (1, 1, 1)), 0, "HETATM"), 17, residue) for line in fv_lines()[::50]]
    assert same_graphs(graph_of(write(tmp_path / "x.pdb", [*fv_lines(), *water])), plain)


@pytest.mark.parametrize(
    ("name", "element"), [(" HA ", " H"), ("1HB ", " H"), (" D1 ", " D"), ("HG11", "  "), ("2HG1", "  ")]
)
def test_hydrogens_are_told_under_all_names(name, element, tmp_path):
    line = changed(changed(fv_lines()[0].ljust(80), 12, name), 76, element)
    table = read(write(tmp_path / "x.pdb", [line, *fv_lines()]))
    assert table.is_hydrogen[0]
    assert not table.is_hydrogen[1:].any()


def test_coordinates_that_are_no_numbers_in_mmcif_are_refused(tmp_path):
    structure = gemmi.read_pdb_string(text_of(fv_lines()))
    structure.setup_entities()
    for value in ("nan", "?", "abc", "1e300"):
        document = structure.make_mmcif_document()
        document[0].find_loop("_atom_site.Cartn_y")[10] = value
        document.write_file(str(tmp_path / "x.cif"))
        assert refusal(read, str(tmp_path / "x.cif")).reason == "bad_coordinates"


def test_names_in_other_letters_than_ascii_are_legible(tmp_path):
    lines = [*fv_lines(), changed(changed(moved(fv_lines()[-1], (3, 3, 3)), 12, " \xe9\xe9 "), 17, "\xe9AL")]
    path = write(tmp_path / "x.pdb", "\n".join(lines).encode("latin-1"))
    table = read(path)
    assert (table.atom_name[-1], table.residue_name[-1]) == (b"??", b"?AL")
    assert len(graph_of(path)) > 0


def test_models_without_backbone_are_refused(tmp_path):
    assert (
        refusal(read, write(tmp_path / "x.pdb", [line for line in fv_lines() if line[13:15] == "CB"])).reason
        == "no_backbone"
    )
    assert (
        refusal(read, write(tmp_path / "y.pdb", [line for line in fv_lines() if line[13:15] == "CA"])).reason
        == "no_backbone"
    )


def test_names_of_a_file_alone_are_its_own():
    assert (FileNames.of_stem("x").inner("y"), FileNames.of_stem("x").serial(3)) == ("y", "x_model_3")
