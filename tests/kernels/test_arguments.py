"""What the kernels say of arguments that they cannot take, and how a call ends early."""

import signal
import sys
import threading
import time

import numpy as np
import pytest

from stagea_mpi.errors import ModelError
from stagea_mpi.kernels import compiled
from stagea_mpi.mpi.guard import time_limit

XYZ = np.arange(12.0).reshape(4, 3)
ROOM = np.zeros((8, 2), dtype=np.int64), np.zeros(8)


def read_only(array):
    array.flags.writeable = False
    return array


def test_the_room_for_results_may_be_too_small_or_none():
    pairs, distance = np.full((3, 2), -1, dtype=np.int64), np.zeros(3)
    assert compiled.pairs_between(XYZ, XYZ, 0.0, pairs[:2], distance[:2]) == 4
    assert pairs.tolist() == [[0, 0], [1, 1], [-1, -1]]
    assert compiled.pairs_between(XYZ, XYZ, 0.0, pairs[:0], distance[:0]) == 4


@pytest.mark.parametrize(
    ("arguments", "error", "says"),
    [
        ((XYZ, XYZ, 5.0, ROOM[0]), TypeError, r"pairs_between takes 5 arguments, 4 were given"),
        ((XYZ.tolist(), XYZ, 5.0, *ROOM), TypeError, r"xyz_a is a <class 'list'>, expected an array of float64"),
        ((XYZ.astype("f4"), XYZ, 5.0, *ROOM), TypeError, r"xyz_a has numbers of the format f \(4 bytes\), .*float64"),
        ((XYZ, XYZ.astype(">f8"), 5.0, *ROOM), TypeError, r"xyz_b has numbers of the format >d \(8 bytes\)"),
        ((XYZ, XYZ.astype(complex), 5.0, *ROOM), TypeError, r"xyz_b has numbers of the format Zd"),
        ((XYZ[:, :2].copy(), XYZ, 5.0, *ROOM), ValueError, r"xyz_a has the shape \(4, 2\), expected \('any', 3\)"),
        ((XYZ.ravel(), XYZ, 5.0, *ROOM), ValueError, r"xyz_a has the shape \(12,\), expected \('any', 3\)"),
        ((XYZ[::2], XYZ, 5.0, *ROOM), ValueError, r"xyz_a is not contiguous in C order"),
        ((XYZ, np.asfortranarray(XYZ), 5.0, *ROOM), ValueError, r"xyz_b is not contiguous in C order"),
        ((XYZ, XYZ * np.nan, 5.0, *ROOM), ValueError, r"xyz_b has nan at place 0, expected finite numbers"),
        ((XYZ, np.where(XYZ == 7.0, np.inf, XYZ), 5.0, *ROOM), ValueError, r"xyz_b has inf at place 7"),
        ((XYZ, XYZ, "5", *ROOM), TypeError, r"cutoff is '5', expected a number"),
        ((XYZ, XYZ, -1.0, *ROOM), ValueError, r"cutoff is -1.0, expected a finite number that is not below 0"),
        ((XYZ, XYZ, np.inf, *ROOM), ValueError, r"cutoff is inf, expected a finite number"),
        ((XYZ, XYZ, 5.0, ROOM[0].astype("i4"), ROOM[1]), TypeError, r"pairs has numbers of the format i \(4 bytes\)"),
        ((XYZ, XYZ, 5.0, ROOM[0], ROOM[1][:7]), ValueError, r"distance has the shape \(7,\), expected \(8,\)"),
        ((XYZ, XYZ, 5.0, read_only(ROOM[0].copy()), ROOM[1]), ValueError, r"pairs is read-only"),
        ((np.frombuffer(b"." * 25, offset=1).reshape(1, 3), XYZ, 5.0, *ROOM), ValueError, r"xyz_a is not aligned"),
    ],
)
def test_an_argument_that_is_none_such_is_named_with_what_was_found_and_expected(arguments, error, says):
    with pytest.raises(error, match=says):
        compiled.pairs_between(*arguments)


LABEL, INSIDE = np.zeros(4, dtype=np.int64), np.zeros(4, dtype=bool)
PAIR, AREA = np.array([[0, 1]]), np.zeros(1)
BYTES = np.zeros(4, dtype=np.uint8)
PAE, CHAIN, SCORE = np.zeros((4, 4), dtype="f4"), np.array([0, 0, 1, 2]), np.zeros((3, 3))


