"""A sample in mmCIF that only numbers tell from an earlier one gives what it gives alone, and is not parsed again."""

import re

import numpy as np
import pytest
from made import changed, cif_of, fv_lines, read, write

from stagea_mpi.errors import ModelError
from stagea_mpi.inputs import atoms, list_models, mmcif, read_model, skeletons
from stagea_mpi.inputs.skeletons import Memory

from .like_texts import CHANGES, SHIFT, VARIANTS, alone, assert_same_bits, interleaved, pose, with_waters


@pytest.fixture(autouse=True)
def memory(monkeypatch):
    """Nothing is known of any text."""
    monkeypatch.setattr(atoms, "_tables", Memory())


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
