"""Rows of several models of a packed.h5 as tables: their nodes, their edges."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..storage.packed_reader import PackedFile
from . import graph_tables

if TYPE_CHECKING:
    import pandas as pd


def node_table(packed: PackedFile, first: int, stop: int) -> pd.DataFrame:
    """Nodes of the models from the first to the one before `stop`; those that failed have none."""
    bounds = packed.bounds("node", first, stop)
    columns = packed.rows("node", first, stop, graph_tables.NODE_COLUMNS)
    cluster = packed.node_clusters(first, stop) if packed.is_clustered else None
    table = graph_tables.node_table(columns, cluster)
    table.insert(0, "model", _names_of_rows(packed, first, bounds))
    table.insert(1, "node", np.arange(bounds[-1] - bounds[0]) - np.repeat(bounds[:-1] - bounds[0], np.diff(bounds)))
    return table


def interface_edge_table(packed: PackedFile, first: int, stop: int) -> pd.DataFrame:
    return _edge_table(packed, "edge", first, stop)


def internal_edge_table(packed: PackedFile, first: int, stop: int) -> pd.DataFrame:
    return _edge_table(packed, "internal_edge", first, stop)


def _edge_table(packed: PackedFile, table_name: str, first: int, stop: int) -> pd.DataFrame:
    columns = packed.rows(table_name, first, stop, graph_tables.EDGE_COLUMNS)
    table = graph_tables.edge_table(columns, internal=table_name == "internal_edge")
    table.insert(0, "model", _names_of_rows(packed, first, packed.bounds(table_name, first, stop)))
    return table


def _names_of_rows(packed: PackedFile, first: int, bounds: np.ndarray) -> np.ndarray:
    names = np.array(packed.names[first : first + len(bounds) - 1], dtype=object)
    return np.repeat(names, np.diff(bounds))
