"""One atom a site, whatever a file says of several: the graph of the complex with others beside it is that without."""

import numpy as np
import pytest
from made import changed, cif_of, fv_lines, graph_of, moved, read, same_graphs, write
from shipped import FAB_CHAINS

from stagea_mpi.antibody.complexes import Complex, merge_chains

pytestmark = pytest.mark.slow

#: Residues that some tests change, one a chain.
_PLACES = (("H", 99), ("L", 92), ("A", 60))


def both_formats(folder, lines) -> tuple[str, str]:
    """The lines as PDB and as mmCIF."""
    return write(folder / "x.pdb", lines), write(folder / "x.cif", cif_of(lines))


def complex_of(path: str) -> Complex:
    return merge_chains(read(path), FAB_CHAINS, path)


def same_atoms(path: str, right: Complex) -> bool:
    """Whether a file has the same complex: the same atoms of the same residues at the same places in one order."""
    found = complex_of(path)
    names = ("chain", "residue_number", "residue", "residue_name", "atom_name", "is_hydrogen", "xyz")
    return found.sequences == right.sequences and all(
        np.array_equal(getattr(found, name), getattr(right, name)) for name in names
    )


@pytest.fixture(scope="module")
def right(tmp_path_factory) -> Complex:
    return complex_of(write(tmp_path_factory.mktemp("right") / "fv.pdb", fv_lines()))


def located(line: str, label: str, occupancy: str, shift=(0.0, 0.0, 0.0)) -> str:
    return changed(changed(moved(line, shift), 16, label), 54, f"{occupancy:>6}")


def is_at(line: str, places=_PLACES) -> bool:
    return (line[21], int(line[22:26])) in places


def residue(places=_PLACES) -> list[str]:
    return [line for line in fv_lines() if is_at(line, places)]


@pytest.mark.parametrize(
    "others",
    [
        [("B", "0.40")],
        [("A", "0.30"), ("B", "0.10")],
        [("1", "0.30"), ("a", "0.10")],
        [("B", "0.60")],
        [("B", "")],
        [("B", "-1.00")],
    ],
    ids=["B", "A and B", "1 and a", "equal", "missing", "negative"],
)
@pytest.mark.parametrize("order", [1, -1], ids=["in front", "behind"])
def test_the_one_without_a_label_stays_where_none_is_more_occupied(others, order, tmp_path, right):
    lines = []
    for line in fv_lines():
        lines += [located(line, " ", "0.60"), *(located(line, *other, (0.4, 0.5, 0.3)) for other in others)][::order]
    for path in both_formats(tmp_path, lines):
        assert same_atoms(path, right)
        assert len(read(path).dropped) == len(others) * len(fv_lines())


@pytest.mark.parametrize(
    ("kept", "others"),
    [
        (("B", "0.60"), [(" ", "0.40")]),
        (("B", "0.50"), [(" ", "0.20"), ("A", "0.30")]),
        (("A", "0.50"), [("B", "0.50")]),
        (("A", "0.00"), [("B", "0.00")]),
        (("A", ""), [("B", "")]),
        (("1", "0.50"), [("2", "0.50"), ("a", "0.50")]),
        (("C", "0.40"), [("A", "0.30"), ("B", "0.30")]),
        ((" ", "0.70"), [(" ", "0.30")]),
        ((" ", "0.00"), [("A", "0.00")]),
    ],
)
@pytest.mark.parametrize("written", ["atom by atom", "residue by residue"])
@pytest.mark.parametrize("shift", [(0.4, 0.5, 0.3), (3.0, 2.0, 4.0)], ids=["near", "far"])
def test_the_most_occupied_location_stays_then_the_one_without_a_label_then_by_label(
    kept, others, written, shift, tmp_path, right
):
    lines, rest = [], []
    for k, line in enumerate(fv_lines()):
        if k and line[17:27] != fv_lines()[k - 1][17:27]:
            lines, rest = lines + rest, []
        copies = [located(line, *other, shift) for other in others]
        lines += [*(copies if written == "atom by atom" else []), located(line, *kept)]
        rest += copies if written == "residue by residue" else []
    for path in both_formats(tmp_path, lines + rest):
        assert same_atoms(path, right)


