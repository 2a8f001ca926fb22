import pytest
from made import fv_lines, graph_of, write


@pytest.fixture(scope="session")
def plain(tmp_path_factory):
    """The Fv complex as it should be, and its graph."""
    path = write(tmp_path_factory.mktemp("plain") / "fv.pdb", fv_lines())
    return graph_of(path)
