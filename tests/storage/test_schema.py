import pytest
from launching import ROOT

from stagea_mpi.graph.features import EDGE_FEATURES, NODE_FEATURES
from stagea_mpi.storage.schema import COLUMNS, SCHEMA_VERSION, features_table, joined_names, split_names

#: Columns of nodes and edges that files of version 2 have been published with.
VERSION_2 = """
node/chain u1, node/residue_number i4, node/residue_type u1, node/atom_type u1, node/region u1, node/serial i4,
node/position f4 3, node/bsa f4,
edge/nodes i4 2, edge/dist f4, edge/elec f4, edge/vdw f4, edge/voro_area f4, edge/orientation f4 2 3,
internal_edge/nodes i4 2, internal_edge/dist f4, internal_edge/voro_area f4, internal_edge/orientation f4 2 3
"""


def test_version_2_has_the_columns_that_it_was_published_with():
    later = {feature.name for feature in (*NODE_FEATURES, *EDGE_FEATURES) if feature.since > 2}
    columns = [c for c in COLUMNS if c.table != "model" and c.name not in later]
    found = [" ".join((c.path, c.dtype, *map(str, c.row))) for c in columns]
    assert found == " ".join(VERSION_2.split()).split(", "), "a new feature says `since`, the next schema version"


def test_the_version_is_not_older_than_any_feature():
    assert max(feature.since for feature in (*NODE_FEATURES, *EDGE_FEATURES)) <= SCHEMA_VERSION


def test_the_documentation_has_the_table_of_features():
    documented = (ROOT / "docs" / "files.md").read_text(encoding="utf-8")
    assert features_table() in documented, f"docs/files.md should have this table:\n{features_table()}"


@pytest.mark.parametrize(
    "names", [["H", "L", "A"], ["", "B"], ["a,b", "c\\", "\\,"], ["H", "L", ""], ["a\nb,", " x"], []]
)
def test_joined_names_of_chains_are_split_again(names):
    assert split_names(joined_names(names)) == names
