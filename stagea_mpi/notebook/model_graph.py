"""The interface graph that Python's users get: `GraphArrays` with tables, pictures and a file.

It is a class of its own since tables, pictures and files stand above `graph/`, which is arrays in, arrays out. pandas,
matplotlib, h5py and PyTorch are imported when they are asked for.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from ..antibody.chain_rules import AUTO, ChainRule
from ..config.paths import given
from ..errors import ConfigError, LaunchError
from ..graph.interface_graph import Clusters, Edges, GraphArrays
from ..rundir.saving import saving
from . import graph_tables
from .residues import ModelResidues, Origin

if TYPE_CHECKING:
    import gemmi
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ..antibody.complexes import Chains
    from .viewer import View

#: Columns of the features that `InterfaceGraph.to_pyg` puts side by side, in this order.
PYG_NODE_FEATURES = ("res_type", "charge", "polarity", "bsa", "atom_type", "region")
PYG_EDGE_FEATURES = ("dist", "voro_area", "elec", "vdw", "covalent", "orientation")


@dataclass(frozen=True, eq=False, repr=False)
class InterfaceGraph(GraphArrays):
    """One model's interface: nodes are atoms in contact, edges the contacts and the bonds among them.

    Its arrays (`chain`, `position`, `interface.dist`, …) have a row each in `stagea_mpi.graph.features`.
    They are read-only, since the graphs that `cluster` and `dataclasses.replace` make of this one share them.
    `len(graph)` counts nodes, `==` compares all arrays, and as the last line of a notebook's cell it is a picture.

    Attributes
    ----------
    origin : Origin or None
        Where its structure can be read once more. It says nothing of the graph and is not compared.
    """

    origin: Origin | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        for f in fields(self):
            object.__setattr__(self, f.name, _read_only(getattr(self, f.name)))

    @classmethod
    def of(
        cls, graph: GraphArrays, name: str = "", clusters: Clusters | None = None, origin: Origin | None = None
    ) -> Self:
        """The same arrays, under a model's name."""
        arrays = {f.name: getattr(graph, f.name) for f in fields(graph)}
        return cls(**arrays | {"name": name, "clusters": clusters, "origin": origin})

    def nodes(self) -> pd.DataFrame:
        """A row for each atom.

        Returns
        -------
        table : DataFrame
            `side` (antibody or antigen), `residue_number` (in the merged chain), `residue`, `atom`, `region`, `x`, `y`,
            `z` (Å), `bsa` (Å², of the atom's residue), `number` (in the input, with insertion code), `imgt` (IMGT
            number with insertion letter, empty outside the labelled domains), `cluster` (depth 0; -1 without
            clusters).
        """
        return graph_tables.node_table(graph_tables.nodes_of(self), self.clusters and self.clusters[0])

    def edges(self, internal: bool = False) -> pd.DataFrame:
        """A row for each contact across the interface, or for each pair within one chain.

        Parameters
        ----------
        internal : bool

        Returns
        -------
        table : DataFrame
            The nodes `antibody` and `antigen` (of internal edges `first` and `second`), `dist` (Å), `elec` and `vdw`
            (kcal/mol; 0 on internal edges), `voro_area` (Å²).
        """
        return graph_tables.edge_table(graph_tables.edges_of(self.internal if internal else self.interface), internal)

    @property
    def residue_pairs(self) -> set[tuple[int, int]]:
        """Numbers of the antibody's and the antigen's residue of each contact."""
        numbers = self.residue_number[self.interface.nodes]
        return {(antibody, antigen) for antibody, antigen in np.unique(numbers, axis=0).tolist()}

    def contact_map(self) -> pd.DataFrame:
        """Contact area of each pair of residues.

        Returns
        -------
        table : DataFrame
            Å². Rows: the antibody's residues in contact, by region and number; columns: the antigen's.
        """
        return graph_tables.contact_map(self.nodes(), self.edges())

    def to_pyg(self) -> Any:
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
        from ..storage.deeprank_writer import both_ways, edge_features, node_features

        data = Data(
            x=torch.from_numpy(_side_by_side(node_features(vars(self)), PYG_NODE_FEATURES)),
            pos=torch.from_numpy(np.array(self.position)),
            num_nodes=len(self),
            name=self.name,
        )
        for prefix, edges, kind in (("", self.interface, b"interface"), ("internal_", self.internal, b"internal")):
            data[f"{prefix}edge_index"] = torch.from_numpy(both_ways(edges.nodes).T.astype(np.int64))
            columns = _side_by_side(edge_features(vars(edges), kind), PYG_EDGE_FEATURES)
            data[f"{prefix}edge_attr"] = torch.from_numpy(columns)
        for depth, labels in enumerate(self.clusters or ()):
            data[f"cluster{depth}"] = torch.from_numpy(labels.astype(np.int64))
        return data

    def save(self, path: str | Path) -> None:
        """Writes the graph and its clusters as packed.h5, the format of a run's shards, with this model alone.

        Parameters
        ----------
        path : path
            A file that is there is replaced once the new one is whole.

        Raises
        ------
        StorageError
        """
        from ..storage.single_graph import write_graph

        with saving(path) as draft:
            write_graph(draft, self.name, self, self.clusters)

    @classmethod
    def load(cls, path: str | Path, model: str | None = None) -> Self:
        """Reads a graph that `save` has written, or one of a shard's packed.h5.

        Parameters
        ----------
        path : path
        model : str, optional
            Its name, where the file has several graphs.

        Raises
        ------
        ConfigError
            There are several, or none of this name.
        RunFolderError
            The file is missing, damaged, or something else.
        """
        from ..storage.single_graph import read_graph

        name, graph, clusters = read_graph(given(path, "path"), model)
        return cls.of(graph, name, clusters)

    def plot(self, ax: Axes | None = None) -> Figure:
        """The interface from its side: atoms by region, contacts as lines. More pictures are in
        `stagea_mpi.notebook.graph_plots`.

        Parameters
        ----------
        ax : Axes, optional
            To draw on; a new figure without.

        Raises
        ------
        LaunchError
            matplotlib is not installed.
        """
        try:
            from .graph_plots import side_view
        except ImportError as error:
            library = (error.name or "matplotlib").split(".")[0]
            raise LaunchError(f"{library} is not installed; `pip install matplotlib pandas` installs it") from error
        return side_view(self, ax)

    def in_structure(
        self,
        source: str | Path | gemmi.Structure | None = None,
        *,
        heavy: str = AUTO,
        light: str | None = AUTO,
        antigen: str | Iterable[str] = AUTO,
        chains: str | dict[str, Any] | Chains | ChainRule | None = None,
        model: str | int | None = None,
    ) -> ModelResidues:
        """The residues of the structure that the graph is of, under its own chains and numbers.

        Parameters
        ----------
        source, heavy, light, antigen, chains, model
            Those that the graph was built from, as `stagea_mpi.build_graph` takes them. None are needed of a graph that
            it has just built from a file, nor of a run's: its structure is read from there once more.

        Returns
        -------
        residues : ModelResidues
            With region, contact area, buried area and B factor of each; `table()` gives them as a DataFrame.

        Raises
        ------
        ConfigError
            An argument is wrong, or the graph is of another structure or of other chains.
        RunFolderError
            The run's input is missing, or another one than it was.
        ModelError, LaunchError
            As `stagea_mpi.build_graph`.
        """
        from .sources import FromSource, rule_of

        stated = rule_of(heavy, light, antigen, chains, "in_structure")
        if source is not None:
            return FromSource(source, stated, model).residues(self)
        if self.origin is None:
            raise ConfigError(
                f"in_structure: {self.name or 'the graph'} does not know its structure; expected the file that it was "
                "built from as source, and its chains"
            )
        if model is not None or stated != ChainRule():
            raise ConfigError("in_structure: chains and model are those of a source; expected a source beside them")
        return self.origin.residues(self)

    def view(
        self,
        colour: str = "region",
        *,
        values: Mapping[tuple[str, str | int], float] | None = None,
        source: str | Path | gemmi.Structure | ModelResidues | None = None,
        **which: Any,
    ) -> View:
        """The model in space, to be turned with the mouse, as the last line of a notebook's cell.

        Parameters
        ----------
        colour : str
            ``region``, ``contact_area``, ``bsa`` (buried area), ``b_factor`` or ``plddt`` (B factors in AlphaFold's
            classes). With `values`, what these are called.
        values : mapping of (chain, number) to float, optional
            A value for some residues, such as the distance from a reference, by the structure's chain and number with
            insertion code: ``{("H", "52A"): 1.8}``.
        source : path, gemmi.Structure or ModelResidues, optional
            As in `in_structure`, or what that has given.
        **which
            `heavy`, `light`, `antigen`, `chains` and `model` of `in_structure`.

        Returns
        -------
        view : View
            It needs no network; its `save` writes it as a page.

        Raises
        ------
        ConfigError, RunFolderError, ModelError
            As `in_structure`, or there is no such colouring.
        LaunchError
            The viewer is not installed.
        """
        from .viewer import view_of

        residues = source if isinstance(source, ModelResidues) else self.in_structure(source, **which)
        return view_of(residues, colour, values)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> tuple[dict, dict]:
        """The picture as the last line of a notebook's cell; in words where matplotlib is not installed."""
        try:
            figure: Any = self.plot()
        except LaunchError:
            return {"text/plain": repr(self)}, {}
        content, described = figure._repr_mimebundle_()
        return {**content, "text/plain": repr(self)}, described


def _read_only(value: Any) -> Any:
    """Views of arrays that cannot be written through; other values as they are."""
    if isinstance(value, np.ndarray):
        view = value.view()
        view.flags.writeable = False
        return view
    if isinstance(value, tuple):
        return tuple(_read_only(item) for item in value)
    if isinstance(value, Edges):
        return Edges(**{f.name: _read_only(getattr(value, f.name)) for f in fields(value)})
    return value


def _side_by_side(features: dict[str, np.ndarray], names: tuple[str, ...]) -> np.ndarray:
    columns = [np.asarray(features[name], dtype=np.float32) for name in names]
    return np.concatenate([column if column.ndim == 2 else column[:, None] for column in columns], axis=1)
