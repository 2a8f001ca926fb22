"""Every column of mmCIF's table of atoms away, alone and in pairs: the atoms are as before, or the failure names it."""

import itertools
import re
from dataclasses import fields

import gemmi
import numpy as np
import pytest
from made import changed, fv_lines, graph_of, refusal, same_graphs, text_of

from stagea_mpi.inputs import list_models, read_model


def _lines() -> list[str]:
    """The Fv with an insertion code (57 of H is 56A, and a tyrosine as 56 is), and with an ion."""
    lines = []
    for line in fv_lines():
        if line[21:26] == "H  57":
            line = changed(line, 22, "  56A")
        lines.append(line)
    return [*lines, "HETATM 9001 ZN    ZN A 901      99.000  99.000  99.000  1.00 10.00          ZN  "]


def _document() -> gemmi.cif.Document:
    structure = gemmi.read_pdb_string(text_of(_lines()))
    structure.setup_entities()
    for chain in structure[0]:
        for number, residue in enumerate(chain, start=1):
            residue.subchain = chain.name if residue.name != "ZN" else "I"
            residue.label_seq = number if residue.name != "ZN" else None
    return structure.make_mmcif_document(gemmi.MmcifOutputGroups(True, auth_all=True))


def _columns() -> dict[str, list[str]]:
    category = _document()[0].get_mmcif_category("_atom_site.", raw=True)
    return {name: list(values) for name, values in category.items()}


COLUMNS = _columns()


def _text(columns: dict[str, list[str]], prefix: str = "_atom_site.") -> bytes:
    rows = [" ".join(row) for row in zip(*columns.values(), strict=True)]
    return "\n".join(["data_x", "loop_", *(prefix + name for name in columns), *rows, ""]).encode()


def _written(path, columns, **options) -> str:
    path.write_bytes(_text(columns, **options))
    return str(path)


def _read(path: str):
    return read_model(list_models(path).models[0])


def _same_atoms(one, other) -> bool:
    """Numbers may be others, since two columns number residues; which atoms are a residue's, and the order, may not.

    B factors are what their column says, whatever that is: no graph is made of them.
    """
    others = ("author_number", "chain", "b_factor")
    names = [field.name for field in fields(one) if field.compare and field.name not in others]
    chains = [table.chain[~table.is_hetatm] for table in (one, other)]  # the archive's chains of ligands are others
    return np.array_equal(*chains) and all(np.array_equal(getattr(one, name), getattr(other, name)) for name in names)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    path = _written(tmp_path_factory.mktemp("whole") / "x.cif", COLUMNS)
    return _read(path), graph_of(path)


def test_the_table_has_all_columns_that_gemmi_writes():
    assert {"auth_asym_id", "label_asym_id", "auth_seq_id", "label_seq_id", "auth_comp_id", "label_comp_id",
            "auth_atom_id", "label_atom_id", "label_alt_id", "occupancy", "group_PDB", "id", "type_symbol",
            "pdbx_PDB_ins_code", "pdbx_PDB_model_num", "Cartn_x"} <= set(COLUMNS)  # fmt: skip


@pytest.mark.parametrize("column", COLUMNS)
def test_without_a_column_the_graph_is_the_same_or_the_failure_names_it(column, whole, tmp_path):
    path = _written(tmp_path / "x.cif", {name: values for name, values in COLUMNS.items() if name != column})
    if column.startswith("Cartn"):
        failure = refusal(_read, path)
        assert failure.reason == "unreadable"
        assert str(failure) == f"{path}: the table of atoms has no column _atom_site.{column}; write the file with it"
    else:
        assert _same_atoms(_read(path), whole[0])
        assert same_graphs(graph_of(path), whole[1])


@pytest.mark.parametrize("pair", [*itertools.combinations(COLUMNS, 2)], ids="-".join)
def test_without_two_columns_the_atoms_are_the_same_or_the_failure_names_both_or_the_one(pair, whole, tmp_path):
    path = _written(tmp_path / "x.cif", {name: values for name, values in COLUMNS.items() if name not in pair})
    needed = [name for name in pair if name.startswith("Cartn")]
    one, other = sorted(pair)
    if one.startswith("auth") and other == one.replace("auth", "label"):
        needed = [one, other]
    if needed:
        failure = refusal(_read, path)
        assert failure.reason == "unreadable"
        assert all(name in str(failure) for name in needed)
    else:
        assert _same_atoms(_read(path), whole[0])


@pytest.mark.parametrize("value", ["?", "."])
@pytest.mark.parametrize("column", COLUMNS)
def test_a_column_without_values_is_as_one_that_is_missing(column, value, whole, tmp_path):
    path = _written(tmp_path / "x.cif", COLUMNS | {column: [value] * len(COLUMNS["id"])})
    if column.startswith("Cartn"):
        failure = refusal(_read, path)
        assert failure.reason == "bad_coordinates"
        assert f"row 1 of the table of atoms has {value!r} for _atom_site.{column}" in str(failure)
    elif column != "group_PDB":
        assert _same_atoms(_read(path), whole[0])


