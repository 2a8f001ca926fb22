"""A text that only coordinates tell from an earlier one gives what it gives alone, and is not parsed again."""

import re

import numpy as np
import pytest
from made import changed, cif_of, fv_lines, moved, read, refusal, text_of, write

from stagea_mpi.errors import ModelError
from stagea_mpi.inputs import atoms, list_models, mmcif, model_parts, read_model, skeletons
from stagea_mpi.inputs.skeletons import Memory, skeleton_of_mmcif, skeleton_of_pdb

SHIFT = (-11.25, 0.5, 103.125)


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


def alone(path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(atoms, "_tables", Memory())
        return read(path)


def assert_same_bits(one, other):
    for name in vars(one):
        ours, theirs = getattr(one, name), getattr(other, name)
        if isinstance(ours, np.ndarray):
            assert (ours.dtype, ours.shape, ours.tobytes()) == (theirs.dtype, theirs.shape, theirs.tobytes()), name
    assert one.shared_chain == other.shared_chain


def pose(lines, shift=SHIFT):
    return [moved(line, shift) if line.startswith(("ATOM", "HETATM")) else line for line in lines]


def with_waters(lines, count):
    water = "HETATM 9000  O   HOH W   1      10.000  10.000  10.000  1.00 20.00           O"
    places = (f"{k % 90:8.3f}{k // 90:8.3f}{40:8.3f}" for k in range(count))
    waters = [changed(changed(water, 22, f"{k:4d}"), 30, place) for k, place in enumerate(places)]
    return [*lines[:500], *waters[: count // 2], *lines[500:], *waters[count // 2 :]]


def interleaved(lines):
    """Chain A's second half stands behind the other chains."""
    half = [line for line in lines if line[21] == "A"][300:]
    return [line for line in lines if line not in set(half)] + half


VARIANTS = {
    "plain": list,
    "with chain ends": lambda lines: [*lines[:700], "TER", *lines[700:], "TER"],
    "with waters": lambda lines: with_waters(lines, 40),
    "with many waters": lambda lines: with_waters(lines, 2000),
    "a chain in two parts": interleaved,
    "MSE as HETATM": lambda lines: [changed(changed(line, 0, "HETATM"), 17, "MSE") if line[17:20] == "MET" else line
                                    for line in lines],
    "hydrogens first": lambda lines: sorted(lines, key=lambda line: (line[21], line[22:27], line[13] != "H")),
    "without chains, in segments": lambda lines: [changed(changed(line.ljust(80), 21, " "), 72, f"SE{line[21]} ")
                                                  for line in lines],
    "short lines": lambda lines: [line[:54] for line in lines],
    "lines of Windows": lambda lines: [line + "\r" for line in lines],
    "four letters": lambda lines: [changed(line, 17, "LYSH") if line[17:20] == "LYS" else line for line in lines],
    "END before the last atoms": lambda lines: [*lines[:900], "END", *lines[900:]],
}  # fmt: skip


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


CHANGES = {
    "an atom's name": lambda lines: [*lines[:9], changed(lines[9], 12, " CX "), *lines[10:]],
    "a residue's name": lambda lines: [changed(line, 17, "GLY") if line[21:26] == "A  20" else line for line in lines],
    "a chain": lambda lines: [changed(line, 21, "B") if line[21] == "A" else line for line in lines],
    "a number": lambda lines: [changed(line, 22, "9999") if line[21:26] == "A  20" else line for line in lines],
    "an insertion code": lambda lines: [changed(line, 26, "A") if line[21:26] == "A  20" else line for line in lines],
    "a location": lambda lines: [changed(lines[0], 16, "A"), *lines[1:]],
    "an element": lambda lines: [changed(lines[0].ljust(80), 76, " D"), *lines[1:]],
    "a record": lambda lines: [changed(lines[0], 0, "HETATM"), *lines[1:]],
    "the order": lambda lines: [lines[1], lines[0], *lines[2:]],
    "an atom less": lambda lines: lines[:-1],
    "an atom more": lambda lines: [*lines, changed(lines[-1], 12, " CX ")],
}


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


def as_sample(lines, scores=("0.81", "2026-11-27"), b_factors=None):
    """As a predictor writes it: scores and dates around the table, B factors of its own, columns that are aligned."""
    rows = cif_of(lines).decode().splitlines()
    rows = [row.split(" ") if row.startswith(("ATOM", "HETATM")) else row for row in rows]
    atoms = [row for row in rows if isinstance(row, list)]
    for row, b_factor in zip(atoms, b_factors or (), strict=False):
        row[13] = b_factor
    widths = [max(map(len, column)) for column in zip(*atoms, strict=True)]
    table = [
        row if isinstance(row, str) else " ".join(f"{word:<{width}}" for word, width in zip(row, widths, strict=True))
        for row in rows[1:]
    ]
    head = ["data_sample_" + scores[0], "#", f"_entry.id  sample_{scores[0]}", f"_software.date {scores[1]}", "#"]
    tail = ["loop_", "_ma_qa_metric_local.label_seq_id", "_ma_qa_metric_local.metric_value", f"1 {scores[0]}",
            f"2 {scores[0]}1", "#", ""]  # fmt: skip
    return "\n".join([*head, *table, *tail]).encode()


@pytest.fixture
def parsed_mmcif(monkeypatch):
    """Texts in mmCIF of which gemmi has read something."""
    texts, read_string = [], mmcif.gemmi.cif.read_string
    monkeypatch.setattr(mmcif, "_numbers", Memory())
    monkeypatch.setattr(mmcif.gemmi.cif, "read_string", lambda text: (texts.append(text), read_string(text))[1])
    return texts


#: B factors in mmCIF, as numbers that gemmi reads and as it might.
PLDDT = ["87.25", "100.00", "1.5", "0", "-1.00", ".5", "12.", "94.12345", "0.00", "+3"]

SAMPLES = {
    "plain": lambda lines: lines,
    "with waters": lambda lines: with_waters(lines, 40),
    "with many waters": lambda lines: with_waters(lines, 2000),
    "MSE": VARIANTS["MSE as HETATM"],
    "a chain in two parts": interleaved,
    "one chain": lambda lines: [changed(line, 21, "A") for line in lines],
}
#: Which atoms these have coordinates help to tell.
EACH_PARSED = {"a chain in two parts", "one chain"}


@pytest.mark.parametrize("variant", SAMPLES)
def test_a_second_sample_in_mmcif_is_read_as_it_is_alone_without_being_parsed(
    variant, tmp_path, monkeypatch, parsed_mmcif
):
    lines = SAMPLES[variant](list(fv_lines()))
    first = write(tmp_path / "1.cif", as_sample(lines))
    second = write(tmp_path / "2.cif", as_sample(pose(lines), ("0.7", "2025-01-02"), PLDDT))
    expected = alone(second, monkeypatch)
    assert list_models(first).models
    read(first)
    parsed_mmcif.clear()
    assert [ref.name for ref in list_models(second).models] == ["2"]
    assert_same_bits(read(second), expected)
    assert len(parsed_mmcif) == (variant in EACH_PARSED)
    assert expected.b_factor[:3].tolist() == [87.25, 100.0, 1.5]


@pytest.mark.parametrize("change", CHANGES)
def test_any_other_change_of_atoms_in_mmcif_counts(change, tmp_path, monkeypatch):
    lines = list(fv_lines())
    first = write(tmp_path / "1.cif", as_sample(lines))
    second = write(tmp_path / "2.cif", as_sample(pose(CHANGES[change](lines))))
    expected = alone(second, monkeypatch)
    read(first)
    assert_same_bits(read(second), expected)


#: Spoils a sample's text.
UNUSUAL = {
    "a coordinate with an uncertainty": (b" 1.234 ", b" 1.234(5) "),
    "no coordinate": (b" 1.234 ", b" ? "),
    "a coordinate of many digits": (b" 1.234 ", b" 1.2340000000000001 "),
    "a coordinate with an exponent": (b" 1.234 ", b" 1234e-3 "),
    "a coordinate in quotes": (b" 1.234 ", b" '1.234' "),
    "a coordinate far away": (b" 1.234 ", b" 1234567.0 "),
    "no B factor": (b" 7.89 ", b" ? "),
    "a value with a blank": (b" CG ", b" 'C G' "),
    "a value less": (b" CG ", b" "),
    "a comment behind a row": (b" 1\nATOM", b" 1 # the first\nATOM"),
    "a row on two lines": (b" 1\nATOM ", b" 1\nATOM\n"),
    "a text of several lines": (b" CG ", b"\n;CG\n;\n"),
    "a name within the table": (b" CG ", b" _CG "),
    "two tables": (b"#\nloop_\n_ma", b"#\nloop_\n_atom_site.id\n_atom_site.Cartn_x\n1 2.0\nloop_\n_ma"),
    "a second data block": (b"#\n_entry", b"#\ndata_other\n_entry"),
    "a table that ends with the text": (b"#\nloop_\n_ma", b"\n_ma"),
}


@pytest.mark.parametrize("unusual", UNUSUAL)
def test_an_unusual_text_in_mmcif_is_read_or_refused_as_before(unusual, tmp_path, monkeypatch):
    old, new = UNUSUAL[unusual]
    lines = list(fv_lines())
    lines[5] = changed(changed(lines[5], 30, "   1.234"), 60, "  7.89")
    sound = as_sample(lines)
    assert old in sound
    spoiled = write(tmp_path / "2.cif", sound.replace(old, new, 1))

    def result(path):
        try:
            return alone(path, monkeypatch)
        except ModelError as failure:
            return failure.reason, str(failure)

    with monkeypatch.context() as patch:
        patch.setattr(skeletons, "ATOM_SITE_LOOP", re.compile(b"never to be found"))
        before = result(spoiled)
    read(write(tmp_path / "1.cif", sound))
    try:
        found = read(spoiled)
    except ModelError as failure:
        found = failure.reason, str(failure)
    if isinstance(before, tuple):
        assert found == before
    else:
        assert_same_bits(found, before)


def test_models_of_one_text_in_mmcif_are_told_apart(tmp_path, monkeypatch):
    lines = list(fv_lines())
    rows = [row for shift, number in ((None, "1"), (SHIFT, "2"))
            for row in cif_of(lines if shift is None else pose(lines, shift)).decode().splitlines()
            if row.startswith("ATOM") for row in [row[:-1] + number]]  # fmt: skip
    head = cif_of(lines).decode().split("\nATOM")[0].splitlines()
    models = list_models(write(tmp_path / "e.cif", "\n".join([*head, *rows, "#", ""]).encode())).models
    assert [ref.serial for ref in models] == [1, 2]
    first, second = (read_model(ref) for ref in models)
    np.testing.assert_allclose(second.xyz - first.xyz, np.tile(SHIFT, (len(first.xyz), 1)), atol=1e-9)


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
