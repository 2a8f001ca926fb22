"""Names from outside reach no shell, no path outside the run folder, and no HDF5 path unescaped."""

import os
import stat
import time

import h5py
import pytest
from launching import write_run_yaml

from stagea_mpi.report.report import write_report

from .victims import LONG, Victim, check_what_is_there

NAMES = (
    "$(touch pwned).pdb",
    "; touch pwned;.pdb",
    "`touch pwned`.pdb",
    "-rf --all.pdb",
    "...pdb",
    "a b\ttab.pdb",
    "control\x01\x1b[31m.pdb",
    "Ω≈ç√ é.pdb",
    "line\u2028separator\x85next.pdb",
    "back\\slash'quote\".pdb",
    "%2e%2e%2f.pdb",
    b"not-\xff-utf8.pdb".decode("utf-8", "surrogateescape"),
)


@pytest.mark.parametrize("ranks", [0, 2] if LONG else [2])
def test_hostile_file_names_give_models_with_harmless_names(ranks, poses, tmp_path):
    content = (poses / "pose_0001.pdb").read_bytes()
    inputs = tmp_path / "poses"
    inputs.mkdir()
    for name in NAMES:
        (inputs / name).write_bytes(content)
    before = set(os.listdir(tmp_path)) | {"run", "run.yaml"}
    path = write_run_yaml(tmp_path / "run.yaml", inputs)
    run = Victim(ranks, "run", path)
    assert run.wait() == 0, run.output
    assert f"{len(NAMES)} of {len(NAMES)} models are in" in run.output
    assert set(os.listdir(tmp_path)) == before
    assert len(list(inputs.iterdir())) == len(NAMES)
    with h5py.File(path.with_suffix("") / "shards/shard_000000/graphs.h5") as file:
        assert len(file) == len(NAMES)
        for name in file:
            assert name.isprintable()
            assert "nodes" in file[name]
    assert check_what_is_there(path.with_suffix("")) == 0


def test_nothing_that_a_terminal_takes_for_a_command_is_printed_or_stands_in_a_table(poses, tmp_path):
    inputs = tmp_path / "poses"
    inputs.mkdir()
    (inputs / "pose_0001.pdb").write_bytes((poses / "pose_0001.pdb").read_bytes())
    (inputs / "\x1b[31mred\x07.pdb").write_text("REMARK nothing\n")
    (inputs / b"not-\xff-utf8.pdb".decode("utf-8", "surrogateescape")).write_text("REMARK nothing\n")
    os.mkfifo(inputs / "\x1b[5mpipe.pdb")
    path = write_run_yaml(tmp_path / "run.yaml", inputs, max_failed_fraction=0.1)
    run = Victim(0, "run", path)
    assert run.wait() == 4, run.output
    root = path.with_suffix("")
    table = (root / "shards/shard_000000/failures.tsv").read_text(encoding="utf-8")
    assert "\\x1b[31mred\\x07.pdb" in table
    assert "\\x1b[5mpipe.pdb: is no file, and is left out" in run.output
    (root / "shards/shard_000000/packed.h5").unlink()
    verified = Victim(0, "verify", root)
    assert verified.wait() == 75, verified.output
    for text in (run.output, table, verified.output):
        assert all(character.isprintable() or character in "\n\t" for character in text)


def test_names_that_a_page_or_a_figure_takes_for_markup_stand_in_the_report_as_they_are(poses, tmp_path):
    inputs = tmp_path / "poses"
    inputs.mkdir()
    for name in ("$\\frac{$", "<b onclick=alert(1)>", "{{ 7*7 }}", "`x`|*y*"):
        (inputs / f"{name}.pdb").write_bytes((poses / "pose_0001.pdb").read_bytes())
        (inputs / f"{name}_broken.pdb").write_text("REMARK nothing\n")
    path = write_run_yaml(tmp_path / "run.yaml", inputs, max_failed_fraction=0.5)
    run = Victim(0, "run", path)
    assert run.wait() == 0, run.output
    page = write_report(path.with_suffix(""), tmp_path / "report.html").read_text(encoding="utf-8")
    assert "<b onclick" not in page
    assert "&lt;b onclick=alert(1)&gt;_broken" in page
    assert "{{ 7*7 }}_broken" in page


def test_a_line_break_in_a_file_name_is_refused_by_name(poses, tmp_path):
    inputs = tmp_path / "poses"
    inputs.mkdir()
    (inputs / "one\nother.pdb").write_bytes((poses / "pose_0001.pdb").read_bytes())
    run = Victim(0, "run", write_run_yaml(tmp_path / "run.yaml", inputs))
    assert run.wait() == 2, run.output
    assert "line break" in run.output


def test_yaml_that_would_make_objects_is_refused(tmp_path):
    path = tmp_path / "run.yaml"
    path.write_text(f"run_root: !!python/object/apply:os.system ['touch {tmp_path}/pwned']\n")
    run = Victim(0, "run", path)
    assert run.wait() == 2, run.output
    assert "not valid YAML" in run.output
    assert not (tmp_path / "pwned").exists()


def test_no_temporary_file_is_left_and_what_is_there_meanwhile_is_private(poses, tmp_path):
    folder = tmp_path / "tmp"
    folder.mkdir()
    path = write_run_yaml(tmp_path / "run.yaml", poses)
    run = Victim(0, "run", path, TMPDIR=str(folder))
    modes = set()
    while run.process.poll() is None:
        for entry in os.scandir(folder):
            try:
                modes.add(stat.S_IMODE(entry.stat().st_mode) & 0o077)
            except FileNotFoundError:
                continue
        time.sleep(0.002)
    assert run.wait() == 0, run.output
    assert modes <= {0}
    assert not os.listdir(folder)