@pytest.mark.parametrize("where", ["next to it", "at the end"])
@pytest.mark.parametrize("what", ["residue", "side chain", "CA"])
def test_atoms_that_are_written_twice_count_once_the_first_of_equals(where, what, tmp_path, right):
    def is_copied(line):
        name = line[12:16].strip()
        return {"residue": True, "side chain": name not in ("N", "CA", "C", "O"), "CA": name == "CA"}[what]

    lines = list(fv_lines())
    for place in _PLACES:
        copies = [moved(line, (0.2, 0.3, 0.1)) for line in residue([place]) if is_copied(line)]
        last = lines.index(residue([place])[-1]) + 1 if where == "next to it" else len(lines)
        lines[last:last] = copies
    for path in both_formats(tmp_path, lines):
        assert same_atoms(path, right)
        assert len(read(path).dropped) == len(lines) - len(fv_lines())


@pytest.mark.parametrize("kept", [" ", "A", "B"])
@pytest.mark.parametrize("other", [" ", "A", "B"])
@pytest.mark.parametrize("written", ["in front", "behind", "atom by atom", "at the end"])
def test_of_two_residue_types_at_a_site_the_most_occupied_stays(kept, other, written, tmp_path, right):
    """GLY at every third residue: its atoms are some of the residue's own, elsewhere."""
    lines, rest = [], []
    own: list[str] = []

    def finish():
        first = own[0]
        if int(first[22:26]) % 3 or first[17:20] == "GLY":
            return own
        gly = [
            changed(located(line, other, "0.40", (0.3, 0.2, 0.3)), 17, "GLY")
            for line in own
            if line[12:16].strip() in ("N", "CA", "C", "O")
        ]
        mine = [located(line, kept, "0.60") for line in own]
        if written == "atom by atom":
            return [line for pair in zip(mine, gly, strict=False) for line in pair] + mine[len(gly) :]
        if written == "at the end":
            rest.extend(gly)
            return mine
        return [*gly, *mine] if written == "in front" else [*mine, *gly]

    for line in fv_lines():
        if own and line[17:27] != own[0][17:27]:
            lines += finish()
            own = []
        own.append(line)
    lines += finish()
    for path in both_formats(tmp_path, lines + rest):
        assert same_atoms(path, right)


def test_two_types_of_equal_occupancy_go_by_their_label(tmp_path, right):
    lines = []
    for line in fv_lines():
        if is_at(line):
            own, other = located(line, "A", "0.50"), located(changed(line, 17, "GLY"), "B", "0.50", (0.2, 0.2, 0.2))
            lines += [own] + [other] * (line[12:16].strip() in ("N", "CA", "C", "O"))
        else:
            lines.append(line)
    for path in both_formats(tmp_path, lines):
        assert same_atoms(path, right)


@pytest.mark.parametrize("label", [" ", "A"])
def test_residues_that_share_a_number_are_several_where_they_stand_apart(label, tmp_path, right):
    """As tools write 82, 82A, 82B, 82C who know no insertion codes; 82 and 82C often are of one type."""
    shared = {"H": (80, 84), "A": (60, 63)}
    lines = []
    for line in fv_lines():
        first, last = shared.get(line[21], (1, 0))
        if not first <= int(line[22:26]) <= last:
            lines.append(line)
            continue
        line = changed(line, 22, f"{first:4d}")
        if label == " " or line[12:16].strip() in ("N", "CA", "C", "O"):
            lines.append(line)
        else:
            lines += [located(line, label, "0.60"), located(line, "B", "0.40", (0.3, 0.4, 0.3))]
    for path in both_formats(tmp_path, lines):
        assert same_atoms(path, right)


