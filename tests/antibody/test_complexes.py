import gemmi
import numpy as np
import pytest
from made import changed, fv_lines, graph_of, moved, refusal, same_graphs, text_of, write
from shipped import FAB_CHAINS

from stagea_mpi.antibody.complexes import Chains, ResidueRange, chain_sequences, merge_chains
from stagea_mpi.inputs import list_models, read_model


def merged(tmp_path, lines, chains=FAB_CHAINS):
    path = write(tmp_path / "x.pdb", lines)
    return merge_chains(read_model(list_models(path).models[0]), chains, "x")


def _renamed(line, name):
    return changed(line, 17, name)


def test_the_antibody_comes_first_and_residues_are_numbered_through_each_side(tmp_path):
    complex_ = merged(tmp_path, fv_lines())
    assert (np.diff(complex_.chain.astype(int)) >= 0).all()
    for side in (0, 1):
        numbers = complex_.residue_number[complex_.chain == side]
        assert sorted(set(numbers.tolist())) == list(range(1, len(complex_.sequences[side]) + 1))
    assert complex_.sequences[0] == complex_.heavy + complex_.light
    assert complex_.antigen == (complex_.sequences[1],)


def test_a_modified_residue_keeps_its_place_and_its_parents_letter_and_gives_no_atoms(tmp_path):
    plain = merged(tmp_path, fv_lines())
    k = plain.sequences[1].index("S")
    number = next(line[22:26] for line in fv_lines() if line[21] == "A" and line[17:20] == "SER")
    lines = [
        changed(_renamed(line, "SEP"), 0, "HETATM") if (line[21], line[22:26]) == ("A", number) else line
        for line in fv_lines()
    ]
    spoiled = merged(tmp_path, lines)
    assert spoiled.sequences == plain.sequences
    assert not ((spoiled.chain == 1) & (spoiled.residue_number == k + 1)).any()


@pytest.mark.parametrize("name", ["NAG", "SO4", "ZN ", "HEM"])
def test_what_is_no_amino_acid_has_no_place_in_the_sequence(name, tmp_path):
    others = [changed(_renamed(moved(line, (2, 2, 2)), name), 0, "HETATM") for line in fv_lines()[:5]]
    others = [changed(line, 21, "A 900") for line in others]
    assert merged(tmp_path, [*fv_lines(), *others]).sequences == merged(tmp_path, fv_lines()).sequences


@pytest.mark.parametrize("codes", ["ABCD", "DCBA"])
def test_insertion_codes_order_the_residues_as_their_numbers_say(codes, tmp_path):
    """Chothia writes 52, 52A, 52B; IMGT 112B, 112A, 112: in the merged chain the order is that of the codes."""
    plain = merged(tmp_path, fv_lines())
    numbers = sorted({int(line[22:26]) for line in fv_lines() if line[21] == "H"})
    inserted = dict(zip(numbers[60:64], codes, strict=True))
    lines = [
        changed(line, 22, f"{numbers[59]:4d}{inserted[int(line[22:26])]}")
        if line[21] == "H" and int(line[22:26]) in inserted
        else line
        for line in fv_lines()
    ]
    letters = plain.sequences[0]
    expected = letters if codes == "ABCD" else letters[:60] + letters[60:64][::-1] + letters[64:]
    spoiled = merged(tmp_path, lines)
    assert spoiled.sequences[0] == expected
    assert spoiled.heavy == plain.heavy
    in_file = spoiled.heavy + spoiled.light + "".join(spoiled.antigen)
    assert "".join(in_file[place] for place in spoiled.sequence_place) == "".join(spoiled.sequences)
    assert spoiled.sequence_place[60:64].tolist() == ([60, 61, 62, 63] if codes == "ABCD" else [63, 62, 61, 60])


def test_negative_numbers_change_nothing(tmp_path):
    lines = [changed(line, 22, f"{int(line[22:26]) - 500:4d}") for line in fv_lines()]
    path, plain = write(tmp_path / "x.pdb", lines), write(tmp_path / "p.pdb", fv_lines())
    assert same_graphs(graph_of(path), graph_of(plain))


def test_where_numbers_repeat_the_order_of_the_file_stays(tmp_path):
    lines = [changed(line, 22, f"{int(line[22:26]) % 50:4d}") for line in fv_lines()]
    path, plain = write(tmp_path / "x.pdb", lines), write(tmp_path / "p.pdb", fv_lines())
    assert same_graphs(graph_of(path), graph_of(plain))


def test_where_numbers_repeat_in_mmcif_the_order_of_the_file_stays(tmp_path):
    structure = gemmi.read_pdb_string(text_of(fv_lines()))
    structure.setup_entities()
    document = structure.make_mmcif_document()
    numbers = document[0].find_loop("_atom_site.auth_seq_id")
    for k in range(len(numbers)):
        numbers[k] = str(int(numbers[k]) % 50)
    document.write_file(str(tmp_path / "x.cif"))
    assert same_graphs(graph_of(str(tmp_path / "x.cif")), graph_of(write(tmp_path / "p.pdb", fv_lines())))


def test_hydrogens_behind_all_other_atoms_belong_to_their_residues(tmp_path):
    late = [line for line in fv_lines() if line[13:15] == "CB"]
    path = write(tmp_path / "x.pdb", [*(line for line in fv_lines() if line[13:15] != "CB"), *late])
    complex_ = merge_chains(read_model(list_models(path).models[0]), FAB_CHAINS, "x")
    assert complex_.sequences == merged(tmp_path, fv_lines()).sequences


