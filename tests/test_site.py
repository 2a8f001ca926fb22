"""The documentation as a site: it is built without a warning, its links hold, and its reference is complete.

What the reference has to have is taken from what is written and called: files of a run, of DeepRank-Ab, and of `jobs/`;
imports of notebooks; signatures.
"""

import ast
import csv
import gzip
import inspect
import io
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import h5py
import pytest
import yaml
from holding import HANG_S
from launching import ROOT

import stagea_mpi

pytest.importorskip("sphinx", reason="the extra `docs` is not installed")
pytestmark = pytest.mark.slow


class Page(HTMLParser):
    """Anchors of a page, where it leads to, what it loads, and its code."""

    def __init__(self, path: Path):
        super().__init__()
        self.anchors: set[str] = set()
        self.links: set[str] = set()
        self.loaded: set[str] = set()
        self.text = ""
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attributes):
        if tag in ("dd", "dt", "p", "td"):
            self.text += " "
        found = dict(attributes)
        self.anchors |= {found[name] for name in ("id", "name") if found.get(name)}
        if tag == "a" and found.get("href"):
            self.links.add(found["href"])
        if tag in ("img", "script", "iframe") and found.get("src"):
            self.loaded.add(found["src"])
        if tag == "link" and found.get("rel") in ("stylesheet", "icon", "preload"):
            self.loaded.add(found["href"])

    def handle_data(self, data):
        self.text += data


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("docs")
    (folder / "pages").mkdir()
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-c", ROOT / "docs" / "site"]
    done = subprocess.run(
        [*command, "-d", folder / "doctrees", folder / "pages", folder / "site"],
        capture_output=True,
        text=True,
        timeout=HANG_S,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "site"


@pytest.fixture(scope="module")
def pages(site) -> dict[str, Page]:
    return {path.relative_to(site).as_posix(): Page(path) for path in site.rglob("*.html")}


def lacking(wanted, page: Page) -> list[str]:
    """Which of some names are no words of a page."""
    words = set(re.findall(r"[\w./-]+", page.text))
    return sorted(name for name in wanted if name not in words)


def test_every_link_leads_to_a_page_and_a_part_that_are_there(site, pages):
    wrong = set()
    for name, page in pages.items():
        for link in page.links:
            target = urlsplit(link)
            if target.scheme in ("http", "https"):
                continue
            path = (site / name).parent / unquote(target.path) if target.path else site / name
            part = unquote(target.fragment)
            if not path.is_file():
                wrong.add((name, link))
            elif part and part not in pages[path.resolve().relative_to(site.resolve()).as_posix()].anchors:
                wrong.add((name, link))
    assert wrong == set()
    assert len({link for page in pages.values() for link in page.links}) > 100


def test_pages_load_nothing_from_elsewhere(site, pages):
    loaded = {(name, urlsplit(source).path) for name, page in pages.items() for source in page.loaded}
    assert [source for page in pages.values() for source in page.loaded if urlsplit(source).netloc] == []
    assert [(name, path) for name, path in loaded if not ((site / name).parent / path).is_file()] == []


def test_every_page_of_the_repository_is_there(pages):
    names = [path.stem for path in (ROOT / "docs").glob("*.md")]
    expected = {f"docs/{name}.html" for name in names} | {"index.html", "jobs/README.html", "CHANGELOG.html"}
    expected |= {f"notebooks/{path.stem}.html" for path in (ROOT / "notebooks").glob("*.ipynb")}
    assert expected - set(pages) == set()
    margin = {urlsplit(link).path for link in pages["index.html"].links}
    assert expected - {"index.html"} - margin == set()


def test_every_key_of_the_shipped_configurations_is_in_the_reference(pages):
    keys = set()
    for path in (ROOT / "jobs").glob("*.yaml"):
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        keys |= {f"confval-{key}" for key in content if key != "stage_a"}
        keys |= {f"confval-{section}.{key}" for section in ("stage_a", "chains") for key in content.get(section, {})}
    assert {"confval-run_root", "confval-chains.heavy", "confval-stage_a.srun_mpi"} <= keys
    assert keys - pages["reference/run_yaml.html"].anchors == set()


def test_what_a_key_may_be_is_told(pages):
    text = " ".join(pages["reference/run_yaml.html"].text.split())
    assert "stage_a.cores¶ Type: a whole number of at least 1 Default: 32" in text
    assert "stage_a.max_failed_fraction¶ Type: a number of at least 0 and at most 1 Default: 0.1" in text


def test_every_public_name_is_in_the_reference(pages):
    names = set()
    for name in stagea_mpi.__all__:
        value = getattr(stagea_mpi, name)
        names.add(f"stagea_mpi.{name}")
        if inspect.isclass(value) and not issubclass(value, Exception):
            own = [kind for kind in value.__mro__ if kind.__module__.startswith("stagea_mpi")]
            names |= {
                f"stagea_mpi.{name}.{method}"
                for kind in own
                for method, found in vars(kind).items()
                if not method.startswith("_") and (callable(found) or isinstance(found, (property, classmethod)))
            }
    assert {"stagea_mpi.build_graph", "stagea_mpi.InterfaceGraph.cluster", "stagea_mpi.Run.edges"} <= names
    assert names - pages["reference/python.html"].anchors == set()


def imported_by_notebooks() -> Iterator[object]:
    """What the notebooks import of the package."""
    for path in (ROOT / "notebooks").glob("*.ipynb"):
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        for cell in cells:
            for node in ast.walk(ast.parse("".join(cell["source"]))) if cell["cell_type"] == "code" else ():
                if isinstance(node, ast.ImportFrom) and node.module.startswith("stagea_mpi."):
                    scope: dict = {}
                    exec(ast.unparse(node), scope)
                    yield from (scope[alias.asname or alias.name] for alias in node.names)


def test_what_the_notebooks_import_is_in_the_reference(pages):
    anchors = pages["reference/modules.html"].anchors
    found = [value for value in imported_by_notebooks() if inspect.ismodule(value) or hasattr(value, "__qualname__")]
    names = {
        f"module-{value.__name__}" if inspect.ismodule(value) else f"{value.__module__}.{value.__qualname__}"
        for value in found
    }
    assert {"module-stagea_mpi.notebook.launch", "stagea_mpi.report.tables.load"} <= names
    assert names - anchors == set()


def test_every_command_that_the_readme_shows_is_in_the_reference(pages):
    text = (ROOT / "README.md").read_text(encoding="utf-8") + (ROOT / "jobs" / "README.md").read_text(encoding="utf-8")
    commands = set(re.findall(r"python -m stagea_mpi ([\w-]+)", text))
    assert {"plan", "run", "submit", "doctor"} <= commands
    assert commands - pages["reference/commands.html"].anchors == set()
    options = set(re.findall(r"python -m stagea_mpi [\w-]+ [^\n`#|]*?(--[a-z-]+)", text))
    assert "--dry-run" in options
    assert lacking(options, pages["reference/commands.html"]) == []


def test_every_reason_and_exit_code_that_the_guides_name_is_in_the_reference(pages):
    page = pages["reference/exit_codes.html"]
    failures = (ROOT / "docs" / "failures.md").read_text(encoding="utf-8")
    models = failures.partition("## Runs")[0]
    reasons = re.findall(r"^\| `(\w+)` \|", models, re.MULTILINE)
    assert len(reasons) > 20
    assert {reason.replace("_", "-") for reason in reasons} - page.anchors == set()
    jobs = (ROOT / "jobs" / "README.md").read_text(encoding="utf-8")
    codes = re.findall(r"^\| (\d+) \|", jobs, re.MULTILINE)
    assert {"0", "75"} <= set(codes)
    assert lacking(codes, page) == []


def test_every_dataset_of_deeprank_abs_own_file_is_in_the_reference(pages, tmp_path):
    path = tmp_path / "graphs.h5"
    path.write_bytes(gzip.decompress((ROOT / "tests" / "data" / "peer_7CFN.h5.gz").read_bytes()))
    with h5py.File(path) as file:
        (group,) = file.values()
        found = [path for path in datasets_in(group) if not path.startswith("score")]
    assert {"nodes", "node_data/pos", "internal_edge_data/orientation"} <= set(found)
    assert lacking(found, pages["reference/columns.html"]) == []


def datasets_in(group: h5py.Group) -> list[str]:
    found: list[str] = []
    group.visititems(lambda path, item: found.append(path) if isinstance(item, h5py.Dataset) else None)
    return found


def names_in_a_run(root: Path) -> Iterator[str]:
    """Columns, datasets, attributes and keys of a run's files."""
    for path in root.glob("shards/*/packed.h5"):
        with h5py.File(path) as file:
            yield from file.attrs
            yield from datasets_in(file)
    for path in root.glob("shards/*/graphs.h5"):
        with h5py.File(path) as file:
            for group in file.values():
                yield from group if len(group) == 1 else datasets_in(group)
    for path in root.glob("shards/*/meta_stageA.json"):
        meta = json.loads(path.read_text())
        yield from (*meta, *meta["result"])
    for path in root.glob("shards/*/*.tsv*"):
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        yield from content.decode().split("\n")[0].split("\t")
    for path in root.glob("compute_metrics/*.csv"):
        header = next(csv.reader(io.StringIO(path.read_text())))
        yield from (name for name in header if not re.fullmatch(r"cpu\d+_pct", name))
    for path in root.glob("telemetry/*.jsonl"):
        for line in path.read_text().splitlines():
            event = json.loads(line)
            yield from (event["stage"], *event)


def test_every_column_dataset_and_key_of_a_run_is_in_the_reference(pages, two_rank_run):
    found = set(names_in_a_run(two_rank_run))
    of_each = {"node/bsa", "node_data/bsa", "versions", "wall_s", "n_fail", "chosen", "reason", "load15", "models"}
    assert of_each <= found
    assert lacking(found, pages["reference/columns.html"]) == []


def test_every_file_of_a_run_is_told(two_rank_run):
    text = (ROOT / "docs" / "files.md").read_text(encoding="utf-8")
    table = re.search(r"^\| file \|.*?\n\n", text, re.MULTILINE | re.DOTALL)[0].strip()
    told = [name for row in table.splitlines()[2:] for name in re.findall(r"`([^`]+)`", row.split("|")[1])]
    files = {path.relative_to(two_rank_run).as_posix() for path in two_rank_run.rglob("*") if path.is_file()}
    ours = {path for path in files if not path.startswith("shards/shard_") or path.count("/") == 2}
    untold = [path for path in ours if not any(is_told(path, name) for name in told)]
    assert len(ours) > 12
    assert untold == []


def is_told(path: str, name: str) -> bool:
    """Whether a row of the table is of this file: a folder's of all that is in it, a shard's of every shard's."""
    path = re.sub(r"shard_\d{6}", "shard_000000", path)
    if name.endswith("/"):
        return path.startswith(name)
    return Path(path).match(name.removeprefix("…/"))


def test_a_notebook_has_outputs_as_long_as_it_is_the_one_that_was_executed(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "docs" / "site")
    import pages as site_pages

    monkeypatch.setattr(site_pages, "ROOT", tmp_path)
    cell = {"cell_type": "code", "execution_count": None, "metadata": {}, "outputs": [], "source": ["1 + 1"]}
    output = {"output_type": "execute_result", "data": {"text/plain": [f"{tmp_path}/run"]}, "execution_count": 1}
    for folder, outputs in (("notebooks", []), ("build/notebooks", [output])):
        (tmp_path / folder).mkdir(parents=True)
        notebook = {"cells": [cell | {"outputs": outputs}], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
        (tmp_path / folder / "01_one.ipynb").write_text(json.dumps(notebook))
    path = "notebooks/01_one.ipynb"
    for _ in range(2):
        site_pages.gather(tmp_path / "site")
        shown = json.loads((tmp_path / "site" / path).read_bytes())
        assert shown["cells"][0]["outputs"] == [output | {"data": {"text/plain": ["…/run"]}}]
    (tmp_path / path).write_text((tmp_path / path).read_text().replace("1 + 1", "1 + 2"))
    site_pages.gather(tmp_path / "site")
    assert json.loads((tmp_path / "site" / path).read_bytes())["cells"][0]["outputs"] == []


def test_a_second_build_reads_no_page_again(site):
    folder = site.parent
    command = [sys.executable, "-m", "sphinx", "-c", ROOT / "docs" / "site", "-d", folder / "doctrees"]
    done = subprocess.run(
        [*command, folder / "pages", shutil.copytree(site, folder / "again")],
        capture_output=True,
        text=True,
        timeout=HANG_S,
    )
    assert done.returncode == 0, done.stderr
    assert "0 added, 0 changed, 0 removed" in done.stdout
