"""Blocks of a matrix in a JSON text: those that json and NumPy take out of it, and what is said of other texts."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stagea_mpi.kernels import compiled

SMALL = b'{"pae": [[0.8, 1.4, 2.5], [3.0, 12.25, 31.8], [-0.5, 1e1, 0.25]]}'
FIRST, SECOND = np.array([0]), np.array([1, 2])


def blocks(text, n, first, second, key=b"pae"):
    forward, backward = (
        np.full(shape, np.inf, dtype=np.float32) for shape in ((len(first), len(second)), (len(second), len(first)))
    )
    start, sides = compiled.json_key(text, key, 0), (first, second, forward, backward)
    assert compiled.json_matrix_blocks(text, start, True, 0, n, *sides)[0] == n
    return forward, backward


def blocks_of_pieces(text, n, first, second, n_bytes, key=b"pae"):
    """The same of a text that comes by so many bytes at a time."""
    forward, backward = (
        np.full(shape, np.inf, dtype=np.float32) for shape in ((len(first), len(second)), (len(second), len(first)))
    )
    place, row, end = compiled.json_key(text, key, 0), 0, 0
    while row < n:
        end = min(max(end, place) + n_bytes, len(text))
        is_whole = end == len(text)
        row, behind = compiled.json_matrix_blocks(
            text[place:end], 0, is_whole, row, n, first, second, forward, backward
        )
        place += behind
    return forward, backward


def expected(matrix, first, second):
    whole = np.array(matrix, dtype=np.float64).astype(np.float32)
    return whole[np.ix_(first, second)], whole[np.ix_(second, first)]


def same_bits(found, wanted):
    return all(np.array_equal(one, other, equal_nan=True) for one, other in zip(found, wanted, strict=True))


#: How programs write numbers of aligned errors, and how they could.
WRITTEN = {
    "one decimal": lambda x: f"{x:.1f}",
    "two decimals": lambda x: f"{x:.2f}",
    "whole": lambda x: f"{x:.0f}",
    "all digits": lambda x: repr(float(x)),
    "with exponents": lambda x: f"{x:.7e}",
    "large exponents": lambda x: f"{x:.3E}".replace("E+00", "E00"),
}
SEPARATORS = {
    "compact": (",", "],["),
    "Python's": (", ", "], ["),
    "indented": (",\n        ", "\n    ],\n    [\n        "),
    "Windows'": (" ,\r\n\t", " ] ,\r\n [ "),
}


@pytest.mark.parametrize("separators", SEPARATORS)
@pytest.mark.parametrize("written", WRITTEN)
def test_blocks_are_those_that_json_and_numpy_take_out(written, separators):
    random = np.random.default_rng(5)
    n, (between, rows) = 150, SEPARATORS[separators]
    matrix = random.choice([random.uniform(0, 32, (n, n)), random.uniform(0, 9, (n, n))])
    text = '{"ptm": 0.5, "pae": [[' + rows.join(between.join(map(WRITTEN[written], row)) for row in matrix) + "]]}"
    first = np.sort(random.choice(n, 40, replace=False))
    second = np.setdiff1d(np.arange(n), first)[::2].copy()
    found = blocks(text.encode(), n, first, second)
    assert same_bits(found, expected(json.loads(text)["pae"], first, second))
    for n_bytes in (100, 1111, 10_000):
        assert same_bits(blocks_of_pieces(text.encode(), n, first, second, n_bytes), found)


@given(st.lists(st.one_of(
    st.floats(-(2.0**127), 2.0**127, width=32), st.floats(-100, 100), st.integers(-(10**25), 10**25),
    st.floats(1e-60, 1e-30), st.none(),
), min_size=4, max_size=4))  # fmt: skip
def test_numbers_are_those_of_python(four):
    """Half a unit in a float's last place at most: all digits but those behind the 19th count.

    (What is so near to the largest float that rounding decides has room or not.)
    """
    text = json.dumps({"pae": [four[:2], four[2:]]}).encode()
    found = np.concatenate(blocks(text, 2, np.array([0]), np.array([1])))[:, 0].tolist()
    for ours, python in zip(found, (four[1], four[2]), strict=True):
        if python is None:
            assert math.isnan(ours)
        else:
            assert math.isclose(ours, float(python), rel_tol=2.0**-24 + 1e-14, abs_tol=2.0**-149)


def test_null_and_nan_are_nan():
    forward, backward = blocks(b'{"pae":[[0,null,NaN],[null,0,1],[2,3,4]]}', 3, FIRST, SECOND)
    assert np.isnan(forward).all()
    assert np.isnan(backward[0, 0])
    assert backward[1, 0] == 2


def test_a_row_may_be_on_both_sides():
    both = np.array([1, 2])
    assert same_bits(blocks(SMALL, 3, both, both), expected(json.loads(SMALL)["pae"], both, both))


@pytest.mark.parametrize("n_bytes", range(1, 40))
def test_a_matrix_may_come_in_pieces_that_end_anywhere(n_bytes):
    wanted = expected(json.loads(SMALL)["pae"], FIRST, SECOND)
    assert same_bits(blocks_of_pieces(SMALL, 3, FIRST, SECOND, n_bytes), wanted)
    assert same_bits(blocks_of_pieces(SMALL.replace(b"]", b"\n ]\n"), 3, FIRST, SECOND, n_bytes), wanted)


def test_no_rows_are_wanted_of_a_side_without_any():
    forward, backward = blocks(SMALL, 3, FIRST, np.zeros(0, dtype=np.int64))
    assert forward.shape == (1, 0)
    assert backward.shape == (0, 1)


@pytest.mark.parametrize(
    ("text", "key"),
    [
        (b'{"a": 1, "pae" : [', b"pae"),
        (b'[{"pae":\n[', b"pae"),
        (b'{"a": "pae", "b": ["pae"], "pae": [', b"pae"),
        (b'{"a": "say \\"pae\\": [", "pae": [', b"pae"),
        (b'{"a": "say \\"pae", "pae": [', b"pae"),
        (b'{"max_pae": 3, "paes": 4, "pa": 5, "pae": [', b"pae"),
        (b'{"pae": [', b"pae"),
    ],
)
def test_a_key_is_found_where_it_is_one(text, key):
    assert compiled.json_key(text, key, 0) == text.rindex(b":") + 1


@pytest.mark.parametrize("text", [
    b"", b'"', b'""', b'"pae"', b'"pae', b'"pae" ', b'{"pae" "', b'{"paes": 1}', b"pae: 1",
])  # fmt: skip
def test_there_may_be_no_such_key(text):
    assert compiled.json_key(text, b"pae", 0) == -1


def test_a_key_is_looked_for_from_a_byte_on():
    text = b'{"pae": 1, "pae": 2}'
    assert compiled.json_key(text, b"pae", 3) == text.rindex(b":") + 1
    with pytest.raises(ValueError, match=r"start is 21, expected a whole number from 0 to 20"):
        compiled.json_key(text, b"pae", 21)


@pytest.mark.parametrize(
    ("text", "end"),
    [
        (b"[[1, 2], [3, 4]], 5", 16),
        (b"[[1, 2],\n [3, 4]\n], [[5]]", 18),
        (b"[[1, 2], [3, 4]", -1),
        (b"[[1, 2], [3, 4] ", -1),
        (b"[[]]", 4),
        (b"", -1),
    ],
)
def test_a_matrix_ends_with_two_brackets(text, end):
    assert compiled.json_matrix_end(text, 0) == end


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (b'{"pae": 3}', r"in row 1 stands b'3}', expected a list of lists"),
        (b'{"pae": [1, 2]}', r"in row 1 stands b'1, 2\]}', expected a list of lists"),
        (b'{"pae": [[1,2,3],[1,2],[1,2,3]]}', r"row 2 has 2 numbers, expected 3"),
        (b'{"pae": [[1,2,3],[1,2,3],[1,2,3,4]]}', r"row 3 has 4 numbers, expected 3"),
        (b'{"pae": [[1,2,3,4],[1,2,3],[1,2,3]]}', r"row 1 has 4 numbers, expected 3"),
        (b'{"pae": [[1,2],[1,2,3],[1,2,3]]}', r"row 1 has 2 numbers, expected 3"),
        (b'{"pae": [[1,2,3],[1,2,3]]}', r"there are 2 rows, expected 3"),
        (b'{"pae": []}', r"in row 1 stands b'\]}', expected a list of lists"),
        (b'{"pae": [[1,2,3],[1,2,3],[1,2,3],[1,2,3]]}', r"there are 3 rows and more, expected 3"),
        (b'{"pae": [[1,2,3],[1,2,3] 5', r"in row 2 stands b'5', expected a list of lists"),
        (b'{"pae": [[1,2,3],[1,x,3],[1,2,3]]}', None),  # in no block
        (b'{"pae": [[1,x,3],[1,2,3],[1,2,3]]}', r"in row 1, column 2, stands b'x,3\],\[1,2,3\],.*a number"),
        (b'{"pae": [[1,2 2,3],[1,2,3],[1,2,3]]}', r"row 1, column 2, stands b'2 2,3.*expected a number"),
        (b'{"pae": [[1,-,3],[1,2,3],[1,2,3]]}', r"column 2, stands b'-,3.*expected a number"),
        (b'{"pae": [[1,2.,3],[1,2,3],[1,2,3]]}', r"column 2, stands b'2.,3.*expected a number"),
        (b'{"pae": [[1,.5,3],[1,2,3],[1,2,3]]}', r"column 2, stands b'.5,3.*expected a number"),
        (b'{"pae": [[1,2e,3],[1,2,3],[1,2,3]]}', r"column 2, stands b'2e,3.*expected a number"),
        (b'{"pae": [[1,"2",3],[1,2,3],[1,2,3]]}', r"column 2, stands b'\"2\",3.*expected a number"),
        (b'{"pae": [[1,,3],[1,2,3],[1,2,3]]}', r"column 2, stands b',3.*expected a number"),
        (b'{"pae": [[1,2,],[1,2,3],[1,2,3]]}', r"column 3, stands b'\],.*expected a number"),
        (b'{"pae": [[1,Infinity,3],[1,2,3],[1,2,3]]}', r"column 2, stands b'Infinity.*expected a finite number"),
        (b'{"pae": [[1,2,-1e39],[1,2,3],[1,2,3]]}', r"column 3, stands b'-1e39.*expected a finite number"),
        (b'{"pae": [[1,2,1e999999999999],[1,2,3],[1,2,3]]}', r"expected a finite number"),
        (b'{"pae": [[1,[2],3],[1,2,3],[1,2,3]]}', r"column 2, stands b'\[2\].*expected a number"),
    ],
)
def test_a_text_without_such_a_matrix_is_told(text, says):
    if says is None:
        blocks(text, 3, FIRST, SECOND)
        return
    with pytest.raises(ValueError, match=says):
        blocks(text, 3, FIRST, SECOND)


def test_what_stands_in_the_place_of_a_blank_is_told():
    text = b'{"pae": [[1.0, 2.5,x3.5, 4.5],[1.0, 2.0, 3.0, 4.0],[1.0, 2.0, 3.0, 4.0],[1.0, 2.0, 3.0, 4.0]]}'
    with pytest.raises(ValueError, match=r"row 1, column 3, stands b'x3.5, 4.5.*expected a number"):
        blocks(text, 4, FIRST, np.array([1, 2, 3]))


@pytest.mark.parametrize("stop", range(8, len(SMALL) - 1))
def test_a_text_that_is_cut_short_is_told_wherever_it_ends(stop):
    with pytest.raises(ValueError, match=r"ends in row|expected a list of lists"):
        blocks(SMALL[:stop], 3, FIRST, SECOND)


@pytest.mark.parametrize(
    ("first", "says"),
    [
        ([2, 1], r"first has 1 behind 2, expected indices that ascend"),
        ([1, 1], r"first has 1 behind 1"),
        ([0, 3], r"first has 3 at place 1, expected indices from 0 to below 3"),
    ],
)
def test_tokens_ascend_and_are_in_the_matrix(first, says):
    with pytest.raises(ValueError, match=says):
        blocks(SMALL, 3, np.array(first), SECOND)


def test_the_matrix_is_as_large_as_is_said():
    with pytest.raises(ValueError, match="row 1 has 3 numbers, expected 4"):
        blocks(SMALL, 4, FIRST, SECOND)
    with pytest.raises(ValueError, match="n is 0, expected a whole number from 1"):
        blocks(SMALL, 0, FIRST[:0], SECOND[:0])
