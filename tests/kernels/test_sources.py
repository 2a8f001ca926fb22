import re
import tomllib
from pathlib import Path

import stagea_mpi.kernels
from stagea_mpi.kernels import compiled

ROOT = Path(__file__).parents[2]
SOURCES = {path.name: path.read_text(encoding="utf-8") for path in (ROOT / "stagea_mpi/kernels").glob("*.[ch]")}
(MODULE,) = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["ext-modules"]


def test_all_sources_are_built_and_a_change_of_any_header_builds_them_anew():
    listed = [Path(path).name for path in MODULE["sources"] + MODULE["depends"]]
    assert sorted(listed) == sorted(SOURCES)


def test_python_is_known_to_module_c_alone():
    assert {name for name, text in SOURCES.items() if re.search(r"Python\.h|\bPy[A-Z_]\w*\(", text)} == {"module.c"}


def test_kernels_keep_nothing_from_one_call_to_the_next():
    """No variable outlives a call: what is static is a function, or constant (or Python's own tables in module.c)."""
    static = re.compile(r"^static (?!inline|const)[^()]*?[=;]", re.MULTILINE)
    found = {name: static.findall(text) for name, text in SOURCES.items()}
    assert len(found.pop("module.c")) == 3
    assert not any(found.values())


def test_each_function_says_its_arguments_and_has_types():
    stub = (Path(stagea_mpi.kernels.__file__).parent / "compiled.pyi").read_text(encoding="utf-8")
    typed = set(re.findall(r"^def (\w+)", stub, re.MULTILINE))
    functions = {name: value for name, value in vars(compiled).items() if callable(value) and not name.startswith("_")}
    assert typed == set(functions)
    for name, function in functions.items():
        arguments = re.findall(r"\w+(?=:)|/", re.search(rf"def {name}\((.*?)\)", stub, re.DOTALL).group(1))
        assert function.__text_signature__ == f"({', '.join(arguments)})"
