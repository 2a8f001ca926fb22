"""Files and members in each compression: read as the plain ones, wherever one begins, and refused where damaged."""

import bz2
import gzip
import io
import lzma
import struct
import tarfile

import numpy as np
import pytest
from made import fv_lines, graph_of, moved, refusal, same_graphs, text_of, write

from stagea_mpi.inputs import compression, list_models, read_model, stem
from stagea_mpi.inputs.compression import BZIP2, XZ, ZSTD, StreamRanges, unpacked_stream, zstd

pytestmark = pytest.mark.slow

PACK = {"gz": gzip.compress, "zst": zstd.compress, "bz2": bz2.compress, "xz": lzma.compress}
OTHERS = {"zst": ZSTD, "bz2": BZIP2, "xz": XZ}


def _ensemble(n_models: int) -> bytes:
    """Models that differ in where the first atom is: 0, 1, 2 … Å from its place."""
    first, *others = fv_lines()
    bodies = (
        f"MODEL     {k:4d}\n" + "\n".join([moved(first, (float(k - 1), 0.0, 0.0)), *others]) + "\nENDMDL\n"
        for k in range(1, n_models + 1)
    )
    return "".join(bodies).encode()


def _shifts(path: str, order) -> list[float]:
    models = list_models(path).models
    zero = float(fv_lines()[0][30:38])
    return [round(read_model(models[k]).xyz[0, 0] - zero, 3) for k in order]


@pytest.mark.parametrize("ending", PACK)
def test_a_compressed_file_is_read_as_the_plain_one_whatever_its_name(ending, tmp_path, plain):
    packed = PACK[ending](text_of(fv_lines()))
    for name in (f"fv.pdb.{ending}", "fv.pdb", "fv.pdb.gz"):
        path = write(tmp_path / name, packed)
        assert [ref.name for ref in list_models(path).models] == ["fv"]
        assert same_graphs(graph_of(path), plain)


@pytest.mark.parametrize("ending", PACK)
@pytest.mark.parametrize("kind", ["cif", "mmcif", "ent", "qv", "tar"])
def test_names_of_models_lose_both_endings(ending, kind):
    assert stem(f"a/model.1.{kind}.{ending}") == "model.1"
    assert stem(f"a/MODEL.{kind.upper()}.{ending.upper()}") == "MODEL"


def test_names_of_archives_lose_their_endings():
    assert [stem(f"x.y.{ending}") for ending in ("tgz", "tbz2", "tbz", "txz", "tzst", "zip")] == ["x.y"] * 6


@pytest.mark.parametrize("ending", PACK)
def test_models_of_a_compressed_ensemble_are_read_in_any_order(ending, tmp_path):
    path = write(tmp_path / f"e.pdb.{ending}", PACK[ending](_ensemble(12)))
    order = [0, 1, 2, 11, 5, 5, 3, 10, 0]
    assert _shifts(path, order) == order


@pytest.mark.parametrize("ending", OTHERS)
def test_any_range_is_read_as_from_the_plain_content_also_behind_what_is_kept(ending, tmp_path, monkeypatch):
    monkeypatch.setattr(compression, "_MOST_KEPT", 100_000)
    content = np.random.default_rng(1).integers(0, 256, 100_000, dtype=np.uint8).repeat(60).tobytes()
    path = tmp_path / "x"
    path.write_bytes(PACK[ending](content[:2_000_000]) + PACK[ending](content[2_000_000:]))
    ranges = StreamRanges(str(path), OTHERS[ending])
    for start in (5_500_000, 0, 1_999_990, 3_000_000, 2_000_000, 5_999_500):
        assert ranges.read(start, start + 1000) == content[start : start + 1000]
    assert ranges._n_kept < 1_000_000


@pytest.mark.parametrize("ending", OTHERS)
def test_models_read_in_their_order_unpack_the_file_once(ending, tmp_path, monkeypatch):
    monkeypatch.setattr(compression, "_MOST_KEPT", 0)
    begun = []
    begin = StreamRanges._begin
    monkeypatch.setattr(StreamRanges, "_begin", lambda ranges: (begun.append(1), begin(ranges)))
    path = write(tmp_path / f"e.pdb.{ending}", PACK[ending](_ensemble(12)))
    assert _shifts(path, range(12)) == list(range(12))
    assert len(begun) == 1


@pytest.mark.parametrize("ending", PACK)
def test_streams_that_follow_each_other_are_one_content(ending, tmp_path, plain):
    text = text_of(fv_lines())
    path = write(tmp_path / f"fv.pdb.{ending}", PACK[ending](text[:50_000]) + PACK[ending](text[50_000:]))
    assert same_graphs(graph_of(path), plain)
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        archive.add(path, f"fv.pdb.{ending}")
    assert same_graphs(graph_of(str(tmp_path / "a.tar")), plain)


