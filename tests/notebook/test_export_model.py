"""`export --pymol` and `--chimerax`: models of a run, whatever file they are from; what is told of what cannot be."""

import io
import lzma
import shutil
import tarfile

import gemmi
import numpy as np
import pytest
from made import changed, cif_of, fv_lines, text_of, write
from shipped import FAB_CHAINS

from stagea_mpi import Run
from stagea_mpi.antibody.chain_rules import ChainRule
from stagea_mpi.cli import main
from stagea_mpi.config.run_config import RunConfig, StageA
from stagea_mpi.errors import RunFolderError
from stagea_mpi.mpi.guard import StopRequest
from stagea_mpi.mpi.teams import SerialComm
from stagea_mpi.pipeline.context import Options
from stagea_mpi.pipeline.run import run as start

#: How far each model's antigen is moved, Å: by that its file is known again.
SHIFTS = {
    "plain": 0.1, "inner": 0.2, "packed": 0.3, "many_model_1": 0.4, "many_model_2": 0.5, "one": 0.6, "two": 0.7,
    "long": 0.8,
}  # fmt: skip


def posed(name):
    """The Fv with its antigen moved along x, away from the antibody or towards it."""
    shift = SHIFTS[name]
    return [changed(line, 30, f"{float(line[30:38]) - shift:8.3f}") if line[21] == "A" else line for line in fv_lines()]


def write_inputs(folder):
    """A model of each kind of file: alone, in an archive, compressed in one, in an ensemble, in Quiver, in mmCIF with
    chains of several letters."""
    write(folder / "plain.pdb", posed("plain"))
    with tarfile.open(folder / "poses.tar", "w") as archive:
        for name, content in (
            ("set/inner.pdb", text_of(posed("inner"))),
            ("packed.pdb.xz", lzma.compress(text_of(posed("packed")))),
        ):
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    models = [line for k in (1, 2) for line in (f"MODEL     {k:4d}", *posed(f"many_model_{k}"), "ENDMDL")]
    write(folder / "many.pdb", models)
    quiver = b"".join(b"QV_TAG %s\n" % name.encode() + text_of(posed(name)) for name in ("one", "two"))
    write(folder / "designs.qv", quiver)
    text = cif_of(posed("long")).decode()
    for short, name in ((" H ", " Hv "), (" L ", " Lv "), (" A ", " Ag ")):
        text = text.replace(short, name)
    write(folder / "long.cif", text.encode())


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("kinds")
    write_inputs(folder / "input")
    stage_a = StageA(glob=("*",), max_per_shard=3, min_per_shard=1)
    config = RunConfig(folder / "run", folder / "input", ChainRule(), stage_a, collect_metrics=False)
    assert start(SerialComm(), config, Options(), StopRequest()).exit_code == 0
    return folder


def export(capsys, *arguments):
    """Exit code, and what was printed on both streams."""
    capsys.readouterr()
    code = main(["export", *map(str, arguments)])
    return code, capsys.readouterr()


def names_of(finished):
    """Names of the run's models by what `SHIFTS` calls them."""
    names = sorted(Run(finished / "run"))
    return {key: next(name for name in names if name.endswith(key)) for key in SHIFTS}


@pytest.mark.parametrize("model", SHIFTS)
def test_a_model_of_each_kind_of_file_is_written_as_it_is_there(model, finished, tmp_path, capsys):
    name = names_of(finished)[model]
    code, told = export(capsys, finished / "run", "--pymol", name, "-o", tmp_path / "new" / "folder")
    assert code == 0
    ending = ".cif" if model == "long" else ".pdb"
    written = [tmp_path / "new" / "folder" / f"{name}{suffix}" for suffix in (ending, ".pml")]
    assert told.out == "".join(f"stagea_mpi: {path}\n" for path in written)
    assert sorted(path.name for path in (tmp_path / "new" / "folder").iterdir()) == sorted(p.name for p in written)
    found = [
        (chain.name[0], str(residue.seqid), atom.name, *np.round(atom.pos.tolist(), 3))
        for chain in gemmi.read_structure(str(written[0]))[0]
        for residue in chain
        for atom in residue
    ]
    expected = [
        (line[21], line[22:27].strip(), line[12:16].strip(), *(float(line[k : k + 8]) for k in (30, 38, 46)))
        for line in posed(model)
    ]
    assert sorted(found) == sorted(expected)
    graph = Run(finished / "run")[name]
    total = sum(atom.b_iso for atom, _ in first_atoms(written[0]))
    assert total == pytest.approx(2 * graph.edges()["voro_area"].sum(), abs=0.5)


