"""Residues at the interface and pairs of residues in contact, of several models of a packed.h5 at once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..graph.features import NODE_FEATURES
from ..storage.packed_reader import PackedFile
from ..storage.schema import B_FACTOR, split_names
from . import graph_tables

if TYPE_CHECKING:
    import pandas as pd

#: What of a residue is in both tables: chain and numbers in the input, IMGT's, the residue's name and its region.
_IDENTITY = ("chain", "number", "imgt", "residue", "region")
#: Columns of the tables. `b_factor` is in the first where packed.h5 has it.
RESIDUE_COLUMNS = (
    "model", "target", "side", *_IDENTITY, "bsa", "n_contacts", "n_partners", "contact_area", "elec", "vdw",
)  # fmt: skip
CONTACT_COLUMNS = (
    "model", "target", *(f"antibody_{name}" for name in _IDENTITY), "antigen_chain", "antigen_number",
    "antigen_residue", "n_contacts", "distance", "contact_area", "elec", "vdw",
)  # fmt: skip
#: Of a node, what these are made of.
_NODE_COLUMNS = (
    "chain",
    "residue_number",
    "residue_type",
    "region",
    "bsa",
    "input_chain",
    "author_number",
    "imgt_number",
)
_FEATURES = {feature.name: feature for feature in NODE_FEATURES}
#: Sums over contacts, and the column of edges that is added up.
_SUMS = {"contact_area": "voro_area", "elec": "elec", "vdw": "vdw"}
#: More than any residue has for a number in its merged chain.
_MOST_RESIDUES = 2**31


@dataclass(frozen=True)
class _Residues:
    """The residues with nodes of some models: by model, antibody first, then by their place in the merged chain.

    Attributes
    ----------
    names, targets : ndarray of str objects, shape=(models,)
    model : ndarray of int, shape=(r,)
        Which of these models each is of.
    columns : dict of str to ndarray, shape=(r,)
        Columns of nodes, which are equal for all of a residue.
    chain : ndarray of str objects, shape=(r,)
        Its chain in the input.
    of_node : ndarray of int, shape=(n,)
        The residue of each node.
    """

    names: np.ndarray
    targets: np.ndarray
    model: np.ndarray
    columns: dict[str, np.ndarray]
    chain: np.ndarray
    of_node: np.ndarray

    def __len__(self) -> int:
        return len(self.model)

    def text(self, column: str, rows: np.ndarray | slice) -> np.ndarray:
        """A column as tables write it."""
        feature, values = _FEATURES[column], self.columns[column][rows]
        return feature.text(values) if feature.text else np.array(feature.codes, dtype=object)[values]

    def identity(self, rows: np.ndarray | slice) -> dict[str, np.ndarray]:
        """The columns `_IDENTITY` of some residues."""
        texts = (self.text(column, rows) for column in ("author_number", "imgt_number", "residue_type", "region"))
        return dict(zip(_IDENTITY, (self.chain[rows], *texts), strict=True))

    def of_model(self, rows: np.ndarray | slice) -> dict[str, np.ndarray]:
        model = self.model[rows]
        return {"model": self.names[model], "target": self.targets[model]}


@dataclass(frozen=True)
class _Contacts:
    """Contacts of atoms across the interface, and the pairs of residues that they join.

    Attributes
    ----------
    pairs : ndarray of int, shape=(p, 2)
        Residues of the antibody and of the antigen, as rows of `_Residues`; ascending.
    of_contact : ndarray of int, shape=(e,)
        The pair of each contact.
    columns : dict of str to ndarray, shape=(e,)
        Columns of edges.
    """

    pairs: np.ndarray
    of_contact: np.ndarray
    columns: dict[str, np.ndarray]


def residue_table(packed: PackedFile, first: int, stop: int) -> pd.DataFrame:
    """Residues with an atom in contact, of the models from the first to the one before `stop`.

    Returns
    -------
    table : DataFrame
        `RESIDUE_COLUMNS`, as `explore.Run.residues` says, and `b_factor` where the file has it.
    """
    pd = graph_tables.pandas_module()
    residues = _residues(packed, first, stop)
    contacts = _contacts(packed, first, stop, residues)
    ends = contacts.pairs[contacts.of_contact]
    table = {
        **residues.of_model(slice(None)),
        "side": residues.text("chain", slice(None)),
        **residues.identity(slice(None)),
        "bsa": residues.columns["bsa"],
        "n_contacts": _counted(ends, len(residues)),
        "n_partners": _counted(contacts.pairs, len(residues)),
        **{name: _summed(ends, contacts.columns[edge], len(residues)) for name, edge in _SUMS.items()},
    }
    if B_FACTOR.name in packed.columns("node"):
        kept = packed.rows("node", first, stop, [B_FACTOR.name])[B_FACTOR.name]
        n_nodes = _counted(residues.of_node[:, None], len(residues))
        table["b_factor"] = _summed(residues.of_node[:, None], kept, len(residues)) / n_nodes
    return pd.DataFrame(table)


def contact_table(packed: PackedFile, first: int, stop: int) -> pd.DataFrame:
    """Pairs of residues in contact, of the models from the first to the one before `stop`.

    Returns
    -------
    table : DataFrame
        `CONTACT_COLUMNS`, as `explore.Run.contacts` says.
    """
    pd = graph_tables.pandas_module()
    residues = _residues(packed, first, stop)
    contacts = _contacts(packed, first, stop, residues)
    antibody, antigen = contacts.pairs.T
    n_pairs, of_contact = len(contacts.pairs), contacts.of_contact[:, None]
    distance = np.full(n_pairs, np.inf, dtype=np.float32)
    np.minimum.at(distance, contacts.of_contact, contacts.columns["dist"])
    table = {
        **residues.of_model(antibody),
        **{f"antibody_{name}": values for name, values in residues.identity(antibody).items()},
        **{f"antigen_{name}": values for name, values in residues.identity(antigen).items()},
        "n_contacts": _counted(of_contact, n_pairs),
        "distance": distance,
        **{name: _summed(of_contact, contacts.columns[edge], n_pairs) for name, edge in _SUMS.items()},
    }
    return pd.DataFrame({name: table[name] for name in CONTACT_COLUMNS})


def empty_table(columns: Iterable[str]) -> pd.DataFrame:
    """A table of either kind without rows, whose columns have their types."""
    pd = graph_tables.pandas_module()
    counts = ("n_contacts", "n_partners")
    numbers = ("bsa", "distance", *_SUMS, B_FACTOR.name)
    types = dict.fromkeys(counts, "int64") | dict.fromkeys(numbers, "float32")
    return pd.DataFrame({name: pd.Series(dtype=types.get(name, "object")) for name in columns})


def _residues(packed: PackedFile, first: int, stop: int) -> _Residues:
    columns = packed.rows("node", first, stop, _NODE_COLUMNS)
    model = np.repeat(np.arange(stop - first), np.diff(packed.bounds("node", first, stop)))
    key = (2 * model + columns["chain"]) * _MOST_RESIDUES + columns["residue_number"]
    _, node, of_node = np.unique(key, return_index=True, return_inverse=True)
    columns = {name: values[node] for name, values in columns.items()}
    named = packed.dataset("model/input_chains")[first:stop]
    targets = [target.decode(errors="replace") for target in packed.dataset("model/target")[first:stop].tolist()]
    return _Residues(
        np.array(packed.names[first:stop], dtype=object),
        np.array(targets, dtype=object),
        model[node],
        columns,
        _chain_names(named[model[node]], columns["input_chain"]),
        of_node,
    )


def _chain_names(named: np.ndarray, chain: np.ndarray) -> np.ndarray:
    """Name of each residue's chain; empty where the names are not known.

    Parameters
    ----------
    named : ndarray of bytes, shape=(r,)
        The names of its model's chains, joined.
    chain : ndarray of int, shape=(r,)
        Its position in these.
    """
    distinct, row = np.unique(named, return_inverse=True)
    lists = [split_names(names.decode(errors="replace")) for names in distinct.tolist()]
    width = max(map(len, lists), default=0) + 1  # one more, for names that are not known
    table = np.full((len(lists), width), "", dtype=object)
    for k, names in enumerate(lists):
        table[k, : len(names)] = names
    found: np.ndarray = table[row, np.minimum(chain, width - 1)]
    return found


def _contacts(packed: PackedFile, first: int, stop: int, residues: _Residues) -> _Contacts:
    columns = packed.rows("edge", first, stop, ("nodes", "dist", *_SUMS.values()))
    nodes, edges = packed.bounds("node", first, stop), packed.bounds("edge", first, stop)
    begins = np.repeat(nodes[:-1] - nodes[0], np.diff(edges))
    ends = residues.of_node[columns.pop("nodes") + begins[:, None]]
    key, of_contact = np.unique(ends[:, 0] * max(1, len(residues)) + ends[:, 1], return_inverse=True)
    return _Contacts(np.stack(np.divmod(key, max(1, len(residues))), axis=1), of_contact, columns)


def _counted(rows: np.ndarray, n_rows: int) -> np.ndarray:
    """How often each row is named."""
    return np.bincount(rows.ravel(), minlength=n_rows)


def _summed(rows: np.ndarray, values: np.ndarray, n_rows: int) -> np.ndarray:
    """Sums of the values by the rows that each one counts for, shape=(values, rows of each)."""
    weights = np.repeat(values.astype(np.float64), rows.shape[1])
    return np.bincount(rows.ravel(), weights, minlength=n_rows).astype(np.float32)
