"""What tests of comparisons are made of: complexes, references, and what is said of two of them."""

import numpy as np
import pytest
from dockq_cases import COLUMNS
from made import checked, fv_lines

from stagea_mpi.pipeline.reference import Reference

#: The antigen's residues (of the Fv's lines, from 0) that a model or a reference may lack: a part of the epitope.
LOOP = (46, 48)


def reference_of(complex_, name="ref"):
    return Reference.of(complex_, checked(complex_), name)


def numbers(found):
    return tuple(getattr(found, name) for name in COLUMNS)


def is_perfect(found):
    return numbers(found) == pytest.approx((1.0, 1.0, 0.0, 0.0, 0.0), abs=1e-4) and found.capri_class == 3


def without(lines, chain, first, last):
    """Lines without some of a chain's residues, by their places from 0 to the last, inclusive."""
    known = sorted({int(line[22:26]) for line in fv_lines() if line[21] == chain})[first : last + 1]
    return [line for line in lines if not (line[21] == chain and int(line[22:26]) in known)]


def contacts_one_by_one(complex_):
    heavy = ~complex_.is_hydrogen
    a, b = heavy & (complex_.chain == 0), heavy & (complex_.chain == 1)
    apart = np.linalg.norm(complex_.xyz[a][:, None] - complex_.xyz[b][None], axis=2)
    rows = np.argwhere(apart < 5.0)
    return set(zip(complex_.residue_number[a][rows[:, 0]], complex_.residue_number[b][rows[:, 1]], strict=True))
