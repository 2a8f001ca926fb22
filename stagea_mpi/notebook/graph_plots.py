"""Figures of interface graphs: each function draws one thing and returns the figure."""

import numpy as np
import pandas as pd
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.ticker import MaxNLocator

from ..report.figures import AS_IS, COLOURS, CYCLE, Missing, Picture, legend_above, picture, title
from ..structure.residues import REGIONS
from .explore import Model, Run

#: Colour of each region: heavy CDRs warm, light CDRs cool, the rest grey.
REGION_COLOURS = {
    "H1": COLOURS["yellow"],
    "H2": COLOURS["orange"],
    "H3": COLOURS["vermilion"],
    "L1": COLOURS["sky"],
    "L2": COLOURS["blue"],
    "L3": COLOURS["green"],
    "FR": COLOURS["grey"],
    "CONST": COLOURS["light"],
    "AG": COLOURS["black"],
}
_AREA = LinearSegmentedColormap.from_list("area", ("#FFFFFF", COLOURS["sky"], COLOURS["blue"], COLOURS["black"]))
#: More residues than these on an axis are not named.
_MOST_NAMED = 60


def interface_3d(model: Model) -> Picture:
    """The interface in space: atoms by region, contacts as lines."""
    figure, axes = picture(f"interface of {model.name} in space", 5.0, subplot_kw={"projection": "3d"})
    nodes, position = model.nodes, model.graph.position
    for a, b in position[model.graph.interface.nodes]:
        axes.plot(*np.stack([a, b]).T, color=COLOURS["grey"], linewidth=0.4, alpha=0.6)
    for region in _present(nodes["region"]):
        part = nodes[nodes["region"] == region]
        style = {
            "marker": "o" if region != "AG" else "^",
            "color": REGION_COLOURS[region],
            "edgecolor": COLOURS["black"],
        }
        axes.scatter(part["x"], part["y"], part["z"], s=16, linewidth=0.3, depthshade=False, label=region, **style)
    axes.set(xlabel="x (Å)", ylabel="y (Å)", zlabel="z (Å)")
    for axis in (axes.xaxis, axes.yaxis, axes.zaxis):
        axis.set_major_locator(MaxNLocator(4))
    axes.set_box_aspect(np.ptp(position, axis=0) + 1.0)
    axes.legend(loc="center left", bbox_to_anchor=(1.08, 0.5), frameon=False)
    return figure


def contact_map(model: Model) -> Picture:
    """Contact area of each pair of residues, the antibody's by CDR."""
    table = model.contact_map()
    rows, columns = table.shape
    figure, axes = picture(f"contact map of {model.name}", min(8.0, 1.8 + 0.17 * rows))
    image = axes.imshow(table.to_numpy(), cmap=_AREA, vmin=0.0, aspect="auto", interpolation="nearest")
    regions = table.index.get_level_values("region").astype(str)
    for place in np.flatnonzero(regions[1:] != regions[:-1]):
        axes.axhline(place + 0.5, color=COLOURS["vermilion"], linewidth=0.8)
    names = [
        f"{region} {residue}" for region, residue in zip(regions, table.index.get_level_values("antibody"), strict=True)
    ]
    if rows <= _MOST_NAMED:
        axes.set_yticks(range(rows), names, fontsize=7, **AS_IS)
    else:
        axes.set_ylabel(f"{rows} residues")
    if columns <= _MOST_NAMED:
        axes.set_xticks(range(columns), table.columns, rotation=90, fontsize=7, **AS_IS)
    axes.set_xlabel("antigen")
    figure.colorbar(image, label="contact area (Å²)", shrink=0.8)
    return figure


def feature_distributions(model: Model) -> Picture:
    """Distances, energies, contact areas and buried areas of one model."""
    edges, residues = model.edges, model.nodes.drop_duplicates(["side", "residue_number"])
    shown = (
        (edges["dist"], "distance (Å)", "contacts"),
        (edges["voro_area"], "contact area (Å²)", "contacts"),
        (edges["elec"], "Coulomb energy (kcal/mol)", "contacts"),
        (edges["vdw"].clip(upper=edges["vdw"].quantile(0.98)), "Lennard-Jones energy (kcal/mol)", "contacts"),
        (residues["bsa"], "buried area (Å²)", "residues"),
    )
    figure, axes = picture(f"feature distributions of {model.name}", 4.0, 2, 3)
    for axis, (values, label, what), colour in zip(axes.flat, shown, CYCLE, strict=False):
        axis.hist(values, bins=30, color=colour)
        axis.set(xlabel=label, ylabel=what)
    counts = residues["region"].value_counts().reindex(_present(residues["region"]))
    axes.flat[5].bar(counts.index, counts, color=[REGION_COLOURS[region] for region in counts.index])
    axes.flat[5].tick_params(axis="x", labelrotation=60)
    axes.flat[5].set_ylabel("residues")
    return figure


