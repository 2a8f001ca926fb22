import gzip
import os
import stat
import zipfile

import numpy as np
import pytest
from made import fv_lines, graph_of, refusal, same_graphs, text_of, write

from stagea_mpi.inputs import list_models, read_model


def _archive(path, members, method=zipfile.ZIP_DEFLATED) -> str:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return str(path)


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_members_of_a_zip_archive_are_models_each_on_its_own(method, tmp_path, plain):
    body = text_of(fv_lines())
    ensemble = b"".join(b"MODEL        %d\n" % k + body + b"ENDMDL\n" for k in (1, 2))
    members = [("a/x.pdb", body), ("b/x.pdb", body), ("notes.txt", b"ATOM"), ("y.pdb.gz", gzip.compress(body)),
               ("e.pdb", ensemble), ("f.pdb.gz", gzip.compress(ensemble)), ("bad.pdb", b"nothing"), ("d/", b""),
               ("__MACOSX/a/._x.pdb", b"\0\5\26\7")]  # fmt: skip
    path = _archive(tmp_path / "m.zip", members, method)
    listing = list_models(path)
    names = ["a__x.pdb", "b__x.pdb", "y", "e_model_1", "e_model_2", "f_model_1", "f_model_2"]
    assert [ref.name for ref in listing.models] == names
    assert [(ref.name, failure.reason) for ref, failure in listing.failures] == [("bad", "no_models")]
    first = read_model(listing.models[0])
    for ref in (*listing.models[1:], listing.models[0]):
        assert np.array_equal(read_model(ref).xyz, first.xyz)
    assert same_graphs(graph_of(path), plain)
    assert os.listdir(tmp_path) == ["m.zip"]


def test_a_zip_archive_is_known_by_its_content_and_text_under_its_name_is_read(tmp_path):
    path = _archive(tmp_path / "m.pdb", [("x.pdb", text_of(fv_lines()))])
    assert [ref.name for ref in list_models(path).models] == ["x"]
    assert [ref.name for ref in list_models(write(tmp_path / "fv.zip", fv_lines())).models] == ["fv"]


def test_members_that_lead_out_of_an_archive_and_links_are_refused(tmp_path):
    body = text_of(fv_lines())
    link = zipfile.ZipInfo("link.pdb")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    members = [("../out.pdb", body), ("/etc/out.pdb", body), ("..\\out2.pdb", body), (link, b"/etc/passwd"),
               ("in.pdb", body)]  # fmt: skip
    listing = list_models(_archive(tmp_path / "m.zip", members))
    assert [ref.name for ref in listing.models] == ["in"]
    assert [failure.reason for _, failure in listing.failures] == ["unsafe_member"] * 4


def test_an_encrypted_member_is_refused_with_the_cause(tmp_path):
    path = tmp_path / "m.zip"
    _archive(path, [("x.pdb", text_of(fv_lines()))])
    data = bytearray(path.read_bytes())
    for signature, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):  # the header's bit 0 of the flags
        data[data.index(signature) + flags] |= 1
    path.write_bytes(data)
    ((ref, failure),) = list_models(str(path)).failures
    assert (ref.name, failure.reason) == ("x", "unreadable")
    assert "x.pdb: is encrypted" in str(failure)


def test_members_too_large_for_a_rank_are_refused_whatever_their_header_says(tmp_path):
    bomb = (text_of(fv_lines()[:1]) + bytes(2**20)) * 48
    path = tmp_path / "m.zip"
    _archive(path, [("bomb.pdb", bomb), ("x.pdb", text_of(fv_lines()))])
    listing = list_models(str(path))
    assert [ref.name for ref in listing.models] == ["x"]
    assert [failure.reason for _, failure in listing.failures] == ["too_large"]
    small = len(bomb).to_bytes(4, "little")
    path.write_bytes(path.read_bytes().replace(small, (1000).to_bytes(4, "little")))
    reasons = {failure.reason for _, failure in list_models(str(path)).failures}
    assert reasons <= {"too_large", "unreadable"}
    assert reasons


def test_a_damaged_member_costs_only_itself(tmp_path):
    path = tmp_path / "m.zip"
    _archive(path, [("a.pdb", text_of(fv_lines())), ("b.pdb", text_of(fv_lines()))])
    data = bytearray(path.read_bytes())
    data[5000] ^= 0x55
    path.write_bytes(data)
    listing = list_models(str(path))
    assert [ref.name for ref in listing.models] == ["b"]
    assert [(ref.name, failure.reason) for ref, failure in listing.failures] == [("a", "unreadable")]


def test_an_archive_cut_short_is_refused_with_the_cause(tmp_path):
    path = tmp_path / "m.zip"
    _archive(path, [("a.pdb", text_of(fv_lines()))])
    path.write_bytes(path.read_bytes()[:5000])
    failure = refusal(list_models, str(path))
    assert failure.reason == "unreadable"
    assert "the zip archive is damaged or cut short" in str(failure)


def test_an_archive_without_structures_and_one_compressed_once_more_are_told(tmp_path):
    path = _archive(tmp_path / "m.zip", [("notes.txt", b"x")])
    assert refusal(list_models, path).reason == "no_models"
    packed = write(tmp_path / "m.zip.gz", gzip.compress((tmp_path / "m.zip").read_bytes()))
    failure = refusal(list_models, packed)
    assert (failure.reason, "compressed once more" in str(failure)) == ("unreadable", True)
