"""The report: the telemetry notebook, executed for a run and written as one file of HTML that fetches nothing."""

import html
import importlib.util
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from ..config.shipped import shipped_file
from ..errors import LaunchError, StageAError
from ..mpi.child_process import package_environment

if TYPE_CHECKING:
    from jupyter_client.manager import AsyncKernelManager
    from nbformat import NotebookNode

NOTEBOOK = "03_telemetry_report.ipynb"

#: What reads the run, draws it, executes the notebook and writes it as a page: the extra `notebooks`.
_LIBRARIES = ("ipykernel", "jinja2", "jupyter_client", "matplotlib", "nbclient", "nbconvert", "nbformat", "pandas")

#: Seconds that one cell may take, of which one shows all panels of the report.
_CELL_LIMIT_S = 1800

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
body {{ font: 15px/1.45 sans-serif; color: #222; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }}
h1 {{ font-size: 1.7rem; }}
h2 {{ font-size: 1.2rem; margin: 2rem 0 0.5rem; border-bottom: 1px solid #ccc; break-after: avoid; }}
table {{ border-collapse: collapse; font-size: 0.85rem; margin: 0.7rem 0; display: block; overflow-x: auto; }}
th, td {{ text-align: left; padding: 0.15rem 0.8rem 0.15rem 0; vertical-align: top; border-bottom: 1px solid #eee; }}
td {{ max-width: 24rem; overflow-wrap: break-word; }}
table.dataframe, table.dataframe th, table.dataframe td {{ border-width: 0 0 1px; border-color: #eee; }}
img {{ max-width: 100%; height: auto; display: block; margin: 0.7rem 0; break-inside: avoid; }}
pre {{ white-space: pre-wrap; }}
code {{ background: #f2f2f2; padding: 0 0.2em; }}
li {{ margin: 0.35rem 0; }}
.anchor-link, .jp-InputPrompt, .jp-OutputPrompt, .prompt {{ display: none; }}
</style>
</head>
<body>
{body}
</body>
</html>
"""


class ReportError(StageAError):
    """The notebook of the report did not run to its end."""


def write_report(run_root: str | Path, path: str | Path) -> Path:
    """Executes the telemetry notebook for a run and writes it as HTML.

    Parameters
    ----------
    run_root : path
    path : path
        The HTML file; it appears when it is whole.

    Raises
    ------
    RunFolderError
        There is no run.
    LaunchError
        The notebook or libraries that execute it or draw in it are not installed.
    ReportError
        A cell raised, or took too long.
    """
    _require_libraries()
    from ..rundir.folders import write_text
    from .tables import require_run

    require_run(run_root)
    notebook = executed(_notebook(), {"run_root": str(Path(run_root).resolve())})
    page = _PAGE.format(
        title=html.escape(f"stagea_mpi: report of {Path(run_root).resolve().name}"), body=_body(notebook)
    )
    path = Path(path).absolute()
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, page)
    return path


def _require_libraries() -> None:
    """Raises LaunchError with all libraries that are missing: an installation without extras has none of them."""
    missing = [name for name in _LIBRARIES if not _is_installed(name)]
    if missing:
        raise LaunchError(
            f"a report needs {', '.join(missing)}, not installed here: `pip install {' '.join(missing)}`, or install "
            "stagea_mpi with its extra: `pip install '.[notebooks]'` in its source tree"
        )


def _is_installed(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ImportError:
        return False


def executed(path: Path, parameters: dict[str, str]) -> "NotebookNode":
    """A notebook with its outputs.

    Parameters
    ----------
    path : Path
    parameters : dict
        Values that replace those of the cell that is tagged ``parameters``.

    Returns
    -------
    notebook : nbformat.NotebookNode
    """
    import nbformat
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

    notebook = nbformat.read(path, as_version=4)
    tagged = [place for place, cell in enumerate(notebook.cells) if "parameters" in cell.metadata.get("tags", [])]
    assigned = "\n".join(f"{name} = {value!r}" for name, value in parameters.items())
    notebook.cells.insert(tagged[0] + 1, nbformat.v4.new_code_cell(assigned))
    with tempfile.TemporaryDirectory(prefix="stagea-") as sockets:
        client = NotebookClient(
            notebook,
            km=_kernel(sockets),
            timeout=_CELL_LIMIT_S,
            startup_timeout=120,
            extra_arguments=["--log-level=ERROR"],
            resources={"metadata": {"path": str(path.parent)}},
        )
        try:
            client.execute(env=_kernel_environment())
        except CellExecutionError as error:
            raise ReportError(
                f"{path.name}: {error.ename}: {error.evalue}, in the cell\n{_failed_cell(notebook)}"
            ) from error
        except (CellTimeoutError, DeadKernelError) as error:
            raise ReportError(f"{path.name}: {error}") from error
    return notebook


def _failed_cell(notebook: "NotebookNode") -> str:
    outputs = ((cell, output) for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs)
    return next((cell.source for cell, output in outputs if output.output_type == "error"), "")


def _kernel(sockets: str) -> "AsyncKernelManager":
    """A kernel of this very interpreter, whatever kernels the user has installed under its name.

    It is spoken to through files that only this user can open: a compute node has other users, too.
    """
    from jupyter_client.kernelspec import KernelSpecManager
    from jupyter_client.manager import AsyncKernelManager

    specs = KernelSpecManager(kernel_dirs=[], ensure_native_kernel=True)
    return AsyncKernelManager(kernel_spec_manager=specs, transport="ipc", ip=str(Path(sockets, "kernel")))


def _kernel_environment() -> dict[str, str]:
    """Without what would make the kernel take itself for a rank, and with this package."""
    return package_environment(("OMPI_", "PMIX_", "PMI_", "HYDRA_"), MPLBACKEND="agg")


def _notebook() -> Path:
    try:
        return shipped_file("notebooks", NOTEBOOK)
    except FileNotFoundError as error:
        raise LaunchError(f"{error.filename} {error.strerror}; install stagea_mpi again") from error


def _body(notebook: "NotebookNode") -> str:
    """Texts and outputs without the code; images are in the page itself."""
    from nbconvert import HTMLExporter

    # The template `basic` has no page around the cells: the page of the others loads MathJax and RequireJS from a
    # server.
    exporter = HTMLExporter(
        template_name="basic", exclude_input=True, exclude_input_prompt=True, exclude_output_prompt=True
    )
    body, _ = exporter.from_notebook_node(notebook)
    return body


def main(run_root: str, path: str | None) -> int:
    """The command `report`."""
    written = write_report(run_root, path or Path(run_root) / "report.html")
    print(f"stagea_mpi: {written} ({written.stat().st_size / 1e6:.1f} MB)", file=sys.stdout)
    return 0