@pytest.mark.parametrize("column", ["Cartn_y", "auth_seq_id", "auth_asym_id", "type_symbol", "label_alt_id"])
def test_a_single_value_that_is_missing_is_filled_in_or_named_with_its_row(column, whole, tmp_path):
    values = list(COLUMNS[column])
    values[41] = "?"
    path = _written(tmp_path / "x.cif", COLUMNS | {column: values})
    if column == "Cartn_y":
        assert "row 42 of the table of atoms has '?' for _atom_site.Cartn_y" in str(refusal(_read, path))
    else:
        assert _same_atoms(_read(path), whole[0])


@pytest.mark.parametrize("column", COLUMNS)
def test_a_strange_word_in_a_column_is_named_with_its_row_and_column_or_makes_no_difference(column, whole, tmp_path):
    values = list(COLUMNS[column])
    values[41] = "12A"
    path = _written(tmp_path / "x.cif", COLUMNS | {column: values})
    if column in ("auth_seq_id", "pdbx_PDB_model_num", "label_alt_id", "pdbx_PDB_ins_code"):
        failure = refusal(_read, path)
        assert f"row 42 of the table of atoms has '12A' for _atom_site.{column}" in str(failure)
    elif column.startswith("Cartn"):
        failure = refusal(_read, path)
        assert failure.reason == "bad_coordinates"
        assert f"row 42 of the table of atoms has '12A' for _atom_site.{column}" in str(failure)
    elif column in ("id", "label_seq_id", "pdbx_formal_charge", "B_iso_or_equiv", "label_entity_id", "label_asym_id"):
        assert _same_atoms(_read(path), whole[0])
    else:
        _read(path)  # a name like any other


def test_other_tables_may_hold_anything(whole, tmp_path):
    others = b"loop_\n_struct_asym.id\n_struct_asym.entity_id\nA ?\nloop_\n_struct_conn.id\nx\n_cell.length_a long\n"
    (tmp_path / "x.cif").write_bytes(_text(COLUMNS) + others)
    assert _same_atoms(_read(str(tmp_path / "x.cif")), whole[0])


def test_tags_may_have_any_case_and_the_names_from_before_mmcif(whole, tmp_path):
    upper = {name.upper(): values for name, values in COLUMNS.items()}
    assert _same_atoms(_read(_written(tmp_path / "a.cif", upper, prefix="_ATOM_SITE.")), whole[0])
    assert _same_atoms(_read(_written(tmp_path / "b.cif", COLUMNS, prefix="_atom_site_")), whole[0])


def test_values_may_stand_in_quotes(whole, tmp_path):
    quoted = {name: [f"'{value}'" if value not in "?." else value for value in values]
              for name, values in COLUMNS.items() if name != "type_symbol"}  # fmt: skip
    assert _same_atoms(_read(_written(tmp_path / "x.cif", quoted)), whole[0])


def test_rows_of_unequal_length_are_refused_with_the_table(tmp_path):
    (tmp_path / "x.cif").write_bytes(_text(COLUMNS) + b"ATOM 1 N\n")
    failure = refusal(_read, str(tmp_path / "x.cif"))
    assert failure.reason == "unreadable"
    assert re.search(r"Wrong number of values in loop _atom_site", str(failure))


def test_several_models_without_their_numbers_are_refused_with_the_column(tmp_path):
    two = {name: values * 2 for name, values in COLUMNS.items() if name not in ("pdbx_PDB_model_num", "id")}
    failure = refusal(_read, _written(tmp_path / "x.cif", two))
    assert failure.reason == "unreadable"
    assert "each atom 2 times" in str(failure)
    assert "_atom_site.pdbx_PDB_model_num" in str(failure)


@pytest.mark.parametrize("number", ["one", "1.5", "?"])
def test_a_number_of_a_model_that_is_none_is_refused_with_its_row(number, tmp_path):
    numbers = list(COLUMNS["pdbx_PDB_model_num"])
    numbers[6] = number
    failure = refusal(_read, _written(tmp_path / "x.cif", COLUMNS | {"pdbx_PDB_model_num": numbers}))
    assert f"row 7 of the table of atoms has '{number}' for _atom_site.pdbx_PDB_model_num" in str(failure)


def test_a_file_of_one_atom_and_one_of_other_tables_end_with_a_reason(tmp_path):
    (tmp_path / "x.cif").write_text("data_x\n" + "".join(f"_atom_site.{k} {v[0]}\n" for k, v in COLUMNS.items()))
    assert refusal(_read, str(tmp_path / "x.cif")).reason == "no_backbone"
    (tmp_path / "y.cif").write_text("data_y\nloop_\n_cell.a\n_cell.b\n1 2\n")
    assert refusal(_read, str(tmp_path / "y.cif")).reason == "no_models"
