"""A model's file and its scripts: read back, every selection names residues of the file, every value is the graph's."""

import ast
import re
from collections import defaultdict
from dataclasses import replace

import gemmi
import numpy as np
import pytest
from made import changed, cif_of, fv_lines, read, write
from shipped import FAB_CHAINS, NANOBODY_CHAINS, STRUCTURES
from test_residues_in_structure import CASES, made

from stagea_mpi import build_graph
from stagea_mpi.notebook.export_model import files_of
from stagea_mpi.notebook.scripts import file_stem
from stagea_mpi.notebook.structure_text import chain_names, structure_text

#: What people expect a selection to be called.
NAMES = {
    "antibody",
    "antigen",
    "heavy",
    "light",
    "paratope",
    "epitope",
    "interface",
    "H1",
    "H2",
    "H3",
    "L1",
    "L2",
    "L3",
}


def parsed(text, ending):
    if ending == ".cif":
        return gemmi.make_structure_from_block(gemmi.cif.read_string(text).sole_block())
    return gemmi.read_pdb_string(text)


def atoms_of(structure):
    """What a file says of each atom, in its order."""
    return [
        (chain.name, str(residue.seqid), residue.name, atom.name, atom.element.name, residue.het_flag, tuple(atom.pos))
        for chain in structure[0]
        for residue in chain
        for atom in residue
    ]


def in_table(atoms):
    names = [[value.decode() for value in column] for column in (atoms.chain, atoms.residue_name, atoms.atom_name)]
    labels = [f"{n // 256}{chr(n % 256)}".strip() for n in atoms.author_number.tolist()]
    elements = [value.decode() for value in atoms.element]
    flags = ["H" if value else "A" for value in atoms.is_hetatm]
    return list(zip(names[0], labels, names[1], names[2], elements, flags, map(tuple, atoms.xyz.tolist()), strict=True))


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("ending", [".pdb", ".cif"])
def test_a_models_file_has_the_atoms_chains_and_numbers_of_its_source(case, ending, tmp_path):
    atoms = read(made(case, tmp_path)[0])
    values = np.linspace(0.0, 100.0, len(atoms.xyz)) if ending == ".pdb" else np.linspace(0.0, 1e5, len(atoms.xyz))
    values[::7] = np.nan
    text, found = structure_text(atoms, "x", values)
    assert found == ending
    structure = parsed(text, ending)
    assert sorted(atoms_of(structure)) == sorted(in_table(atoms))
    by_place = {(a[0], a[1], a[3]): value for a, value in zip(in_table(atoms), np.nan_to_num(values), strict=True)}
    for chain in structure[0]:
        for residue in chain:
            for atom in residue:
                expected = by_place[chain.name, str(residue.seqid), atom.name]
                assert atom.b_iso == pytest.approx(expected, abs=0.006, rel=1e-5)


def test_b_factors_are_those_of_the_source_where_no_values_are_given():
    path = str(STRUCTURES / "7DAA_model.pdb.gz")
    text, _ = structure_text(read(path), "x")
    expected = [atom.b_iso for chain in gemmi.read_structure(path)[0] for residue in chain for atom in residue]
    found = [atom.b_iso for chain in parsed(text, ".pdb")[0] for residue in chain for atom in residue]
    assert found == expected


@pytest.mark.parametrize(
    ("change", "ending"),
    [
        ({}, ".pdb"),
        ({"chain": b"AA"}, ".cif"),
        ({"author_number": 10_000 * 256 + 32}, ".cif"),
        ({"author_number": -999 * 256 + 65}, ".pdb"),
        ({"author_number": -1000 * 256 + 32}, ".cif"),
        ({"residue_name": b"A1LU6"}, ".cif"),
        ({"b_factor": 1000.0}, ".cif"),
    ],
)
def test_what_pdb_has_no_columns_for_is_written_as_mmcif(change, ending, tmp_path):
    atoms = read(write(tmp_path / "fv.pdb", fv_lines()))
    columns = {name: np.full(len(atoms.xyz), value) for name, value in change.items()}
    atoms = replace(atoms, **columns)
    text, found = structure_text(atoms, "x")
    assert found == ending
    assert sorted(atoms_of(parsed(text, found))) == sorted(in_table(atoms))


def test_elements_of_ions_and_ligands_are_kept(tmp_path):
    """CA of a residue CA is calcium, and CL a chlorine; both would begin with a C."""
    line = fv_lines()[0]
    ion = changed(changed(changed(line, 0, "HETATM"), 12, "CA    CA X 900"), 76, "CA")
    chlorine = changed(changed(changed(line, 0, "HETATM"), 12, "CL   EDO X 901"), 76, "CL")
    atoms = read(write(tmp_path / "ions.pdb", [*fv_lines(), ion, chlorine]))
    text, ending = structure_text(atoms, "x")
    elements = {a[2:5] for a in atoms_of(parsed(text, ending)) if a[0] == "X"}
    assert elements == {("CA", "CA", "Ca"), ("EDO", "CL", "Cl")}


