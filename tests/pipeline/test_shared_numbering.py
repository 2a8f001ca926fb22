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
    failure = ModelError("crashed", "the process was ended")
    cache = NumberingCache(tmp_path, "v1")
    known = Numbering(SerialComm(), cache, name="team_0000")
    with monkeypatch.context() as broken:
        broken.setattr(shared_numbering, "find_domains", lambda new, batches: [failure for _ in new])
        known.number(["GGGG"])
    with pytest.raises(ModelError, match="the process was ended"):
        known["GGGG"]
    assert "GGGG" not in cache
    known.number(["GGGG"])
    assert known["GGGG"] == ()


class BrokenWorker:
    """A worker process that fails for the reasons of some sequences, and notes the calls it gets."""

    def __init__(self, reasons: dict[str, str]):
        self.reasons, self.calls = reasons, []

    def call(self, limit, function, sequences, batches):
        self.calls.append(list(sequences))
        for reason in (self.reasons[sequence] for sequence in sequences if sequence in self.reasons):
            raise ModelError(reason, "the process is gone")
        return [() for _ in sequences]


def outcomes(sequences, reasons):
    """Reason by sequence, None where it is numbered, and the calls."""
    worker = BrokenWorker(reasons)
    known = Numbering(SerialComm(), worker=worker)
    known.number(sequences)
    found = {}
    for sequence in sequences:
        try:
            assert known[sequence] == ()
            found[sequence] = None
        except ModelError as failure:
            found[sequence] = failure.reason if "numbering by ANARCI: " in str(failure) else str(failure)
    return found, worker.calls


def test_sequences_are_numbered_in_the_worker_process_at_once():
    assert outcomes("ACD", {}) == ({"A": None, "C": None, "D": None}, [["A", "C", "D"]])
    assert outcomes("", {}) == ({}, [])


@pytest.mark.parametrize("reason", ["crashed", "timeout"])
def test_a_sequence_with_which_the_process_ends_or_hangs_costs_only_itself(reason):
    found, calls = outcomes("ACD", {"C": reason})
    assert found == {"A": None, "C": reason, "D": None}
    assert calls == [["A", "C", "D"], ["A"], ["C"], ["D"]]


def test_where_one_after_the_other_hangs_the_rest_is_given_up():
    found, calls = outcomes("ACDEF", dict.fromkeys("CDEF", "timeout"))
    assert found == {"A": None} | dict.fromkeys("CDEF", "timeout")
    assert calls == [["A", "C", "D", "E", "F"], ["A"], ["C"], ["D"]]


def test_a_limit_of_the_callers_ends_numbering_in_its_own_process(monkeypatch):
    def late(sequences, batches):
        raise ModelError("timeout", "it took longer than timeout = 1 s")

    monkeypatch.setattr(shared_numbering, "find_domains", late)
    with pytest.raises(ModelError, match="timeout = 1 s"):
        Numbering(SerialComm()).number(["GGGG"])
