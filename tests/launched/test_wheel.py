"""What `pip install` gives, without the source tree: every command, and what each of them needs."""

import ast
import importlib.metadata
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
import tarfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from email.parser import HeaderParser
from pathlib import Path
from zipfile import ZipFile

import pytest
from holding import HANG_S, HeldPython
from launching import ROOT, launch_environment, mpiexec, write_run_yaml
from packaging.metadata import Metadata

#: What a wheel is made from.
SOURCES = ("stagea_mpi", "jobs", "notebooks", "pyproject.toml", "README.md", "LICENSE")
#: Of the extra: an installation without it has none of them.
EXTRAS = (
    "IPython",
    "ipykernel",
    "jinja2",
    "jupyter_client",
    "matplotlib",
    "nbclient",
    "nbconvert",
    "nbformat",
    "pandas",
)

_HIDING = """import sys

class Hidden:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {names!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Hidden())
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    source, made = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("made")
    for name in SOURCES:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__", ".ipynb_*"))
        else:
            shutil.copy(ROOT / name, source)
    pip("wheel", "--no-build-isolation", "--wheel-dir", made, source)
    (found,) = made.glob("stagea_mpi-*.whl")
    return found


@pytest.fixture(scope="module")
def sdist(tmp_path_factory) -> Path:
    """The source distribution, unpacked."""
    source, made = tmp_path_factory.mktemp("tree") / "stagea_mpi", tmp_path_factory.mktemp("sdist")
    in_any_folder = shutil.ignore_patterns(
        "*.so", "*.egg-info", "__pycache__", ".git", ".venv", ".*_cache", ".hypothesis"
    )

    def made_here(folder: str, names: list[str]) -> set[str]:
        return in_any_folder(folder, names) | ({"build", "demo"} if Path(folder) == ROOT else set())

    shutil.copytree(ROOT, source, ignore=made_here)
    build = f"from setuptools import build_meta; print(build_meta.build_sdist({str(made)!r}))"
    subprocess.run([sys.executable, "-c", build], cwd=source, check=True, stdout=subprocess.DEVNULL, timeout=HANG_S)
    (archive,) = made.glob("stagea_mpi-*.tar.gz")
    with tarfile.open(archive) as content:
        content.extractall(made, filter="data")
    return made / archive.name.removesuffix(".tar.gz")


@pytest.fixture(scope="module")
def fresh(wheel, tmp_path_factory) -> Path:
    """An environment with the wheel, which sees the dependencies of this one but no source tree."""
    folder = tmp_path_factory.mktemp("fresh") / "env"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True, timeout=HANG_S)
    pip("--python", folder / "bin/python", "install", wheel)
    (packages,) = folder.glob("lib/python*/site-packages")
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")  # its own .pth files do not count
    return folder


def pip(*arguments) -> None:
    options = ["--disable-pip-version-check", "--quiet"]
    before = [] if arguments[0] != "--python" else arguments[:2]
    command, *rest = arguments[len(before) :]
    line = [sys.executable, "-m", "pip", *options, *before, command, "--no-deps", "--no-index", *rest]
    subprocess.run([str(word) for word in line], check=True, timeout=HANG_S)


@pytest.fixture(scope="module")
def hidden(tmp_path_factory) -> str:
    """A folder for PYTHONPATH with which Python does not find what the extra installs."""
    folder = tmp_path_factory.mktemp("hidden")
    (folder / "sitecustomize.py").write_text(_HIDING.format(names=EXTRAS))
    return str(folder)


@pytest.fixture(scope="module")
def call(fresh, tmp_path_factory):
    """Runs the installed `stagea-mpi`, or another command of the fresh environment, in an empty folder."""

    def start(*arguments, before: tuple = (), program: tuple = ("stagea-mpi",), **variables):
        environment = {name: value for name, value in launch_environment().items() if name != "PYTHONPATH"}
        environment["PATH"] = f"{fresh / 'bin'}:{environment['PATH']}"
        environment["JUPYTER_PATH"] = f"{sysconfig.get_path('data')}/share/jupyter"  # nbconvert's templates
        line = [*before, str(fresh / "bin" / program[0]), *program[1:], *map(str, arguments)]
        empty = tmp_path_factory.mktemp("empty")
        done = subprocess.run(
            line, cwd=empty, env=environment | variables, capture_output=True, encoding="utf-8", timeout=HANG_S
        )
        assert list(empty.iterdir()) == []
        return done

    return start


@pytest.fixture(scope="module")
def written(poses, tmp_path_factory) -> Path:
    return write_run_yaml(tmp_path_factory.mktemp("run") / "run.yaml", poses, glob='"pose_000[12].pdb"')


@pytest.fixture(scope="module")
def finished(written, call, hidden) -> Path:
    """The folder of a run on two ranks by an installation without extras."""
    ranks = (mpiexec(), "-n", "2", "--oversubscribe")
    done = call("run", written, before=ranks, PYTHONPATH=hidden)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 of 2 models are in" in done.stdout
    return written.with_suffix("")


@pytest.mark.parametrize("program", [("stagea-mpi",), ("python", "-m", "stagea_mpi")])
def test_its_version_is_that_of_the_package(program, call, fresh, wheel):
    version = wheel.name.split("-")[1]
    assert call("--version", program=program).stdout == f"stagea_mpi {version}\n"
    where = call("-c", "import stagea_mpi; print(stagea_mpi.__file__, stagea_mpi.__version__)", program=("python",))
    assert where.stdout.startswith(str(fresh))
    assert where.stdout.split()[1] == version


def test_every_command_but_report_works_without_the_extra(call, written, finished, fresh, hidden):
    expected = {
        ("plan", written): ["2 files", "srun --mpi=pmix"],
        ("submit", written, "--dry-run"): ["#SBATCH --ntasks-per-node=32", f"source {fresh}/bin/activate", "sbatch"],
        ("status", finished): ["2 of 2 models"],
        ("verify", finished): ["1 shard"],
        ("export", finished): ["2 models are in", "1 skipped"],
        ("doctor",): ["all is well"],
    }
    for arguments, words in expected.items():
        done = call(*arguments, PYTHONPATH=hidden)
        assert done.returncode == 0, done.stdout + done.stderr
        assert [word for word in words if word not in done.stdout] == [], done.stdout


def test_the_job_that_follows_has_its_script_as_well(call, poses, tmp_path):
    path = write_run_yaml(tmp_path / "run.yaml", poses)
    path.write_text(path.read_text() + "after: ls -l\n")
    done = call("submit", path, "--dry-run")
    assert done.returncode == 0, done.stderr
    assert "AFTER='ls -l'" in done.stdout


def test_the_report_is_made_from_the_installed_notebook(call, finished):
    done = call("report", finished)
    assert done.returncode == 0, done.stderr
    page = (finished / "report.html").read_text(encoding="utf-8")
    assert "<h2" in page
    assert "Traceback" not in page


def test_a_report_without_its_libraries_says_in_one_line_what_to_install(call, finished, hidden):
    done = call("report", finished, PYTHONPATH=hidden)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1, done.stderr
    assert done.stderr.startswith("stagea_mpi: error: a report needs ipykernel, jinja2, ")
    assert "`pip install ipykernel jinja2 jupyter_client matplotlib nbclient nbconvert nbformat pandas`" in done.stderr


def test_the_installed_command_starts_again_in_utf8_where_the_locale_has_another_encoding(call, tmp_path):
    config = tmp_path / "läuft.yaml"
    config.write_text("run_root: r\n")
    # Neither Python's UTF-8 mode nor another locale in C's place: names of files are ASCII, until we start again.
    done = call("plan", config, LC_ALL="C", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0")
    assert done.returncode == 2
    assert f"{config}: pdb_root is missing" in done.stderr


def test_the_installed_command_hears_a_stop_while_it_starts(call, written, tmp_path):
    hold = HeldPython(tmp_path / "held", "stagea_mpi.cli")
    path = written.with_name("stopped.yaml")
    path.write_text(written.read_text().replace(str(written.with_suffix("")), str(path.with_suffix(""))))
    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(call, "run", path, PYTHONPATH=str(hold.folder))
        hold.wait()
        os.kill(hold.held()[0], signal.SIGTERM)
        hold.let_go()
    assert done.result().returncode == 75, done.result().stderr
    assert "stopped early by SIGTERM" in done.result().stdout


def test_the_extra_names_all_that_the_report_and_the_notebooks_import(wheel):
    with ZipFile(wheel) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        metadata = HeaderParser().parsestr(archive.read(name).decode())
    required = {"": set(), "notebooks": set()}
    for line in metadata.get_all("Requires-Dist"):
        extra = re.search(r"extra == ['\"](\w+)['\"]", line)
        required.setdefault(extra[1] if extra else "", set()).add(normal(re.match(r"[\w.-]+", line)[0]))
    distributions = importlib.metadata.packages_distributions()
    # Of conversions and files, which say so themselves.
    optional = {"torch", "torch_geometric", "pyarrow", "ipymolstar"}
    wanted = {name for name in imported() if name not in sys.stdlib_module_names | optional | {"stagea_mpi"}}
    lacking = {
        name
        for name in wanted
        if not {normal(found) for found in distributions[name]} & (required[""] | required["notebooks"])
    }
    assert {"pandas", "matplotlib", "nbconvert"} <= wanted
    assert lacking == set()


def test_the_source_distribution_has_what_is_built_and_said_and_no_tests(sdist):
    found = {path.relative_to(sdist).as_posix() for path in sdist.rglob("*") if path.is_file()}
    written = {"PKG-INFO", "setup.cfg"} | {name for name in found if name.startswith("stagea_mpi.egg-info/")}
    said = {"README.md", "LICENSE", "CHANGELOG.md", "CITATION.cff", "MANIFEST.in", "pyproject.toml", "setup.py"}
    of_package = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "stagea_mpi").rglob("*")
        if path.is_file() and path.suffix not in (".pyc", ".so")
    }
    shipped = {
        path.relative_to(ROOT).as_posix() for pattern in ("jobs/*", "notebooks/*.ipynb") for path in ROOT.glob(pattern)
    }
    assert {"stagea_mpi/kernels/module.c", "stagea_mpi/kernels/kernels.h", "stagea_mpi/py.typed"} <= of_package
    assert found - written == said | of_package | shipped


def test_a_wheel_made_of_the_source_distribution_is_that_of_the_repository(sdist, wheel, tmp_path):
    pip("wheel", "--no-build-isolation", "--wheel-dir", tmp_path, sdist)
    (again,) = tmp_path.glob("*.whl")
    contents = []
    for path in (wheel, again):
        with ZipFile(path) as archive:
            names = [name for name in archive.namelist() if not name.endswith(("RECORD", ".so"))]
            contents.append({name: archive.read(name) for name in sorted(names)})
            assert [name for name in archive.namelist() if name.endswith(".so")] == [
                "stagea_mpi/kernels/compiled.abi3.so"
            ]
    assert again.name == wheel.name
    assert contents[1] == contents[0]


def test_the_metadata_are_what_an_index_takes(wheel):
    with ZipFile(wheel) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        metadata = Metadata.from_email(archive.read(name), validate=True)
    assert metadata.description_content_type == "text/markdown"
    assert metadata.description == (ROOT / "README.md").read_text(encoding="utf-8")
    assert metadata.license_expression == "Apache-2.0"
    assert metadata.license_files == ["LICENSE"]


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def imported() -> Iterator[str]:
    """Top-level names that the modules of report/ and notebook/ and the notebooks' cells import."""
    modules = [path for folder in ("report", "notebook") for path in (ROOT / "stagea_mpi" / folder).glob("*.py")]
    sources = [path.read_text(encoding="utf-8") for path in modules]
    for path in ROOT.glob("notebooks/*.ipynb"):
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        sources += ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    for source in sources:
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Import):
                yield from (alias.name.partition(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and not node.level:
                yield node.module.partition(".")[0]
