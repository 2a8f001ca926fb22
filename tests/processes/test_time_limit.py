"""A time limit on the main thread, and on others."""

import pickle
import threading
import traceback
from concurrent.futures import ThreadPoolExecutor

import pytest
from holding import HANG_S

from stagea_mpi.errors import ModelError
from stagea_mpi.mpi.guard import time_limit


def computes_for_ever(what: str, seconds: float = 0.05) -> None:
    with time_limit(seconds, what):
        while True:
            pass


def in_a_thread(work, *arguments):
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(work, *arguments).result(timeout=HANG_S)


def called_here(work, *arguments):
    return work(*arguments)


@pytest.mark.parametrize("call", [called_here, in_a_thread])
def test_what_takes_longer_ends_with_a_timeout(call):
    with pytest.raises(ModelError, match=r"pose took longer than model_timeout_s = 0\.05 s") as failure:
        call(computes_for_ever, "pose")
    assert (type(failure.value), failure.value.reason) == (ModelError, "timeout")
    assert "computes_for_ever" in [place.name for place in traceback.extract_tb(failure.value.__traceback__)]


@pytest.mark.parametrize("call", [called_here, in_a_thread])
def test_what_is_in_time_is_left_alone(call):
    def work():
        with time_limit(HANG_S, "pose"):
            return 7

    before = threading.active_count()
    assert call(work) == 7
    assert threading.active_count() <= before + 1


@pytest.mark.parametrize("call", [called_here, in_a_thread])
def test_without_a_limit_there_is_none(call):
    def work():
        with time_limit(None, "pose"):
            return 7

    assert call(work) == 7


def test_of_two_threads_each_has_its_own_limit():
    with ThreadPoolExecutor(2) as pool:
        found = [pool.submit(computes_for_ever, name) for name in ("one", "other")]
        errors = [future.exception(timeout=HANG_S) for future in found]
    assert [str(error).split()[0] for error in errors] == ["one", "other"]


def test_an_expired_limit_of_a_thread_travels_between_processes():
    with pytest.raises(ModelError) as failure:
        in_a_thread(computes_for_ever, "pose")
    copy = pickle.loads(pickle.dumps(failure.value))
    assert (type(copy), copy.reason, str(copy)) == (ModelError, "timeout", str(failure.value))


def test_a_limit_that_expires_at_the_blocks_end_hits_nothing_behind_it():
    def work():
        late = 0
        for _ in range(300):
            try:
                with time_limit(1e-4, "pose"):
                    sum(range(400))
            except ModelError:
                late += 1
            sum(range(2000))  # where an error on its way would arrive
        return late

    assert 0 <= in_a_thread(work) <= 300


def test_an_error_of_the_block_is_raised_as_it_is():
    def work():
        with time_limit(HANG_S, "pose"):
            raise KeyError("its own")

    with pytest.raises(KeyError, match="its own"):
        in_a_thread(work)
