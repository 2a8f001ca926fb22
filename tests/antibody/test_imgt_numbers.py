"""IMGT numbers with their insertion letters: ANARCI's own, and IMGT's rule for a CDR3."""

import gzip
from pathlib import Path
from string import ascii_uppercase

import gemmi
import numpy as np
import pytest
from hmmscan_table import LETTERS, plain_anarci
from made import checked, graph_of
from shipped import FAB_CHAINS, NANOBODY_CHAINS, STRUCTURES, fab, nanobody

from stagea_mpi.antibody.chain_checking import antibody_imgt
from stagea_mpi.antibody.hmm_search import anarci_module
from stagea_mpi.antibody.numbering import Domain, find_domains, imgt_numbers
from stagea_mpi.structure.residue_numbers import author_texts, imgt_texts

TABLE = Path(__file__).parents[1] / "data/hmmscan_numberings.tsv.gz"


def recorded_lines() -> list[str]:
    return gzip.decompress(TABLE.read_bytes()).decode().splitlines()


def recorded(line: str) -> list[dict[int, str]]:
    """What the program ANARCI has found in a chain, by domain: the number of each residue, with its letter."""
    found = []
    for domain in filter(None, line.split("\t")[1].split("; ")):
        bounds, aligned, *rest = domain.split(" ")
        residues = (k for k, letter in enumerate(aligned) if letter != "-")
        first = int(bounds.split("-")[0])
        found.append({first + n: rest[k] for n, k in enumerate(residues)})
    return found


def numbered(sequences: list[str]) -> list[list[dict[int, str]]]:
    """The same of ours; residues without a number are left out."""
    return [
        [{d.start + k: text for k, text in enumerate(imgt_texts(imgt_numbers(d)).tolist()) if text} for d in domains]
        for domains in find_domains(sequences)
    ]


def compared(lines: list[str]) -> tuple[int, int]:
    """Numbers that are the program's, all of them, and how many of these have letters.

    Where the program has not found the J region, it is looked for once more (`numbering._search`), and from the CDR3 on
    there may be numbers where the program has none.
    """
    lines = [line for line in lines if set(line.split("\t")[0]) <= set(LETTERS)]
    n_numbers = n_letters = 0
    for line, found in zip(lines, numbered([line.split("\t")[0] for line in lines]), strict=True):
        expected = sorted(recorded(line), key=min)
        assert len(found) == len(expected)
        for own, theirs in zip(found, expected, strict=True):
            if "126" not in theirs.values():
                own, theirs = (
                    {k: n for k, n in d.items() if int(n.rstrip(ascii_uppercase)) < 105} for d in (own, theirs)
                )
            assert own == theirs, line
            n_numbers += len(own)
            n_letters += sum(not number.isdigit() for number in own.values())
    return n_numbers, n_letters


def has_rare_letter(line: str) -> bool:
    """Whether a residue is inserted elsewhere than in a CDR3."""
    return any(not n.isdigit() and n[:3] not in ("111", "112") for domain in recorded(line) for n in domain.values())


def test_numbers_and_letters_are_those_of_the_program_anarci():
    lines = recorded_lines()
    n_numbers, n_letters = compared([line for line in lines if has_rare_letter(line)] + lines[::24])
    assert n_numbers > 4000
    assert n_letters > 100


@pytest.mark.slow
def test_numbers_and_letters_of_a_thousand_chains_are_those_of_the_program_anarci():
    n_numbers, n_letters = compared(recorded_lines())
    assert n_numbers > 100_000
    assert n_letters > 4000


def with_inserted(sequence: str, domain: Domain, behind: int, inserted: str) -> str:
    """A sequence with more residues behind one of its domain's positions."""
    place = domain.start + domain.positions.index(behind) + 1
    return sequence[:place] + inserted + sequence[place:]


LAMBDA = (
    "QSVLTQPPSVSGAPGQRVTISCTGSSSNIGAGYDVHWYQQLPGTAPKLLIYGNSNRPSGVPDRFSGSKSGTSASLAITGLQAEDEADYYCQSYDSSLSGSVFGGGTKLTVL"
)
CHAINS = {"H": fab().complex_.heavy[:113], "K": fab().complex_.light[:110], "L": LAMBDA}


@pytest.mark.parametrize("kind", CHAINS)
@pytest.mark.parametrize(
    ("behind", "inserted"),
    [(29, "NSNGYTGNSN"), (29, "NGYT"), (57, "GSTNGSTGSG"), (57, "SGS"), (107, "GSYDSWGY"), (107, "GSYDSWGYGSYD")],
)
def test_long_cdrs_are_numbered_as_anarci_numbers_them(kind, behind, inserted):
    ((domain,),) = find_domains([CHAINS[kind]])
    assert domain.chain_type == kind
    chain = with_inserted(CHAINS[kind], domain, behind, inserted)
    ((their, *_),), _, _ = anarci_module().anarci([("long", chain)], scheme="imgt")
    aligned, start, _ = their
    expected = [f"{number}{letter.strip()}" for (number, letter), residue in aligned if residue != "-"]
    ((found,),) = numbered([chain])
    assert expected[-2:] in (["127", "128"], ["126", "127"])
    assert sum(not number.isdigit() for number in expected) >= len(inserted) - 7  # which gaps of the CDR take
    assert found == {start + k: number for k, number in enumerate(expected)}


