"""Names that reach beyond columns 18-20 of a PDB file, beside chains that have two letters indeed."""

import itertools

import pytest
from made import changed, entries_of, fv_lines, graph_of, moved, read, refusal, same_graphs, write

from stagea_mpi.antibody.chain_rules import ChainRule
from stagea_mpi.antibody.complexes import Chains, chain_sequences
from stagea_mpi.inputs import list_models, read_model

GROMACS = {
    "LYS": "LYSH", "ARG": "ARGN", "HIS": "HISB HISA HIS1", "ASP": "ASPH ASP", "GLU": "GLU GLUH", "CYS": "CYS2",
}  # fmt: skip
CHARMM = {"ASP": "ASPP", "GLU": "GLUP GLU", "LYS": "LSN", "HIS": "HSD HSE HSP"}
ALL_LONG = {"GROMACS": GROMACS, "CHARMM": CHARMM}


def in_dialect(names: dict[str, str], column: int = 17, record: str = "ATOM  ") -> list[str]:
    """The Fv with its residues under other names, each of them in turn, from a column on (counted from 0)."""
    turns = {old: itertools.cycle(new.split()) for old, new in names.items()}
    lines, last, name = [], "", ""
    for line in fv_lines():
        if line[21:27] != last:
            last, name = line[21:27], next(turns[line[17:20]]) if line[17:20] in turns else line[17:20]
        is_long = len(name) > 3
        line = changed(changed(line, 17, "   "), column if is_long else 17, name)
        lines.append(changed(line, 0, record) if is_long else line)
    return lines


def with_terminal_names(column: int) -> list[str]:
    """AMBER's names of the first and the last residue of each chain."""
    sites = {c: [line[21:27] for line in fv_lines() if line[21] == c] for c in "HLA"}
    ends = {s[0]: "N" for s in sites.values()} | {s[-1]: "C" for s in sites.values()}
    return [
        changed(changed(line, 17, "   "), column, ends[line[21:27]] + line[17:20]) if line[21:27] in ends else line
        for line in fv_lines()
    ]


def with_chains(names: dict[str, str]) -> list[str]:
    return [changed(line, 20, f"{names[line[21]]:>2}") for line in fv_lines()]


@pytest.mark.parametrize("column", [16, 17])
@pytest.mark.parametrize("dialect", ALL_LONG)
def test_names_of_four_letters_are_not_taken_for_chains(dialect, column, tmp_path, plain):
    path = write(tmp_path / "x.pdb", in_dialect(ALL_LONG[dialect], column))
    assert same_graphs(graph_of(path), plain)
    (entry,) = entries_of(path, ChainRule())
    (expected,) = entries_of(write(tmp_path / "y.pdb", fv_lines()), ChainRule())
    assert entry.failure is None
    assert entry.chains == expected.chains
    assert entry.sequences == expected.sequences


def test_records_under_names_of_four_letters_may_be_hetatm(tmp_path, plain):
    assert same_graphs(graph_of(write(tmp_path / "x.pdb", in_dialect(GROMACS, record="HETATM"))), plain)


@pytest.mark.parametrize("column", [16, 17])
def test_the_termini_of_amber_are_of_their_chains(column, tmp_path, plain):
    path = write(tmp_path / "x.pdb", with_terminal_names(column))
    assert same_graphs(graph_of(path), plain)


def test_names_may_be_a_column_further_right(tmp_path, plain):
    lines = [changed(line, 17, f" {line[17:20]}") for line in fv_lines()]
    assert same_graphs(graph_of(write(tmp_path / "x.pdb", lines)), plain)


def test_names_may_be_a_column_further_left(tmp_path, plain):
    lines = [changed(line, 16, f"{line[17:20]} ") for line in fv_lines()]
    assert same_graphs(graph_of(write(tmp_path / "x.pdb", lines)), plain)


@pytest.mark.parametrize("names", [("HA", "LB", "AA"), ("BA", "2A", "HA"), ("NA", "PA", "1A"), ("2H", "HL", "BA")])
def test_chains_of_two_letters_stay_what_they_are(names, tmp_path, plain):
    lines = with_chains(dict(zip("HLA", names, strict=True)))
    chains = Chains(names[0], names[1], (names[2],))
    assert same_graphs(graph_of(write(tmp_path / "x.pdb", lines), chains), plain)