# Scripts


def pymol_commands(script):
    """The lines that are commands, as words behind the first word; and the block of Python."""
    before, rest = script.split("python\n", 1)
    code, rest = rest.split("python end\n")
    assert all(line.startswith("# ") for line in before.splitlines())
    return ast.parse(code), [line.partition(" ")[::2] for line in rest.splitlines()]


def pymol_selection(text, residues):
    """Residues of `(chain A) or (chain B and resi 1+2A)`."""
    found = set()
    for part in text.split(" or "):
        chain, numbers = re.fullmatch(r"\(chain (\w+)(?: and resi ([\w+\\-]+))?\)", part).groups()
        if numbers is None:
            found |= {place for place in residues if place[0] == chain}
        else:
            found |= {(chain, number.replace("\\-", "-")) for number in numbers.split("+")}
    return found


def chimerax_selection(text, residues):
    """Residues of `/A /B:1,2A`."""
    found = set()
    for part in text.split():
        chain, numbers = re.fullmatch(r"/(\w+)(?::([\w,-]+))?", part).groups()
        known = {place for place in residues if place[0] == chain}
        found |= known if numbers is None else {(chain, number) for number in numbers.split(",")}
    return found


def selected(files, program):
    """Residues of the written structure, and by name those that the script selects."""
    (structure,) = (name for name in files if name.endswith((".pdb", ".cif")))
    places = defaultdict(list)
    for atom in atoms_of(parsed(files[structure], structure[-4:])):
        places[atom[:2]].append(atom)
    script = files[list(files)[-1]]
    if program == "pymol":
        lines = re.findall(r"^select (\w+), \S+ and \((.*)\)$", script, re.MULTILINE)
        return structure, places, {name: pymol_selection(text, places) for name, text in lines}
    lines = re.findall(r"^name (\w+) (.*)$", script, re.MULTILINE)
    return structure, places, {name: chimerax_selection(text, places) for name, text in lines}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("program", ["pymol", "chimerax"])
def test_each_selection_names_the_residues_that_the_graph_has(case, program, tmp_path):
    path, chains = made(case, tmp_path)
    graph = build_graph(path, chains=chains)
    files = files_of(graph.in_structure(), program, "contact_area")
    _, places, found = selected(files, program)
    table = graph.in_structure().table()
    keys = list(zip(table["chain"], table["number"], strict=True))

    def those(chosen):
        return {key for key, inside in zip(keys, chosen, strict=True) if inside}

    antibody, antigen = table["role"].isin(["heavy", "light"]), table["role"] == "antigen"
    expected = {
        "heavy": those(table["role"] == "heavy"), "light": those(table["role"] == "light"),
        "antibody": those(antibody), "antigen": those(antigen), "interface": those(table["is_interface"]),
        "paratope": those(antibody & table["is_interface"]), "epitope": those(antigen & table["is_interface"]),
        **{name: those(table["region"] == name) for name in ("H1", "H2", "H3", "L1", "L2", "L3")},
    }  # fmt: skip
    assert found == {name: chosen for name, chosen in expected.items() if chosen}
    assert set(found) == (NAMES if "nanobody" not in case else NAMES - {"light", "L1", "L2", "L3"})
    assert all(chosen <= set(places) for chosen in found.values())
    assert found["paratope"] | found["epitope"] == found["interface"]


@pytest.mark.parametrize("by", ["contact_area", "bsa", "b_factor"])
def test_pymol_gets_the_values_as_b_factors_and_loads_the_file_beside_its_script(by, tmp_path):
    path, chains = made("insertion codes", tmp_path)
    residues = build_graph(path, chains=chains).in_structure()
    files = files_of(residues, "pymol", by)
    assert list(files) == ["codes.pdb", "codes.pml"]
    values = residues.table().set_index(["chain", "number"])[by].fillna(0.0).to_dict()
    structure = parsed(files["codes.pdb"], ".pdb")
    for chain in structure[0]:
        for residue in chain:
            for atom in residue:
                assert atom.b_iso == pytest.approx(values[chain.name, str(residue.seqid)], abs=0.006)
    assert any(residue.seqid.icode != " " for residue in structure[0]["H"])
    code, commands = pymol_commands(files["codes.pml"])
    assert [node.value for node in ast.walk(code) if isinstance(node, ast.Constant) and ".pdb" in str(node.value)] == [
        "codes.pdb"
    ]
    (spectrum,) = [rest for word, rest in commands if word == "spectrum"]
    least, most = (float(text) for text in spectrum.split(", ")[-2:])
    known = residues.table()[by].dropna()
    assert most == pytest.approx(known.max(), abs=0.006)
    assert least == (pytest.approx(known.min(), abs=0.006) if by == "b_factor" else 0.0)
    known_words = {
        "select",
        "deselect",
        "hide",
        "show",
        "color",
        "set",
        "set_color",
        "spectrum",
        "bg_color",
        "orient",
        "zoom",
    }
    assert {word for word, *_ in commands} == known_words


