"""Files that users name: whole, or as they were before."""

import pytest

from stagea_mpi.errors import ConfigError, StorageError
from stagea_mpi.rundir.saving import saving


def test_a_file_is_replaced_when_the_new_one_is_whole_and_not_before(tmp_path, monkeypatch):
    (tmp_path / "graph.h5").write_text("before")
    monkeypatch.setenv("ELSEWHERE", str(tmp_path))
    with saving("$ELSEWHERE/graph.h5") as draft:
        draft.write_text("after")
        assert (tmp_path / "graph.h5").read_text() == "before"
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"graph.h5": "after"}


def test_what_fails_half_way_leaves_what_was_there(tmp_path):
    (tmp_path / "graph.h5").write_text("before")

    def half_written():
        with saving(tmp_path / "graph.h5") as draft:
            draft.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        half_written()
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"graph.h5": "before"}


def test_a_name_that_cannot_be_written_is_in_the_error(tmp_path):
    path = tmp_path / "missing" / "graph.h5"
    with (
        pytest.raises(StorageError, match=f"^{path}: No such file or directory; see to the file system"),
        saving(path) as draft,
    ):
        draft.write_text("")
    with pytest.raises(ConfigError, match="path: expected a path, found 1"), saving(1):
        pass
