"""The table of formats, and that a row and a module bring a new one."""

import re
import sys
import types

import numpy as np
import pytest
from launching import ROOT
from made import fv_lines, read, refusal, text_of, write

from stagea_mpi.inputs import formats, list_models
from stagea_mpi.inputs.ensembles import Span
from stagea_mpi.inputs.formats import FORMATS, Format, expected, format_of, format_of_name
from stagea_mpi.inputs.model_parts import parts_of_pdb

TAR_HEAD = b"x.pdb".ljust(257, b"\0") + b"ustar\0"


@pytest.mark.parametrize(
    ("name", "head", "kind"),
    [
        ("x.pdb", b"data_7daa\n", "mmCIF"),
        ("x.pdb", b"# made by hand\n\nDATA_x\n", "mmCIF"),
        ("x.cif", b"REMARK 1\nATOM      1\n", "PDB"),
        ("x.cif", b"_atom_site.id\n", "mmCIF"),
        ("x.pdb", b"QV_TAG one\n", "Quiver"),
        ("x.qv", b"ATOM      1\n", "Quiver"),
        ("x.pdb", TAR_HEAD, "tar"),
        ("x.tar", b"ATOM      1\n", "tar"),
        ("x.pdb", b"PK\x03\x04", "zip"),
        ("x.zip", b"ATOM      1\n", "PDB"),
        ("x.zip", b"", "zip"),
        ("X.CIF.GZ", b"", "mmCIF"),
        ("x", b"", "PDB"),
        ("x.xyz", b"3\n", "PDB"),
    ],
)
def test_first_bytes_decide_before_the_name(name, head, kind):
    assert format_of(name, head).name == kind


def test_messages_name_all_formats():
    assert expected() == "PDB, mmCIF, Quiver, or a tar or zip archive"


def test_endings_are_those_of_the_documentation_and_of_one_format_each():
    text = (ROOT / "docs" / "inputs.md").read_text(encoding="utf-8")
    documented = re.findall(r"`(\.\w+)`", " ".join(re.findall(r"^\| (`\..*?) \|", text, re.MULTILINE)))
    endings = [ending for kind in FORMATS for ending in kind.endings]
    assert sorted(documented) == sorted(endings)
    assert len(set(endings)) == len(endings)


@pytest.fixture
def reversed_pdb(monkeypatch):
    """A format that a test brings: a title, then PDB whose lines stand in reverse order."""
    module = types.ModuleType("reversed_pdb")

    def models(source, path, head):
        while source.read(2**20):
            pass
        return [Span(name="only")]

    def atoms(content, serial):
        return parts_of_pdb(b"\n".join(reversed(content.splitlines()[1:])) + b"\n")

    module.models, module.atoms = models, atoms
    monkeypatch.setitem(sys.modules, "reversed_pdb", module)
    row = Format(
        "reversed PDB", (".bdp",), lambda head: head.startswith(b"BDP\n"),
        models="reversed_pdb:models", atoms="reversed_pdb:atoms", names_models=True,
    )  # fmt: skip
    monkeypatch.setattr(formats, "FORMATS", (row, *FORMATS))
    monkeypatch.setitem(formats._ENDINGS, ".bdp", row)  # which follows from the rows


@pytest.mark.parametrize("name", ["x.bdp", "x.pdb"])
def test_a_row_and_a_module_bring_a_format(reversed_pdb, tmp_path, name):
    lines = list(fv_lines())
    path = write(tmp_path / name, b"BDP\n" + b"\n".join(line.encode() for line in reversed(lines)) + b"\n")
    assert [ref.name for ref in list_models(path).models] == ["only"]
    ours, plain = read(path), read(write(tmp_path / "plain.pdb", text_of(lines)))
    assert np.array_equal(ours.xyz, plain.xyz)
    assert np.array_equal(ours.atom_name, plain.atom_name)


def test_a_format_that_a_row_brings_is_known_by_its_ending_and_to_messages(reversed_pdb, tmp_path):
    assert format_of_name("x.bdp.gz").name == "reversed PDB"
    assert formats.without_format("a/x.bdp.gz") == "a/x"
    assert formats.is_container_name("x.bdp")
    message = str(refusal(list_models, write(tmp_path / "x.pdb", b"%PDF-1.7\n")))
    assert message.endswith("is a PDF document; expected PDB, mmCIF, Quiver, reversed PDB, or a tar or zip archive")