def first_atoms(path):
    for chain in gemmi.read_structure(str(path))[0]:
        for residue in chain:
            yield residue[0], residue


def test_chimerax_gets_its_files_in_this_folder_where_none_is_named(finished, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, _ = export(capsys, finished / "run", "--chimerax", "plain", "--color", "bsa")
    assert code == 0
    names = ["plain.cxc", "plain.pdb", "plain_bsa.defattr", "plain_contact_area.defattr"]
    assert sorted(path.name for path in tmp_path.iterdir()) == names
    assert "r:bsa" in (tmp_path / "plain.cxc").read_text()
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    export(capsys, finished / "run", "--chimerax", "plain", "--color", "bsa")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_graphs_of_a_run_know_their_structures(finished):
    run = Run(finished / "run")
    for key, name in names_of(finished).items():
        residues = run[name].in_structure()
        assert (residues.name, set(residues.role)) == (name, {"heavy", "light", "antigen"})
        assert set(residues.chain) == ({"Hv", "Lv", "Ag"} if key == "long" else {"H", "L", "A"})
    assert f"<title>{name}</title>" in run[name].view("contact_area").page
    assert run[name].cluster().in_structure().table().equals(residues.table())


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--pymol", "plane"], "plane is no model of this run; near are plain"),
        (["--pymol", ""], "--pymol: expected the name of a model, found nothing"),
        (["--chimerax", "plain", "--colour", "plddt"], "--colour: expected contact_area, bsa, b_factor, found 'plddt'"),
        (["-o", "x"], "-o and --colour are of --pymol MODEL and --chimerax MODEL"),
        (["--colour", "bsa", "--shards", "0"], "-o and --colour are of --pymol MODEL and --chimerax MODEL"),
        (["--pymol", "plain", "-o", "$NO_SUCH_VARIABLE/x"], "NO_SUCH_VARIABLE"),
    ],
)
def test_what_cannot_be_exported_is_told(arguments, words, finished, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, told = export(capsys, finished / "run", *arguments)
    assert code not in (0, None)
    assert words in told.err
    assert not list(tmp_path.iterdir())


def test_only_one_form_at_a_time(finished, capsys):
    for pair in (("--pymol", "plain", "--chimerax", "plain"), ("--shards", "0", "--pymol", "plain")):
        with pytest.raises(SystemExit):
            main(["export", str(finished / "run"), *pair])
        assert "not allowed with argument" in capsys.readouterr().err


def test_an_input_that_is_gone_or_another_one_is_told(finished, tmp_path, capsys):
    shutil.copytree(finished, tmp_path / "copy")
    path = finished / "input" / "plain.pdb"
    content = path.read_bytes()
    try:
        path.write_bytes(text_of(posed("inner")))
        code, told = export(capsys, finished / "run", "--pymol", "plain", "-o", tmp_path / "out")
        assert code != 0
        assert f"{path}: has changed since plain was read from it; put the file back" in told.err
        path.unlink()
        code, told = export(capsys, finished / "run", "--pymol", "plain", "-o", tmp_path / "out")
        assert code != 0
        assert "plain: its input can no longer be read" in told.err
        assert not (tmp_path / "out").exists()
    finally:
        path.write_bytes(content)


def test_a_run_folder_that_lacks_what_tells_the_chains_is_told(finished, tmp_path):
    root = shutil.copytree(finished / "run", tmp_path / "run")
    graph = Run(root)["plain"]
    manifest = root / "shards" / f"shard_{graph.origin.shard:06d}" / "manifest.tsv.gz"
    content = manifest.read_bytes()
    manifest.write_bytes(content[: len(content) // 2])
    with pytest.raises(RunFolderError, match="manifest.tsv.gz: does not tell the chains of plain"):
        graph.in_structure()
    manifest.write_bytes(content)
    (root / "shard_lists" / "shards.params").unlink()
    with pytest.raises(RunFolderError, match="shards.params: is missing, so where models are is not known"):
        graph.in_structure()


def test_the_chains_are_those_that_the_run_has_found(finished):
    graph = Run(finished / "run")["plain"]
    path = str(finished / "input" / "plain.pdb")
    assert graph.in_structure().table().equals(graph.in_structure(path, chains=FAB_CHAINS).table())


def test_where_files_cannot_be_written_is_told(finished, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    code, told = export(capsys, finished / "run", "--pymol", "plain", "-o", tmp_path / "file" / "folder")
    assert code != 0
    assert str(tmp_path / "file" / "folder") in told.err
