"""The notebooks: how they are kept, and that they run without a head on real data."""

import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
import yaml
from holding import HANG_S
from launching import ROOT, launch_environment

from stagea_mpi.config.run_config import parse_config
from stagea_mpi.demo.poses import COMPLEXES, write_complex
from stagea_mpi.report.panels import PANELS
from stagea_mpi.report.report import executed

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
CHAINS = {"heavy": "H", "light": "L", "antigen": "A"}
#: Appended to each notebook that is executed here.
NO_MPI = """
import sys
MPI = sys.modules.get("mpi4py.MPI")
assert MPI is None or not MPI.Is_initialized()
"""


def run_notebook(name: str, folder: Path, **parameters):
    """Executes a copy of a notebook in a folder and returns it with its outputs."""
    (source,) = [path for path in NOTEBOOKS if name in path.name]
    notebook = nbformat.read(source, as_version=4)
    notebook.cells.append(nbformat.v4.new_code_cell(NO_MPI))
    copy = folder / source.name
    nbformat.write(notebook, copy)
    return executed(copy, parameters)


def pictures(notebook) -> int:
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    return sum("image/png" in output.get("data", {}) for output in outputs)


def texts(notebook) -> str:
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    return "\n".join(output.get("text", "") + output.get("data", {}).get("text/plain", "") for output in outputs)


@pytest.fixture(scope="module")
def finished(poses, tmp_path_factory) -> Path:
    """A run that was started by the cells of the first notebook alone, on two ranks."""
    folder = tmp_path_factory.mktemp("notebooks")
    shutil.copytree(poses, folder / "input")
    stage_a = {"max_failed_fraction": 0.5}
    notebook = run_notebook(
        "configure_and_run", folder, run_root=str(folder / "run"), pdb_root=str(folder / "input"), chains=CHAINS,
        ranks=2, stage_a=stage_a, reference=str(write_complex(folder / "7DAA.pdb", COMPLEXES["7DAA"])),
    )  # fmt: skip
    assert "ended with exit code 0" in texts(notebook)
    assert pictures(notebook) == 1
    return folder / "run"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_kept_without_outputs_in_short_cells_with_one_cell_of_parameters(path):
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell for cell in code if cell.outputs or cell.execution_count is not None] == []
    assert sum("parameters" in cell.metadata.get("tags", []) for cell in code) == 1
    assert [cell.source for cell in code if len(cell.source.splitlines()) >= 10] == []


def test_notebooks_are_numbered():
    assert [path.name[:3] for path in NOTEBOOKS] == [f"{number:02d}_" for number in range(1, len(NOTEBOOKS) + 1)]


def test_the_first_notebook_goes_on_with_the_run_of_make_demo():
    """With other settings the run folder would be refused as that of another input."""
    cells = nbformat.read(NOTEBOOKS[0], as_version=4).cells
    (cell,) = [cell for cell in cells if "parameters" in cell.metadata.get("tags", [])]
    stated: dict = {}
    exec(cell.source, {}, stated)
    paths = {key: str((ROOT / "notebooks" / stated[key]).resolve()) for key in ("run_root", "pdb_root")}
    demo = yaml.safe_load((ROOT / "jobs" / "demo.yaml").read_text(encoding="utf-8"))
    paths["reference"] = str((ROOT / "notebooks" / stated["reference"]).resolve())
    demo |= {key: str(ROOT / demo[key]) for key in paths}
    mine = parse_config({**paths, "chains": stated["chains"], "stage_a": stated["stage_a"]}, "the notebook", {})
    assert mine == parse_config(demo, "demo.yaml", {})


def test_a_run_is_started_from_the_notebook_alone(finished):
    assert (finished / "shards" / "shard_000000" / "STAGEA_DONE").exists()
    assert len(list((finished / "telemetry").glob("*_[01].jsonl"))) == 2


def test_graphs_are_explored(finished, tmp_path):
    notebook = run_notebook("explore_graphs", tmp_path, run_root=str(finished), predicted=str(tmp_path / "predicted"))
    assert pictures(notebook) == 9
    assert "7daa_seed-1_sample-1" in texts(notebook)
    pages = [o.data.get("text/html", "") for cell in notebook.cells for o in cell.get("outputs", []) if "data" in o]
    (view,) = [page for page in pages if page.startswith("<iframe srcdoc=")]
    assert "data:text/plain;base64," in view  # the structure, in the page itself
    assert "\nTrue\n" in texts(notebook)  # the graph that is built from the file alone equals the run's


def test_models_are_analysed_beside_the_known_complex(finished, tmp_path):
    parameters = {"run_root": str(finished), "reference_path": str(finished.parent / "7DAA.pdb")}
    notebook = run_notebook("analysis", tmp_path, **parameters)
    assert pictures(notebook) == 4
    assert "target_problem" in texts(notebook)


def test_the_report_notebook_shows_the_run(finished, tmp_path):
    notebook = run_notebook("telemetry_report", tmp_path, run_root=str(finished))
    assert pictures(notebook) >= 9
    shown = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    marked = [output.data.get("text/markdown", "") for output in shown if output.output_type == "display_data"]
    assert [text[3:] for text in marked if text.startswith("## ")] == list(dict.fromkeys(p.section for p in PANELS))


def test_runs_are_compared_by_ranks(poses, tmp_path):
    parameters = {
        "pdb_root": str(poses),
        "chains": CHAINS,
        "runs": str(tmp_path / "runs"),
        "ranks": [1, 2],
        "models": [1000],
        "ranks_a_node": 64,
    }
    notebook = run_notebook("scaling", tmp_path, **parameters)
    assert "1 ranks: exit code 0" in texts(notebook)
    assert "2 ranks: exit code 0" in texts(notebook)
    assert pictures(notebook) == 3


def test_nbmake_runs_the_report_notebook_as_it_is_shipped(finished, tmp_path):
    """With its own parameters: relative paths to a run beside the notebooks."""
    (tmp_path / "notebooks").mkdir()
    shutil.copy(ROOT / "notebooks" / "03_telemetry_report.ipynb", tmp_path / "notebooks")
    shutil.copytree(finished, tmp_path / "demo" / "run")
    command = [sys.executable, "-m", "pytest", "--nbmake", "-p", "no:cacheprovider", "-q", "--rootdir", str(tmp_path)]
    done = subprocess.run(
        [*command, str(tmp_path / "notebooks")], env=launch_environment(), cwd=tmp_path, capture_output=True, text=True,
        timeout=HANG_S,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
