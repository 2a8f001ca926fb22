import gzip

import numpy as np
from made import fv_lines, refusal, text_of

from stagea_mpi.inputs import list_models
from stagea_mpi.inputs.unpacking import GzipRanges


def test_any_range_of_a_gzipped_file_is_read_as_from_the_plain_one(tmp_path):
    rng = np.random.default_rng(1)
    content = rng.integers(0, 4, 6_000_000, dtype=np.uint8).tobytes()
    path = tmp_path / "x.gz"
    path.write_bytes(gzip.compress(content[:2_000_000], 1) + gzip.compress(content[2_000_000:], 1))
    ranges = GzipRanges(str(path))
    for start in (5_500_000, 0, 1_999_990, 3_000_000, 2_000_000):
        assert ranges.read(start, start + 1000) == content[start : start + 1000]


def test_a_model_too_large_for_a_rank_is_refused_without_being_unpacked(tmp_path):
    path = tmp_path / "bomb.pdb.gz"
    with gzip.open(path, "wb", 1) as file:
        for _ in range(48):
            file.write(text_of(fv_lines()[:1]) + bytes(2**20))
    assert refusal(list_models, str(path)).reason == "too_large"
