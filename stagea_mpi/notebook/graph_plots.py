"""Pictures of one interface graph: each function draws one thing and returns the figure. `ax`, or `axes` where several
are drawn on, are the caller's to draw on instead.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ..errors import ConfigError
from ..graph.interface_graph import GraphArrays
from ..report.colours import COLOURS
from ..report.figures import AS_IS, CYCLE, Missing, legend_above, picture, title
from ..structure.residues import ANTIGEN, REGIONS
from . import graph_tables
from .colours import REGION_COLOURS

#: Colours of a contact area, or of a share.
AREA = LinearSegmentedColormap.from_list("area", ("#FFFFFF", COLOURS["sky"], COLOURS["blue"], COLOURS["black"]))
#: More residues or models than these on an axis are not named.
MOST_NAMED = 60


def side_view(graph: GraphArrays, ax: Axes | None = None) -> Figure:
    """The interface from its side, the antibody above the antigen: atoms by region, contacts as lines."""
    figure, axes = picture(f"interface of {_name(graph)} from its side", 3.4, given=ax)
    position = graph.position.astype(np.float64)
    up = position[graph.chain == 0].mean(axis=0) - position[graph.chain == 1].mean(axis=0)
    up /= np.linalg.norm(up) or 1.0
    centred = position - position.mean(axis=0)
    along = np.linalg.svd(centred - np.outer(centred @ up, up), full_matrices=False)[2][0]
    along *= np.sign(along[np.argmax(np.abs(along))])
    flat = np.stack([centred @ along, centred @ up], axis=1)
    axes.add_collection(LineCollection(flat[graph.interface.nodes], colors=COLOURS["grey"], linewidths=0.3, alpha=0.6))
    regions = np.array(REGIONS)[graph.region]
    for region in _present(pd.Series(regions)):
        axes.scatter(*flat[regions == region].T, s=14, linewidth=0.3, label=region, **_style(region))
    axes.set(xlabel="along the interface (Å)", ylabel="across it (Å)")
    axes.set_aspect("equal", adjustable="datalim")
    legend_above(axes, 9)
    return figure


def interface_3d(graph: GraphArrays, ax: Axes | None = None) -> Figure:
    """The interface in space: atoms by region, contacts as lines."""
    figure, axes = picture(f"interface of {_name(graph)} in space", 5.0, subplot_kw={"projection": "3d"}, given=ax)
    if not hasattr(axes, "zaxis"):
        raise ConfigError("ax: expected axes with projection='3d'; `side_view` draws on plain ones")
    nodes, position = _nodes(graph), graph.position
    for a, b in position[graph.interface.nodes]:
        axes.plot(*np.stack([a, b]).T, color=COLOURS["grey"], linewidth=0.4, alpha=0.6)
    for region in _present(nodes["region"]):
        part = nodes[nodes["region"] == region]
        axes.scatter(
            part["x"], part["y"], part["z"], s=16, linewidth=0.3, depthshade=False, label=region, **_style(region)
        )
    axes.set(xlabel="x (Å)", ylabel="y (Å)", zlabel="z (Å)")
    for axis in (axes.xaxis, axes.yaxis, axes.zaxis):
        axis.set_major_locator(MaxNLocator(4))
    axes.set_box_aspect(np.ptp(position, axis=0) + 1.0)
    axes.legend(loc="center left", bbox_to_anchor=(1.08, 0.5), frameon=False)
    return figure


def contact_map(graph: GraphArrays, ax: Axes | None = None) -> Figure:
    """Contact area of each pair of residues, the antibody's by CDR."""
    table = graph_tables.contact_map(_nodes(graph), _edges(graph))
    rows, columns = table.shape
    figure, axes = picture(f"contact map of {_name(graph)}", min(8.0, 1.8 + 0.17 * rows), given=ax)
    image = axes.imshow(table.to_numpy(), cmap=AREA, vmin=0.0, aspect="auto", interpolation="nearest")
    regions = table.index.get_level_values("region").astype(str)
    for place in np.flatnonzero(regions[1:] != regions[:-1]):
        axes.axhline(place + 0.5, color=COLOURS["vermilion"], linewidth=0.8)
    names = [
        f"{region} {residue}" for region, residue in zip(regions, table.index.get_level_values("antibody"), strict=True)
    ]
    if rows <= MOST_NAMED:
        axes.set_yticks(range(rows), names, fontsize=7, **AS_IS)
    else:
        axes.set_ylabel(f"{rows} residues")
    if columns <= MOST_NAMED:
        axes.set_xticks(range(columns), table.columns, rotation=90, fontsize=7, **AS_IS)
    axes.set_xlabel("antigen")
    figure.colorbar(image, ax=axes, label="contact area (Å²)", shrink=0.8)
    return figure


