"""What of an interface is in no graph is counted by name."""

from collections import Counter

import gemmi
import pytest
from made import changed, entries_of, fv_lines, moved, read, text_of, write
from shipped import FAB_CHAINS

from stagea_mpi.graph.left_out import NAMES_WIDTH, left_out, names_of
from stagea_mpi.mpi.teams import SerialComm
from stagea_mpi.pipeline.build_shard import build_model
from stagea_mpi.pipeline.inventory import with_domains
from stagea_mpi.pipeline.shared_numbering import Numbering

#: Residues of the antigen near the antibody and far from it, as gemmi's neighbour search finds them.
SITES = (5.0, 12.0)


@pytest.fixture(scope="module")
def at_interface():
    """Sites (chain and number, as in a line) whose residue is, and whose residue is not, within 5 Å of the partner."""
    structure = gemmi.read_pdb_string(text_of(fv_lines()))
    search = gemmi.NeighborSearch(structure[0], structure.cell, 15).populate(include_h=False)

    def reaches(residue, chain, cutoff):
        return any(
            (mark.to_cra(structure[0]).chain.name == "A") != (chain.name == "A")
            for atom in residue
            for mark in search.find_atoms(atom.pos, radius=cutoff)
        )

    sites = {
        (f"{chain.name}{residue.seqid.num:4d}", residue.name): residue for chain in structure[0] for residue in chain
    }
    near, far = (
        [site for site in sites if reaches(sites[site], structure[0][site[0][0]], cutoff) == wanted]
        for cutoff, wanted in zip(SITES, (True, False), strict=True)
    )
    return near, far


def left_out_of(path) -> Counter:
    return left_out(read(path), FAB_CHAINS)


def renamed(site: str, name: str, record: str = "ATOM  ") -> list[str]:
    return [changed(changed(line, 17, name), 0, record) if line[21:26] == site else line for line in fv_lines()]


def test_of_standard_residues_nothing_is_left_out(tmp_path):
    assert left_out_of(write(tmp_path / "x.pdb", fv_lines())) == Counter()


@pytest.mark.parametrize(
    ("name", "record"), [("SEP", "ATOM  "), ("TYS", "HETATM"), ("ALA", "HETATM"), ("X9Z", "ATOM  ")]
)
def test_residues_of_the_interface_that_give_no_nodes_are_counted_by_name(name, record, at_interface, tmp_path):
    near, far = at_interface
    for (site, _), expected in ((near[0], 1), (near[-1], 1), (far[0], 0)):
        assert left_out_of(write(tmp_path / "x.pdb", renamed(site, name, record)))[name] == expected


def test_what_one_pose_leaves_out_says_nothing_of_the_next(at_interface, tmp_path):
    ((site, _), *_), _ = at_interface
    touching = renamed(site, "SEP")
    apart = [moved(line, (0.0, 0.0, 500.0)) if line[21] == "A" else line for line in touching]
    paths = [write(tmp_path / f"{k}.pdb", lines) for k, lines in enumerate((apart, touching, apart))]
    assert [left_out_of(path)["SEP"] for path in paths] == [0, 1, 0]


def test_atoms_under_names_in_no_table_are_counted_with_their_residue(at_interface, tmp_path):
    near, far = at_interface
    for sites, expected in ((near, 1), (far, 0)):
        counts = Counter()
        for site, residue in sites:
            lines = [
                changed(line, 12, " XX ") if line[21:26] == site and line[13:15] == "CA" else line
                for line in fv_lines()
            ]
            counts = left_out_of(write(tmp_path / "x.pdb", lines))
            if counts or not expected:
                assert counts == (Counter({f"{residue}/XX": 1}) if expected else Counter())
                break
        assert bool(counts) == bool(expected)


def test_a_c_terminus_and_sugars_and_waters_are_not_counted(at_interface, tmp_path):
    site, _ = at_interface[0][0]
    atom = next(line for line in fv_lines() if line[21:26] == site)
    extra = [
        changed(moved(atom, (1.2, 0, 0)), 12, " OXT"),
        *(
            changed(changed(moved(atom, (0, 1.2, 0)), 0, "HETATM"), 17, f"{name} A 90{k}")
            for k, name in enumerate(("NAG", "HOH"))
        ),
    ]
    assert left_out_of(write(tmp_path / "x.pdb", [*fv_lines(), *extra])) == Counter()


def test_many_names_are_cut_and_the_rest_counted():
    counts = Counter({f"X{k:02d}": 1 for k in range(40)} | {"SEP": 3})
    text = names_of(counts)
    assert text.startswith("SEP:3,X00:1,")
    assert len(text) <= NAMES_WIDTH
    assert sum(int(part.split(":")[1]) for part in text.split(",")) == 43
    assert names_of(Counter()) == ""


def test_a_models_record_says_what_its_graph_leaves_out(at_interface, tmp_path):
    site, _ = at_interface[0][0]
    path = write(tmp_path / "x.pdb", renamed(site, "SEP"))
    (entry,) = with_domains(entries_of(path), Numbering(SerialComm()))
    record, failure = build_model(entry, 0, 0, 60.0)
    assert failure is None
    assert (record.left_out, record.left_out_names, record.modified_interface) == (1, "SEP:1", True)
