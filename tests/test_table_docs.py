"""What docs/tables.md shows, tried."""

import pytest
from launching import ROOT
from page_examples import assert_examples_print_what_they_show, write_predicted_run

from stagea_mpi.notebook.interface_tables import CONTACT_COLUMNS, RESIDUE_COLUMNS
from stagea_mpi.notebook.table_files import ROWS
from stagea_mpi.notebook.table_files import main as write_table


@pytest.mark.slow
def test_the_examples_print_what_the_page_says(tmp_path):
    pytest.importorskip("duckdb")
    pytest.importorskip("pyarrow")
    write_predicted_run(tmp_path)
    for rows in ROWS:
        assert write_table(tmp_path / "results", str(tmp_path / f"{rows}.parquet"), rows) == 0
    assert_examples_print_what_they_show(tmp_path, "docs/tables.md")


def test_the_page_has_all_columns():
    text = (ROOT / "docs" / "tables.md").read_text(encoding="utf-8")
    for name in (*RESIDUE_COLUMNS, *CONTACT_COLUMNS, "b_factor"):
        assert f"`{name}`" in text
