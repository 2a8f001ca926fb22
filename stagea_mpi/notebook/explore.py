"""The graphs of a run as data for notebooks: `Run(run_root)`, its `models` as a table, `run["model"]` as one model.

Everything is read from packed.h5 when it is asked for; MPI is not started.
"""

import difflib
import functools
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from ..config.paths import given
from ..errors import LaunchError, RunFolderError
from ..graph.interface_graph import Edges, InterfaceGraph
from ..rundir.folders import RunFolder
from ..storage.deeprank_writer import both_ways, edge_features, node_features
from ..storage.packed_reader import PackedFile
from ..storage.schema import CLUSTERS, POINTERS
from ..structure.residues import ANTIGEN, ATOM_TYPES, REGIONS, RESIDUE_TYPES

#: Columns of packed.h5 that flag a model (docs/inputs.md).
QUALITY_FLAGS = ("low_heavy_light", "vdw_clash", "modified_interface")
#: Columns of the features that `Model.to_pyg` puts side by side, in this order.
PYG_NODE_FEATURES = ("res_type", "charge", "polarity", "bsa", "atom_type", "region")
PYG_EDGE_FEATURES = ("dist", "voro_area", "elec", "vdw", "covalent", "orientation")


class Run:
    """The models of a run, by name.

    Parameters
    ----------
    run_root : path
        Output folder of a run, also of one that is not finished: the published shards are read.

    Raises
    ------
    RunFolderError
        No shard is published there.
    """

    def __init__(self, run_root: str | Path):
        folder = RunFolder(given(run_root, "run_root"))
        self.root = folder.root
        self._packed = {int(path.parent.name[-6:]): path for path in sorted(folder.shards.glob("shard_*/packed.h5"))}
        if not self._packed:
            raise RunFolderError(f"{run_root}: no shard is published (no shards/*/packed.h5); run it first")

    @functools.cached_property
    def models(self) -> pd.DataFrame:
        """A row for each model.

        Returns
        -------
        table : DataFrame
            Index: the name. `shard`, `status` (ok, or why it has no graph), `n_atoms` of the complex,
            `dropped_locations` (atoms that gave way to another location of them), `heavy_type` and `light_type`
            (ANARCI's, of the labelled domains), `n_nodes`, `n_edges` and `n_internal_edges` of the graph, `n_clusters`
            (depth 0), `contact_area` (Å², Voronoi, over the interface), `elec` and `vdw` (kcal/mol, sums over the
            interface), the flags `low_heavy_light`, `vdw_clash` and `modified_interface`, `left_out` (what of the
            interface is in no graph, by name), `seconds` to build, `source`.
        """
        return pd.concat([_models_of(shard, path) for shard, path in self._packed.items()]).set_index("model")

    def __getitem__(self, name: str) -> "Model":
        if name not in self.models.index:
            near = difflib.get_close_matches(name, self.models.index, n=3) or list(self.models.index[:3])
            raise KeyError(f"{name} is no model of this run; near are {', '.join(near)}")
        row = self.models.loc[name]
        if row["status"] != "ok":
            raise KeyError(f"{name} has no graph: {row['status']}")
        with PackedFile(self._packed[row["shard"]]) as packed:
            index = packed.names.index(name)
            clusters = packed.clusters(index) if packed.is_clustered else None
            return Model(name, packed.graph(index), clusters)

    def __iter__(self) -> Iterator[str]:
        """Names of the models that have a graph."""
        return iter(self.models.index[self.models["status"] == "ok"])

    def __len__(self) -> int:
        return int((self.models["status"] == "ok").sum())

    def __repr__(self) -> str:
        return f"Run({str(self.root)!r}): {len(self)} graphs of {len(self.models)} models in {len(self._packed)} shards"

    def similarity(self, names: Iterable[str]) -> pd.DataFrame:
        """How alike the interfaces of some models are.

        Returns
        -------
        table : DataFrame
            Models × models: of the pairs of residues in contact in either, the share in contact in both (Jaccard, 0 to
            1).
        """
        names = list(names)
        contacts = [self[name].residue_pairs for name in names]
        values = [[len(a & b) / max(1, len(a | b)) for b in contacts] for a in contacts]
        return pd.DataFrame(values, index=names, columns=names)


