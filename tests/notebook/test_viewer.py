"""A model in space: what its page holds, read as a browser would; and that it fetches nothing."""

import base64
import gzip
import html
import importlib.metadata
import json
import re
from pathlib import Path

import gemmi
import numpy as np
import pytest
from made import cif_of, fv_lines, write
from shipped import FAB_CHAINS
from test_residues_in_structure import made, with_insertion_codes

from stagea_mpi import build_graph
from stagea_mpi.errors import ConfigError, LaunchError, StorageError
from stagea_mpi.notebook import viewer
from stagea_mpi.notebook.colours import REGION_COLOURS, ROLE_COLOURS, ramp_colour
from stagea_mpi.report.colours import COLOURS


@pytest.fixture(scope="module")
def graph(tmp_path_factory):
    path = write(tmp_path_factory.mktemp("codes") / "codes.pdb", list(with_insertion_codes(fv_lines())))
    return build_graph(path, chains=FAB_CHAINS)


def scene_of(page):
    (text,) = re.findall(r'<script id="scene" type="application/json">(.*?)</script>', page, re.DOTALL)
    return json.loads(text)


def nodes_of(node, kind):
    found = [node] if node["kind"] == kind else []
    return found + [other for child in node.get("children", ()) for other in nodes_of(child, kind)]


def structure_in(page):
    (download,), (parse,) = (nodes_of(scene_of(page)["root"], kind) for kind in ("download", "parse"))
    text = base64.b64decode(download["params"]["url"].removeprefix("data:text/plain;base64,")).decode()
    if parse["params"]["format"] == "pdb":
        return gemmi.read_pdb_string(text)
    return gemmi.make_structure_from_block(gemmi.cif.read_string(text).sole_block())


def residue_named(selector):
    return selector["auth_asym_id"], f"{selector['auth_seq_id']}{selector.get('pdbx_PDB_ins_code', '')}"


def coloured(page, kind):
    """The last colour that each residue gets in a representation."""
    (shown,) = (node for node in nodes_of(scene_of(page)["root"], "representation") if node["params"]["type"] == kind)
    return {
        residue_named(selector): node["params"]["color"]
        for node in nodes_of(shown, "color")
        for selector in node["params"]["selector"]
    }


def test_the_structure_is_the_models_and_each_residue_of_it_has_a_colour(graph):
    page = graph.view().page
    known = {
        (chain.name, str(residue.seqid)) for chain in gemmi.read_structure(graph.origin.source)[0] for residue in chain
    }
    written = {(chain.name, str(residue.seqid)) for chain in structure_in(page)[0] for residue in chain}
    assert written == known == set(coloured(page, "cartoon"))
    table = graph.in_structure().table()
    inside = table[table["is_interface"]]
    assert set(coloured(page, "ball_and_stick")) == set(zip(inside["chain"], inside["number"], strict=True))
    assert ("H", "93A") in set(coloured(page, "cartoon"))


def test_regions_have_the_colours_of_the_plots(graph):
    found = coloured(graph.view().page, "cartoon")
    for row in graph.in_structure().table().itertuples():
        cdr = row.region if row.region in ("H1", "H2", "H3", "L1", "L2", "L3") else None
        assert found[row.chain, row.number] == (REGION_COLOURS[cdr] if cdr else ROLE_COLOURS[row.role])
    legend = re.findall(r'background: (#\w+)"></i> (\w+)<', graph.view().page)
    assert dict((name, colour) for colour, name in legend) == {
        **{role: ROLE_COLOURS[role] for role in ("heavy", "light", "antigen")},
        **{name: REGION_COLOURS[name] for name in ("H1", "H2", "H3", "L1", "L2", "L3")},
    }
    assert len({ROLE_COLOURS[role] for role in ("heavy", "light", "antigen")}) == 3


@pytest.mark.parametrize("by", ["contact_area", "bsa", "b_factor"])
def test_values_have_the_colours_of_the_ramp(graph, by):
    page, table = graph.view(by).page, graph.in_structure().table()
    found = coloured(page, "cartoon")
    least = table[by].min() if by == "b_factor" else 0.0
    for row in table[table[by].notna()].itertuples():
        share = (getattr(row, by) - least) / (table[by].max() - least)
        assert found[row.chain, row.number] == ramp_colour(share)
    bare = table[table[by].isna()]
    assert {found[row.chain, row.number] for row in bare.itertuples()} <= {COLOURS["light"], COLOURS["grey"]}
    assert f"{table[by].max():.4g}" in page


def test_the_ramp_goes_through_its_colours():
    assert [ramp_colour(share) for share in (-1.0, 0.0, 0.5, 1.0, 2.0)] == [
        COLOURS["yellow"], COLOURS["yellow"], COLOURS["orange"], COLOURS["vermilion"], COLOURS["vermilion"],
    ]  # fmt: skip


def test_plddt_is_shown_in_classes(graph):
    found = coloured(graph.view("plddt").page, "cartoon")
    for row in graph.in_structure().table().itertuples():
        expected = np.array(["vermilion", "yellow", "sky", "blue"])[
            np.searchsorted([50, 70, 90], row.b_factor, "right")
        ]
        assert found[row.chain, row.number] == COLOURS[expected]
    assert {COLOURS["blue"], COLOURS["sky"]} <= set(found.values())


