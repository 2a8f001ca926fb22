"""The radii that FreeSASA gives to atoms: ``python tests/graph/freesasa_radii.py`` prints `data/radii.csv` anew.

FreeSASA does not list what it knows, so it is asked for all names of up to three characters; that takes ten seconds.
"""

import itertools
import string
import sys
from collections.abc import Iterable, Iterator

import freesasa

freesasa.setVerbosity(freesasa.nowarnings)

LETTERS = string.ascii_uppercase + string.digits
#: A residue that FreeSASA does not know, and atoms of which it knows one in each residue that it does.
NO_RESIDUE, ASKED = "?", ("C", "CA", "O", "OP2", "C1'", "CH3", "N", "SE")


def radius(residue: str, atom: str) -> float:
    """FreeSASA's radius (Å) of an atom: ProtOr's, else a guess from the name's first letter, else 0.

    It reads names as columns 13 to 16 of a PDB file have them. Names of four characters are cut here: in those columns
    they would begin where an element of two letters does.
    """
    structure = freesasa.Structure()
    structure.addAtom(f" {atom}"[:4], residue, "1", "A", 0.0, 0.0, 0.0)
    return structure.radius(0)


def names(letters: str, longest: int = 3) -> Iterator[str]:
    for length in range(1, longest + 1):
        yield from map("".join, itertools.product(letters, repeat=length))


def known_residues(candidates: Iterable[str]) -> list[str]:
    guesses = [radius(NO_RESIDUE, atom) for atom in ASKED]
    return [name for name in candidates if [radius(name, atom) for atom in ASKED] != guesses]


def table(residues: Iterable[str], atoms: Iterable[str]) -> list[tuple[str, str, float]]:
    """Rows of residue, atom and radius; * is any other atom whose name begins so, and * any residue."""
    guesses = [("*", letter, radius(NO_RESIDUE, letter)) for letter in string.printable.strip()]
    by_letter = {letter: guess for _, letter, guess in guesses}
    rows = [(residue, atom, radius(residue, atom)) for residue in residues for atom in atoms]
    return [row for row in guesses if row[2]] + [row for row in rows if row[2] != by_letter[row[1][0]]]


if __name__ == "__main__":
    print("residue,atom,radius")
    residues = known_residues(names(LETTERS))
    print(len(residues), "residues:", *residues, file=sys.stderr)
    for row in table(residues, list(names(LETTERS + "'"))):
        print(*row, sep=",")
