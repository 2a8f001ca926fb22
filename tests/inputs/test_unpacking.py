import gzip
import io
import tarfile

import numpy as np
import pytest
from made import cif_of, fv_lines, refusal, text_of

from stagea_mpi.inputs import list_models, read_model
from stagea_mpi.inputs.containers import text_of as text_of_ref
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


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("x.pdb", text_of(fv_lines())),
        ("x.pdb", b"\xef\xbb\xbf" + text_of(fv_lines())),  # a byte order mark
        ("x.pdb.gz", gzip.compress(text_of(fv_lines()))),
        ("x.cif", cif_of(fv_lines())),
    ],
    ids=["plain", "marked", "gzipped", "mmCIF"],
)
def test_a_listing_keeps_the_text_of_a_files_only_model(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content)
    listing = list_models(str(path), keep_text=True)
    (ref,) = listing.models
    assert listing.text == text_of_ref(ref)
    assert list_models(str(path)).text is None
    expected = read_model(ref)
    path.unlink()  # which is not asked for any more
    assert np.array_equal(read_model(ref, listing.text).xyz, expected.xyz)


def test_of_several_models_no_text_is_kept(tmp_path):
    body = text_of(fv_lines())
    (tmp_path / "two.pdb").write_bytes(b"MODEL        1\n" + body + b"ENDMDL\nMODEL        2\n" + body + b"ENDMDL\n")
    assert list_models(str(tmp_path / "two.pdb"), keep_text=True).text is None
    with tarfile.open(tmp_path / "one.tar", "w") as archive:
        member = tarfile.TarInfo("one.pdb")
        member.size = len(body)
        archive.addfile(member, io.BytesIO(body))
    assert list_models(str(tmp_path / "one.tar"), keep_text=True).text is None
