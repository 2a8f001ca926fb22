"""Where a graph's nodes stand in its structure, and what is said of residues: against the file as gemmi reads it."""

from collections import defaultdict

import gemmi
import numpy as np
import pytest
from made import changed, cif_of, fv_lines, write
from shipped import FAB_CHAINS, NANOBODY_CHAINS, STRUCTURES

from stagea_mpi import build_graph
from stagea_mpi.antibody.complexes import Chains, ResidueRange
from stagea_mpi.errors import ConfigError, ModelError
from stagea_mpi.notebook.residues import rows_of_nodes
from stagea_mpi.notebook.sources import read_source
from stagea_mpi.structure.residues import ATOM_TYPES, RESIDUE_TYPES


def with_insertion_codes(lines):
    """Heavy chain 93 to 96 as 93, 93A, 93B, 93C; and what follows three numbers lower, as Kabat would have it."""
    codes = {94: (93, "A"), 95: (93, "B"), 96: (93, "C")}
    for line in lines:
        number = int(line[22:26])
        if line[21] != "H" or number <= 93:
            yield line
            continue
        number, code = codes.get(number, (number - 3, " "))
        yield changed(line, 22, f"{number:4d}{code}")


def as_scfv(lines):
    """VL, then VH with numbers from 201 on, in one chain S; the antigen in two chains, B and C."""
    rows = {name: [line for line in lines if line[21] == name] for name in "AHL"}
    antigen = [changed(line, 21, "B" if int(line[22:26]) < 40 else "C") for line in rows["A"]]
    heavy = [changed(line, 21, f"S{int(line[22:26]) + 200:4d}") for line in rows["H"]]
    return [*antigen, *(changed(line, 21, "S") for line in rows["L"]), *heavy]


def made(case, folder):
    """A file and its chains, as `build_graph` takes them."""
    if case == "Fab":
        return str(STRUCTURES / "7DAA_model.pdb.gz"), FAB_CHAINS
    if case == "nanobody, four antigen chains":
        return str(STRUCTURES / "7CFN.cif.gz"), NANOBODY_CHAINS
    if case == "insertion codes":
        return write(folder / "codes.pdb", list(with_insertion_codes(fv_lines()))), FAB_CHAINS
    if case == "insertion codes in mmCIF":
        return write(folder / "codes.cif", cif_of(list(with_insertion_codes(fv_lines())))), FAB_CHAINS
    return write(folder / "scfv.pdb", as_scfv(fv_lines())), {"heavy": "S", "light": "S", "antigen": ["C", "B"]}


CASES = (
    "Fab",
    "nanobody, four antigen chains",
    "insertion codes",
    "insertion codes in mmCIF",
    "scFv, two antigen chains",
)


def atoms_by_place(path):
    """(chain, number with insertion code, residue, atom) by coordinates, as gemmi reads the file."""
    found = defaultdict(list)
    for chain in gemmi.read_structure(path)[0]:
        for residue in chain:
            for atom in residue:
                key = tuple(np.float32(value).item() for value in np.round(atom.pos.tolist(), 3))
                found[key].append((chain.name, str(residue.seqid), residue.name, atom.name))
    return found


@pytest.mark.parametrize("case", CASES)
def test_each_node_is_the_atom_of_the_file_at_its_coordinates(case, tmp_path):
    path, chains = made(case, tmp_path)
    graph, known = build_graph(path, chains=chains), atoms_by_place(path)
    residues = graph.in_structure()
    atoms = residues.atoms
    rows = rows_of_nodes(graph, atoms, graph.origin.chains, "x")
    of_row = np.repeat(np.arange(len(residues)), np.diff(residues.first))
    for node, row in enumerate(rows.tolist()):
        k = of_row[row]
        told = residues.chain[k], residues.label[k], residues.residue[k], atoms.atom_name[row].decode()
        assert known[tuple(graph.position[node].tolist())] == [told]
        assert told[2:] == (RESIDUE_TYPES[graph.residue_type[node]], ATOM_TYPES[graph.atom_type[node]])
        assert residues.is_interface[k]
    assert [residues.label[k] for k in of_row[rows]] == graph.nodes()["number"].tolist()  # those of packed.h5
    assert residues.is_interface.sum() == len(set(of_row[rows].tolist()))


@pytest.mark.parametrize("case", CASES)
def test_values_of_residues_are_sums_and_means_over_the_tables(case, tmp_path):
    path, chains = made(case, tmp_path)
    graph, known = build_graph(path, chains=chains), atoms_by_place(path)
    residues = graph.in_structure(path, chains=chains)
    names = [known[tuple(xyz)][0][:2] for xyz in graph.position.tolist()]
    area, buried, region = defaultdict(float), {}, {}
    for a, b, value in graph.edges()[["antibody", "antigen", "voro_area"]].itertuples(index=False):
        area[names[int(a)]] += value
        area[names[int(b)]] += value
    for name, row in zip(names, graph.nodes().itertuples(), strict=True):
        buried[name], region[name] = row.bsa, row.region
    table = residues.table().set_index(["chain", "number"])
    inside = table[table["is_interface"]]
    assert set(inside.index) == set(area)
    assert inside["contact_area"].to_dict() == pytest.approx(dict(area), rel=1e-5, abs=1e-4)
    assert inside["bsa"].to_dict() == pytest.approx(buried, rel=1e-6)
    assert inside["region"].to_dict() == region
    assert table[~table["is_interface"]][["contact_area", "bsa"]].isna().all(axis=None)
    for chain in gemmi.read_structure(path)[0]:
        for residue in chain:
            if (chain.name, str(residue.seqid)) in table.index:
                mean = np.mean([atom.b_iso for atom in residue])
                assert table.loc[(chain.name, str(residue.seqid)), "b_factor"] == pytest.approx(mean, abs=1e-3)


