import pytest
from made import fv_lines

from .samples import Structure, structure_of


@pytest.fixture(scope="session")
def few() -> Structure:
    """The first residues of each chain of the Fv complex."""
    return structure_of(fv_lines(), 6)
