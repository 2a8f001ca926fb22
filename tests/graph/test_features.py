"""The table of features, and that what CONTRIBUTING says of a new one is all there is to it."""

import re
import shutil
import subprocess
import sys
import textwrap

import numpy as np
import pytest
from holding import HANG_S
from launching import ROOT, launch_environment
from shipped import fab, nanobody

from stagea_mpi.graph.features import EDGE_FEATURES, NODE_FEATURES, table_columns

GRAPHS = [fab, nanobody]
OWNERS = [
    (NODE_FEATURES, lambda graph: graph),
    (EDGE_FEATURES, lambda graph: graph.interface),
    (EDGE_FEATURES, lambda graph: graph.internal),
]


@pytest.mark.parametrize("built", GRAPHS)
@pytest.mark.parametrize(("features", "owner"), OWNERS, ids=["nodes", "interface", "internal"])
def test_a_graph_has_each_feature_as_its_row_says(built, features, owner):
    values = owner(built().graph)
    for feature in features:
        array = getattr(values, feature.name)
        assert (array.dtype, array.shape) == (np.dtype(feature.dtype), (len(values), *feature.row)), feature.name
        assert not feature.codes or array.max() < len(feature.codes)


@pytest.mark.parametrize("built", GRAPHS)
def test_what_internal_edges_do_not_have_is_0_there(built):
    internal = built().graph.internal
    assert len(internal)
    assert [f.name for f in EDGE_FEATURES if not f.on_internal] == ["elec", "vdw"]
    assert not internal.elec.any()
    assert not internal.vdw.any()


def test_a_table_spells_codes_out_and_has_a_column_for_each_coordinate():
    values = {name: np.array([value]) for name, value in (
        ("chain", 1), ("residue_number", 7), ("residue_type", 1), ("atom_type", 2), ("region", 8), ("serial", 99),
        ("position", (1.5, 2.5, 3.5)), ("bsa", 4.5), ("input_chain", 2), ("author_number", -3 * 256 + ord("B")),
        ("imgt_number", 112 * 256 + ord(" ")),
    )}  # fmt: skip
    columns = {name: column.tolist() for name, column in table_columns(NODE_FEATURES, values).items()}
    assert columns == {
        "side": ["antigen"], "residue_number": [7], "residue": ["HIS"], "atom": ["C"], "region": ["AG"],
        "x": [1.5], "y": [2.5], "z": [3.5], "bsa": [4.5], "number": ["-3B"], "imgt": ["112"],
    }  # fmt: skip


def test_a_table_has_zeros_where_a_column_is_missing_and_may_be_empty():
    edges = {"nodes": np.zeros((2, 2), int), "dist": np.ones(2), "voro_area": np.ones(2)}
    assert table_columns(EDGE_FEATURES, edges)["vdw"].tolist() == [0.0, 0.0]
    empty = {name: column[:0] for name, column in edges.items()}
    assert [len(column) for column in table_columns(EDGE_FEATURES, empty).values()] == [0, 0, 0, 0]
    assert len(table_columns(NODE_FEATURES, {"position": np.zeros((0, 3), np.float32)})["x"]) == 0


#: Run with a package that has been changed as CONTRIBUTING says: everything that has the feature.
_SEEN = """
import numpy as np, h5py, sys
from shipped import fab
from stagea_mpi.checks.consistency import _FINITE
from stagea_mpi.graph.timing import STAGES
from stagea_mpi.mpi.teams import SerialComm
from stagea_mpi.notebook.model_graph import InterfaceGraph
from stagea_mpi.storage import schema
from stagea_mpi.storage.deeprank_writer import write_graphs
from stagea_mpi.storage.packed_reader import PackedFile
from stagea_mpi.storage.packed_writer import ModelRecord, PackedWriter

graph = fab().graph
expected = [edges.dist.astype(float) ** 2 for edges in (graph.interface, graph.internal)]
widths = {"model/name": 1, "model/source": 1}
writer = PackedWriter("packed.h5", SerialComm(), schema.root_attributes("", "", ""), widths, 1)
writer.append([ModelRecord(0, "m", "m", "0" * 64, 1, 0, (0.0,) * len(STAGES), graph)])
writer.close()
with PackedFile("packed.h5") as packed:
    packed.check()
    read = packed.graph(0)
write_graphs("graphs.h5", [("m", read, None)])
model = InterfaceGraph.of(read, "m")
with h5py.File("graphs.h5") as file:
    found = [
        (read.interface.dist_squared, read.internal.dist_squared),
        (file["m/edge_data/dist_squared"][::2], file["m/internal_edge_data/dist_squared"][1::2]),
        (model.edges()["dist_squared"], model.edges(internal=True)["dist_squared"]),
    ]
for interface, internal in found:
    np.testing.assert_allclose(interface, expected[0], rtol=1e-6)
    np.testing.assert_allclose(internal, expected[1], rtol=1e-6)
assert {"edge/dist_squared", "internal_edge/dist_squared"} <= set(_FINITE)
assert schema.SCHEMA_VERSION == 4
assert "| `edge/dist_squared` | f4 | Å² | squared distance | `edge_data/dist_squared` |" in schema.features_table()
"""


@pytest.mark.slow
def test_a_kernel_and_a_row_bring_a_feature_everywhere(tmp_path):
    kernel, row = (
        textwrap.dedent(block)
        for block in re.findall(
            r"```python\n(.*?)```", (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"), re.DOTALL
        )
    )
    package = tmp_path / "stagea_mpi"
    shutil.copytree(ROOT / "stagea_mpi", package, ignore=shutil.ignore_patterns("__pycache__"))
    contacts, features = package / "graph" / "contacts.py", package / "graph" / "features.py"
    contacts.write_text(f"{contacts.read_text(encoding='utf-8')}\n\n{kernel}", encoding="utf-8")
    text = features.read_text(encoding="utf-8").replace(
        "from .forcefield", "from .contacts import squared\nfrom .forcefield", 1
    )
    before, after = text.split("\n\ndef _rows(")
    features.write_text(f"{before}{textwrap.indent(row, '    ')}\n\ndef _rows({after}", encoding="utf-8")
    path = {"PYTHONPATH": f"{tmp_path}:{ROOT / 'tests'}"}
    done = subprocess.run(
        [sys.executable, "-c", _SEEN], env=launch_environment() | path, cwd=tmp_path, capture_output=True, text=True,
        timeout=HANG_S,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
