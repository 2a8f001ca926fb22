import logging

from stagea_mpi.annotation import Numbering
from stagea_mpi.store import annotations
from stagea_mpi.store.annotations import AnnotationCache

NUMBERED = Numbering((0, 1, 2, 3), "H")


def saved(folder, name="team_0000", versions="v1", **numberings) -> AnnotationCache:
    cache = AnnotationCache(folder, versions)
    for sequence, numbering in numberings.items():
        cache.remember(sequence, numbering)
    cache.save(name, list(numberings))
    return cache


def loaded(folder, versions="v1") -> AnnotationCache:
    cache = AnnotationCache(folder, versions)
    cache.load()
    return cache


def test_what_was_saved_is_known_to_the_next_run(tmp_path):
    saved(tmp_path, ACDE=NUMBERED)
    saved(tmp_path, ACDF=Numbering((0, 0, 0, 0), None))
    saved(tmp_path, name="team_0001", ACDG=NUMBERED)
    cache = loaded(tmp_path)
    assert cache["ACDE"] == NUMBERED
    assert cache["ACDF"].chain_type is None
    assert "ACDG" in cache


def test_a_failure_is_not_saved_so_that_it_is_tried_again(tmp_path):
    saved(tmp_path, ACDE=Numbering((0, 0, 0, 0), None, "hmmscan was killed"))
    assert "ACDE" not in loaded(tmp_path)


def test_numberings_of_other_programs_are_not_used(tmp_path):
    saved(tmp_path, versions="v1", ACDE=NUMBERED)
    assert "ACDE" not in loaded(tmp_path, versions="v2")
    saved(tmp_path, versions="v2", ACDF=NUMBERED)
    assert "ACDF" in loaded(tmp_path, versions="v2")


def test_damaged_lines_cost_only_themselves_and_are_told(tmp_path, caplog):
    saved(tmp_path, ACDE=NUMBERED)
    path = tmp_path / "team_0000.jsonl"
    path.write_text(path.read_text() + '{"sequence": "AAAA", "positions": [1, 2]}\n{"sequence": "CCCC", "posi')
    saved(tmp_path, ACDF=NUMBERED)  # appended behind the line that a kill has cut short
    with caplog.at_level(logging.WARNING):
        cache = loaded(tmp_path)
    assert "ACDE" in cache
    assert "ACDF" in cache
    assert "AAAA" not in cache
    assert "2 damaged lines" in caplog.text


def test_memory_is_bounded_between_shards(tmp_path, monkeypatch):
    monkeypatch.setattr(annotations, "CAPACITY", 3)
    cache = AnnotationCache(tmp_path, "v1")
    for i in range(10):
        cache.remember(f"A{i}", NUMBERED)
    cache.forget_oldest()
    assert "A9" in cache
    assert "A0" not in cache
