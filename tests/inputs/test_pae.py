"""Aligned errors as programs write them."""

import functools
import gzip
import io
import json
import shutil
import zipfile

import numpy as np
import pytest
from made import refusal
from predicted import prediction

from stagea_mpi.inputs import tarred
from stagea_mpi.inputs.compression import zstd
from stagea_mpi.inputs.layouts import pae as pae_module
from stagea_mpi.inputs.layouts import passing_text
from stagea_mpi.inputs.layouts.beside import FolderBeside, LastUnpacked, TarBeside, ZipBeside
from stagea_mpi.inputs.layouts.pae import from_json, from_npz

PAE = [[0.5, 1.25, 30.0], [2.0, 0.5, 4.5], [31.75, 5.0, 0.5]]
FIRST, SECOND = np.array([0, 2]), np.array([1])


@pytest.fixture(autouse=True, params=["held", "passing"])
def pieces(request, monkeypatch):
    """As it is, and with pieces of a few bytes, as large files have many."""
    if request.param == "passing":
        monkeypatch.setattr(passing_text, "_PIECE", 32)
        monkeypatch.setattr(passing_text, "_LONGEST_KEY", 30)
        monkeypatch.setattr(pae_module, "_MOST_HELD", 0)
        monkeypatch.setattr(pae_module, "_PIECE", 1)


def beside(tmp_path, **contents):
    tmp_path.mkdir(exist_ok=True)
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    return FolderBeside(str(tmp_path))


def as_json(content):
    return json.dumps(content).encode()


def npz(**arrays):
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)
    return file.getvalue()


def stored(**arrays):
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


JSON = {
    "AlphaFold 2": as_json([{"predicted_aligned_error": PAE, "max_predicted_aligned_error": 31.75}]),
    "ColabFold": as_json({"plddt": [90.0, 80.0, 70.0], "max_pae": 31.75, "pae": PAE, "ptm": 0.5, "iptm": 0.25}),
    "indented": json.dumps({"pae": PAE}, indent=4).encode(),
}
NPZ = {
    "not compressed": stored(pae=np.array(PAE, dtype=np.float32)),
    "Boltz": npz(pae=np.array(PAE, dtype=np.float32)),
    "of a batch": npz(pae=np.array([PAE]), other=np.zeros(3)),
    "half precision": npz(pae=np.array(PAE, dtype=np.float16)),
    "columns first": npz(pae=np.asfortranarray(np.array(PAE))),
}


@pytest.mark.parametrize(("content", "read"), [
    *(pytest.param(content, from_json, id=name) for name, content in JSON.items()),
    *(pytest.param(content, from_npz, id=name) for name, content in NPZ.items()),
])  # fmt: skip
def test_errors_are_those_of_the_file(content, read, tmp_path):
    found = read(beside(tmp_path, errors=content), "errors")
    assert (found.n_tokens, found.chain, found.number) == (3, None, None)
    forward, backward = found.read(FIRST, SECOND)
    assert forward.dtype == backward.dtype == np.float32
    assert forward.tolist() == [[1.25], [5.0]]
    assert backward.tolist() == [[2.0, 4.5]]


@pytest.mark.parametrize("pack", [bytes, gzip.compress, zstd.compress], ids=["plain", "gz", "zst"])
def test_tokens_of_alphafold_3_have_chains_and_numbers(pack, tmp_path):
    made = prediction("modified")
    found = from_json(beside(tmp_path, errors=pack(made.alphafold3())), "errors", has_tokens=True)
    assert found.n_tokens == len(made.tokens)
    assert [name.decode() for name in found.chain.tolist()] == [atom.chain for atom in made.tokens]
    assert found.number.tolist() == [atom.number for atom in made.tokens]
    first, second = np.arange(0, 100, 3), np.arange(100, found.n_tokens)
    whole = np.array(made.pae).astype(np.float32)
    forward, backward = found.read(first, second)
    np.testing.assert_array_equal(forward, whole[np.ix_(first, second)])
    np.testing.assert_array_equal(backward, whole[np.ix_(second, first)])


def test_tokens_may_stand_before_the_errors(tmp_path):
    content = as_json({"token_res_ids": [1, 2, 3], "token_chain_ids": ["A", "A", "B"], "pae": PAE})
    found = from_json(beside(tmp_path, errors=content), "errors", has_tokens=True)
    assert (found.chain.tolist(), found.number.tolist()) == ([b"A", b"A", b"B"], [1, 2, 3])


