import os

import pytest

from stagea_mpi.mpi.pool import on_all_cores


def squared(number: int) -> tuple[int, int]:
    return number**2, os.getpid()


def refused(number: int) -> int:
    raise ValueError(f"{number} is refused")


@pytest.mark.parametrize("a_worker", [1, 1000])
def test_results_come_in_the_order_of_the_items(a_worker, monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})
    results = list(on_all_cores(squared, range(50), a_worker))
    assert [square for square, _ in results] == [number**2 for number in range(50)]
    is_here = {pid == os.getpid() for _, pid in results}
    assert is_here == {a_worker == 1000}


def test_no_more_is_made_than_a_few_ahead_of_what_is_taken(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})

    class Items(list):
        asked = 0

        def __iter__(self):
            for item in super().__iter__():
                self.asked += 1
                yield item

    items = Items(range(1000))
    results = on_all_cores(squared, items)
    for taken in range(1, 20):
        next(results)
        assert items.asked <= taken + 4
    results.close()


def test_what_the_work_raises_is_raised_here(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})
    with pytest.raises(ValueError, match="3 is refused"):
        list(on_all_cores(refused, [3, 3]))
