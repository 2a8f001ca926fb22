import gzip
import io
import os
import tarfile

import numpy as np
import pytest
from made import fv_lines, graph_of, moved, refusal, same_graphs, text_of, write

from stagea_mpi.inputs import list_models, read_model


def test_models_of_an_ensemble_are_read_by_their_bytes(tmp_path):
    far = [moved(line, (5.0, 0.0, 0.0)) for line in fv_lines()]
    head = "REMARK     MODEL 1 FROM a/best.pdb\nREMARK     MODEL 2 FROM b/next.pdb\n"
    bodies = [
        f"MODEL        {k}\n" + "\n".join(lines) + "\nENDMDL\n" for k, lines in enumerate((fv_lines(), far, far), 1)
    ]
    content = (head + "".join(bodies) + "END\n").encode()
    for path in (write(tmp_path / "e.pdb", content), write(tmp_path / "e.pdb.gz", gzip.compress(content))):
        models = list_models(path).models
        assert [ref.name for ref in models] == ["best", "next", "e_model_3"]
        shifts = [read_model(ref).xyz[0, 0] - read_model(models[0]).xyz[0, 0] for ref in models]
        assert shifts == pytest.approx([0, 5, 5])


def test_models_with_one_number_are_told_apart_by_their_order(tmp_path):
    body = "MODEL        1\n" + "\n".join(fv_lines()) + "\nENDMDL\n"
    assert [ref.name for ref in list_models(write(tmp_path / "e.pdb", (body * 3).encode())).models] == [
        "e_model_1", "e_model_2", "e_model_3"
    ]  # fmt: skip


def test_a_file_of_one_model_takes_the_stem_whatever_its_number(tmp_path):
    body = "MODEL        7\n" + "\n".join(fv_lines()) + "\nENDMDL\n"
    assert [ref.name for ref in list_models(write(tmp_path / "e.pdb", body.encode())).models] == ["e"]


def test_parts_with_an_end_line_each_are_one_model_and_repeated_chains_are_several(tmp_path, plain):
    antigen = [line for line in fv_lines() if line[21] == "A"]
    antibody = [line for line in fv_lines() if line[21] != "A"]
    joined = write(tmp_path / "joined.pdb", text_of(antibody) + text_of(antigen))
    assert len(list_models(joined).models) == 1
    assert len(graph_of(joined)) == len(plain)
    frames = write(tmp_path / "frames.pdb", text_of(fv_lines()) * 2)
    assert [ref.name for ref in list_models(frames).models] == ["frames_model_1", "frames_model_2"]
    assert same_graphs(graph_of(frames), plain)


def test_a_quiver_file_gives_its_models_by_their_tags(tmp_path, plain):
    body = text_of(fv_lines())
    content = b"QV_TAG design_1\nQV_SCORE design_1 a=1|b=2\n" + body + b"QV_TAG design_2\n" + body + b"QV_TAG empty\n"
    for path in (write(tmp_path / "d.qv", content), write(tmp_path / "d.qv.gz", gzip.compress(content))):
        models = list_models(path).models
        assert [ref.name for ref in models] == ["design_1", "design_2", "empty"]
        assert len(read_model(models[1]).xyz) == len(fv_lines())
        assert refusal(read_model, models[2]).reason == "no_models"
        assert same_graphs(graph_of(path), plain)


def _archive(path, members, mode="w"):
    with tarfile.open(path, mode) as archive:
        for name, content in members:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return str(path)


@pytest.mark.parametrize(("name", "mode"), [("m.tar", "w"), ("m.tar.gz", "w:gz"), ("m.tgz", "w:gz")])
def test_members_of_an_archive_are_models_each_on_its_own(name, mode, tmp_path, plain):
    body = text_of(fv_lines())
    ensemble = b"".join(b"MODEL        %d\n" % k + body + b"ENDMDL\n" for k in (1, 2))
    members = [("a/x.pdb", body), ("b/x.pdb", body), ("notes.txt", b"ATOM"), ("y.pdb.gz", gzip.compress(body)),
               ("e.pdb", ensemble), ("f.pdb.gz", gzip.compress(ensemble)), ("bad.pdb", b"nothing")]  # fmt: skip
    listing = list_models(_archive(tmp_path / name, members, mode))
    assert [ref.name for ref in listing.models] == [
        "a__x.pdb", "b__x.pdb", "y", "e_model_1", "e_model_2", "f_model_1", "f_model_2"
    ]  # fmt: skip
    assert [(ref.name, failure.reason) for ref, failure in listing.failures] == [("bad", "no_models")]
    first = read_model(listing.models[0])
    for ref in listing.models[1:]:
        assert np.array_equal(read_model(ref).xyz, first.xyz)


def test_members_that_lead_out_of_an_archive_and_links_are_refused(tmp_path):
    body = text_of(fv_lines())
    path = _archive(tmp_path / "m.tar", [("../out.pdb", body), ("/etc/out.pdb", body), ("in.pdb", body)])
    with tarfile.open(path, "a") as archive:
        link = tarfile.TarInfo("link.pdb")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    listing = list_models(path)
    assert [ref.name for ref in listing.models] == ["in"]
    assert [failure.reason for _, failure in listing.failures] == ["unsafe_member"] * 3
    assert os.listdir(tmp_path) == ["m.tar"]


def test_whole_members_of_an_archive_cut_short_are_used_and_the_rest_is_told(tmp_path):
    body = text_of(fv_lines())
    path = tmp_path / "m.tar"
    _archive(path, [("a.pdb", body), ("b.pdb", body)])
    path.write_bytes(path.read_bytes()[: len(body) + 3000])
    listing = list_models(str(path))
    assert [ref.name for ref in listing.models] == ["a"]
    assert {failure.reason for _, failure in listing.failures} == {"unreadable"}


def test_an_archive_in_an_archive_is_told(tmp_path):
    (tmp_path / "x.pdb").write_bytes(text_of(fv_lines()))
    _archive(tmp_path / "inner.tar", [("y.pdb", text_of(fv_lines()))])
    _archive(
        tmp_path / "outer.tar", [("x.pdb", text_of(fv_lines())), ("inner.tar", (tmp_path / "inner.tar").read_bytes())]
    )
    listing = list_models(str(tmp_path / "outer.tar"))
    assert [ref.name for ref in listing.models] == ["x"]
    ((_, failure),) = listing.failures
    assert failure.reason == "unreadable"
    assert "inner.tar: is an archive in an archive" in str(failure)
