import numpy as np
import pytest
from made import changed, entries_of, fv_lines, graph_of, reasons_of, refusal, same_graphs, write
from shipped import FAB_CHAINS, NANOBODY_CHAINS, STRUCTURES

from stagea_mpi.antibody.chain_finding import find_chains
from stagea_mpi.antibody.chain_rules import ChainRule
from stagea_mpi.antibody.complexes import WHOLE, Chains, ResidueRange
from stagea_mpi.antibody.numbering import Domain
from stagea_mpi.config.chains import parse_chains, read_table
from stagea_mpi.errors import ConfigError
from stagea_mpi.inputs import AtomTable, ModelRef

# Made models: each chain a row of Cα atoms, so that who touches whom is plain to see.

_VARIABLE = 20


def _table(places):
    """A model from chains' names and the positions of their residues."""
    names = [name for name, xyz in places.items() for _ in xyz]
    n = len(names)
    numbers = [k for xyz in places.values() for k in range(len(xyz))]
    return AtomTable(
        chain=np.array(names, dtype="S"),
        residue_name=np.array(["GLY"] * n, dtype="S"),
        atom_name=np.array(["CA"] * n, dtype="S"),
        residue=np.arange(n, dtype=np.int32),
        author_number=np.array(numbers) * 256,
        is_hetatm=np.zeros(n, dtype=bool),
        is_hydrogen=np.zeros(n, dtype=bool),
        element=np.array(["C"] * n, dtype="S"),
        xyz=np.array([point for xyz in places.values() for point in xyz], dtype=float),
        b_factor=np.zeros(n, dtype=np.float32),
        dropped=np.zeros(0, dtype="S1"),
    )


def _row(y, z=0.0, n=_VARIABLE):
    return [(3.8 * k, y, z) for k in range(n)]


def _find(rule, types, places):
    """Chains found in a made model; `types` are the domains' types by chain."""
    sequences = {name: name * len(xyz) for name, xyz in places.items()}
    domains = {
        sequences[name]: tuple(
            Domain(kind, k * _VARIABLE, (k + 1) * _VARIABLE) for k, kind in enumerate(types.get(name, ""))
        )
        for name in places
    }
    return find_chains(rule, sequences, domains, lambda: _table(places))


TWO_COPIES = {
    "A": _row(0), "B": _row(4), "P": _row(8),  # heavy, light, antigen
    "C": _row(100), "D": _row(104), "Q": _row(104, 4.9, 4),  # the same again, with a smaller interface
}  # fmt: skip
TYPES = {"A": "H", "B": "K", "C": "H", "D": "L"}


def test_of_several_copies_the_one_with_the_largest_interface_is_taken():
    choice = _find(ChainRule(), TYPES, TWO_COPIES)
    assert choice.chains == Chains("A", "B", ("P",))
    assert choice.chain_source == "found: copy 1 of 2"


@pytest.mark.parametrize(
    "rule", [ChainRule(copy=2), ChainRule(heavy="C"), ChainRule(light="D"), ChainRule(antigen=("Q",))]
)
def test_the_copy_that_is_asked_for_is_taken(rule):
    assert _find(rule, TYPES, TWO_COPIES).chains == Chains("C", "D", ("Q",))


def test_a_copy_that_is_not_there_is_refused_with_those_that_are():
    failure = refusal(_find, ChainRule(copy=3), TYPES, TWO_COPIES)
    assert failure.reason == "chain_missing"
    assert "A and B; C and D" in str(failure)


def test_a_chain_of_the_antigen_that_the_antibody_does_not_touch_belongs_to_it():
    places = {**TWO_COPIES, "R": _row(12), "S": _row(104, 9, 4)}
    assert _find(ChainRule(), TYPES, places).chains.antigen == ("P", "R")
    assert _find(ChainRule(copy=2), TYPES, places).chains.antigen == ("Q", "S")


def test_an_antigen_shared_by_two_antibodies_belongs_to_either():
    places = {"A": _row(0), "P": _row(4), "C": _row(8)}
    types = {"A": "H", "C": "H"}
    assert _find(ChainRule(copy=1), types, places).chains == Chains("A", None, ("P",))
    assert _find(ChainRule(copy=2), types, places).chains == Chains("C", None, ("P",))