def test_chains_of_two_letters_may_be_numbered_on_from_each_other(tmp_path, plain):
    lines, number, last = [], 0, ""
    for line in with_chains({"H": "HA", "L": "BA", "A": "2A"}):
        number, last = number + (line[20:27] != last), line[20:27]
        lines.append(changed(line, 22, f"{number:4d}"))
    assert same_graphs(graph_of(write(tmp_path / "x.pdb", lines), Chains("HA", "BA", ("2A",))), plain)


def test_chains_of_two_letters_may_have_residues_of_four(tmp_path, plain):
    """Of such a chain there are no four-letter names to be had: they would need a column more."""
    lines = [
        changed(line, 17, {"HIS": "HSD"}.get(line[17:20], line[17:20]))
        for line in with_chains(dict(H="HA", L="LA", A="BA"))
    ]
    assert same_graphs(graph_of(write(tmp_path / "x.pdb", lines), Chains("HA", "LA", ("BA",))), plain)


def test_the_letter_of_a_chain_may_stand_in_column_21(tmp_path, plain):
    lines = [changed(line, 20, f"{line[21]} ") for line in fv_lines()]
    assert same_graphs(graph_of(write(tmp_path / "x.pdb", lines)), plain)


def test_names_of_four_letters_in_blank_chains_leave_these_to_the_segments(tmp_path, plain):
    lines = [changed(changed(line.ljust(80), 72, f"PRO{line[21]}"), 21, " ") for line in in_dialect(GROMACS)]
    path = write(tmp_path / "x.pdb", lines)
    assert same_graphs(graph_of(path, Chains("PROH", "PROL", ("PROA",))), plain)


def test_names_of_four_letters_in_one_blank_chain_make_no_chains(tmp_path, plain):
    heavy = [changed(line, 21, " ") if line[21] == "H" else line for line in in_dialect(GROMACS)]
    path = write(tmp_path / "x.pdb", heavy)
    assert same_graphs(graph_of(path, Chains("_", "L", ("A",))), plain)


@pytest.mark.parametrize("chain", ["A", " "])
def test_lipids_and_waters_of_four_letters_refuse_nothing(chain, tmp_path, plain):
    far = [moved(line, (60, 60, 60)) for line in fv_lines()[:12]]
    other = [
        changed(changed(line, 17, f"{name}{chain}"), 22, f"{900 + k:4d}")
        for k, (line, name) in enumerate(zip(far, ("POPC", "POPC", "TIP3", "TIP3", "CHL1", "CHL1") * 2, strict=True))
    ]
    path = write(tmp_path / "x.pdb", [*fv_lines(), *other])
    assert same_graphs(graph_of(path), plain)
    sequences = chain_sequences(read(path))
    assert {name: sequences[name] for name in "HLA"} == chain_sequences(read(write(tmp_path / "y.pdb", fv_lines())))


def test_what_may_be_either_is_refused_with_both_readings(tmp_path):
    site = next(line[21:26] for line in fv_lines() if line[17:20] == "SER" and line[21] == "H")
    lines = [changed(line, 17, "SERP") if line[21:26] == site else line for line in fv_lines()]
    failure = refusal(read, write(tmp_path / "x.pdb", lines))
    number = site[1:].strip()
    assert failure.reason == "unreadable"
    assert f"residue SERP {number} of chain H, or residue SER {number} of chain PH" in str(failure)
    assert f"line {1 + next(k for k, line in enumerate(lines) if line[17:21] == 'SERP')} " in str(failure)


def test_two_unknown_names_beside_each_other_are_no_chain(tmp_path):
    sites = list(dict.fromkeys(line[21:26] for line in fv_lines() if line[21] == "H"))[20:22]
    lines = [changed(line, 20, "P") if line[21:26] in sites else line for line in fv_lines()]
    assert refusal(read, write(tmp_path / "x.pdb", lines)).reason == "unreadable"


def test_a_lone_residue_with_a_long_name_beside_nothing_is_refused(tmp_path):
    lysine = [changed(line, 17, "LYSH") for line in fv_lines() if line[17:20] == "LYS" and line[21] == "A"][:9]
    lines = [*fv_lines(), *(changed(moved(line, (40, 0, 0)), 22, " 900") for line in lysine)]
    failure = refusal(read, write(tmp_path / "x.pdb", lines))
    assert "residue LYSH 900 of chain A, or residue LYS 900 of chain HA" in str(failure)


