"""Numbers of residues with their insertion letters: as integers, and as text."""

import string
from collections.abc import Callable

import numpy as np

#: Code of no letter, in numbers of files and in IMGT's.
NO_LETTER = ord(" ")
#: Of IMGT's insertions in their order; behind Z the letters are doubled, and have the code of the small one here.
_INSERTION_CODES = (NO_LETTER, *map(ord, string.ascii_uppercase), *map(ord, string.ascii_lowercase))
#: So many residues can have one of IMGT's numbers, by their letters.
MOST_AT_ONE_POSITION = len(_INSERTION_CODES)


def encode_number(number: int, n_inserted: int = 0) -> int:
    """An IMGT number as an integer: number · 256 + code of the letter.

    >>> encode_number(111) == 111 * 256 + ord(" "), encode_number(111, 1) == 111 * 256 + ord("A")
    (True, True)

    Parameters
    ----------
    number : int
    n_inserted : int
        0 for the position itself, 1 for A, 27 for AA; less than `MOST_AT_ONE_POSITION`.
    """
    return number * 256 + _INSERTION_CODES[n_inserted]


def imgt_texts(numbers: np.ndarray) -> np.ndarray:
    """IMGT numbers as text: 111, 111A, 112AA.

    Parameters
    ----------
    numbers : ndarray of int, shape=(n,)
        As `encode_number` has them.

    Returns
    -------
    texts : ndarray of str objects, shape=(n,)
        Empty for 0.
    """
    return _texts(numbers, lambda letter: 2 * letter.upper() if letter.islower() else letter)


def author_texts(numbers: np.ndarray) -> np.ndarray:
    """Numbers and insertion codes of a file as text: 100, 100A, -3.

    Parameters
    ----------
    numbers : ndarray of int, shape=(n,)
        Number · 256 + insertion code, as `AtomTable.author_number` has them.

    Returns
    -------
    texts : ndarray of str objects, shape=(n,)
        Empty for 0, which is no number.
    """
    return _texts(numbers, lambda letter: letter)


def _texts(numbers: np.ndarray, spelled: Callable[[str], str]) -> np.ndarray:
    distinct, row = np.unique(numbers, return_inverse=True)
    found = ["" if n == 0 else f"{n >> 8}{spelled(chr(n & 255)).strip()}" for n in distinct.tolist()]
    return np.array(found, dtype=object)[row]