@pytest.mark.parametrize("types", ["A", "B", "G", "D", "AB"])
def test_an_antigen_with_the_domains_of_a_t_cell_receptor_is_an_antigen(types):
    places = {"A": _row(0), "T": _row(4, n=2 * _VARIABLE)}
    assert _find(ChainRule(), {"A": "H", "T": types}, places).chains == Chains("A", None, ("T",))


def test_an_antibody_against_an_antibody_has_it_as_its_antigen():
    places = {"A": _row(0), "B": _row(4), "C": _row(-4), "D": _row(-8)}
    choice = _find(ChainRule(heavy="A"), TYPES, places)
    assert choice.chains == Chains("A", "B", ("C", "D"))


def test_an_scfv_gives_heavy_and_light_by_domain_in_either_order():
    places = {"S": _row(0) + _row(4), "P": _row(8, n=2 * _VARIABLE)}
    chains = _find(ChainRule(), {"S": "HK"}, places).chains
    assert (chains.heavy, chains.light, chains.antigen) == ("S", "S", ("P",))
    assert (chains.heavy_range, chains.light_range) == (ResidueRange(0, 20), ResidueRange(20, None))
    chains = _find(ChainRule(), {"S": "LH"}, places).chains
    assert (chains.heavy_range, chains.light_range) == (ResidueRange(20, None), ResidueRange(0, 20))
    assert chains.sides() == ("S:21-,S:1-20", "P")


def test_without_a_light_chain_an_scfv_is_one_heavy_chain():
    places = {"S": _row(0) + _row(4), "P": _row(8)}
    assert _find(ChainRule(light=None), {"S": "HK"}, places).chains == Chains("S", None, ("P",))


def test_a_heavy_domain_beside_no_light_one_is_a_nanobody():
    places = {"A": _row(0), "B": _row(50), "C": _row(54), "P": _row(-4)}
    assert _find(ChainRule(heavy="A"), {"A": "H", "B": "K", "C": "H"}, places).chains == Chains("A", None, ("P",))


@pytest.mark.parametrize(
    ("rule", "types", "reason"),
    [
        (ChainRule(heavy="B"), {"A": "H", "B": "K"}, "wrong_chain_type"),
        (ChainRule(light="A"), {"A": "H", "B": "K"}, "wrong_chain_type"),
        (ChainRule(heavy="X"), {"A": "H"}, "chain_missing"),
        (ChainRule(antigen=("X",)), {"A": "H"}, "chain_missing"),
        (ChainRule(), {"A": "K", "B": "K"}, "no_antibody"),
        (ChainRule(), {}, "no_antibody"),
        (ChainRule(), {"A": "H", "B": "K", "P": "K"}, "no_antigen"),
    ],
)
def test_what_cannot_be_found_is_told_with_what_there_is(rule, types, reason):
    places = {"A": _row(0), "B": _row(4), "P": _row(8)}
    if reason == "no_antigen":
        del places["P"]
    failure = refusal(_find, rule, {name: kind for name, kind in types.items() if name in places}, places)
    assert failure.reason == reason
    assert "20 residues" in str(failure) or "ANARCI" in str(failure)


def test_a_stated_chain_without_any_domain_is_taken_as_it_is():
    places = {"A": _row(0), "P": _row(4)}
    assert _find(ChainRule(heavy="A"), {}, places).chains == Chains("A", None, ("P",))


# Shipped complexes


def test_chains_of_the_shipped_complexes_are_found():
    for file, chains in (("7DAA_model.pdb.gz", FAB_CHAINS), ("7CFN.cif.gz", NANOBODY_CHAINS)):
        (entry,) = entries_of(str(STRUCTURES / file), ChainRule())
        assert entry.chains.heavy == chains.heavy
        assert entry.chains.light == chains.light
        assert set(entry.chains.antigen) == set(chains.antigen)