def test_values_of_ones_own_are_shown_under_their_name(graph):
    view = graph.view("Cα deviation (Å) < 5", values={("H", "93A"): 1.0, ("H", 93): 3.0, ("A", 7): 2.0})
    found = coloured(view.page, "cartoon")
    assert [found["H", "93A"], found["H", "93"], found["A", "7"]] == [
        COLOURS["yellow"], COLOURS["vermilion"], COLOURS["orange"],
    ]  # fmt: skip
    assert "<b>Cα deviation (Å) &lt; 5</b>" in view.page


def test_residues_in_contact_say_what_the_graph_has_of_them(graph):
    root = scene_of(graph.view().page)["root"]
    told = {}
    for component in nodes_of(root, "component"):
        for child in component.get("children", ()):
            if child["kind"] == "tooltip":
                (selector,) = component["params"]["selector"]
                told[residue_named(selector)] = child["params"]["text"]
    table = graph.in_structure().table()
    for row in table[table["is_interface"]].itertuples():
        assert told.pop((row.chain, row.number)) == (
            f"{row.residue} {row.chain} {row.number}, {row.region}: contact area {row.contact_area:.1f} Å², "
            f"buried {row.bsa:.1f} Å², B factor {row.b_factor:.1f}"
        )
    assert not told


def test_the_page_has_all_of_it_and_fetches_nothing(graph, tmp_path):
    view = graph.view()
    view.save(tmp_path / "view.html")
    page = (tmp_path / "view.html").read_text(encoding="utf-8")
    assert page == view.page
    own = re.sub(r'<script id="program".*?</script>|<style>.*?</style>', "", page, flags=re.DOTALL)
    assert not re.search(r"https?://|\b(src|href)\s*=|@import|url\(", own)
    (program,) = re.findall(r'<script id="program" type="text/plain">(.*?)</script>', page)
    shipped = importlib.metadata.distribution("ipymolstar").locate_file("ipymolstar/static/molviewspec.js")
    assert gzip.decompress(base64.b64decode(program)) == Path(str(shipped)).read_bytes()
    style = re.findall(r"<style>(.*?)</style>", page, re.DOTALL)
    assert not re.search(r"@import|url\(['\"]?https?:", "".join(style))


def test_a_notebook_shows_the_page_in_a_frame(graph):
    view = graph.view()
    (framed,) = re.findall(r'<iframe srcdoc="([^"]*)"', view._repr_html_())
    assert html.unescape(framed) == view.page
    assert repr(view) == "View of codes"


def test_one_looks_at_the_interface_with_the_antibody_above(graph):
    (focus,) = nodes_of(scene_of(graph.view().page)["root"], "focus")
    up, direction = (np.array(focus["params"][name]) for name in ("up", "direction"))
    side = graph.chain
    apart = graph.position[side == 0].mean(axis=0) - graph.position[side == 1].mean(axis=0)
    assert up == pytest.approx(apart / np.linalg.norm(apart), abs=1e-5)
    assert abs(up @ direction) < 1e-6
    assert np.linalg.norm(direction) == pytest.approx(1.0)


def test_chains_of_several_letters_and_names_with_markup_are_shown(tmp_path):
    text = cif_of(fv_lines()).decode().replace(" H ", " Heavy ")
    path = write(tmp_path / "a<b>&c.cif", text.encode())
    graph = build_graph(path, heavy="Heavy", light="L", antigen="A")
    page = graph.view().page
    assert "<title>a&lt;b&gt;&amp;c</title>" in page
    assert {chain.name for chain in structure_in(page)[0]} == {"A", "Heavy", "L"}
    assert "</b>&c" not in page


def test_what_residues_has_given_is_shown_without_reading_the_source_again(graph):
    assert graph.view("bsa", source=graph.in_structure()).page == graph.view("bsa").page


def test_wrong_arguments_are_told(graph, tmp_path):
    with pytest.raises(
        ConfigError, match="colour: expected region, contact_area, bsa, b_factor, plddt, found 'rainbow'"
    ):
        graph.view("rainbow")
    with pytest.raises(ConfigError, match="values: codes has no residue H 999"):
        graph.view("x", values={("H", 999): 1.0})
    with pytest.raises(StorageError):
        graph.view().save(tmp_path / "missing" / "view.html")
    path, chains = made("nanobody, four antigen chains", tmp_path)
    with pytest.raises(ConfigError, match="is not the graph's"):
        graph.view(source=path, chains=chains)


def test_without_the_viewer_is_said_what_installs_it(graph, monkeypatch, tmp_path):
    viewer._viewer.cache_clear()
    monkeypatch.setattr(viewer, "_PACKAGE", "a_package_that_is_not_there")
    with pytest.raises(LaunchError, match=r"is not installed; `pip install '.*>=0.1,<0.2'` \(the extra \[view\]\)"):
        graph.view()
    monkeypatch.undo()
    monkeypatch.setattr(viewer, "_PROGRAM", "static/other.js")
    with pytest.raises(
        LaunchError, match=r"other.js: No such file or directory; ipymolstar 0.1.\d+ is not as expected"
    ):
        graph.view()
