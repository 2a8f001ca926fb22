"""The site's pages: those of the repository, in the same folders so that their links hold, and those of `reference`."""

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path

import reference

ROOT = Path(__file__).parents[2]

#: What of the repository is a page, or a picture or a file that one leads to.
SHOWN = (
    "README.md",
    "CHANGELOG.md",
    "CITATION.cff",
    "CONTRIBUTING.md",
    "docs/*.md",
    "docs/*.png",
    "jobs/README.md",
    "notebooks/README.md",
    "notebooks/*.ipynb",
    "stagea_mpi/data/SOURCES.md",
    "tests/data/SOURCES.md",
)
#: The order of the pages.
CONTENTS = {
    "Tutorial": ("notebooks/README.md", "notebooks/*.ipynb"),
    "How to": (
        "docs/predictors.md",
        "docs/inputs.md",
        "docs/targets.md",
        "docs/configuration.md",
        "jobs/README.md",
        "docs/failures.md",
        "docs/files.md",
        "docs/json.md",
        "docs/tables.md",
        "docs/python.md",
    ),
    "Background": ("docs/kernels.md", "stagea_mpi/data/SOURCES.md", "tests/data/SOURCES.md"),
    "Reference": tuple(reference.PAGES),
    "Project": ("CHANGELOG.md", "CONTRIBUTING.md"),
}

#: A link's text, the path that it leads to, and the part of the page.
_LINK = re.compile(r"\[([^\]\[]*)\]\((?!https?:|#)([^)#\s]+)(#[^)\s]+)?\)")


def gather(folder: Path) -> None:
    """Brings Sphinx's source folder up to date; what has not changed is not written, so that it is not built again."""
    found = dict(_pages())
    for path, content in found.items():
        target = folder / path
        if not target.is_file() or target.read_bytes() != content:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
    for path in [path for path in folder.rglob("*") if path.is_file()]:
        if path.relative_to(folder).as_posix() not in found:
            path.unlink()


def _pages() -> Iterator[tuple[str, bytes]]:
    """Paths on the site and what is there."""
    for path in _matching(SHOWN):
        content = (ROOT / path).read_bytes()
        if path.endswith(".md"):
            content = _with_links_to_pages(content.decode(), os.path.dirname(path)).encode()
        if path == "README.md":
            path, content = "index.md", content + _contents()
        yield path, _executed(path) or content
    for path, written in reference.PAGES.items():
        yield path, written().encode()


def _executed(path: str) -> bytes | None:
    """A notebook with its outputs, where `make tutorial` has executed it as it is now."""
    executed = ROOT / "build" / path
    if not path.endswith(".ipynb") or not executed.exists() or _sources(executed) != _sources(ROOT / path):
        return None
    return executed.read_bytes().replace(str(ROOT).encode(), "…".encode())


def _sources(notebook: Path) -> list[str]:
    return ["".join(cell["source"]) for cell in json.loads(notebook.read_bytes())["cells"]]


def _matching(patterns: tuple[str, ...]) -> list[str]:
    """Files of the repository, pattern by pattern."""
    return [path.relative_to(ROOT).as_posix() for pattern in patterns for path in sorted(ROOT.glob(pattern))]


def _with_links_to_pages(text: str, folder: str) -> str:
    """A page whose links are the site's: to a folder's own page, and with a page's title where they show its path."""

    def on_site(link: re.Match[str]) -> str:
        shown, path, part = link[1], link[2], link[3] or ""
        if (ROOT / folder / path).is_dir():
            path = f"{path}/README.md"
        return f"[{'' if shown.endswith(('.md', '/')) else shown}]({path}{part})"

    return _LINK.sub(on_site, text)


def _contents() -> bytes:
    """All pages, for the first one; they stand in the site's margin."""
    trees = []
    for caption, patterns in CONTENTS.items():
        paths = [name for pattern in patterns for name in (_matching((pattern,)) or [pattern])]
        entries = "\n".join(path.rpartition(".")[0] for path in paths)
        trees.append(f"\n```{{toctree}}\n:hidden:\n:caption: {caption}\n\n{entries}\n```\n")
    return "".join(trees).encode()
