import logging

from stagea_mpi.antibody.numbering import Domain
from stagea_mpi.rundir import numbering_cache
from stagea_mpi.rundir.numbering_cache import NumberingCache, damaged_lines

NUMBERED = (Domain("H", 1, 4, (1, 2, 3)),)


def saved(folder, name="team_0000", versions="v1", **domains) -> NumberingCache:
    cache = NumberingCache(folder, versions)
    for sequence, found in domains.items():
        cache[sequence] = found
    cache.save(name, list(domains))
    return cache


def loaded(folder, versions="v1") -> NumberingCache:
    cache = NumberingCache(folder, versions)
    cache.load()
    return cache


def test_what_was_saved_is_known_to_the_next_run(tmp_path):
    saved(tmp_path, ACDE=NUMBERED)
    saved(tmp_path, ACDF=())
    saved(tmp_path, name="team_0001", ACDG=NUMBERED)
    cache = loaded(tmp_path)
    assert cache["ACDE"] == NUMBERED
    assert cache["ACDF"] == ()
    assert "ACDG" in cache


def test_numberings_of_other_programs_are_not_used(tmp_path):
    saved(tmp_path, versions="v1", ACDE=NUMBERED)
    assert "ACDE" not in loaded(tmp_path, versions="v2")
    saved(tmp_path, versions="v2", ACDF=NUMBERED)
    assert "ACDF" in loaded(tmp_path, versions="v2")


def test_damaged_lines_cost_only_themselves_and_are_told(tmp_path, caplog):
    saved(tmp_path, ACDE=NUMBERED)
    path = tmp_path / "team_0000.jsonl"
    row = '{"sequence": "AAAA", "domains": [["H", 0, [1, 2]]]}'
    path.write_text(path.read_text() + row + '\n{"sequence": "CCCC", "doma')
    saved(tmp_path, ACDF=NUMBERED)  # appended behind the line that a kill has cut short
    with caplog.at_level(logging.WARNING):
        cache = loaded(tmp_path)
    assert "ACDE" in cache
    assert "ACDF" in cache
    assert "AAAA" not in cache
    assert "2 damaged lines" in caplog.text


def test_two_runs_may_make_the_file_at_the_same_time(tmp_path):
    """Each finds none, and appends a first line of its own."""
    texts = []
    for k, versions in enumerate(("v1", "v1", "v2")):
        saved(tmp_path / str(k), versions=versions, **{f"ACD{k}": NUMBERED})
        texts.append((tmp_path / str(k) / "team_0000.jsonl").read_text())
    path = tmp_path / "both" / "team_0000.jsonl"
    path.parent.mkdir()
    path.write_text("".join(texts[:2]))
    assert damaged_lines(path) == 0
    assert "ACD0" in loaded(path.parent)
    assert "ACD1" in loaded(path.parent)
    path.write_text("".join(texts))
    assert "ACD1" in loaded(path.parent)
    assert "ACD2" not in loaded(path.parent)


def test_memory_is_bounded_between_shards(tmp_path, monkeypatch):
    monkeypatch.setattr(numbering_cache, "CAPACITY", 3)
    cache = NumberingCache(tmp_path, "v1")
    for i in range(10):
        cache[f"A{i}"] = NUMBERED
    cache.forget_oldest()
    assert "A9" in cache
    assert "A0" not in cache
