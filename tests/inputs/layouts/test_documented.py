"""The examples of docs/predictors.md, one for each program: which file is which model."""

import re

import pytest
from launching import ROOT

from stagea_mpi.inputs.layouts import NAMES

from . import made_docking_folders, made_folders
from .finding import found_in

ROWS = re.findall(
    r"^\| [^|]*? \| `([^|`]+)` \| `([^|`]+)` \| `([^|`]+)` \| (\d+|–) \| (\d+|–) \|$",
    (ROOT / "docs" / "predictors.md").read_text(encoding="utf-8"),
    re.MULTILINE,
)


@pytest.fixture(scope="module")
def found(few, tmp_path_factory):
    """Models of a folder of each program, as the page would list them, by their paths."""
    makers = {name: getattr(made_docking_folders, name, None) or getattr(made_folders, name) for name in NAMES}
    makers["server"] = made_folders.alphafold_server
    result = {}
    for name, make in makers.items():
        folder = tmp_path_factory.mktemp(name) / "predicted"
        folder.mkdir()
        if make.__module__ == made_folders.__name__:
            make(folder, few)
        else:
            make(folder)
        result |= {row[0]: tuple("–" if cell is None else str(cell) for cell in row) for row in found_in(folder).listed}
    return result


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[1])
def test_a_file_is_the_model_that_the_page_says(found, row):
    path, name, target, seed, sample = row
    assert found[path] == (path, target, name, seed, sample)


def test_the_page_has_every_program():
    page = (ROOT / "docs" / "predictors.md").read_text(encoding="utf-8")
    assert len(ROWS) == len(NAMES) + 1
    assert set(NAMES) <= set(re.findall(r"\(`(\w+)`\)", page))