def feature_distributions(graph: GraphArrays, axes: Sequence[Axes] | None = None) -> Figure:
    """Distances, energies, contact areas and buried areas of one model."""
    edges, residues = _edges(graph), _nodes(graph).drop_duplicates(["side", "residue_number"])
    shown = (
        (edges["dist"], "distance (Å)", "contacts"),
        (edges["voro_area"], "contact area (Å²)", "contacts"),
        (edges["elec"], "Coulomb energy (kcal/mol)", "contacts"),
        (edges["vdw"].clip(upper=float(edges["vdw"].quantile(0.98))), "Lennard-Jones energy (kcal/mol)", "contacts"),
        (residues["bsa"], "buried area (Å²)", "residues"),
    )
    figure, drawn = picture(f"feature distributions of {_name(graph)}", 4.0, 2, 3, given=axes)
    panels = np.ravel(drawn)
    for axis, (values, label, what), colour in zip(panels, shown, CYCLE, strict=False):
        axis.hist(values, bins=30, color=colour)
        axis.set(xlabel=label, ylabel=what)
    counts = residues["region"].value_counts().reindex(_present(residues["region"]))
    panels[5].bar(counts.index, counts, color=[REGION_COLOURS[region] for region in counts.index])
    panels[5].tick_params(axis="x", labelrotation=60)
    panels[5].set_ylabel("residues")
    return figure


def clusters(graph: GraphArrays, axes: Sequence[Axes] | None = None) -> Figure | Missing:
    """The clusters of the graph's atoms, seen along the direction in which they spread least."""
    if graph.clusters is None:
        return Missing("The graph has not been clustered; `graph.cluster()` does it.")
    centred = graph.position - graph.position.mean(axis=0)
    _, _, axes_of_spread = np.linalg.svd(centred, full_matrices=False)
    flat = centred @ axes_of_spread[:2].T
    figure, panels = picture(f"clusters of {_name(graph)}", 3.8, 1, 2, given=axes)
    depth_1 = graph.clusters[1][graph.clusters[0]]
    for axis, labels, name in zip(panels, (graph.clusters[0], depth_1), ("depth 0", "depth 1"), strict=True):
        number = np.unique(labels, return_inverse=True)[1]
        for a, b in flat[graph.internal.nodes]:
            axis.plot(*np.stack([a, b]).T, color=COLOURS["light"], linewidth=0.5, zorder=0)
        colours = np.array(CYCLE)[number % len(CYCLE)]
        axis.scatter(*flat.T, s=14, c=colours, edgecolor="white", linewidth=0.3)
        title(axis, f"{name}: {number.max() + 1} clusters")
        axis.set(xlabel="along the interface (Å)")
        axis.set_aspect("equal", adjustable="datalim")
    panels[0].set_ylabel("across it (Å)")
    return figure


def _present(regions: pd.Series) -> list[str]:
    found = set(regions)
    return [region for region in REGIONS if region in found]


def _style(region: str) -> dict[str, str]:
    return {
        "marker": "^" if region == REGIONS[ANTIGEN] else "o",
        "color": REGION_COLOURS[region],
        "edgecolor": COLOURS["black"],
    }


def _nodes(graph: GraphArrays) -> pd.DataFrame:
    return graph_tables.node_table(graph_tables.nodes_of(graph))


def _edges(graph: GraphArrays) -> pd.DataFrame:
    return graph_tables.edge_table(graph_tables.edges_of(graph.interface), internal=False)


def _name(graph: GraphArrays) -> str:
    return graph.name or "a model"
