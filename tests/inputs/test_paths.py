import sys
import tracemalloc

import pytest

from stagea_mpi.inputs.model_names import container_names, name_files
from stagea_mpi.inputs.paths import Paths

MANY = 10_000


def made(names, root="/poses/"):
    paths = Paths(root)
    for name in names:
        paths.add(name)
    return paths


def test_paths_are_those_that_were_added():
    names = ["a.pdb", "b/ä.pdb", "b/\udce9.pdb", "c d/€.cif.gz", "日本.pdb"]
    paths, listed = made(names), [f"/poses/{name}" for name in names]
    assert (list(paths), len(paths), paths[1], paths[-1]) == (listed, 5, listed[1], listed[-1])
    assert [paths[a:b] for a, b in ((0, 2), (2, 5), (3, 3), (4, 2), (-2, None))] == [
        listed[a:b] for a, b in ((0, 2), (2, 5), (3, 3), (4, 2), (-2, None))
    ]
    assert paths[::2] == listed[::2]
    assert paths == listed
    assert paths != listed[:-1]
    with pytest.raises(IndexError):
        paths[5]


@pytest.mark.parametrize(
    "pattern", ["complex_{0:07d}_model_1.pdb", "target_{1:04d}/pose_{2:03d}.pdb.gz", "a__b__{0}.pdb"]
)
def test_a_files_path_and_names_take_few_bytes(pattern):
    """A million files are to be cut with 300 MB; a list of their paths alone takes more than a hundred bytes each."""

    def peak_of(n):
        tracemalloc.start()
        try:
            paths = made(pattern.format(k, k // 100, k % 100) for k in range(n))
            ambiguous, hashes = name_files(paths, "/poses")
            bare, separators = container_names(lambda: iter(paths), {}, hashes)
            assert (bare, separators, len(ambiguous)) == ([], {}, 100 if "/" in pattern else 0)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    listed = sys.getsizeof("/poses/" + pattern.format(MANY, MANY // 100, 99)) + 8
    assert peak_of(2 * MANY) - peak_of(MANY) < MANY * listed