def test_missing_atoms_and_residues_leave_a_graph(tmp_path):
    lines = [
        line for line in fv_lines() if not (int(line[22:26]) % 7 == 0 or (line[13:15] == "CB" and line[21] == "A"))
    ]
    path = write(tmp_path / "x.pdb", lines)
    assert 0 < len(graph_of(path)) < len(graph_of(write(tmp_path / "p.pdb", fv_lines())))


def test_residues_without_backbone_have_no_direction(tmp_path):
    spared = {line[22:26] for line in fv_lines()[:40]}
    lines = [line for line in fv_lines() if line[12:16] not in (" N  ", " C  ") or line[22:26] in spared]
    graph = graph_of(write(tmp_path / "x.pdb", lines))
    assert (graph.interface.orientation == 0).all(axis=(1, 2)).any()


@pytest.mark.parametrize(
    ("lines", "chains", "reason", "words"),
    [
        (fv_lines(), Chains("X", None, ("A", "Y")), "chain_missing", "no chain X, Y; there are A, H, L"),
        ([_renamed(x, "UNK") if x[21] == "A" else x for x in fv_lines()], FAB_CHAINS, "unknown_residues", "UNK"),
        ([_renamed(x, " DA") if x[21] == "A" else x for x in fv_lines()], FAB_CHAINS, "unknown_residues", "DA"),
        ([x for x in fv_lines() if x[21] != "A" or x[13:15] == "CB"], FAB_CHAINS, "no_backbone", "antigen (A)"),
        ([changed(x, 0, "HETATM") if x[21] == "A" else x for x in fv_lines()], FAB_CHAINS, "chain_empty", "chain A"),
    ],
)
def test_chains_that_no_graph_can_be_made_of_are_refused(lines, chains, reason, words, tmp_path):
    failure = refusal(merged, tmp_path, lines, chains)
    assert failure.reason == reason
    assert words in str(failure)


def test_two_that_do_not_touch_are_refused(tmp_path):
    lines = [moved(line, (100, 0, 0)) if line[21] == "A" else line for line in fv_lines()]
    assert refusal(graph_of, write(tmp_path / "x.pdb", lines)).reason == "no_interface"


def test_one_contact_makes_a_graph_of_two_nodes(tmp_path):
    antibody = [line for line in fv_lines() if line[21] != "A"]
    tip = max(antibody, key=lambda line: float(line[30:38]))
    place = [float(tip[k : k + 8]) for k in (30, 38, 46)]
    atoms = [("N", 4.5, 0.0), ("CA", 6.0, 0.0), ("C", 6.8, 1.3)]
    antigen = [
        f"ATOM  {9000 + k:5d}  {name:<3} GLY A   1    {place[0] + x:8.3f}{place[1] + y:8.3f}{place[2]:8.3f}  1.00  0.00"
        for k, (name, x, y) in enumerate(atoms)
    ]
    graph = graph_of(write(tmp_path / "x.pdb", [*antibody, *antigen]))
    assert len(graph.interface) >= 1
    assert set(graph.chain.tolist()) == {0, 1}


@pytest.mark.parametrize("chain", ["A", "H"])
def test_atoms_on_top_of_each_other_are_refused_and_named(chain, tmp_path):
    """Across the interface, and where a chain is in the file twice."""
    if chain == "A":
        extra = [changed(line, 21, "A 900") for line in fv_lines() if line[21] == "H"]
    else:
        extra = [changed(line, 22, f"{int(line[22:26]) + 500:4d}") for line in fv_lines() if line[21] == "H"]
    failure = refusal(graph_of, write(tmp_path / "x.pdb", [*fv_lines(), *extra]))
    assert failure.reason == "bad_coordinates"
    assert "same coordinates" in str(failure)


def test_a_complex_of_4000_residues_has_the_same_interface(tmp_path):
    """Antigen chains far away are merged, too, and change no area and no edge."""
    antigen = [line for line in fv_lines() if line[21] == "A"]
    names = "BCDEFGIJKMNOPQRSTUVWXYZabcdefghijklmnopqrst"
    far = [
        changed(moved(line, (-60.0 - 40.0 * (k % 15), 60.0 * (k // 15), 0)), 21, name)
        for k, name in enumerate(names)
        for line in antigen
    ]
    path = write(tmp_path / "x.pdb", [*fv_lines(), *far])
    complex_ = merge_chains(read_model(list_models(path).models[0]), Chains("H", "L", ("A", *names)), "x")
    assert sum(map(len, complex_.sequences)) > 3900
    graph, plain = graph_of(path, Chains("H", "L", ("A", *names))), graph_of(write(tmp_path / "p.pdb", fv_lines()))
    assert np.array_equal(graph.interface.voro_area, plain.interface.voro_area)
    assert np.array_equal(graph.bsa, plain.bsa)


def test_parts_of_a_chain_are_merged_in_the_order_asked_for(tmp_path):
    whole = merged(tmp_path, fv_lines())
    chains = Chains("H", "H", ("A",), ResidueRange(60, None), ResidueRange(0, 60))
    parts = merged(tmp_path, fv_lines(), chains)
    assert parts.sequences[0] == whole.heavy[60:] + whole.heavy[:60]
    assert (parts.heavy, parts.light) == (whole.heavy[60:], whole.heavy[:60])


def test_sequences_are_those_of_chains_with_amino_acids(tmp_path):
    sugar = [changed(_renamed(changed(line, 21, "S"), "NAG"), 0, "HETATM") for line in fv_lines()[:9]]
    path = write(tmp_path / "x.pdb", [*fv_lines(), *sugar])
    sequences = chain_sequences(read_model(list_models(path).models[0]))
    assert list(sequences) == ["A", "H", "L"]
