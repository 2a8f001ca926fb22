"""Waters cost nothing that a graph could notice, however many there are, and whatever they are called."""

import pytest
from made import changed, cif_of, fv_lines, read, write

from stagea_mpi.inputs import list_models, read_model
from stagea_mpi.inputs.columns import atom_lines
from stagea_mpi.inputs.waters import are_waters, without_waters_in_mmcif, without_waters_in_pdb
from stagea_mpi.structure.residues import is_water


def waters(count: int, name: str = "HOH") -> list[str]:
    """Waters on a grid, their numbers from 0 again after 9999."""
    return [
        f"HETATM{k % 100000:5d}  O   {name:4s}W{k % 10000:4d}    {k % 90:8.3f}{k // 90 % 90:8.3f}{-k // 8100:8.3f}"
        "  1.00 20.00           O"
        for k in range(count)
    ]


def same_table(one, other) -> bool:
    return all(
        (value == getattr(other, name)).all()
        for name, value in vars(one).items()
        if name not in ("dropped", "shared_chain", "findings")
    )


@pytest.mark.parametrize("name", ["HOH", "WAT", "SOL", "TIP3", "TP3", "SPC", "TIP"])
@pytest.mark.parametrize("count", [30, 3000])
def test_waters_are_left_out_few_as_many_in_front_as_behind(name, count, tmp_path):
    right = read(write(tmp_path / "x.pdb", fv_lines()))
    for lines in ([*fv_lines(), *waters(count, name)], [*waters(count, name), *fv_lines()]):
        assert same_table(read(write(tmp_path / "y.pdb", lines)), right)
        assert same_table(read(write(tmp_path / "y.cif", cif_of(lines))), right)


def test_many_waters_go_before_a_structure_is_made_and_nothing_else_does():
    lines = [line for pair in zip(fv_lines(), waters(len(fv_lines())), strict=True) for line in pair]
    starts, lengths = atom_lines(text := "\n".join(lines).encode())
    kept = without_waters_in_pdb(text, starts, lengths, are_waters(text, starts))
    assert kept.split(b"\n") == [line.encode() for line in fv_lines()] + [b""]
    assert without_waters_in_mmcif(cif_of(lines)).count(b"\n") == cif_of(fv_lines()).count(b"\n")


def test_displacements_of_waters_go_with_them(tmp_path):
    lines = [part for line in waters(2000) for part in (line, "ANISOU" + line[6:30] + "    100    100    100")]
    assert same_table(
        read(write(tmp_path / "x.pdb", [*fv_lines(), *lines])), read(write(tmp_path / "y.pdb", fv_lines()))
    )


def test_models_of_a_solvated_ensemble_are_their_own(tmp_path):
    moved = [changed(line, 30, f"{float(line[30:38]) + 1:8.3f}") for line in fv_lines()]
    lines = [
        line
        for k, own in enumerate((fv_lines(), moved), 1)
        for line in (f"MODEL {k:8d}", *own, *waters(2000), "ENDMDL")
    ]
    models = list_models(write(tmp_path / "e.pdb", lines)).models
    first, second = (read_model(ref) for ref in models)
    assert (second.xyz[:, 0] - first.xyz[:, 0]).round(3).tolist() == [1.0] * len(fv_lines())


def test_rows_of_mmcif_that_are_more_than_a_line_stay(tmp_path):
    lines = [*fv_lines(), *waters(2000)]
    content = cif_of(lines).replace(b" HOH ", b" HOH\n")
    (tmp_path / "x.cif").write_bytes(content)
    assert without_waters_in_mmcif(content) == content
    assert same_table(read(str(tmp_path / "x.cif")), read(write(tmp_path / "y.pdb", fv_lines())))


@pytest.mark.parametrize("quoted", [b"HOH", b"O"])
def test_waters_of_mmcif_with_values_in_quotes_go_as_well(quoted):
    plain = cif_of([*fv_lines(), *waters(2000)])
    content = plain.replace(b" %b " % quoted, b' "%b" ' % quoted)
    assert len(without_waters_in_mmcif(content).splitlines()) == len(plain.splitlines()) - 2000


def test_what_is_called_after_a_water_is_one():
    assert all(map(is_water, "HOH WAT H2O DOD TIP TIP3 TIP4 TIP5 TP3 T3P T4P SOL SPC SPCE OH2".split()))
    assert not any(map(is_water, "ALA SO4 HIS TPO SEP TYS".split()))


@pytest.mark.parametrize("number", ["271a", "****", "100000"])
def test_a_waters_number_fails_no_model(number, tmp_path):
    water = f"HETATM    1  O   HOH W{number:>4}".ljust(30) + "  90.000  90.000  90.000  1.00  0.00           O"
    table = read(write(tmp_path / "x.pdb", [*fv_lines(), *[water] * 3]))
    assert len(table.xyz) == len(fv_lines())
