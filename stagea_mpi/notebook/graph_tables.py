"""Nodes and edges as tables: of one graph, or of all models of a packed.h5, from the same columns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from ..errors import LaunchError
from ..structure.residues import ANTIGEN, ATOM_TYPES, REGIONS, RESIDUE_TYPES

if TYPE_CHECKING:
    import pandas as pd

    from ..graph.interface_graph import Edges, InterfaceGraph

#: What of a node and of an edge is in a table, as the fields of graphs and the columns of packed.h5 are called.
NODE_COLUMNS = ("chain", "residue_number", "residue_type", "atom_type", "region", "position", "bsa")
EDGE_COLUMNS = ("nodes", "dist", "elec", "vdw", "voro_area")
#: What the two nodes of an edge are called, by whether the edge is internal.
ENDS = {False: ("antibody", "antigen"), True: ("first", "second")}


def pandas_module():
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
        `side`, `residue_number`, `residue`, `atom`, `region`, `x`, `y`, `z` (Å), `bsa` (Å²), `cluster`.
    """
    pd = pandas_module()
    x, y, z = columns["position"].T
    return pd.DataFrame(
        {
            "side": np.array(["antibody", "antigen"])[columns["chain"]],
            "residue_number": columns["residue_number"],
            "residue": np.array(RESIDUE_TYPES)[columns["residue_type"]],
            "atom": np.array(ATOM_TYPES)[columns["atom_type"]],
            "region": np.array(REGIONS)[columns["region"]],
            "x": x,
            "y": y,
            "z": z,
            "bsa": columns["bsa"],
            "cluster": -1 if cluster is None else cluster,
        }
    )


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
    zero = np.zeros(len(first), dtype=np.float32)
    ends = dict(zip(ENDS[internal], (first, second), strict=True))
    return pd.DataFrame(ends | {name: columns.get(name, zero) for name in EDGE_COLUMNS[1:]})


def nodes_of(graph: InterfaceGraph) -> dict[str, np.ndarray]:
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