def test_errors_in_a_zip_archive(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("fold/full_data_0.json", as_json({"pae": PAE}))
    found = from_json(ZipBeside(str(tmp_path / "a.zip")), "fold/full_data_0.json")
    assert found.read(FIRST, SECOND)[0].tolist() == [[1.25], [5.0]]


@pytest.mark.parametrize("pack", [gzip.compress, zstd.compress], ids=["gz", "zst"])
def test_a_compressed_file_is_unpacked_once(pack, tmp_path, monkeypatch):
    files, opened = beside(tmp_path, errors=pack(as_json({**TOKENS, "pae": PAE}))), []
    open_file = files.open
    monkeypatch.setattr(files, "open", lambda path: (opened.append(path), open_file(path))[1])
    found = from_json(LastUnpacked(files), "errors", has_tokens=True)
    assert found.read(FIRST, SECOND)[0].tolist() == [[1.25], [5.0]]
    assert opened == ["errors"]


@pytest.mark.parametrize("form", ["tar", "gztar"])
@pytest.mark.parametrize("most_held", [2**25, 100])
def test_errors_in_a_tar_archive(form, most_held, tmp_path, monkeypatch):
    monkeypatch.setattr(tarred, "MAX_MODEL_BYTES", most_held)
    monkeypatch.setattr(tarred, "_PIECE", 100)
    beside(
        tmp_path / "in", json=as_json({**TOKENS, "pae": PAE}), npz=NPZ["Boltz"], packed=gzip.compress(JSON["indented"])
    )
    files = TarBeside(shutil.make_archive(str(tmp_path / "a"), form, tmp_path / "in"))
    for path, read in (("json", from_json), ("npz", from_npz), ("packed", from_json)):
        forward, backward = read(files, path).read(FIRST, SECOND)
        assert forward.tolist() == [[1.25], [5.0]]
        assert backward.tolist() == [[2.0, 4.5]]
    assert from_json(files, "json", has_tokens=True).number.tolist() == [1, 2, 3]
    assert files.names("") == {"json", "npz", "packed"}
    with pytest.raises(FileNotFoundError):
        from_json(files, "other")


TOKENS = {"token_chain_ids": ["A", "A", "B"], "token_res_ids": [1, 2, 3]}


@pytest.mark.parametrize(("content", "says"), [
    (b"", "no key pae or predicted_aligned_error; its first keys: none"),
    (as_json({"plddt": [1.0], "ptm": 0.5}), "its first keys: plddt, ptm"),
    (as_json({"pae": PAE, **TOKENS, "token_res_ids": [1, 2]}), "3 token_chain_ids and 2 token_res_ids"),
    (as_json({"pae": PAE, "token_chain_ids": [], "token_res_ids": []}), "0 token_chain_ids"),
    (as_json({"pae": PAE, **TOKENS, "token_res_ids": ["x", "y", "z"]}), "token_res_ids no whole numbers"),
    (as_json({"pae": PAE, **TOKENS, "token_res_ids": [1, 2, 10**30]}), "token_res_ids no whole numbers"),
    (as_json({"pae": PAE, **TOKENS, "token_chain_ids": [1, 2, 3]}), "token_chain_ids are no names"),
    (as_json({"pae": PAE, **TOKENS, "token_chain_ids": "AAB"}), "token_chain_ids"),
    (as_json({"pae": PAE, **TOKENS})[:-20], "is cut short"),
    (as_json({"pae": PAE})[:-9], "is cut short"),
    (as_json({"pae": PAE, **TOKENS}).replace(b"[1, 2", b"[1 2"), "token_res_ids: "),
    (as_json({"pae": "none"}), 'pae begins with "none"}, expected a list of lists of numbers'),
    (as_json({"pae": []}), "pae begins with []}, expected a list of lists of numbers"),
])  # fmt: skip
def test_a_json_file_that_has_no_errors_is_told(content, says, tmp_path):
    read = functools.partial(from_json, has_tokens=True)
    failure = refusal(read, beside(tmp_path, errors=content), "errors")
    assert failure.reason == "unreadable"
    assert str(failure).startswith("errors: ")
    assert says in str(failure)


@pytest.mark.parametrize(("content", "says"), [
    (as_json({"pae": PAE[:2]}), "errors: pae: there are 2 rows, expected 3"),
    (as_json({"pae": [PAE[0], PAE[1][:2], PAE[2]]}), "row 2 has 2 numbers, expected 3"),
    (as_json({"pae": PAE})[:-9] + b"}", "the text ends in row 3 of 3"),
    (as_json({"pae": [PAE[0], ["x", 1, 2], PAE[2]]}), "expected a number"),
    (as_json({"pae": [PAE[0], [float("inf"), 1, 2], PAE[2]]}), "expected a finite number"),
    (as_json({"pae": PAE, "token_chain_ids": ["A", "B"], "token_res_ids": [1, 2]}), "row 1 has 3 numbers, expected 2"),
])  # fmt: skip
def test_damaged_errors_are_told_when_they_are_read(content, says, tmp_path):
    found = from_json(beside(tmp_path, errors=content), "errors", has_tokens=True)
    failure = refusal(found.read, np.array([0]), np.array([1]))
    assert failure.reason == "unreadable"
    assert says in str(failure)


GOOD = NPZ["Boltz"]


@pytest.mark.parametrize(("content", "says"), [
    (b"", "not a zip file"),
    (GOOD[: len(GOOD) // 2], "not a zip file"),
    (npz(pde=np.zeros((2, 2))), "no array pae; there are pde"),
    (npz(pae=np.zeros((2, 3))), r"has the shape (2, 3)"),
    (npz(pae=np.zeros(4)), "has the shape (4,)"),
    (npz(pae=np.zeros((0, 0))), "has the shape (0, 0)"),
    (npz(pae=np.zeros((2, 2), dtype=int)), "int64, expected a square of floats"),
    (npz(pae=np.array([[None]])), "Python's objects"),
    (stored(pae=np.zeros((2, 2))).replace(b"NUMPY", b"NUMPX"), "pae: "),
])  # fmt: skip
def test_an_archive_without_errors_is_told(content, says, tmp_path):
    failure = refusal(from_npz, beside(tmp_path, errors=content), "errors")
    assert failure.reason == "unreadable"
    assert str(failure).startswith("errors: ")
    assert says in str(failure)


@pytest.mark.parametrize("place", range(60, 120, 7))
def test_a_changed_byte_of_an_archive_is_told(place, tmp_path):
    spoiled = bytearray(npz(pae=np.random.default_rng(1).uniform(0, 30, (9, 9))))
    spoiled[place] ^= 0x10
    assert refusal(from_npz, beside(tmp_path, errors=bytes(spoiled)), "errors").reason == "unreadable"


def test_errors_that_are_not_finite_are_told(tmp_path):
    found = from_npz(beside(tmp_path, errors=npz(pae=np.array([[0.0, np.inf], [np.nan, 0.0]]))), "errors")
    assert "has inf, expected finite numbers" in str(refusal(found.read, np.array([0]), np.array([1])))


@pytest.mark.parametrize(("content", "read"), [(JSON["ColabFold"], from_json), (NPZ["Boltz"], from_npz)])
def test_a_file_that_goes_before_its_errors_are_read_is_told(content, read, tmp_path, monkeypatch):
    monkeypatch.setattr(pae_module, "_MOST_HELD", 0)
    found = read(beside(tmp_path, errors=content), "errors")
    (tmp_path / "errors").unlink()
    failure = refusal(found.read, FIRST, SECOND)
    assert (failure.reason, str(failure)) == ("unreadable", "errors: pae: No such file or directory")


def test_a_file_that_is_not_there_is_missing(tmp_path):
    for read in (from_json, from_npz):
        with pytest.raises(FileNotFoundError):
            read(beside(tmp_path), "errors")


@pytest.mark.parametrize("pack", [bytes, gzip.compress, zstd.compress], ids=["plain", "gz", "zst"])
def test_errors_may_be_larger_than_a_model_but_not_without_end(pack, tmp_path, monkeypatch):
    monkeypatch.setattr(passing_text, "_PIECE", 2**16)
    content = b" " * 40 * 2**20 + as_json({**TOKENS, "pae": PAE})
    files = beside(tmp_path, errors=pack(content))
    assert refusal(files.read, "errors").reason == "too_large"
    found = from_json(files, "errors", has_tokens=True)
    assert found.chain.tolist() == [b"A", b"A", b"B"]
    assert found.read(FIRST, SECOND)[0].tolist() == [[1.25], [5.0]]
    monkeypatch.setattr(passing_text, "MAX_PAE_BYTES", 36 * 2**20)
    failure = refusal(from_json, files, "errors")
    assert failure.reason == "too_large"
    assert "errors: is over 36 MB" in str(failure)


def test_a_row_may_not_be_without_end(tmp_path, monkeypatch):
    monkeypatch.setattr(passing_text, "_MOST_LEFT", 1000)
    whole = as_json({"pae": [[0.25] * 80] * 80})
    assert from_json(beside(tmp_path, errors=whole), "errors").read(FIRST, SECOND)[0].tolist() == [[0.25], [0.25]]
    failure = refusal(from_json, beside(tmp_path, errors=b'{"pae": [[' + b"0.25, " * 90_000 + b"1]]}"), "errors")
    assert (failure.reason, str(failure)) == ("unreadable", "errors: has a list without an end within 0 MB")


def test_an_array_may_not_be_without_end(tmp_path, monkeypatch):
    monkeypatch.setattr(pae_module, "MAX_PAE_BYTES", 100)
    failure = refusal(from_npz, beside(tmp_path, errors=npz(pae=np.zeros((9, 9)))), "errors")
    assert (failure.reason, str(failure)) == ("too_large", "errors: pae is over 0 MB")
