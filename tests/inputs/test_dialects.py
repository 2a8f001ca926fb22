"""Files under the names of other programs give the graphs that they give under standard names."""

import itertools

import gemmi
import numpy as np
import pytest
from made import changed, fv_lines, graph_of, moved, read, same_graphs, text_of, write
from shipped import FAB_CHAINS

from stagea_mpi.antibody.complexes import chain_sequences

DIALECTS = {
    "AMBER": {"HIS": "HID HIE HIP", "CYS": "CYX CYM", "ASP": "ASH", "GLU": "GLH", "LYS": "LYN"},
    "termini of AMBER": {name: f"N{name} C{name}" for name in "ALA ARG ASN GLN GLY ILE LEU MET PHE SER VAL".split()},
    "CHARMM": {"HIS": "HSD HSE HSP", "LYS": "LSN", "ASP": "ASPP", "GLU": "GLUP"},
    "GROMACS": {
        "HIS": "HISA HISB HISH HISD HISE HIS1 HIS2", "LYS": "LYSH LYSN", "ARG": "ARGN", "ASP": "ASPH", "GLU": "GLUH",
        "CYS": "CYSH CYS1 CYS2 CYM2", "TRP": "TRPU", "TYR": "TYRU", "PHE": "PHEU",
    },
    "GROMACS with AMBER": {"LYS": "LYP NLYP CLYP", "CYS": "CYN NCYN CCYS2", "HIS": "NHID CHIE NHIP", "ASP": "CASPH"},
    "Rosetta": {"CYS": "CYD CYZ"},
    "Schrödinger": {"ARG": "ARN", "LYS": "LYN", "ASP": "ASH", "GLU": "GLH", "CYS": "CYT", "TYR": "TYO"},
    "OpenMM": {"CYS": "CYX", "HIS": "HID HIE HIH HSH"},
    "CHARMM19, PDB2PQR and Tinker": {"HIS": "HSC", "ARG": "AR0", "LYS": "LYD", "TYR": "TYD", "GLN": "QLN"},
    "small letters": {name: f"{name.title()} {name.lower()}" for name in "ALA ARG PRO SER TYR".split()},
}  # fmt: skip


def structure_of(lines) -> gemmi.Structure:
    structure = gemmi.read_pdb_string(text_of(lines))
    structure.setup_entities()
    return structure


def in_dialect(names: dict[str, str]) -> gemmi.Structure:
    """The Fv with its residues under other names, each of them in turn."""
    structure, turns = structure_of(fv_lines()), {old: itertools.cycle(new.split()) for old, new in names.items()}
    for chain in structure[0]:
        for residue in chain:
            residue.name = next(turns[residue.name]) if residue.name in turns else residue.name
    return structure


@pytest.mark.parametrize("dialect", DIALECTS)
def test_residues_under_the_names_of_other_programs_are_the_standard_ones(dialect, tmp_path, plain):
    structure = in_dialect(DIALECTS[dialect])
    structure.make_mmcif_document().write_file(str(tmp_path / "x.cif"))
    assert same_graphs(graph_of(str(tmp_path / "x.cif")), plain)
    standard = chain_sequences(read(write(tmp_path / "plain.pdb", fv_lines())))
    assert chain_sequences(read(str(tmp_path / "x.cif"))) == standard


def test_records_of_a_dialects_residues_may_be_hetatm(tmp_path, plain):
    """OpenMM, MDTraj and ParmEd write HETATM for each name that is not of the 20."""
    lines = [
        changed(changed(line, 0, "HETATM"), 17, {"HIS": "HIE", "CYS": "CYX"}[line[17:20]])
        if line[17:20] in ("HIS", "CYS")
        else line
        for line in fv_lines()
    ]
    assert same_graphs(graph_of(write(tmp_path / "x.pdb", lines)), plain)


def methionines(record: str) -> list[str]:
    return [
        changed(changed(changed(line, 0, record), 17, "MSE"), 12, "SE  " if line[13:15] == "SD" else line[12:16])
        if line[17:20] == "MET"
        else line
        for line in fv_lines()
    ]


def test_selenomethionine_is_methionine_as_atom_and_is_left_out_as_hetatm(tmp_path, plain):
    assert same_graphs(graph_of(write(tmp_path / "x.pdb", methionines("ATOM  "))), plain)
    table = read(write(tmp_path / "y.pdb", methionines("HETATM")))
    assert set(table.residue_name[table.is_hetatm].tolist()) == {b"MSE"}


@pytest.mark.parametrize(
    ("residue", "atom"),
    [("HIP", " P  "), ("HSE", " OD "), ("SEP", " P  "), ("TYS", " S  "), ("SEC", " CB "), ("DAL", " CB ")],
)
def test_other_molecules_stay_what_they_are(residue, atom, tmp_path):
    """HIP is phosphohistidine and HSE homoserine among the PDB's components."""
    lines = [changed(line, 17, residue) if line[21:26] == "H  30" else line for line in fv_lines()]
    last = max(k for k, line in enumerate(lines) if line[21:26] == "H  30")
    lines.insert(last + 1, changed(moved(lines[last], (0.5, 1.2, 0.3)), 12, atom))
    table = read(write(tmp_path / "x.pdb", lines))
    assert residue.encode() in table.residue_name
    assert table.residue.max() + 1 == read(write(tmp_path / "y.pdb", fv_lines())).residue.max() + 1


