"""A text that only coordinates tell from an earlier one gives what it gives alone, and is not parsed again."""

import re

import numpy as np
import pytest
from made import changed, cif_of, fv_lines, read, refusal, text_of, write

from stagea_mpi.inputs import atoms, list_models, model_parts, read_model, skeletons
from stagea_mpi.inputs.skeletons import Memory, skeleton_of_mmcif, skeleton_of_pdb

from .like_texts import CHANGES, VARIANTS, alone, assert_same_bits, pose


@pytest.fixture(autouse=True)
def memory(monkeypatch):
    """Nothing is known of any text."""
    monkeypatch.setattr(atoms, "_tables", Memory())


@pytest.fixture
def parsed(monkeypatch):
    """The texts that are parsed."""
    texts, parse = [], model_parts.parts_of_pdb

    def parts_of_pdb(content, serial):
        texts.append(content)
        return parse(content, serial)

    monkeypatch.setattr(model_parts, "parts_of_pdb", parts_of_pdb)
    return texts


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_second_pose_is_read_as_it_is_alone_without_being_parsed(variant, tmp_path, monkeypatch, parsed):
    lines = VARIANTS[variant](list(fv_lines()))
    first, second = (write(tmp_path / f"{k}.pdb", found) for k, found in enumerate((lines, pose(lines))))
    expected = alone(second, monkeypatch)
    parsed.clear()
    before = read(first)
    assert_same_bits(read(second), expected)
    assert len(parsed) == 1
    assert before.findings is read(second).findings


def test_models_of_an_ensemble_are_parsed_once(tmp_path, monkeypatch, parsed):
    lines = list(fv_lines())
    bodies = ["\n".join(found) for found in (lines, pose(lines), pose(lines, (1.0, 2.0, 3.0)))]
    text = "".join(f"MODEL {k:8d}\n{body}\nENDMDL\n" for k, body in enumerate(bodies, 1)).encode()
    models = list_models(write(tmp_path / "e.pdb", text)).models
    tables = [read_model(ref) for ref in models]
    assert len(parsed) == 1
    monkeypatch.setattr(atoms, "_tables", Memory())
    assert_same_bits(tables[2], read_model(models[2]))


def test_what_changes_nothing_of_the_atoms_does_not_count(tmp_path, monkeypatch, parsed):
    lines = list(fv_lines())
    other = ["REMARK energies: -12.5, 3.25", "REMARK     DOCKED BY A PROGRAM",
             *(changed(line, 60, f"{k % 90:6.2f}") for k, line in enumerate(pose(lines)))]  # fmt: skip
    first = write(tmp_path / "1.pdb", text_of(["REMARK energies: 1", *lines]))
    second = write(tmp_path / "2.pdb", text_of(other) + b"# All scores\nfa_atr -1234.5\nATOM\n")
    expected = alone(second, monkeypatch)
    parsed.clear()
    read(first)
    assert_same_bits(read(second), expected)
    assert len(parsed) == 1


@pytest.mark.parametrize("change", CHANGES)
def test_any_other_change_of_the_atoms_counts(change, tmp_path, monkeypatch, parsed):
    lines = list(fv_lines())
    first, second = write(tmp_path / "1.pdb", lines), write(tmp_path / "2.pdb", pose(CHANGES[change](lines)))
    expected = alone(second, monkeypatch)
    parsed.clear()
    read(first)
    assert_same_bits(read(second), expected)
    assert len(parsed) == 2


def test_a_numbered_remark_counts():
    lines = list(fv_lines())
    one, other = (skeleton_of_pdb(text_of([f"REMARK 350 {k}", *lines])) for k in "12")
    assert one.key != other.key


def test_where_coordinates_decide_which_atoms_stay_each_text_is_parsed(tmp_path, monkeypatch, parsed):
    """Two residues of one number, with no label: near each other they are one, apart they are two."""
    lines = list(fv_lines())
    again = [changed(line, 17, "GLY") for line in lines if line[21:26] == "A  20" and line[12:16].strip() in "NCAO"]
    near, apart = ([*lines, *pose(again, shift)] for shift in ((0.0, 0.0, 0.125), (50.0, 50.0, 50.0)))
    paths = [write(tmp_path / f"{k}.pdb", found) for k, found in enumerate((near, apart))]
    expected = [alone(path, monkeypatch) for path in paths]
    assert len(expected[0].xyz) != len(expected[1].xyz)
    parsed.clear()
    for path, table in zip(paths, expected, strict=True):
        assert_same_bits(read(path), table)
    assert len(parsed) == 2


