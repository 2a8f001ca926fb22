"""A model in space, as the last line of a notebook's cell and as a page of its own.

What draws is Mol* (https://molstar.org), as the package ipymolstar ships it. Its program, the structure and what is to
be seen of it stand in the page itself, so that it works without a network, in an exported notebook too; no Jupyter
widget is needed. The scene is a MolViewSpec (https://molstar.org/mol-view-spec), the format in which Mol* takes one.
"""

from __future__ import annotations

import base64
import functools
import gzip
import html
import importlib.metadata
import json
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import LaunchError
from ..rundir.saving import saving
from .colours import RAMP, Colouring, colouring
from .residues import ModelResidues
from .structure_text import chain_names, structure_text

#: Of the page; the notebook's cell is as wide as it is.
HEIGHT = 520
_PACKAGE = "ipymolstar"
_PROGRAM, _STYLE = "static/molviewspec.js", "static/molviewspec.css"
#: Numbers of the residue that a tooltip is about, and how many decimals they have.
_TOLD = (("contact_area", "contact area {:.1f} Å²"), ("bsa", "buried {:.1f} Å²"), ("b_factor", "B factor {:.1f}"))


class View:
    """A model in space: turn it with the mouse; residues in contact say what the graph has of them.

    Parameters
    ----------
    residues : ModelResidues
    shown : Colouring

    Attributes
    ----------
    page : str
        The page, whole: its program, structure and scene are in it.

    Raises
    ------
    LaunchError
        The viewer is not installed.
    """

    def __init__(self, residues: ModelResidues, shown: Colouring):
        self._name = residues.name
        self.page = _page(residues, shown)

    def __repr__(self) -> str:
        return f"View of {self._name}"

    def _repr_html_(self) -> str:
        """The page in a frame of its own, where it meets no other script or style of the notebook."""
        return (
            f'<iframe srcdoc="{html.escape(self.page)}" title="{html.escape(self._name)}" '
            f'style="width: 100%; height: {HEIGHT}px; border: 0"></iframe>'
        )

    def save(self, path: str | Path) -> None:
        """Writes the page as a file that any browser shows.

        Parameters
        ----------
        path : path
            A file that is there is replaced once the new one is whole.

        Raises
        ------
        StorageError
        """
        with saving(path) as draft:
            draft.write_text(self.page, encoding="utf-8")


def view_of(
    residues: ModelResidues, colour: str = "region", values: Mapping[tuple[str, str | int], float] | None = None
) -> View:
    """A model's view; arguments and errors are those of `InterfaceGraph.view`."""
    own = None if values is None else residues.by_residue(values)
    return View(residues, colouring(residues, colour, own))


def _page(residues: ModelResidues, shown: Colouring) -> str:
    program, style = _viewer()
    scene = json.dumps(_scene(residues, shown)).replace("<", "\\u003c")
    return _PAGE.format(
        name=html.escape(residues.name),
        style=style,
        legend=_legend(shown),
        program=program,
        scene=scene,
    )


@functools.cache
def _viewer() -> tuple[str, str]:
    """Mol*'s program, gzipped and in base64, and its style.

    Raises
    ------
    LaunchError
    """
    install = f"`pip install '{_PACKAGE}>=0.1,<0.2'` (the extra [view]) installs it"
    try:
        distribution = importlib.metadata.distribution(_PACKAGE)
    except importlib.metadata.PackageNotFoundError as error:
        raise LaunchError(f"{_PACKAGE}, which has the viewer Mol*, is not installed; {install}") from error
    paths = [Path(str(distribution.locate_file(f"{_PACKAGE}/{name}"))) for name in (_PROGRAM, _STYLE)]
    try:
        program, style = (path.read_bytes() for path in paths)
    except OSError as error:
        raise LaunchError(
            f"{error.filename}: {error.strerror}; {_PACKAGE} {distribution.version} is not as expected; {install}"
        ) from error
    packed = gzip.compress(program, compresslevel=9, mtime=0)
    return base64.b64encode(packed).decode(), style.decode()