def test_names_of_termini_are_no_alternative_locations_and_real_ones_stay(tmp_path, plain):
    lines = with_terminal_names(16)
    number = next(line[21:26] for line in lines if line[16:20] == "NPRO" or line[16] == "N")
    (model,) = list_models(write(tmp_path / "x.pdb", lines)).models
    table = read_model(model)
    assert len(table.xyz) == len(fv_lines())
    real = []
    for line in fv_lines():
        if line[21:26] == number:
            real += [
                changed(changed(line, 16, "C"), 54, "  0.60"),
                changed(changed(moved(line, (3, 3, 3)), 16, "N"), 54, "  0.40"),
            ]
        else:
            real.append(line)
    assert same_graphs(graph_of(write(tmp_path / "y.pdb", real)), plain)


def test_residue_numbers_of_five_digits_are_whole_numbers(tmp_path, plain):
    """They reach into the column of the insertion code; 10000 follows 9999."""
    lines = [changed(line, 22, f"{int(line[22:26]) + 9950:4d}".ljust(5)) for line in fv_lines()]
    assert any(line[22:27] == "10000" for line in lines)
    assert same_graphs(graph_of(write(tmp_path / "x.pdb", lines)), plain)


def test_insertion_codes_from_1000_on_are_no_digits_of_a_number(tmp_path, plain):
    lines = [changed(line, 22, f"{int(line[22:26]) // 2 + 1000:4d}{' A'[int(line[22:26]) % 2]}") for line in fv_lines()]
    assert same_graphs(graph_of(write(tmp_path / "x.pdb", lines)), plain)


RIGHT_SHIFTS = {
    "serial": lambda line: line[:6] + " " + line[6:],
    "atom": lambda line: line[:11] + " " + line[11:],
    "number": lambda line: line[:26] + " " + line[26:],
    "number of six digits": lambda line: line[:22] + f"{int(line[22:26]) + 100000}" + line[26:],
    "six digits in the gap": lambda line: changed(line, 22, f"{int(line[22:26]) + 100000}"),
    "code in the number": lambda line: changed(line, 22, f"{line[22:26].strip()}A".rjust(4)),
}


@pytest.mark.parametrize("shift", RIGHT_SHIFTS)
def test_lines_shifted_to_the_right_are_refused_with_line_and_columns(shift, tmp_path):
    failure = refusal(read, write(tmp_path / "x.pdb", [RIGHT_SHIFTS[shift](line) for line in fv_lines()]))
    assert failure.reason in ("bad_coordinates", "unreadable")
    assert "line 1 " in str(failure)
    assert "columns" in str(failure)


@pytest.mark.parametrize("place", [20, 27])
def test_lines_shifted_to_the_left_are_read_where_they_are_whole_and_else_refused(place, tmp_path, plain):
    def shifted(line):
        return line[:place] + line[place + 1 :]

    assert same_graphs(graph_of(write(tmp_path / "x.pdb", map(shifted, fv_lines()))), plain)
    away = [moved(line, (-200, 0, 0)) for line in fv_lines()]
    failure = refusal(read, write(tmp_path / "y.pdb", map(shifted, away)))
    assert (failure.reason, "columns 28-30" in str(failure)) == ("bad_coordinates", True)


def test_a_chain_and_number_one_column_to_the_left_are_refused_where_they_would_be_others(tmp_path):
    lines = [changed(line, 20, f"{line[21]}{int(line[22:26]) + 1000} ") for line in fv_lines()]
    failure = refusal(read, write(tmp_path / "x.pdb", lines))
    assert (failure.reason, "columns 23-26" in str(failure)) == ("unreadable", True)


def test_an_alternative_location_in_the_columns_of_the_name_is_refused(tmp_path):
    located = [changed(line, 16, "A") if line[21:26] == "H  20" else line for line in fv_lines()]
    failure = refusal(read, write(tmp_path / "x.pdb", [line[:12] + line[13:26] + " " + line[26:] for line in located]))
    assert (failure.reason, "columns 13-16" in str(failure)) == ("unreadable", True)


def test_a_name_of_four_letters_in_a_chain_of_two_is_refused(tmp_path):
    """There is no room for it: LYSH of chain HA may be of chain A, or LYS of chain HA."""
    lines = [
        changed(line, 17, "ARGN") if line[17:20] == "ARG" else line
        for line in with_chains({"H": "LH", "L": "2L", "A": "BA"})
    ]
    assert refusal(read, write(tmp_path / "x.pdb", lines)).reason == "unreadable"


def test_names_of_atoms_a_column_to_the_right_are_refused_where_they_would_be_others(tmp_path):
    shifted = [line[:12] + " " + line[12:16] + line[17:] if line[12] == " " else line for line in fv_lines()]
    failure = refusal(read, write(tmp_path / "x.pdb", shifted))
    assert failure.reason == "unreadable"
    assert "columns 13-17 of line" in str(failure)