def _models_of(shard: int, path: Path) -> pd.DataFrame:
    with PackedFile(path) as packed:
        pointers = {table: packed.column(pointer) for table, pointer in POINTERS.items()}
        sums = {
            name: _sums(packed.column(f"edge/{column}"), pointers["edge"])
            for name, column in (("contact_area", "voro_area"), ("elec", "elec"), ("vdw", "vdw"))
        }
        n_clusters = np.diff(packed.column(CLUSTERS[2])) if packed.is_clustered else np.nan
        return pd.DataFrame(
            {
                "model": packed.names,
                "shard": shard,
                "status": packed.statuses,
                "n_atoms": packed.column("model/n_atoms"),
                "dropped_locations": packed.column("model/dropped_locations"),
                **{role: _as_text(packed.column(f"model/{role}")) for role in ("heavy_type", "light_type")},
                **{f"n_{table}s": np.diff(pointer) for table, pointer in pointers.items()},
                "n_clusters": n_clusters,
                **sums,
                **{flag: packed.column(f"model/{flag}").astype(bool) for flag in QUALITY_FLAGS},
                "left_out": _as_text(packed.column("model/left_out_names")),
                "seconds": packed.column("model/seconds").sum(axis=1),
                "source": _as_text(packed.column("model/source")),
            }
        )


def _as_text(column: np.ndarray) -> list[str]:
    return [value.decode(errors="replace") for value in column.tolist()]


def _sums(values: np.ndarray, pointer: np.ndarray) -> np.ndarray:
    """Sum of each model's rows."""
    total = np.concatenate([[0.0], np.cumsum(values, dtype=np.float64)])
    return total[pointer[1:]] - total[pointer[:-1]]