def test_two_streams_of_one_content_are_not_one():
    once = gzip.compress(b"a line\n" * 100)
    assert unpacked_stream(io.BytesIO(once)).read(9999) == b"a line\n" * 100
    assert unpacked_stream(io.BytesIO(once + once)).read(9999) == b"a line\n" * 200
    assert unpacked_stream(io.BytesIO(once + bytes(40))).read(9999) == b"a line\n" * 100
    with pytest.raises(gzip.BadGzipFile, match="Not a gzipped file"):
        unpacked_stream(io.BytesIO(once + b"what does not belong here")).read(9999)


def test_zeros_between_streams_of_xz_and_notes_before_a_stream_of_zstd_do_not_count(tmp_path, plain):
    text = text_of(fv_lines())
    padded = lzma.compress(text[:50_000]) + bytes(8) + lzma.compress(text[50_000:]) + bytes(70_000)
    assert same_graphs(graph_of(write(tmp_path / "fv.pdb.xz", padded)), plain)
    notes = struct.pack("<II", 0x184D2A50, 4) + b"note"
    assert same_graphs(graph_of(write(tmp_path / "fv.pdb.zst", notes + zstd.compress(text))), plain)


@pytest.mark.parametrize("ending", PACK)
@pytest.mark.parametrize("share", [0.001, 0.5, 0.999])
def test_a_file_cut_short_is_refused_with_the_cause(ending, share, tmp_path):
    packed = PACK[ending](text_of(fv_lines()))
    n_kept = min(12 + int(len(packed) * share), len(packed) - 1)
    failure = refusal(list_models, write(tmp_path / "fv.pdb", packed[:n_kept]))
    assert failure.reason == "unreadable"
    assert "ended before" in str(failure) or "ends before" in str(failure)


@pytest.mark.parametrize("ending", PACK)
def test_a_damaged_file_is_refused_and_no_other_text_is_read(ending, tmp_path):
    text = text_of(fv_lines())
    if ending == "zst":  # has a checksum where it is asked for
        packed = bytearray(zstd.compress(text, options={zstd.CompressionParameter.checksum_flag: 1}))
    else:
        packed = bytearray(PACK[ending](text))
    packed[len(packed) // 2] ^= 0x55
    failure = refusal(list_models, write(tmp_path / "fv.pdb", bytes(packed)))
    assert failure.reason == "unreadable"
    assert "fv.pdb: " in str(failure)


@pytest.mark.parametrize("ending", PACK)
def test_a_model_too_large_for_a_rank_is_refused_without_being_unpacked(ending, tmp_path):
    text = (text_of(fv_lines()[:1]) + bytes(2**20)) * 48
    path = write(tmp_path / f"bomb.pdb.{ending}", PACK[ending](text))
    assert refusal(list_models, path).reason == "too_large"
    with tarfile.open(tmp_path / "bombs.tar", "w") as archive:
        archive.add(path, f"bomb.pdb.{ending}")
    ((_, failure),) = list_models(str(tmp_path / "bombs.tar")).failures
    assert failure.reason == "too_large"
    assert "when unpacked" in str(failure)


@pytest.mark.parametrize("ending", PACK)
def test_archives_and_their_members_may_be_compressed(ending, tmp_path):
    body = text_of(fv_lines())
    members = {f"x.pdb.{inner}": pack(body) for inner, pack in PACK.items()}
    members["e.pdb.zst"] = zstd.compress(_ensemble(3))
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    listing = list_models(write(tmp_path / f"m.tar.{ending}", PACK[ending](buffer.getvalue())))
    assert listing.failures == []
    names = ["x.pdb.gz", "x.pdb.zst", "x.pdb.bz2", "x.pdb.xz", "e_model_1", "e_model_2", "e_model_3"]
    assert [ref.name for ref in listing.models] == names
    zero = float(fv_lines()[0][30:38])
    shifts = [read_model(ref).xyz[0, 0] - zero for ref in listing.models]
    assert shifts == pytest.approx([0, 0, 0, 0, 0, 1, 2])


@pytest.mark.parametrize("ending", PACK)
def test_a_quiver_file_may_be_compressed(ending, tmp_path, plain):
    content = b"QV_TAG one\n" + text_of(fv_lines()) + b"QV_TAG two\n" + text_of(fv_lines())
    path = write(tmp_path / f"d.qv.{ending}", PACK[ending](content))
    assert [ref.name for ref in list_models(path).models] == ["one", "two"]
    assert same_graphs(graph_of(path), plain)


def test_a_decoder_that_wants_much_memory_is_refused(tmp_path):
    wide = {zstd.CompressionParameter.window_log: 30}
    compressor = zstd.ZstdCompressor(options=wide)
    packed = compressor.compress(text_of(fv_lines())) + compressor.flush()
    assert refusal(list_models, write(tmp_path / "fv.pdb", packed)).reason == "unreadable"
