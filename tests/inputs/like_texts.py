"""Texts of models that are alike, and how their tables are compared."""

import numpy as np
from made import changed, moved, read

from stagea_mpi.inputs import atoms
from stagea_mpi.inputs.skeletons import Memory

SHIFT = (-11.25, 0.5, 103.125)


def alone(path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(atoms, "_tables", Memory())
        return read(path)


def assert_same_bits(one, other):
    for name in vars(one):
        ours, theirs = getattr(one, name), getattr(other, name)
        if isinstance(ours, np.ndarray):
            assert (ours.dtype, ours.shape, ours.tobytes()) == (theirs.dtype, theirs.shape, theirs.tobytes()), name
    assert one.shared_chain == other.shared_chain


def pose(lines, shift=SHIFT):
    return [moved(line, shift) if line.startswith(("ATOM", "HETATM")) else line for line in lines]


def with_waters(lines, count):
    water = "HETATM 9000  O   HOH W   1      10.000  10.000  10.000  1.00 20.00           O"
    places = (f"{k % 90:8.3f}{k // 90:8.3f}{40:8.3f}" for k in range(count))
    waters = [changed(changed(water, 22, f"{k:4d}"), 30, place) for k, place in enumerate(places)]
    return [*lines[:500], *waters[: count // 2], *lines[500:], *waters[count // 2 :]]


def interleaved(lines):
    """Chain A's second half stands behind the other chains."""
    half = [line for line in lines if line[21] == "A"][300:]
    return [line for line in lines if line not in set(half)] + half


VARIANTS = {
    "plain": list,
    "with chain ends": lambda lines: [*lines[:700], "TER", *lines[700:], "TER"],
    "with waters": lambda lines: with_waters(lines, 40),
    "with many waters": lambda lines: with_waters(lines, 2000),
    "a chain in two parts": interleaved,
    "MSE as HETATM": lambda lines: [changed(changed(line, 0, "HETATM"), 17, "MSE") if line[17:20] == "MET" else line
                                    for line in lines],
    "hydrogens first": lambda lines: sorted(lines, key=lambda line: (line[21], line[22:27], line[13] != "H")),
    "without chains, in segments": lambda lines: [changed(changed(line.ljust(80), 21, " "), 72, f"SE{line[21]} ")
                                                  for line in lines],
    "short lines": lambda lines: [line[:54] for line in lines],
    "lines of Windows": lambda lines: [line + "\r" for line in lines],
    "four letters": lambda lines: [changed(line, 17, "LYSH") if line[17:20] == "LYS" else line for line in lines],
    "END before the last atoms": lambda lines: [*lines[:900], "END", *lines[900:]],
}  # fmt: skip


CHANGES = {
    "an atom's name": lambda lines: [*lines[:9], changed(lines[9], 12, " CX "), *lines[10:]],
    "a residue's name": lambda lines: [changed(line, 17, "GLY") if line[21:26] == "A  20" else line for line in lines],
    "a chain": lambda lines: [changed(line, 21, "B") if line[21] == "A" else line for line in lines],
    "a number": lambda lines: [changed(line, 22, "9999") if line[21:26] == "A  20" else line for line in lines],
    "an insertion code": lambda lines: [changed(line, 26, "A") if line[21:26] == "A  20" else line for line in lines],
    "a location": lambda lines: [changed(lines[0], 16, "A"), *lines[1:]],
    "an element": lambda lines: [changed(lines[0].ljust(80), 76, " D"), *lines[1:]],
    "a record": lambda lines: [changed(lines[0], 0, "HETATM"), *lines[1:]],
    "the order": lambda lines: [lines[1], lines[0], *lines[2:]],
    "an atom less": lambda lines: lines[:-1],
    "an atom more": lambda lines: [*lines, changed(lines[-1], 12, " CX ")],
}
