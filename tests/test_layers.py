"""The package's folders are layers: each imports only from those below it, and nothing imports in a circle."""

import ast
import re
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "stagea_mpi"

#: From below to above. Modules at the package's top are layers of their own.
LAYERS = (
    "errors", "system", "kernels", "scheduler", "structure", "mpi", "telemetry", "inputs", "antibody", "graph",
    "config", "storage", "rundir", "slurm", "pipeline", "report", "checks", "notebook", "training", "api", "demo",
    "command_line", "cli", "__main__",
)  # fmt: skip
#: Arrays in, arrays out: what kernels may not know.
NOT_FOR_KERNELS = ("mpi4py", "h5py", "subprocess", "multiprocessing", "socket", "yaml", "stagea_mpi.mpi")


def module_of(path: Path) -> str:
    name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
    return name.removesuffix(".__init__")


MODULES = {module_of(path): path for path in PACKAGE.rglob("*.py")}


def imports_of(module: str, *, also_later: bool = True) -> set[str]:
    """What a module imports, with modules of the package as such; without what is only imported when it is needed."""
    path, found = MODULES[module], set()
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree) if also_later else tree.body:
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            above = package.rsplit(".", node.level - 1)[0] if node.level else ""
            source = ".".join(filter(None, (above, node.module)))
            found |= {f"{source}.{name.name}" if f"{source}.{name.name}" in MODULES else source for name in node.names}
    return found - {"stagea_mpi"}  # its version


def layer_of(module: str) -> str:
    return module.split(".")[1]


@pytest.mark.parametrize("module", sorted(set(MODULES) - {"stagea_mpi"}))
def test_a_module_imports_only_from_its_own_layer_and_those_below(module):
    own = LAYERS.index(layer_of(module))
    above = [other for other in imports_of(module) & set(MODULES) if LAYERS.index(layer_of(other)) > own]
    assert not above, f"{module} imports from above it: {above}"


def test_no_modules_import_each_other_in_a_circle():
    graph = {module: imports_of(module) & set(MODULES) - {module} for module in MODULES}
    TopologicalSorter(graph).prepare()  # raises CycleError, which names the circle


@pytest.mark.parametrize("module", [name for name in MODULES if name.startswith("stagea_mpi.graph.")])
def test_kernels_start_no_process_and_know_neither_mpi_nor_files(module):
    found = [name for name in imports_of(module) if name.startswith(NOT_FOR_KERNELS)]
    assert not found
    assert not re.search(r"\bopen\(|\.read_bytes\(|\.write_", MODULES[module].read_text(encoding="utf-8"))


def test_the_table_of_rooms_has_every_folder_in_this_order():
    table = re.findall(r"^\| `(\w+)/` \|", (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"), re.MULTILINE)
    folders = {path.name for path in PACKAGE.iterdir() if (path / "__init__.py").exists()}
    assert table == [layer for layer in LAYERS if layer in folders]
    assert set(table) == folders