class Model:
    """One model's interface graph.

    Attributes
    ----------
    name : str
    graph : InterfaceGraph
    clusters : tuple of ndarray, or None
        Labels of depth 0 (of nodes) and of depth 1 (of depth-0 clusters); None where the run has not been clustered.
    """

    def __init__(self, name: str, graph: InterfaceGraph, clusters: tuple[np.ndarray, np.ndarray] | None = None):
        self.name, self.graph, self.clusters = name, graph, clusters

    def __repr__(self) -> str:
        n_contacts, n_internal = len(self.graph.interface), len(self.graph.internal)
        return f"Model({self.name!r}): {len(self.graph)} nodes, {n_contacts} contacts, {n_internal} internal edges"

    @property
    def nodes(self) -> pd.DataFrame:
        """A row for each atom.

        Returns
        -------
        table : DataFrame
            `side` (antibody or antigen), `residue_number`, `residue`, `atom`, `region`, `x`, `y`, `z` (Å), `bsa` (Å²,
            of the atom's residue), `cluster` (depth 0; -1 without clusters).
        """
        graph = self.graph
        x, y, z = graph.position.T
        return pd.DataFrame(
            {
                "side": np.array(["antibody", "antigen"])[graph.chain],
                "residue_number": graph.residue_number,
                "residue": np.array(RESIDUE_TYPES)[graph.residue_type],
                "atom": np.array(ATOM_TYPES)[graph.atom_type],
                "region": np.array(REGIONS)[graph.region],
                "x": x,
                "y": y,
                "z": z,
                "bsa": graph.bsa,
                "cluster": -1 if self.clusters is None else self.clusters[0],
            }
        )

    @property
    def edges(self) -> pd.DataFrame:
        """A row for each contact across the interface.

        Returns
        -------
        table : DataFrame
            The nodes `antibody` and `antigen`, `dist` (Å), `elec` and `vdw` (kcal/mol), `voro_area` (Å²).
        """
        return _edge_table(self.graph.interface, ("antibody", "antigen"))

    @property
    def internal_edges(self) -> pd.DataFrame:
        """A row for each pair within one chain: the nodes `first` and `second`, then as `edges`."""
        return _edge_table(self.graph.internal, ("first", "second"))

    @property
    def residue_pairs(self) -> set[tuple[int, int]]:
        """Numbers of the antibody's and the antigen's residue of each contact."""
        numbers = self.graph.residue_number[self.graph.interface.nodes]
        return set(map(tuple, np.unique(numbers, axis=0).tolist()))

    def contact_map(self) -> pd.DataFrame:
        """Contact area of each pair of residues.

        Returns
        -------
        table : DataFrame
            Å². Rows: the antibody's residues in contact, by region and number; columns: the antigen's.
        """
        nodes, edges = self.nodes, self.edges
        labels = nodes["residue"] + nodes["residue_number"].astype(str)
        antibody, antigen = (edges[side].to_numpy() for side in ("antibody", "antigen"))
        table = pd.DataFrame(
            {
                "region": nodes["region"].to_numpy()[antibody],
                "number": nodes["residue_number"].to_numpy()[antibody],
                "antibody": labels.to_numpy()[antibody],
                "at": nodes["residue_number"].to_numpy()[antigen],
                "antigen": labels.to_numpy()[antigen],
                "area": edges["voro_area"],
            }
        )
        table["region"] = pd.Categorical(table["region"], [name for name in REGIONS if name != REGIONS[ANTIGEN]])
        rows = ["region", "number", "antibody"]
        areas = table.pivot_table(index=rows, columns=["at", "antigen"], values="area", aggfunc="sum", observed=True)
        return areas.droplevel("number", axis=0).droplevel("at", axis=1)

    def to_pyg(self):
        """The graph as PyTorch Geometric has it.

        Returns
        -------
        data : torch_geometric.data.Data
            `x` (features `PYG_NODE_FEATURES` side by side), `pos` (Å), `edge_index` and `edge_attr`
            (`PYG_EDGE_FEATURES`), both directions of each contact, `internal_edge_index` and `internal_edge_attr`
            likewise, and with clusters `cluster0` and `cluster1`.

        Raises
        ------
        LaunchError
            The library is not installed.
        """
        try:
            import torch
            from torch_geometric.data import Data
        except ImportError as error:
            raise LaunchError(
                f"{error.name} is not installed; `pip install torch torch_geometric` installs it"
            ) from error
        features = node_features(self.graph)
        data = Data(
            x=torch.from_numpy(_side_by_side(features, PYG_NODE_FEATURES)),
            pos=torch.from_numpy(np.array(self.graph.position)),
            num_nodes=len(self.graph),
            name=self.name,
        )
        for prefix, edges, kind in (
            ("", self.graph.interface, b"interface"),
            ("internal_", self.graph.internal, b"internal"),
        ):
            data[f"{prefix}edge_index"] = torch.from_numpy(both_ways(edges.nodes).T.astype(np.int64))
            columns = _side_by_side(edge_features(edges, kind), PYG_EDGE_FEATURES)
            data[f"{prefix}edge_attr"] = torch.from_numpy(columns)
        for depth, labels in enumerate(self.clusters or ()):
            data[f"cluster{depth}"] = torch.from_numpy(labels.astype(np.int64))
        return data


def _edge_table(edges: Edges, ends: tuple[str, str]) -> pd.DataFrame:
    first, second = edges.nodes.T
    columns = {name: getattr(edges, name) for name in ("dist", "elec", "vdw", "voro_area")}
    return pd.DataFrame({ends[0]: first, ends[1]: second, **columns})


def _side_by_side(features: dict[str, np.ndarray], names: tuple[str, ...]) -> np.ndarray:
    columns = [np.asarray(features[name], dtype=np.float32) for name in names]
    return np.concatenate([column.reshape(len(column), -1) for column in columns], axis=1)