def last_residues(lines) -> set[str]:
    return {line[21:26] for line in lines} & {max(line[21:26] for line in lines if line[21] == c) for c in "HLA"}


@pytest.mark.parametrize(
    ("first", "second"),
    [("OT1", "OT2"), ("O1 ", "O2 "), ("OC1", "OC2"), ("O' ", "O''"), ("OT1", "OXT"), ("O  ", "OT ")],
)
def test_oxygens_of_a_c_terminus_have_many_names(first, second, tmp_path):
    base, other = [], []
    ends = last_residues(fv_lines())
    for line in fv_lines():
        is_end = line[21:26] in ends
        if is_end and line[12:16] == " OXT":
            continue
        base.append(line)
        other.append(changed(line, 13, first) if is_end and line[12:16] == " O  " else line)
        if is_end and line[12:16] == " O  ":
            oxygen = moved(line, (1.1, 1.4, 0.2))
            base.append(changed(oxygen, 13, "OXT"))
            other.append(changed(oxygen, 13, second))
    graph = graph_of(write(tmp_path / "x.pdb", other))
    assert same_graphs(graph, graph_of(write(tmp_path / "y.pdb", base)))
    names = read(str(tmp_path / "x.pdb")).atom_name
    assert (names == b"OXT").sum() == 3


def test_a_name_of_one_program_that_a_residue_has_already_is_not_given_twice(tmp_path):
    lines = [line for line in fv_lines() if line[17:20] == "ILE"][:8]
    doubled = [*lines, changed(moved(lines[-1], (1, 1, 1)), 12, " CD ")]
    names = read(write(tmp_path / "x.pdb", doubled)).atom_name.tolist()
    assert (names.count(b"CD1"), names.count(b"CD")) == (1, 1)


def test_the_delta_carbon_of_isoleucine_may_have_no_number(tmp_path, plain):
    lines = [changed(line, 12, " CD ") if line[12:20] == " CD1 ILE" else line for line in fv_lines()]
    assert lines != list(fv_lines())
    assert same_graphs(graph_of(write(tmp_path / "x.pdb", lines)), plain)


HYDROGENS = {
    "standard": ("HB2", "HG11", "H1", "HE2"),
    "number first": ("2HB", "1HG1", "1H", "2HE"),
    "deuterium": ("DB2", "DG11", "D1", "DE2"),
    "deuterium, number first": ("2DB", "1DG1", "1D", "2DE"),
}


def with_hydrogens(names: tuple[str, ...], element: str) -> list[str]:
    """The Fv with four hydrogens at each histidine, isoleucine and serine, under these names."""
    lines = []
    for line in fv_lines():
        lines.append(line)
        if line[12:16] == " CB " and line[17:20] in ("HIS", "ILE", "SER"):
            for k, name in enumerate(names):
                hydrogen = changed(moved(line, (0.6 - 0.3 * k, 0.4 * k - 0.5, 0.7)), 12, f"{name:>4}"[:4])
                lines.append(changed(hydrogen, 76, f"{element:>2}"))
    return lines


@pytest.mark.parametrize("dialect", HYDROGENS)
@pytest.mark.parametrize("has_element", [True, False], ids=["element", "no element"])
def test_buried_areas_do_not_depend_on_how_hydrogens_are_named(dialect, has_element, tmp_path):
    element = ("D" if dialect.startswith("deuterium") else "H") if has_element else ""
    graph = graph_of(write(tmp_path / "x.pdb", with_hydrogens(HYDROGENS[dialect], element)))
    expected = graph_of(write(tmp_path / "y.pdb", with_hydrogens(HYDROGENS["standard"], "H")))
    assert np.array_equal(graph.bsa, expected.bsa)
    assert np.array_equal(graph.interface.elec, expected.interface.elec)
    assert same_graphs(graph, expected)


def test_elements_in_their_own_residues_are_no_deuterium(tmp_path):
    """Dysprosium, and mercury beside a hydrogen of the same name."""
    lines = [changed(changed(moved(fv_lines()[0], (30, 0, 0)), 0, "HETATM"), 12, "DY    DY")]
    table = read(write(tmp_path / "x.pdb", [*fv_lines(), changed(lines[0].ljust(80), 76, "DY")]))
    assert b"DY" in table.atom_name


def test_chains_of_a_dialect_have_the_domains_of_the_standard_file(tmp_path):
    structure = in_dialect(DIALECTS["GROMACS"] | {"CYS": "CYS2"})
    structure.make_mmcif_document().write_file(str(tmp_path / "x.cif"))
    sequences = chain_sequences(read(str(tmp_path / "x.cif")))
    assert set(sequences) == {FAB_CHAINS.heavy, FAB_CHAINS.light, *FAB_CHAINS.antigen}
    assert not any("X" in sequence for sequence in sequences.values())


def test_a_ligand_under_a_dialects_name_is_no_amino_acid(tmp_path, plain):
    """SRO is deprotonated serine to Schrödinger, and serotonin in the PDB."""
    ligand = [
        f"HETATM 9{k:03d}  {name}  SRO H 900    {100.0 + k:8.3f} 100.000 100.000  1.00  0.00           C"
        for k, name in enumerate(("C1", "C2", "C3", "CA"))
    ]
    path = write(tmp_path / "x.pdb", [*fv_lines(), *ligand])
    assert chain_sequences(read(path)) == chain_sequences(read(write(tmp_path / "plain.pdb", fv_lines())))
    assert same_graphs(graph_of(path), plain)
