import pytest
from shipped import fab

from stagea_mpi.errors import ModelError
from stagea_mpi.mpi.teams import SerialComm
from stagea_mpi.pipeline import shared_numbering
from stagea_mpi.pipeline.shared_numbering import Numbering
from stagea_mpi.rundir.numbering_cache import NumberingCache


def test_a_sequence_is_numbered_once_and_known_to_the_next_run(tmp_path, monkeypatch):
    asked = []
    find = shared_numbering.find_domains
    monkeypatch.setattr(shared_numbering, "find_domains", lambda new, batches: asked.extend(new) or find(new, batches))
    sequences = [fab().complex_.heavy, "GGGG", fab().complex_.heavy]
    for _ in range(2):
        cache = NumberingCache(tmp_path, "v1")
        cache.load()
        known = Numbering(SerialComm(), cache, name="team_0000")
        known.number(sequences)
        assert [domain.chain_type for domain in known[sequences[0]]] == ["H"]
        assert known["GGGG"] == ()
    assert asked == sequences[:2]


def test_what_failed_is_told_and_tried_again_but_not_kept(tmp_path, monkeypatch):
    failure = ModelError("child_failed", "hmmscan was killed")
    cache = NumberingCache(tmp_path, "v1")
    known = Numbering(SerialComm(), cache, name="team_0000")
    with monkeypatch.context() as broken:
        broken.setattr(shared_numbering, "find_domains", lambda new, batches: [failure for _ in new])
        known.number(["GGGG"])
    with pytest.raises(ModelError, match="hmmscan was killed"):
        known["GGGG"]
    assert "GGGG" not in cache
    known.number(["GGGG"])
    assert known["GGGG"] == ()