@pytest.mark.parametrize("labelled", [80, 81, 82, 83, 84])
def test_a_label_on_one_of_the_residues_that_share_a_number_costs_no_other(labelled, tmp_path, right):
    lines = []
    for line in fv_lines():
        number = int(line[22:26])
        if line[21] == "H" and 80 <= number <= 84:
            line = changed(located(line, "A" if number == labelled else " ", "0.50"), 22, "  80")
        lines.append(line)
    for path in both_formats(tmp_path, lines):
        assert same_atoms(path, right)


def test_copies_of_a_chain_behind_each_other_stay_whatever_their_occupancies(tmp_path):
    antigen = [located(line, " ", "0.50") for line in fv_lines() if line[21] == "A"]
    others = [line for line in fv_lines() if line[21] != "A"]
    path = write(tmp_path / "x.pdb", [*others, *antigen, *(moved(line, (40.0, 0.0, 0.0)) for line in antigen)])
    assert (read(path).chain == b"A").sum() == 2 * len(antigen)


@pytest.mark.parametrize("names", [("LEU", "SER", "SER", "LEU"), ("SER", "SER", "SER", "SER")])
def test_residues_of_one_number_keep_their_order_also_where_names_recur(names, tmp_path):
    def named(lines):
        shared = [line for line in lines if line[21] == "H" and 80 <= int(line[22:26]) <= 83]
        backbone = [line for line in shared if line[12:16].strip() in ("N", "CA", "C", "O", "CB")]
        return [changed(line, 17, names[int(line[22:26]) - 80]) for line in backbone]

    first = next(k for k, line in enumerate(fv_lines()) if line[21] == "H" and int(line[22:26]) == 80)
    others = [line for line in fv_lines() if not (line[21] == "H" and 80 <= int(line[22:26]) <= 83)]
    apart = [*others[:first], *named(fv_lines()), *others[first:]]
    together = [*others[:first], *(changed(line, 22, "  80") for line in named(fv_lines())), *others[first:]]
    right = complex_of(write(tmp_path / "right.pdb", apart))
    for path in both_formats(tmp_path, together):
        assert same_atoms(path, right)


def test_a_chain_whose_numbers_start_again_loses_nothing(tmp_path, right):
    lines = [changed(line, 22, f"{int(line[22:26]) % 50 + 1:4d}") for line in fv_lines()]
    for path in both_formats(tmp_path, lines):
        assert same_atoms(path, right)
        assert not len(read(path).dropped)


def test_side_chains_apart_from_their_backbones_belong_to_them(tmp_path):
    def is_backbone(line):
        return line[12:16].strip() in ("N", "CA", "C", "O", "CB")

    right, lines, rest = [], [], []
    for k, line in enumerate(fv_lines()):
        if k and line[17:27] != fv_lines()[k - 1][17:27]:
            right, rest = right + rest, []
        (right if is_backbone(line) else rest).append(line)
    lines = [line for line in fv_lines() if is_backbone(line)] + [line for line in fv_lines() if not is_backbone(line)]
    twice = [moved(line, (0.1, 0.1, 0.1)) for line in residue()]
    right = complex_of(write(tmp_path / "right.pdb", right + rest))
    for path in (*both_formats(tmp_path / "once", lines), *both_formats(tmp_path / "twice", lines + twice)):
        assert same_atoms(path, right)


def test_calcium_ions_of_one_number_are_not_taken_for_locations_of_a_residue(tmp_path, right):
    ions = [
        changed(changed(changed(moved(line, (0.5, 0.5, 40.0)), 0, "HETATM"), 12, "CA  "), 17, " CA")
        for line in residue()
        if line[12:16].strip() == "CA"
    ]
    for path in both_formats(tmp_path, [*fv_lines(), *ions]):
        assert same_atoms(path, right)
        assert not len(read(path).dropped)


def test_the_graph_is_that_of_the_file_without_other_locations(tmp_path, plain):
    for kept, other in ((" ", "A"), ("B", " ")):
        lines = [
            copy
            for line in fv_lines()
            for copy in (located(line, other, "0.40", (0.4, 0.5, 0.3)), located(line, kept, "0.60"))
        ]
        for path in both_formats(tmp_path, lines):
            assert same_graphs(graph_of(path), plain)
