"""Names beyond ASCII are the same names in every locale, and no terminal's encoding ends a run."""

import os
import shutil
import subprocess
import sys

import pytest
from holding import HANG_S
from launching import ROOT, launch_environment
from made import fv_lines, write

from stagea_mpi.notebook.explore import Run

NAME = "modèle_日本"


@pytest.fixture(scope="module")
def locales(tmp_path_factory) -> str:
    """A folder with a locale whose encoding is ISO-8859-1."""
    folder = tmp_path_factory.mktemp("locales")
    program = shutil.which("localedef")
    if program is None:
        pytest.skip("no localedef (Debian: locales)")
    made = subprocess.run(
        [program, "-i", "en_US", "-f", "ISO-8859-1", str(folder / "en_US.ISO-8859-1")],
        capture_output=True,
        timeout=HANG_S,
    )
    if not (folder / "en_US.ISO-8859-1").is_dir():
        pytest.skip(f"localedef cannot make a locale: {made.stderr.decode(errors='replace')}")
    return str(folder)


@pytest.mark.parametrize("locale", ["C", "en_US.ISO-8859-1"])
def test_a_run_between_folders_beyond_ascii_gives_the_same_names_in_every_locale(locale, locales, tmp_path):
    root = tmp_path / "Übung"
    write(root / "ein" / f"{NAME}.pdb", fv_lines())
    write(root / "ein" / f"{NAME}_two.pdb", fv_lines()[:-3] + fv_lines()[:3])
    (root / "ketten.csv").write_text("model,heavy,light,antigen\nmodèle*,H,L,A\n", encoding="utf-8")
    config = root / "läuft.yaml"
    config.write_text(
        "run_root: $WHERE/ergebnis_é\npdb_root: $WHERE/ein\n"
        "chains: {table: $WHERE/ketten.csv}\ncollect_metrics: false\nstage_a: {max_failed_fraction: 1}\n",
        encoding="utf-8",
    )
    environment = {key: value for key, value in launch_environment().items() if not key.startswith(("LC_", "PYTHON"))}
    environment |= {"LC_ALL": locale, "LOCPATH": locales, "WHERE": str(root), "PYTHONPATH": str(ROOT)}
    for arguments in (["plan", str(config)], ["run", str(config)], ["status", str(root / "ergebnis_é")]):
        done = subprocess.run(
            [sys.executable, "-m", "stagea_mpi", *arguments], env=environment, capture_output=True, timeout=HANG_S
        )
        assert done.returncode == 0, done.stderr.decode(errors="replace")
        assert b"Encode" not in done.stderr
    assert sorted(os.listdir(root)) == sorted(["ein", "ergebnis_é", "ketten.csv", "läuft.yaml"])
    run = Run(root / "ergebnis_é")
    assert sorted(run.models.index) == [NAME, f"{NAME}_two"]
    assert run.models.loc[NAME, "source"] == str(root / "ein" / f"{NAME}.pdb")
    assert run.models.loc[NAME, "status"] == "ok"


def test_a_terminal_without_a_letter_shows_its_number(tmp_path):
    config = tmp_path / "läuft.yaml"
    config.write_text(f"run_root: {tmp_path}/日本\npdb_root: {tmp_path}/ein\nchains: auto\n", encoding="utf-8")
    write(tmp_path / "ein" / "x.pdb", fv_lines())
    environment = launch_environment() | {"PYTHONIOENCODING": "ascii", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-m", "stagea_mpi", "plan", str(config)], env=environment, capture_output=True, timeout=HANG_S
    )
    assert done.returncode == 0, done.stderr.decode()
    assert rb"\u65e5\u672c" in done.stdout


def test_paths_that_another_encoding_would_change_are_refused_from_python(locales, tmp_path):
    config = tmp_path / "run.yaml"
    config.write_text(f"run_root: {tmp_path}/é\npdb_root: {tmp_path}\nchains: auto\n", encoding="utf-8")
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("LC_", "PYTHON"))}
    environment |= {"LC_ALL": "en_US.ISO-8859-1", "LOCPATH": locales, "PYTHONPATH": str(ROOT)}
    program = f"from stagea_mpi.config.run_config import load_config; load_config({str(config)!r})"
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, timeout=HANG_S)
    assert b"run_root: " in done.stderr
    assert b"start it (or Jupyter) with PYTHONUTF8=1" in done.stderr