#: By IMGT's rule, which takes residues out of the middle of 105 to 117, or puts them there.
CDR3S = {
    1: "105",
    5: "105 106 107 116 117",
    12: "105 106 107 108 109 110 112 113 114 115 116 117",
    13: "105 106 107 108 109 110 111 112 113 114 115 116 117",
    14: "105 106 107 108 109 110 111 112A 112 113 114 115 116 117",
    15: "105 106 107 108 109 110 111 111A 112A 112 113 114 115 116 117",
    18: "105 106 107 108 109 110 111 111A 111B 112C 112B 112A 112 113 114 115 116 117",
}


@pytest.mark.parametrize("length", CDR3S)
def test_a_cdr3_is_numbered_by_its_length_alone(length):
    counted = tuple(min(105 + k, 117) for k in range(length))  # as where the J region was looked for
    numbers = imgt_texts(imgt_numbers(Domain("H", 0, length + 2, (104, *counted, 118))))
    assert " ".join(numbers) == f"104 {CDR3S[length]} 118"


def test_letters_are_doubled_behind_z_and_end_with_zz():
    texts = imgt_texts(imgt_numbers(Domain("H", 0, 125, (104, *[117] * 123, 118)))).tolist()
    assert texts[7:9] + texts[33:36] + texts[58:67] == [
        "111", "111A", "111Z", "111AA", "111BB", "111YY", "111ZZ", "", "", "", "", "", "", "112ZZ",
    ]  # fmt: skip
    distinct = [text for text in texts if text]
    assert len(distinct) == len(set(distinct)) == 1 + 13 + 52 + 52 + 1


def test_a_residue_without_a_number_has_none():
    assert imgt_texts(imgt_numbers(Domain("H", 3, 7, (0, 9, 0, 11)))).tolist() == ["", "9", "", "11"]


def test_numbers_of_files_keep_their_letters_and_signs():
    numbers = np.array([100 * 256 + ord("a"), -4 * 256 + ord(" "), 0 * 256 + ord(" "), 0, 12345 * 256 + ord(" ")])
    assert author_texts(numbers).tolist() == ["100a", "-4", "0", "", "12345"]


def renumbered_by_imgt(path) -> None:
    """The nanobody's model as IMGT numbers it, in the file's order: … 112B, 112A, 112, …"""
    structure = gemmi.read_structure(str(STRUCTURES / "7CFN.cif.gz"))
    built = nanobody()
    residues = [residue for residue in structure[0]["N"] if residue.het_flag == "A"]
    assert len(residues) == len(built.complex_.heavy)
    assert "112D" in imgt_texts(built.imgt)
    for residue, text in zip(residues, imgt_texts(built.imgt).tolist(), strict=True):
        number = text.rstrip(ascii_uppercase)
        residue.seqid = gemmi.SeqId(int(number), text[len(number) :] or " ")
    structure.write_pdb(str(path))


def test_numbers_are_those_of_the_residues_where_these_do_not_ascend_in_the_file(tmp_path):
    renumbered_by_imgt(tmp_path / "imgt.pdb")
    graph, plain = graph_of(str(tmp_path / "imgt.pdb"), NANOBODY_CHAINS), nanobody().graph
    antibody = graph.chain == 0
    assert np.array_equal(graph.imgt_number[antibody], graph.author_number[antibody])
    assert not graph.imgt_number[~antibody].any()
    by_place = {tuple(xyz): number for xyz, number in zip(plain.position.tolist(), plain.imgt_number, strict=True)}
    assert [by_place[tuple(xyz)] for xyz in graph.position.tolist()] == graph.imgt_number.tolist()
    assert {"111B", "112D"} <= set(imgt_texts(graph.imgt_number))


def test_only_the_labelled_domains_are_numbered():
    complex_, found = fab().complex_, checked(fab().complex_)
    texts = imgt_texts(antibody_imgt(complex_, found)).tolist()
    assert [texts[k] for k in (0, 109, 110, 111)] == ["3", "127", "128", ""]
    light = texts[len(complex_.heavy) :]
    assert light[0] == "1"
    assert complex_.light[22] == "C"
    assert light[22] == "23"
    assert light[found.light.stop :] == [""] * (len(light) - found.light.stop)


def test_chains_and_numbers_of_nodes_are_those_of_the_file():
    graph = fab().graph
    model = gemmi.read_structure(str(STRUCTURES / "7DAA_model.pdb.gz"))[0]
    expected = {
        tuple(np.float32(atom.pos.tolist())): (chain.name, str(residue.seqid))
        for chain in model
        for residue in chain
        for atom in residue
    }
    chains = np.array(FAB_CHAINS.merged)[graph.input_chain].tolist()
    found = zip(chains, author_texts(graph.author_number).tolist(), strict=True)
    assert list(found) == [expected[tuple(xyz)] for xyz in graph.position]
    assert set(chains) == {"H", "L", "A"}


def test_anarcis_program_is_what_the_library_is_compared_with():
    """So that the comparison above is one with ANARCI as it is."""
    assert plain_anarci().run_hmmer is not anarci_module().run_hmmer
