import gzip

import gemmi
import pytest
from made import changed, fv_lines, graph_of, moved, read, refusal, same_graphs, text_of, write
from shipped import FAB_CHAINS, NANOBODY_CHAINS, STRUCTURES

from stagea_mpi.inputs import list_models, read_model


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


def test_names_in_other_letters_than_ascii_are_readable(tmp_path):
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
