"""Nodes and edges as tables: of one graph, or of all models of a packed.h5, from the same columns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import LaunchError
from ..graph.features import EDGE_FEATURES, NODE_FEATURES, table_columns
from ..structure.residues import ANTIGEN, REGIONS

if TYPE_CHECKING:
    import pandas as pd

    from ..graph.interface_graph import Edges, GraphArrays

#: What of a node and of an edge is in a table, as the fields of graphs and the columns of packed.h5 are called.
NODE_COLUMNS = tuple(feature.name for feature in NODE_FEATURES if feature.headings)
EDGE_COLUMNS = ("nodes", *(feature.name for feature in EDGE_FEATURES if feature.headings))
#: What the two nodes of an edge are called, by whether the edge is internal.
ENDS = {False: ("antibody", "antigen"), True: ("first", "second")}


def pandas_module() -> Any:
    """pandas, which takes long to load and which only tables need.

    Raises
    ------
    LaunchError
        It is not installed.
    """
    try:
        import pandas
    except ImportError as error:
        raise LaunchError("pandas is not installed; `pip install pandas` installs it") from error
    return pandas


def node_table(columns: Mapping[str, np.ndarray], cluster: np.ndarray | None = None) -> pd.DataFrame:
    """A row for each node.

    Parameters
    ----------
    columns : mapping
        `NODE_COLUMNS`, of one graph or of several behind each other.
    cluster : ndarray of int, shape=(n,), optional
        Depth 0; -1 stands in the table without it.

    Returns
    -------
    table : DataFrame
        `side`, `residue_number`, `residue`, `atom`, `region`, `x`, `y`, `z` (Å), `bsa` (Å²), `number`,
        `imgt`, `cluster`.
    """
    pd = pandas_module()
    return pd.DataFrame(table_columns(NODE_FEATURES, columns) | {"cluster": -1 if cluster is None else cluster})


def edge_table(columns: Mapping[str, np.ndarray], internal: bool) -> pd.DataFrame:
    """A row for each edge.

    Parameters
    ----------
    columns : mapping
        `EDGE_COLUMNS`; without energies, these are 0.
    internal : bool
        Whether the edges join nodes of one chain.

    Returns
    -------
    table : DataFrame
        The two nodes (`ENDS`), `dist` (Å), `elec`, `vdw` (kcal/mol), `voro_area` (Å²).
    """
    pd = pandas_module()
    first, second = columns["nodes"].T
    ends = dict(zip(ENDS[bool(internal)], (first, second), strict=True))
    return pd.DataFrame(ends | table_columns(EDGE_FEATURES, columns))


def nodes_of(graph: GraphArrays) -> dict[str, np.ndarray]:
    return {name: getattr(graph, name) for name in NODE_COLUMNS}


def edges_of(edges: Edges) -> dict[str, np.ndarray]:
    return {name: getattr(edges, name) for name in EDGE_COLUMNS}


def contact_map(nodes: pd.DataFrame, edges: pd.DataFrame) -> pd.DataFrame:
    """Contact area of each pair of residues.

    Parameters
    ----------
    nodes, edges : DataFrame
        Of one graph; the edges across the interface.

    Returns
    -------
    table : DataFrame
        Å². Rows: the antibody's residues in contact, by region and number; columns: the antigen's.
    """
    pd = pandas_module()
    labels = nodes["residue"] + nodes["residue_number"].astype(str)
    antibody, antigen = (edges[side].to_numpy() for side in ENDS[False])
    table = pd.DataFrame(
        {
            "region": nodes["region"].to_numpy()[antibody],
            "number": nodes["residue_number"].to_numpy()[antibody],
            "antibody": labels.to_numpy()[antibody],
            "at": nodes["residue_number"].to_numpy()[antigen],
            "antigen": labels.to_numpy()[antigen],
            "area": edges["voro_area"].to_numpy(),
        }
    )
    table["region"] = pd.Categorical(table["region"], [name for name in REGIONS if name != REGIONS[ANTIGEN]])
    rows = ["region", "number", "antibody"]
    areas = table.pivot_table(index=rows, columns=["at", "antigen"], values="area", aggfunc="sum", observed=True)
    return areas.droplevel("number", axis=0).droplevel("at", axis=1)
