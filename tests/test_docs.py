"""Links between the pages of the documentation, as they are followed where the repository is browsed."""

import json
import re
from pathlib import Path

import pytest
from launching import ROOT

#: Where pages are, and not what make has made.
PLACES = (".", "docs", "jobs", "notebooks", "stagea_mpi/data", "tests/data")
PAGES = sorted(
    path.relative_to(ROOT).as_posix()
    for place in PLACES
    for ending in ("md", "ipynb")
    for path in (ROOT / place).glob(f"*.{ending}")
)
_FENCED = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\[[^\]\[]*\]\(([^)\s]+)\)")


def text_of(page: str) -> str:
    """A page's Markdown without blocks of code."""
    text = (ROOT / page).read_text(encoding="utf-8")
    if page.endswith(".ipynb"):
        cells = json.loads(text)["cells"]
        text = "\n\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
    return _FENCED.sub("", text)


def anchors_of(page: str) -> set[str]:
    """Anchors that GitHub gives a page's headings: small letters, hyphens for blanks, no other punctuation."""
    found: list[str] = []
    for heading in re.findall(r"^#+ (.*)$", text_of(page), re.MULTILINE):
        anchor = re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")
        found.append(f"{anchor}-{found.count(anchor)}" if anchor in found else anchor)
    return set(found)


@pytest.mark.parametrize("page", PAGES)
def test_every_link_leads_to_a_file_and_a_heading_that_are_there(page):
    for target in _LINK.findall(text_of(page)):
        if re.match(r"https?://", target):
            continue
        path, _, anchor = target.partition("#")
        found = (ROOT / page).parent / path if path else ROOT / page
        assert found.exists(), f"{page} links to {target}"
        if anchor:
            assert anchor in anchors_of(found.resolve().relative_to(ROOT).as_posix()), f"{page} links to {target}"


def test_the_pages_and_their_links_are_found():
    """That the test above has something to look at."""
    assert {"README.md", "CHANGELOG.md", "jobs/README.md", "docs/files.md", "notebooks/04_scaling.ipynb"} <= set(PAGES)
    links = {target for page in PAGES for target in _LINK.findall(text_of(page))}
    assert {"#what-was-measured", "../docs/files.md#without-graphsh5", "01_configure_and_run.ipynb"} <= links


def test_every_guide_is_named_in_the_readme():
    named = {(ROOT / target.partition("#")[0]).resolve() for target in _LINK.findall(text_of("README.md"))}
    guides = {path.resolve() for path in (ROOT / "docs").glob("*.md")}
    assert guides - named == set()


def test_no_path_of_a_file_that_is_gone_is_named_in_code():
    """Paths of this repository that pages name in backticks, such as `stagea_mpi/kernels/module.c`."""
    roots = ("stagea_mpi/", "tests/", "docs/", "jobs/", "notebooks/", "benchmarks/", ".ci/")
    named = {
        (page, path)
        for page in PAGES
        if page != "CHANGELOG.md"
        for path in re.findall(r"`([\w./-]+\.(?:py|c|h|md|yaml|sbatch|sh|ipynb)|[\w./-]+/)`", text_of(page))
        if path.startswith(roots)
    }
    assert len(named) > 10
    assert {(page, path) for page, path in named if not Path(ROOT / path).exists()} == set()