def test_chimerax_gets_areas_as_attributes_of_residues_and_the_files_own_b_factors(tmp_path):
    path, chains = made("insertion codes", tmp_path)
    residues = build_graph(path, chains=chains).in_structure()
    files = files_of(residues, "chimerax", "bsa")
    assert list(files) == ["codes.pdb", "codes_contact_area.defattr", "codes_bsa.defattr", "codes.cxc"]
    opened = re.findall(r"^open (.*)$", files["codes.cxc"], re.MULTILINE)
    assert opened == list(files)[:-1]
    assert "color byattribute r:bsa interface" in files["codes.cxc"]
    table = residues.table().set_index(["chain", "number"])
    for name in ("contact_area", "bsa"):
        head, *lines = files[f"codes_{name}.defattr"].splitlines()
        assert head.startswith("# ")
        assert lines[:2] == [f"attribute: {name}", "recipient: residues"]
        rows = [re.fullmatch(r"\t/(\w):(\w+)\t([\d.]+)", line).groups() for line in lines[2:]]
        found = {(chain, number): float(value) for chain, number, value in rows}
        assert found == pytest.approx(table[name].dropna().to_dict(), abs=0.0006)
        assert any(number.endswith(("A", "B", "C")) for _, number in found)
    own = [atom.b_iso for chain in gemmi.read_structure(path)[0] for residue in chain for atom in residue]
    written = parsed(files["codes.pdb"], ".pdb")
    assert [atom.b_iso for chain in written[0] for residue in chain for atom in residue] == own


def test_chains_of_several_letters_are_selected_in_mmcif(tmp_path):
    lines = [changed(line, 21, {"H": "h", "L": "l", "A": "A"}[line[21]]) for line in fv_lines()]
    names = {" h ": " Hv-1 ", " l ": " Lv ", " A ": " AgA "}
    text = cif_of(lines).decode()
    for short, name in names.items():
        text = text.replace(short, name)
    path = write(tmp_path / "long.cif", text.encode())
    residues = build_graph(path, heavy="Hv-1", light="Lv", antigen="AgA").in_structure()
    for program in ("pymol", "chimerax"):
        structure, places, found = selected(files_of(residues, program, "bsa"), program)
        assert structure == "long.cif"
        assert {chain for chain, _ in places} == {"Hv_1", "Lv", "AgA"}
        assert {chain for chain, _ in found["heavy"]} == {"Hv_1"}
        assert found["epitope"]
        assert all(chosen <= set(places) for chosen in found.values())


def test_negative_numbers_are_selected(tmp_path):
    lines = [changed(line, 22, f"{int(line[22:26]) - 60:4d}") if line[21] == "A" else line for line in fv_lines()]
    residues = build_graph(write(tmp_path / "low.pdb", lines), chains=FAB_CHAINS).in_structure()
    for program in ("pymol", "chimerax"):
        _, places, found = selected(files_of(residues, program, "bsa"), program)
        assert any(number.startswith("-") for _, number in found["epitope"])
        assert all(chosen <= set(places) for chosen in found.values())


@pytest.mark.parametrize(
    ("name", "stem"),
    [("pose_0001", "pose_0001"), ("a b,c", "a_b_c"), (".x", "_x"), ("H3", "H3_model"), ("antigen", "antigen_model")],
)
def test_names_of_files_and_objects_are_plain(name, stem):
    assert file_stem(name) == stem


def test_chains_that_no_script_could_name_get_plain_names():
    assert chain_names(["A", "A-2", "A_2", "*", "A"]) == {"A": "A", "A-2": "A_2_", "A_2": "A_2", "*": "_"}


def test_the_nanobodys_file_keeps_residues_that_are_no_part_of_the_complex():
    path = str(STRUCTURES / "7CFN.cif.gz")
    residues = build_graph(path, chains=NANOBODY_CHAINS).in_structure()
    _, places, _ = selected(files_of(residues, "pymol", "bsa"), "pymol")
    assert len(places) == len(residues)