def _scene(residues: ModelResidues, shown: Colouring) -> dict[str, Any]:
    """The model's MolViewSpec: cartoons and sticks with their colours, what residues say, where one looks from."""
    text, ending = structure_text(residues.atoms, residues.name)
    url = f"data:text/plain;base64,{base64.b64encode(text.encode()).decode()}"
    where = _selectors(residues)
    by_colour = defaultdict(list)
    for k, colour in enumerate(shown.of_residues):
        by_colour[colour].append(k)
    contacts = np.flatnonzero(residues.is_interface).tolist()
    colours = [_node("color", color=colour, selector=[where[k] for k in some]) for colour, some in by_colour.items()]
    at_interface = [
        _node("color", color=colour, selector=[where[k] for k in some if residues.is_interface[k]])
        for colour, some in by_colour.items()
        if residues.is_interface[some].any()
    ]
    parts = [
        _node("component", _node("representation", *colours, type="cartoon"), selector="polymer"),
        _node(
            "component",
            _node("representation", *at_interface, type="ball_and_stick"),
            _node("focus", up=residues.up.tolist(), direction=_direction(residues), radius_factor=1.6),
            selector=[where[k] for k in contacts],
        ),
    ]
    parts += [_node("component", _node("tooltip", text=_told(residues, k)), selector=[where[k]]) for k in contacts]
    structure = _node("structure", *parts, type="model")
    parsed = _node("parse", structure, format="mmcif" if ending == ".cif" else "pdb")
    root = {"kind": "root", "children": [_node("download", parsed, url=url)]}
    # The date is that of no view: equal models give equal pages.
    return {"root": root, "metadata": {"version": "1", "timestamp": "2000-01-01T00:00:00Z", "title": residues.name}}


def _node(kind: str, *children: dict[str, Any], **params: Any) -> dict[str, Any]:
    node: dict[str, Any] = {"kind": kind, "params": params}
    return node | {"children": list(children)} if children else node


def _selectors(residues: ModelResidues) -> list[dict[str, Any]]:
    """Each residue as MolViewSpec names it: by the numbers and chains of the file."""
    names, found = chain_names(residues.chain), []
    for chain, number in zip(residues.chain, residues.atoms.author_number[residues.first[:-1]].tolist(), strict=True):
        value, code = divmod(number, 256)
        selector = {"auth_asym_id": names[chain], "auth_seq_id": value}
        found.append(selector if chr(code) in " \0" else selector | {"pdbx_PDB_ins_code": chr(code)})
    return found


def _told(residues: ModelResidues, k: int) -> str:
    where = f"{residues.residue[k]} {residues.chain[k]} {residues.label[k]}, {residues.region[k]}"
    numbers = [(pattern, float(residues.values(name)[k])) for name, pattern in _TOLD]
    return ": ".join([where, ", ".join(pattern.format(value) for pattern, value in numbers if np.isfinite(value))])


def _direction(residues: ModelResidues) -> list[float]:
    """Along the interface, where it is thinnest, so that one looks at its longer side."""
    rows = np.repeat(residues.is_interface, np.diff(residues.first))
    centred = residues.atoms.xyz[rows] - residues.atoms.xyz[rows].mean(axis=0)
    flat = centred - np.outer(centred @ residues.up, residues.up)
    direction: list[float] = np.linalg.svd(flat, full_matrices=False)[2][1].tolist()
    return direction


def _legend(shown: Colouring) -> str:
    parts = [f"<b>{html.escape(shown.title)}</b>"]
    if shown.bounds is not None:
        ends = [f"{bound:.4g}" for bound in shown.bounds]
        parts.append(
            f'{ends[0]} <i style="width: 8em; background: linear-gradient(to right, {", ".join(RAMP)})"></i> {ends[1]}'
        )
    parts += [f'<i style="background: {colour}"></i> {html.escape(name)}' for name, colour in shown.legend]
    return " ".join(f"<span>{part}</span>" for part in parts)


_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{name}</title><style>{style}</style><style>
html, body {{ height: 100%; margin: 0; }}
body {{ display: flex; flex-direction: column; font: 13px sans-serif; color: #222222; background: #FFFFFF; }}
#legend {{ padding: 4px 6px; }}
#legend span {{ display: inline-block; margin-right: 1em; }}
#legend i {{ display: inline-block; width: 1em; height: 0.8em; border: 1px solid #999999; }}
#view {{ flex: 1; position: relative; min-height: 0; }}
</style></head><body>
<div id="legend">{legend}</div><div id="view"></div>
<script id="program" type="text/plain">{program}</script>
<script id="scene" type="application/json">{scene}</script>
<script type="module">
const text = (id) => document.getElementById(id).textContent;
try {{
  const packed = Uint8Array.from(atob(text("program")), (c) => c.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  const source = new Blob([await new Response(stream).arrayBuffer()], {{ type: "text/javascript" }});
  const viewer = (await import(URL.createObjectURL(source))).default;
  const state = {{
    width: "100%", height: "100%", msvj_data: text("scene"),
    viewer_options: {{
      layoutIsExpanded: false, layoutShowControls: false, layoutShowLog: false, layoutShowSequence: false,
      layoutShowLeftPanel: false, layoutControlsDisplay: "reactive", viewportShowAnimation: false,
    }},
    mvs_load_options: {{ replaceExisting: true, sanityChecks: true }},
  }};
  viewer.render({{ model: {{ get: (name) => state[name], on: () => {{}} }}, el: document.getElementById("view") }});
}} catch (error) {{
  document.getElementById("view").textContent = `The viewer cannot be shown: ${{error}}`;
}}
</script></body></html>
"""
