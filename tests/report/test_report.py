import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser

import pytest
from holding import HANG_S

from stagea_mpi.config.values import duration
from stagea_mpi.errors import RunFolderError
from stagea_mpi.report import load, measures
from stagea_mpi.report.report import write_report

SECTIONS = [
    "What ran", "Notes", "What each rank did when", "Where the time went", "Load balance", "Models per second",
    "The nodes: CPU, memory, disk, network", "Collective writes", "Scores", "Slowest models", "Failures",
    "Predicted wall time",
]  # fmt: skip


class Page(HTMLParser):
    """Headings, text, images and everything that a browser would fetch."""

    def __init__(self, html: str):
        super().__init__()
        self.headings, self.text, self.images, self.fetched, self._tag = [], "", 0, [], ""
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        self._tag = tag
        named = dict(attributes)
        self.images += tag == "img"
        links = [named.get(key) or "" for key in ("src", "href", "data", "srcset")]
        self.fetched += [link for link in links if link and not link.startswith(("data:image/png;base64,", "#"))]
        self.fetched += [tag] if tag in ("script", "iframe", "object", "embed", "link") else []

    def handle_data(self, data):
        self.text += data
        if self._tag == "h2" and data.strip(" ¶"):
            self.headings.append(data.strip(" ¶"))


@pytest.fixture(scope="session")
def page(two_rank_run, tmp_path_factory) -> Page:
    path = write_report(two_rank_run, tmp_path_factory.mktemp("report") / "report.html")
    assert path.stat().st_size < 15e6
    return Page(path.read_text(encoding="utf-8"))


def test_the_sections_come_in_their_order(page):
    assert page.headings == SECTIONS


def test_nothing_is_fetched_and_no_cell_failed(page):
    assert page.fetched == []
    assert "Traceback" not in page.text
    assert page.images == 11


def test_its_numbers_are_those_of_the_run(page, two_rank_run):
    run = load(two_rank_run)
    assert "2 of 2 shards published, 6 of 7 models with a graph" in page.text
    assert f"CPU efficiency {measures.efficiency(run):.0%}" in page.text
    predicted = measures.prediction(run)
    for wall in predicted["wall_s"]:
        assert duration(wall) in page.text
    assert "broken" in page.text


def test_what_was_not_noted_is_said(run_copy, tmp_path):
    shutil.rmtree(run_copy / "telemetry")
    shutil.rmtree(run_copy / "compute_metrics")
    page = Page(write_report(run_copy, tmp_path / "report.html").read_text(encoding="utf-8"))
    assert page.headings == SECTIONS
    assert page.text.count("No events were noted") >= 5
    assert page.text.count("No samples were taken") == 4
    assert "nothing can be predicted" in page.text
    assert page.images == 2


def test_an_interrupted_run_has_a_report_that_says_so(interrupted_run, tmp_path):
    page = Page(write_report(interrupted_run, tmp_path / "report.html").read_text(encoding="utf-8"))
    assert "it was killed, or is still running" in page.text
    assert page.images == 11


def test_without_a_run_there_is_no_report(tmp_path):
    with pytest.raises(RunFolderError, match="holds no run"):
        write_report(tmp_path, tmp_path / "report.html")
    assert not (tmp_path / "report.html").exists()


def test_the_command_writes_where_it_is_told(two_rank_run, launch, tmp_path):
    done = launch(0, "report", two_rank_run, "-o", tmp_path / "out" / "r.html")
    assert done.returncode == 0, done.stdout
    assert re.search(r"r\.html \([\d.]+ MB\)", done.stdout)
    assert (tmp_path / "out" / "r.html").is_file()


def test_a_rank_loads_neither_pandas_nor_matplotlib():
    code = "import sys, stagea_mpi.pipeline.run; sys.exit(bool({'pandas', 'matplotlib'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], timeout=HANG_S).returncode == 0
