"""Rows of tables in CIF: numbers as Python reads them, and words as they stand there."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stagea_mpi.kernels import compiled


def rows_of(text, n_columns=3, wanted=(0, 2), most=10):
    number, rest = np.zeros((most, len(wanted))), np.zeros(len(text) + 1, dtype=np.uint8)
    n_rows, n_rest, end = compiled.cif_rows(text, 0, n_columns, np.array(wanted), number, rest)
    return (number[:n_rows].tolist(), rest[:n_rest].tobytes(), text[end:]) if n_rows >= 0 else None


@pytest.mark.parametrize(
    ("text", "numbers", "words", "behind"),
    [
        (b"1.5 CA -2\n+.25  CB  7.\n", [[1.5, -2.0], [0.25, 7.0]], b"CA CB ", b""),
        (b"1 a 2\n#\nloop_\n", [[1.0, 2.0]], b"a ", b"loop_\n"),
        (b"1 a 2\r\n\r\n3\ta 4\r\n_tag x", [[1.0, 2.0], [3.0, 4.0]], b"a a ", b"_tag x"),
        (b"1 a 2\nDATA_next\n", [[1.0, 2.0]], b"a ", b"DATA_next\n"),
        (b"1 \"O5'\" 2\n 1 'O5\"' 2", [[1.0, 2.0], [1.0, 2.0]], b"\"O5'\" 'O5\"' ", b""),
        (b"# 1 a 2\n1 loops 2\n", [[1.0, 2.0]], b"loops ", b""),
        (b"1 a;b 2\n1 a#b 2\n", [[1.0, 2.0], [1.0, 2.0]], b"a;b a#b ", b""),
        (b"", [], b"", b""),
    ],
)
def test_rows_are_numbers_and_words(text, numbers, words, behind):
    assert rows_of(text) == (numbers, words, behind)


@pytest.mark.parametrize("text", [
    b"1 a 2 3\n", b"1 a\n2\n", b"1 'a b' 2\n", b"1 'a 2\n", b"1 a #2\n", b"1 a\n;2\n;\n", b";1 a 2\n", b"1 a 2(3)\n",
    b"1 a 1e3\n", b"1 a ?\n", b"1 a .\n", b"1 a -\n", b"1 a 1.2.3\n", b"1 a '2'\n", b"1 a 0.1234567890123456\n",
    b"1 a nan\n", b"1 _a 2\n", b"1 loop_ 2\n", b"1 stop_ 2\n", b"global_ a 2\n", b"1 a 2\n" * 11,
])  # fmt: skip
def test_rows_of_any_other_kind_are_not_read(text):
    assert rows_of(text) is None


@given(st.lists(st.tuples(st.integers(-(10**9), 10**9), st.integers(0, 6)), min_size=1, max_size=10))
def test_numbers_are_those_that_python_reads(pairs):
    words = [f"{value / 10**decimals:.{decimals}f}" for value, decimals in pairs]
    numbers, _, _ = rows_of("\n".join(words).encode(), 1, (0,))
    assert [row[0] for row in numbers] == [float(word) for word in words]


def test_an_outline_is_that_of_texts_with_other_numbers():
    one, other = b"data_x_1\n_score -0.51  \t 'seed 7'\n", b"data_x_12\n_score 1234.5 'seed 88'\n"
    outlines = []
    for text in (one, other, one.replace(b"seed", b"seek")):
        outline = np.zeros(len(text), dtype=np.uint8)
        outlines.append(outline[: compiled.cif_outline(text, outline)].tobytes())
    assert outlines[0] == outlines[1] == b"data_x_0\n_score 0 'seed 0'\n" != outlines[2]