def test_roles_and_whole_cdrs_are_told_of_residues_that_are_not_in_contact(tmp_path):
    path, chains = made("scFv, two antigen chains", tmp_path)
    table = build_graph(path, chains=chains).in_structure().table()
    assert set(table["role"][table["chain"].isin(["B", "C"])]) == {"antigen"}
    single = table[table["chain"] == "S"]
    number = single["number"].astype(int)
    assert (single["role"] == np.where(number > 200, "heavy", "light")).all()
    h3 = single[single["region"] == "H3"]
    assert (h3["role"] == "heavy").all()
    assert 0 < h3["is_interface"].sum() < len(h3)
    # CDRs follow each other along the chain, without a gap.
    assert (np.diff(h3["number"].astype(int)) == 1).all()


def test_what_is_no_part_of_the_complex_is_other(tmp_path):
    path = write(tmp_path / "fv.pdb", fv_lines())
    table = build_graph(path, heavy="H", light=None, antigen="A").in_structure().table()
    assert set(table["role"][table["chain"] == "L"]) == {"other"}
    assert set(table["region"][table["chain"] == "L"]) == {""}


def test_a_graph_is_not_placed_in_another_structure_or_other_chains(tmp_path):
    path = write(tmp_path / "fv.pdb", fv_lines())
    graph = build_graph(path, chains=FAB_CHAINS)
    shifted = [changed(line, 30, f"{float(line[30:38]) + 1:8.3f}") for line in fv_lines()]
    other = write(tmp_path / "other.pdb", shifted)
    with pytest.raises(
        ConfigError, match=r"^other: atom \d+ of the complex of heavy H, light L, antigen A is not the gra"
    ):
        graph.in_structure(other, chains=FAB_CHAINS)
    with pytest.raises(ConfigError, match="expected the structure and the chains that the graph was built from"):
        graph.in_structure(path, heavy="H", light=None, antigen="A")
    with pytest.raises(ModelError, match="no chain Z"):
        graph.in_structure(path, heavy="Z", light="L", antigen="A")
    with pytest.raises(
        ConfigError, match=r"^in_structure: expected the path of a file or a gemmi.Structure, found int"
    ):
        graph.in_structure(3)


def test_a_graph_of_a_structure_or_of_a_file_of_its_own_asks_for_its_source(tmp_path):
    path = write(tmp_path / "fv.pdb", fv_lines())
    structure = gemmi.read_structure(path)
    graph = build_graph(structure, chains=FAB_CHAINS)
    with pytest.raises(ConfigError, match=r"does not know its structure; expected the file that it was built from"):
        graph.in_structure()
    with pytest.raises(ConfigError, match="expected a source beside them"):
        build_graph(path, chains=FAB_CHAINS).in_structure(heavy="H")
    table = graph.in_structure(structure, chains=FAB_CHAINS).table()
    assert table.equals(graph.in_structure(path, chains=FAB_CHAINS).table())


def test_the_graph_stays_the_same_whatever_its_origin(tmp_path):
    path = write(tmp_path / "fv.pdb", fv_lines())
    graph = build_graph(path, chains=FAB_CHAINS)
    assert graph == build_graph(gemmi.read_structure(path), chains=FAB_CHAINS)
    assert graph.cluster().in_structure().table().equals(graph.in_structure().table())


def test_values_are_given_by_chain_and_number(tmp_path):
    path, chains = made("insertion codes", tmp_path)
    residues = build_graph(path, chains=chains).in_structure()
    values = residues.by_residue({("H", "93A"): 1.5, ("H", 93): 2.5})
    known = {(residues.chain[k], residues.label[k]): values[k] for k in np.flatnonzero(~np.isnan(values))}
    assert known == {("H", "93A"): 1.5, ("H", "93"): 2.5}
    with pytest.raises(ConfigError, match="has no residue H 93Z"):
        residues.by_residue({("H", "93Z"): 1.0})
    for wrong in ({"H93": 1.0}, {("H", 93): "far"}, [1.0]):
        with pytest.raises(ConfigError, match="expected numbers by"):
            residues.by_residue(wrong)


@pytest.mark.parametrize(
    "chains",
    [
        FAB_CHAINS,
        NANOBODY_CHAINS,
        Chains("B", "B", ("A", "C"), ResidueRange(0, 118), ResidueRange(118)),
        Chains("S", "S", ("A",), ResidueRange(5), ResidueRange(0, 5)),
    ],
)
def test_chains_are_read_back_from_the_manifest(chains):
    found = Chains.of_sides(*chains.sides())
    assert found.sides() == chains.sides()
    assert (found.heavy_range, found.light_range) == (chains.heavy_range, chains.light_range)


@pytest.mark.parametrize("sides", [("", "A"), ("H,L,M", "A"), ("H", ""), ("H,", "A")])
def test_what_are_no_sides_is_refused(sides):
    with pytest.raises(ValueError, match="expected one or two chains"):
        Chains.of_sides(*sides)


def test_a_source_is_read_as_build_graph_reads_it():
    with pytest.raises(ConfigError, match="^view: expected the path"):
        read_source(None, None, "view")