def clusters(model: Model) -> Picture | Missing:
    """The clusters of the graph's atoms, seen along the direction in which they spread least."""
    if model.clusters is None:
        return Missing(
            "The run has not been clustered; `python -m stagea_mpi run run.yaml --phase cluster_only` does it."
        )
    centred = model.graph.position - model.graph.position.mean(axis=0)
    _, _, axes_of_spread = np.linalg.svd(centred, full_matrices=False)
    flat = centred @ axes_of_spread[:2].T
    figure, panels = picture(f"clusters of {model.name}", 3.8, 1, 2)
    depth_1 = model.clusters[1][model.clusters[0]]
    for axis, labels, name in zip(panels, (model.clusters[0], depth_1), ("depth 0", "depth 1"), strict=True):
        number = np.unique(labels, return_inverse=True)[1]
        for a, b in flat[model.graph.internal.nodes]:
            axis.plot(*np.stack([a, b]).T, color=COLOURS["light"], linewidth=0.5, zorder=0)
        colours = np.array(CYCLE)[number % len(CYCLE)]
        axis.scatter(*flat.T, s=14, c=colours, edgecolor="white", linewidth=0.3)
        title(axis, f"{name}: {number.max() + 1} clusters")
        axis.set(xlabel="along the interface (Å)")
        axis.set_aspect("equal", adjustable="datalim")
    panels[0].set_ylabel("across it (Å)")
    return figure


def ensemble(run: Run) -> Picture:
    """All models of a run: contact area against contacts, and the energies."""
    models = run.models[run.models["status"] == "ok"]
    figure, (left, right) = picture("contact area, contacts and energies of all models", 3.0, 1, 2)
    left.scatter(models["n_edges"], models["contact_area"], s=14, color=COLOURS["blue"])
    left.set(xlabel="contacts", ylabel="contact area (Å²)", xlim=(0, None), ylim=(0, None))
    right.scatter(models["elec"], models["vdw"], s=14, marker="^", color=COLOURS["green"])
    # Atoms that clash have energies of any size.
    right.set_yscale("symlog", linthresh=100.0)
    right.set(xlabel="Coulomb energy (kcal/mol)", ylabel="Lennard-Jones energy (kcal/mol)")
    return figure


def similarity(table: pd.DataFrame) -> Picture:
    """How alike the interfaces of some models are (`Run.similarity`)."""
    figure, axes = picture("similarity of interfaces", min(7.5, 2.2 + 0.16 * len(table)))
    image = axes.imshow(table.to_numpy(), cmap=_AREA, vmin=0.0, vmax=1.0, interpolation="nearest")
    if len(table) <= _MOST_NAMED:
        axes.set_xticks(range(len(table)), table.columns, rotation=90, fontsize=7, **AS_IS)
        axes.set_yticks(range(len(table)), table.index, fontsize=7, **AS_IS)
    figure.colorbar(image, label="contacts in common (Jaccard)", shrink=0.8)
    return figure


def contacts_by_region(run: Run, names: list[str]) -> Picture:
    """Contact area by region of the antibody, for some models side by side."""
    areas = pd.DataFrame(
        {name: run[name].contact_map().sum(axis=1).groupby("region", observed=False).sum() for name in names}
    )
    areas = areas[areas.sum(axis=1) > 0]
    figure, axes = picture("contact area by region of some models", 2.6)
    places, left = np.arange(len(names)), np.zeros(len(names))
    for region, values in areas.iterrows():
        axes.bar(
            places, values, bottom=left, color=REGION_COLOURS[region], edgecolor="white", linewidth=0.4, label=region
        )
        left += values.to_numpy()
    axes.set_xticks(places, names, rotation=60 if len(names) > 6 else 0, fontsize=7, **AS_IS)
    axes.set_ylabel("contact area (Å²)")
    legend_above(axes, 9)
    return figure


def _present(regions: pd.Series) -> list[str]:
    found = set(regions)
    return [region for region in REGIONS if region in found]
