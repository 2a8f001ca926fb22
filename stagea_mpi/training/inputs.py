"""Which features are a network's input, and how columns of packed.h5 become its rows."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import ConfigError, listed
from ..graph.features import EDGE_FEATURES, NODE_FEATURES, Columns
from ..storage.deeprank_writer import directed
from ..storage.schema import B_FACTOR
from .normalisation import Scaling


@dataclass(frozen=True)
class InputFeature:
    """A feature as a network gets it.

    Attributes
    ----------
    name : str
    column : str
        Of packed.h5, within its table, that it is made of.
    made_of : callable
        Its values from that column's, row by row.
    width : int
        Numbers a row, of an edge in one direction.
    on_internal : bool
        Whether internal edges have the column; else it is 0 there.
    row : tuple of int
        Shape of a row of the column.
    kind : str
        ``node`` or ``edge``.
    codes : sequence of str
        What its columns stand for, one for each, where they stand for something.
    """

    name: str
    column: str
    made_of: Callable[[np.ndarray], np.ndarray]
    width: int
    on_internal: bool
    row: tuple[int, ...]
    kind: str
    codes: Sequence[str] = ()

    def __reduce__(self) -> tuple[Any, tuple[str, str]]:
        """By its name: functions of the table of features cannot be sent to another process."""
        return _named, (self.kind, self.name)

    def values(self, columns: Columns, n_rows: int) -> np.ndarray:
        """Its values, shape=(n_rows, …); of a column that internal edges lack those of 0."""
        column = columns.get(self.column)
        return self.made_of(np.zeros((n_rows, *self.row), dtype="f4") if column is None else column)


def node_inputs(names: Iterable[str], has_b_factors: bool = False) -> tuple[InputFeature, ...]:
    """Features of nodes by their names.

    Parameters
    ----------
    names : iterable of str
        Those of graphs.h5 (``res_type``, ``bsa``, …), or of `graph.features` where the values are numbers.
        ``embedding`` is one column of zeros, as in graphs.h5.
    has_b_factors : bool
        Whether there is ``b_factor``, too.

    Raises
    ------
    ConfigError
        A name is none of them.
    """
    known = _known("node")
    return _chosen(known if has_b_factors else {**known, "b_factor": None}, names, "node_features")


def edge_inputs(names: Iterable[str]) -> tuple[InputFeature, ...]:
    """Features of edges by their names in graphs.h5; but for ``type``, which is a text.

    Raises
    ------
    ConfigError
        A name is none of them.
    """
    return _chosen(_known("edge"), names, "edge_features")


@functools.cache
def _known(kind: str) -> Mapping[str, InputFeature]:
    """All features of nodes or of edges by name."""
    found = {}
    for feature in EDGE_FEATURES if kind == "edge" else NODE_FEATURES:
        spelled = dict(feature.deeprank)
        if not feature.codes and feature.name != "nodes":
            spelled.setdefault(feature.name, _as_it_is)
        for name, made_of in spelled.items():
            example = made_of(np.zeros((1, *feature.row), dtype=feature.dtype))
            width = math.prod((directed(example)[:1] if kind == "edge" else example).shape)
            codes = feature.codes if len(feature.codes) == width else ()
            found[name] = InputFeature(
                name, feature.name, made_of, width, feature.on_internal, feature.row, kind, codes
            )
    if kind == "node":
        found["embedding"] = InputFeature("embedding", "chain", lambda codes: np.zeros(len(codes)), 1, True, (), kind)
        found["b_factor"] = InputFeature("b_factor", B_FACTOR.name, _as_it_is, 1, True, (), kind)
    return found


def _named(kind: str, name: str) -> InputFeature:
    return _known(kind)[name]


def _as_it_is(values: np.ndarray) -> np.ndarray:
    return values


def _chosen(known: Mapping[str, InputFeature | None], names: Iterable[str], key: str) -> tuple[InputFeature, ...]:
    names = (names,) if isinstance(names, str) else tuple(names)
    found = [known.get(name) for name in names]
    if None in found or len(set(names)) != len(names):
        wrong = f"there is no {names[found.index(None)]!r}" if None in found else "a feature stands there twice"
        there = [name for name, feature in known.items() if feature is not None]
        raise ConfigError(f"{key}: {wrong}; expected some of {listed(there, len(there))}")
    return tuple(feature for feature in found if feature is not None)


def headings(features: Iterable[InputFeature]) -> tuple[str, ...]:
    """What each column of a matrix is: the feature's name, with what the column stands for where it has several."""
    found: list[str] = []
    for feature in features:
        columns = feature.codes or range(feature.width)
        found += [feature.name] if feature.width == 1 else [f"{feature.name}_{column}" for column in columns]
    return tuple(found)


def node_matrix(
    features: Iterable[InputFeature], columns: Columns, n_nodes: int, scalings: Mapping[str, Scaling]
) -> np.ndarray:
    """Features side by side, float32, shape=(n_nodes, width)."""
    found = _scaled(features, columns, n_nodes, scalings)
    return _side_by_side([(values, feature.width) for feature, values in found], n_nodes)


def edge_matrix(
    features: Iterable[InputFeature], columns: Columns, n_edges: int, scalings: Mapping[str, Scaling]
) -> np.ndarray:
    """Features side by side, float32, shape=(2 · n_edges, width): each edge in both directions, as in graphs.h5."""
    found = _scaled(features, columns, n_edges, scalings)
    return _side_by_side([(directed(values), feature.width) for feature, values in found], 2 * n_edges)


def _scaled(
    features: Iterable[InputFeature], columns: Columns, n_rows: int, scalings: Mapping[str, Scaling]
) -> Iterator[tuple[InputFeature, np.ndarray]]:
    for feature in features:
        values = feature.values(columns, n_rows)
        yield feature, scalings[feature.name](values) if feature.name in scalings else values


def _side_by_side(parts: list[tuple[np.ndarray, int]], n_rows: int) -> np.ndarray:
    matrix = np.empty((n_rows, sum(width for _, width in parts)), dtype=np.float32)
    first = 0
    for values, width in parts:
        matrix[:, first : first + width] = values.reshape(n_rows, width)
        first += width
    return matrix
