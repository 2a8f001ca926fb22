"""Files that are no structures are called by their names."""

import gzip
import io
import json
import pickle

import h5py
import numpy as np
import pytest
from made import fv_lines, graph_of, refusal, same_graphs, text_of, write

from stagea_mpi.inputs import list_models

GRO = "Protein in water\n    2\n    1MET      N    1   1.000   2.000   3.000\n    1MET     CA    2   1.1   2.0   3.0\n"
MOL2 = "@<TRIPOS>MOLECULE\nx\n 1 0 0 0 0\n@<TRIPOS>ATOM\n 1 C 0.0 0.0 0.0 C.3\n"
SDF = "x\n  maker\n\n  1  0  0  0  0  0  0  0  0  0999 V2000\n    0.0000    0.0000    0.0000 C   0  0\nM  END\n"


def _hdf5() -> bytes:
    with h5py.File("x", "w", driver="core", backing_store=False) as file:
        file["a"] = 1
        file.flush()
        return file.id.get_file_image()


def _npy() -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.arange(3))
    return buffer.getvalue()


CASES = {
    "compress (.Z)": b"\x1f\x9d\x90abc",
    "lz4": b"\x04\x22\x4d\x18abc",
    "7z": b"7z\xbc\xaf\x27\x1c\0\4",
    "rar": b"Rar!\x1a\x07\x01\0",
    "an HDF5 file": _hdf5(),
    "a PDF document": b"%PDF-1.7\n%\xe2\xe3",
    "a page of HTML": b"\n<!DOCTYPE html>\n<html><body>404 Not Found</body></html>",
    "XML": b'<?xml version="1.0"?><datablock/>',
    "JSON": json.dumps({"a": [1, 2]}).encode(),
    "a pickle of Python": pickle.dumps({"a": 1}),
    "NumPy": _npy(),
    "a GROMACS structure": GRO.encode(),
    "MOL2": MOL2.encode(),
    "an MDL molecule": SDF.encode(),
    "a Maestro file": b"{ \n  s_m_m2io_version\n  :::\n  2.0.0\n}\n",
    "AMBER coordinates": b"default_name\n    1\n   1.0000000   2.0000000   3.0000000\n",
    "GROMOS coordinates": b"TITLE\nprotein\nEND\nPOSITION\n    1 MET   N      1    0.1    0.2    0.3\nEND\n",
    "a Rosetta silent file": b"SEQUENCE: EVQL\nSCORE: score description\n",
    "sequences (FASTA)": b">H\nEVQLVESGGG\n",
    "text in UTF-16": "ATOM  ".encode("utf-16"),
    "UTF-16": "REMARK this is a PDB file".encode("utf-16-le"),
    "Git LFS": b"version https://git-lfs.github.com/spec/v1\noid x\n",
    "nothing but zeros": bytes(3000),
    "BinaryCIF": b"\x83\xa7encoder\xa5gemmi\xa7version\xa50.3.0\xaadataBlocks\x91",
    "MMTF": b"\xde\x00\x18\xabmmtfVersion\xa51.0.0",
    "macOS": b"\0\5\26\7\0\2\0\0",
    "compressed twice, inside by gzip": gzip.compress(gzip.compress(text_of(fv_lines()))),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("ending", ["pdb", "cif"])
def test_what_is_no_structure_is_called_by_its_name(name, ending, tmp_path):
    failure = refusal(list_models, write(tmp_path / f"x.{ending}", CASES[name]))
    assert failure.reason == "unreadable"
    assert str(failure).startswith(str(tmp_path / f"x.{ending}"))
    assert name in str(failure)
    assert "expected PDB, mmCIF" in str(failure)


def test_a_byte_order_mark_hides_neither_an_atom_nor_a_model(tmp_path, plain):
    mark = b"\xef\xbb\xbf"
    assert same_graphs(graph_of(write(tmp_path / "a.pdb", mark + text_of(fv_lines()))), plain)
    body = "\n".join(fv_lines()).encode()
    two = b"".join(b"MODEL        %d\n" % k + body + b"\nENDMDL\n" for k in (1, 2))
    path = write(tmp_path / "b.pdb", mark + two)
    assert [ref.serial for ref in list_models(path).models] == [1, 2]
    assert same_graphs(graph_of(path), plain)
    tagged = write(tmp_path / "c.qv", mark + b"QV_TAG one\n" + body + b"\nQV_TAG two\n" + body + b"\n")
    assert [ref.name for ref in list_models(tagged).models] == ["one", "two"]