def test_a_text_that_comes_again_is_not_parsed_again(tmp_path, parsed):
    lines = list(fv_lines())
    located = write(tmp_path / "located.pdb", [changed(lines[0], 16, "A"), *lines])
    assert_same_bits(read(located), read(located))
    assert len(parsed) == 1
    cif = write(tmp_path / "x.cif", cif_of(lines).replace(b" 1\nATOM", b" 1\n\nATOM \n", 1))  # a row on two lines
    assert skeleton_of_mmcif(cif_of(lines)) is not None
    assert read(cif) is read(cif)


@pytest.mark.parametrize("text", ["  -0.000", "   0.000", "-999.999", "9999.999", "  -1.005", "  -0.5  "])
def test_numbers_are_those_that_gemmi_reads(text, tmp_path, monkeypatch):
    lines = list(fv_lines())
    second = pose(lines)
    second[4] = changed(second[4], 38, text)
    path = write(tmp_path / "2.pdb", second)
    expected = alone(path, monkeypatch)
    read(write(tmp_path / "1.pdb", lines))
    found = read(path)
    assert_same_bits(found, expected)
    assert found.xyz[4, 1] == float(text)


#: How programs write B factors, and could.
B_FACTORS = [" 87.25", "100.00", "  1.50", " -1.00", " -0.00", "   .50", "12.   ", " 5    ", "      ", "9.9999",
             "-99.99", "1 2.00", "--5.00", "5-.000", "1.2.34", ".", "    -.", "999999"]  # fmt: skip


def test_b_factors_are_those_that_gemmi_reads_of_each_pose(tmp_path, monkeypatch, parsed):
    lines = list(fv_lines())
    written = B_FACTORS + [f"{k / 100:6.2f}" for k in range(len(lines) - len(B_FACTORS))]
    second = [changed(line, 60, f"{b:>6}") for line, b in zip(pose(lines), written, strict=True)]
    third = [changed(line, 60, "  7.50") for line in second]
    paths = [write(tmp_path / f"{k}.pdb", found) for k, found in enumerate((lines, second, third))]
    expected = [alone(path, monkeypatch) for path in paths]
    parsed.clear()
    for path, table in zip((*paths, *paths[::-1]), (*expected, *expected[::-1]), strict=True):
        assert_same_bits(read(path), table)
    assert len(parsed) == 1
    assert expected[1].b_factor[:3].tolist() == [87.25, 100.0, 1.5]
    assert (expected[2].b_factor == 7.5).all()


def test_poses_that_no_table_is_kept_of_have_their_own_b_factors(tmp_path, monkeypatch):
    lines = list(fv_lines())
    both = [[changed(lines[0], 16, "A"), *(changed(line, 60, b) for line in lines)] for b in ("  1.00", "  2.00")]
    paths = [write(tmp_path / f"{k}.pdb", found) for k, found in enumerate(both)]
    assert [read(path).b_factor[-1] for path in paths] == [1.0, 2.0]


@pytest.mark.parametrize("text", ["     NaN", "********", "    1e30", "        "])
def test_what_is_no_coordinate_is_refused_after_a_sound_pose_as_before(text, tmp_path):
    lines = list(fv_lines())
    spoiled = write(tmp_path / "2.pdb", [*lines[:4], changed(lines[4], 38, text), *lines[5:]])
    before = refusal(read, spoiled)
    read(write(tmp_path / "1.pdb", lines))
    after = refusal(read, spoiled)
    assert (after.reason, str(after)) == (before.reason, str(before))
    assert after.reason == "bad_coordinates"


def test_what_is_shared_cannot_be_changed(tmp_path):
    table = read(write(tmp_path / "1.pdb", fv_lines()))
    assert all(not column.flags.writeable for name, column in vars(table).items() if isinstance(column, np.ndarray))


def test_the_oldest_are_forgotten_beyond_the_limit(monkeypatch):
    monkeypatch.setattr(skeletons, "MOST_KEPT", 100)
    memory = Memory()
    for key in "abc":
        memory.put(key, key.upper(), 40)
    assert [memory.get(key) for key in "abc"] == [None, "B", "C"]
    memory.get("b")
    memory.put("d", "D", 40)
    assert [memory.get(key) for key in "bcd"] == ["B", None, "D"]
    memory.put("large", "L", 101)
    assert [memory.get(key) for key in ("b", "d", "large")] == [None, None, None]


def test_waters_and_all_cost_no_more_than_the_limit(tmp_path, monkeypatch):
    monkeypatch.setattr(skeletons, "MOST_KEPT", 0)
    path = write(tmp_path / "1.pdb", fv_lines())
    assert_same_bits(read(path), read(path))


def test_the_pattern_of_remarks_is_that_of_numbers_that_gemmi_reads():
    assert re.fullmatch(skeletons._REMARK, b"REMARK     DOCKED")
    assert not re.match(skeletons._REMARK, b"REMARK   2 RESOLUTION.    1.80 ANGSTROMS.")