def test_an_scfv_gives_the_graph_of_the_two_chains(tmp_path):
    """VL, a linker without atoms, VH in one chain: heavy comes first in the merged chain all the same."""
    plain = write(tmp_path / "plain.pdb", fv_lines())
    rows = {name: [line for line in fv_lines() if line[21] == name] for name in "AHL"}
    joined = [changed(line, 21, "S") for line in rows["L"]]
    joined += [changed(line, 21, f"S{int(line[22:26]) + 200:4d}") for line in rows["H"]]
    path = write(tmp_path / "scfv.pdb", [*joined, *rows["A"]])
    (entry,) = entries_of(path, ChainRule())
    assert entry.failure is None
    assert same_graphs(graph_of(path, entry.chains), graph_of(plain))


# What is stated


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("auto", ChainRule()),
        ({"heavy": "H"}, ChainRule(heavy="H")),
        ({"heavy": "H", "antigen": ["A", "B"]}, ChainRule(heavy="H", antigen=("A", "B"))),
        ({"light": "-"}, ChainRule(light=None)),
        ({"copy": 2}, ChainRule(copy=2)),
        ({"check": False}, ChainRule(check=False)),
        ({"heavy": "H", "light": "-", "antigen": "A", "check": 0}, Chains("H", None, ("A",), check=False)),
        ({"heavy": "S", "light": "S", "antigen": "A"}, ChainRule("S", "S", ("A",))),
        ({"heavy": "H", "light": "L", "antigen": "A B"}, Chains("H", "L", ("A", "B"))),
        ({"heavy": "H", "light": "-", "antigen": 1}, Chains("H", None, ("1",))),
    ],
)
def test_what_is_left_out_is_to_be_found(value, expected):
    found = parse_chains(value, "chains")
    assert found == expected
    assert parse_chains(found.as_dict(), "chains") == expected


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("all", "expected auto"),
        ({}, "expected auto"),
        ({"heavy": "-"}, "chains.heavy"),
        ({"heavy": "H", "antigen": ["H"]}, "H is named 2 times"),
        ({"antigen": ["A", "auto"]}, "found both"),
        ({"copy": 0}, "chains.copy"),
        ({"check": "perhaps"}, "chains.check"),
        ({"heavy": True}, "found True; write it as text, in quotes"),
        ({"table": "t.csv", "heavy": "H"}, "heavy cannot stand beside a table"),
        ({"table": "absent.csv"}, "cannot be read"),
    ],
)
def test_a_message_about_chains_names_what_was_found(value, words):
    with pytest.raises(ConfigError, match=words):
        parse_chains(value, "chains")


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_the_first_row_of_a_table_that_fits_a_model_counts(separator, tmp_path):
    rows = ["model,heavy,light,antigen", "one,H,L,A B", "file.pdb,X,-,Y", "n*,N,,", "*,,,Z"]
    path = tmp_path / "t.csv"
    path.write_text("\ufeff" + "\n".join(rows).replace(",", separator) + "\n")
    table = read_table(str(path))

    def rule(name, file="other.pdb"):
        return table.for_model(ModelRef(f"/in/{file}", name))

    assert rule("one") == ChainRule("H", "L", ("A", "B"))
    assert rule("two", "file.pdb") == ChainRule("X", None, ("Y",))
    assert rule("nine") == ChainRule(heavy="N")
    assert rule("else") == ChainRule(antigen=("Z",))


def test_a_model_without_a_row_fails_and_the_others_do_not(tmp_path):
    (tmp_path / "t.csv").write_text("model,heavy,light,antigen\nfv,H,L,A\n")
    table = read_table(str(tmp_path / "t.csv"))
    assert reasons_of(write(tmp_path / "fv.pdb", fv_lines()), table) == [""]
    assert reasons_of(write(tmp_path / "other.pdb", fv_lines()), table) == ["chains_unstated"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "expected the columns"),
        ("name,heavy\nx,H\n", "expected the columns model"),
        ("model,heavy\n", "has no rows"),
        ("model,heavy\n,H\n", "line 2"),
        ("model,heavy\nx,H,L\n", "line 2"),
        ("model,heavy,light\nx,-,L\n", "line 2.heavy"),
    ],
)
def test_a_message_about_a_table_names_its_line(text, words, tmp_path):
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(ConfigError, match=words):
        read_table(str(tmp_path / "t.csv"))


def test_a_whole_chain_is_the_usual_part():
    assert FAB_CHAINS.heavy_range == WHOLE
    assert FAB_CHAINS.sides() == ("H,L", "A")