@pytest.mark.parametrize(
    ("function", "arguments", "error", "says"),
    [
        ("pairs_within", (XYZ, LABEL[:3], 5.0, *ROOM), ValueError, r"label has the shape \(3,\), expected \(4,\)"),
        ("pairs_within", (XYZ, LABEL.astype("u1"), 5.0, *ROOM), TypeError, r"label has numbers of the format B"),
        ("pairs_within", (XYZ, LABEL.astype("u8"), 5.0, *ROOM), TypeError, r"label has numbers of the format L"),
        ("pairs_within", (XYZ, LABEL, np.nan, *ROOM), ValueError, r"cutoff is nan, expected a finite number"),
        ("count_between", (XYZ, XYZ), TypeError, r"count_between takes 3 arguments, 2 were given"),
        ("count_between", (XYZ, XYZ[:, ::-1], 5.0), ValueError, r"xyz_b is not contiguous"),
        ("within_reach", (XYZ, XYZ, 5.0, INSIDE.astype("u1")), TypeError, r"inside has numbers of .*, expected bool"),
        ("within_reach", (XYZ, XYZ, 5.0, INSIDE[:3]), ValueError, r"inside has the shape \(3,\), expected \(4,\)"),
        ("within_reach", (XYZ, XYZ, 5.0, read_only(INSIDE.copy())), ValueError, r"inside is read-only"),
        ("contact_areas", (XYZ, -np.ones(4), PAIR, AREA), ValueError, r"radii has a number below 0 at place 0"),
        ("contact_areas", (XYZ, np.ones(4), PAIR + 3, AREA), ValueError, r"pairs has 4 at place 1, expected indices"),
        ("contact_areas", (XYZ, np.ones(4), PAIR, np.ones(2)), ValueError, r"area has the shape \(2,\), expected"),
        (
            "aligned_errors",
            (PAE, CHAIN[1:], CHAIN, SCORE, SCORE),
            ValueError,
            r"pae has the shape \(4, 4\), expected \(3,",
        ),
        ("aligned_errors", (PAE, CHAIN, CHAIN, SCORE[:2], SCORE[:2]), ValueError, r"chain has 2 at place 3, expected"),
        ("aligned_errors", (PAE, CHAIN, CHAIN + 1, SCORE, SCORE), ValueError, r"other has 3 at place 3, expected"),
        ("aligned_errors", (PAE, CHAIN, CHAIN, SCORE, SCORE[:2]), ValueError, r"lis has the shape \(2, 3\), expected"),
        (
            "cif_rows",
            (b"1 2", 0, 2, LABEL[:1], SCORE[:, :1].copy(), BYTES[:3]),
            ValueError,
            r"rest has the shape \(3,\)",
        ),
        (
            "cif_rows",
            (b"1 2", 0, 2, LABEL[:1] + 2, SCORE, BYTES),
            ValueError,
            r"wanted has 2 at place 0, expected indices",
        ),
        ("cif_outline", (b"1 2", BYTES), ValueError, r"outline has the shape \(4,\), expected \(3,\)"),
        ("within_reach", (XYZ, None, 5.0, INSIDE), TypeError, r"of is a <class 'NoneType'>, expected an array of"),
    ],
)
def test_the_other_functions_say_so_too(function, arguments, error, says):
    with pytest.raises(error, match=says):
        getattr(compiled, function)(*arguments)


def test_sets_without_points_have_no_neighbours():
    none, pairs = np.zeros((0, 3)), (np.zeros((0, 2), dtype=np.int64), np.zeros(0))
    inside = np.ones(4, dtype=bool)
    assert compiled.pairs_between(none, XYZ, 5.0, *pairs) == compiled.pairs_between(XYZ, none, 5.0, *pairs) == 0
    assert compiled.pairs_within(none, LABEL[:0], 5.0, *pairs) == compiled.count_between(none, none, 5.0) == 0
    compiled.within_reach(XYZ, none, 5.0, inside)
    assert not inside.any()


def test_refused_arguments_are_let_go():
    before = sys.getrefcount(XYZ)
    with pytest.raises(ValueError, match="xyz_b"):
        compiled.pairs_between(XYZ, XYZ * np.nan, 5.0, *ROOM)
    assert sys.getrefcount(XYZ) == before


@pytest.fixture
def minutes_of_work():
    """Points in one spot, each of which has all others as partners: a call that takes minutes."""
    xyz = np.zeros((200_000, 3))
    return lambda: compiled.pairs_between(xyz, xyz, 1.0, *ROOM)


def test_a_signal_that_raises_ends_a_call(minutes_of_work):
    def expire(number, frame):
        raise TimeoutError("enough")

    previous = signal.signal(signal.SIGALRM, expire)
    signal.setitimer(signal.ITIMER_REAL, 0.05)
    try:
        with pytest.raises(TimeoutError, match="enough"):
            minutes_of_work()
    finally:
        signal.signal(signal.SIGALRM, previous)


def test_a_time_limit_ends_a_call_on_the_main_thread(minutes_of_work):
    with pytest.raises(ModelError, match="a model took longer"), time_limit(0.05, "a model"):
        minutes_of_work()


def test_a_time_limit_ends_a_call_on_another_thread(minutes_of_work):
    raised = []

    def limited():
        try:
            with time_limit(0.05, "a model"):
                minutes_of_work()
        except ModelError as error:
            raised.append(str(error))

    thread = threading.Thread(target=limited)
    thread.start()
    thread.join()
    assert raised == ["a model took longer than model_timeout_s = 0.05 s"]


def test_other_threads_go_on_while_a_kernel_computes(minutes_of_work):
    """A thread counts until the kernel's call ends, which its count makes happen."""
    counted, is_over = [], threading.Event()

    def expire(number, frame):
        raise TimeoutError

    def count():
        while len(counted) < 1000 and not is_over.is_set():
            counted.append(time.monotonic())
        signal.raise_signal(signal.SIGALRM)

    previous = signal.signal(signal.SIGALRM, expire)
    thread = threading.Thread(target=count)
    try:
        with pytest.raises(TimeoutError):  # noqa: PT012
            thread.start()
            minutes_of_work()
    finally:
        is_over.set()
        thread.join()
        signal.signal(signal.SIGALRM, previous)
    assert len(counted) == 1000
