"""Pictures of a run's models side by side: each function draws one thing and returns the figure. `ax`, or `axes` where
several are drawn on, are the caller's to draw on instead.
"""

import itertools
from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..report.figures import AS_IS, COLOURS, CYCLE, Missing, legend_above, picture
from .explore import Run
from .graph_plots import AREA, MOST_NAMED, REGION_COLOURS
from .model_table import QUALITY_FLAGS


def ensemble(run: Run, axes: Sequence[Axes] | None = None) -> Figure:
    """All models of a run: contact area against contacts, and the energies."""
    models = run.models[run.models["status"] == "ok"]
    figure, (left, right) = picture("contact area, contacts and energies of all models", 3.0, 1, 2, given=axes)
    left.scatter(models["n_edges"], models["contact_area"], s=14, color=COLOURS["blue"])
    left.set(xlabel="contacts", ylabel="contact area (Å²)", xlim=(0, None), ylim=(0, None))
    right.scatter(models["elec"], models["vdw"], s=14, marker="^", color=COLOURS["green"])
    # Atoms that clash have energies of any size.
    right.set_yscale("symlog", linthresh=100.0)
    right.set(xlabel="Coulomb energy (kcal/mol)", ylabel="Lennard-Jones energy (kcal/mol)")
    return figure


def confidence(run: Run, axes: Sequence[Axes] | None = None) -> Figure | Missing:
    """What a predictor is sure of beside the flags: PAE of the interface against ipTM, contact area against ipSAE.

    Models of a target have one colour; those that a flag marks (`QUALITY_FLAGS`) are crosses.
    """
    models = run.models[run.models["status"] == "ok"]
    if models[["iptm", "interface_pae", "ipsae"]].isna().all().any():
        return Missing("The models have no ipTM and PAE of a predictor (docs/predictors.md).")
    figure, sides = picture("confidence of the models' predictor against the flags", 3.2, 1, 2, given=axes)
    is_flagged = models[list(QUALITY_FLAGS)].any(axis=1)
    for side, (x, y) in zip(sides, (("iptm", "interface_pae"), ("ipsae", "contact_area")), strict=True):
        for colour, (target, own) in zip(itertools.cycle(CYCLE), models.groupby("target"), strict=False):
            plain, marked = own[~is_flagged[own.index]], own[is_flagged[own.index]]
            side.scatter(plain[x], plain[y], s=18, color=colour, label=target)
            side.scatter(marked[x], marked[y], s=18, color=colour, marker="x", label=f"{target}, flagged")
    sides[0].set(xlabel="ipTM", ylabel="PAE of the interface (Å)")
    sides[1].set(xlabel="ipSAE", ylabel="contact area (Å²)")
    legend_above(sides[0], 2)
    return figure


def similarity(table: pd.DataFrame, ax: Axes | None = None) -> Figure:
    """How alike the interfaces of some models are (`Run.similarity`)."""
    figure, axes = picture("similarity of interfaces", min(7.5, 2.2 + 0.16 * len(table)), given=ax)
    image = axes.imshow(table.to_numpy(), cmap=AREA, vmin=0.0, vmax=1.0, interpolation="nearest")
    if len(table) <= MOST_NAMED:
        axes.set_xticks(range(len(table)), table.columns, rotation=90, fontsize=7, **AS_IS)
        axes.set_yticks(range(len(table)), table.index, fontsize=7, **AS_IS)
    figure.colorbar(image, ax=axes, label="contacts in common (Jaccard)", shrink=0.8)
    return figure


def contacts_by_region(run: Run, names: list[str], ax: Axes | None = None) -> Figure:
    """Contact area by region of the antibody, for some models side by side."""
    areas = pd.DataFrame(
        {name: run[name].contact_map().sum(axis=1).groupby("region", observed=False).sum() for name in names}
    )
    areas = areas[areas.sum(axis=1) > 0]
    figure, axes = picture("contact area by region of some models", 2.6, given=ax)
    places, left = np.arange(len(names)), np.zeros(len(names))
    for region, values in areas.iterrows():
        axes.bar(
            places,
            values,
            bottom=left,
            color=REGION_COLOURS[str(region)],
            edgecolor="white",
            linewidth=0.4,
            label=region,
        )
        left += values.to_numpy()
    axes.set_xticks(places, names, rotation=60 if len(names) > 6 else 0, fontsize=7, **AS_IS)
    axes.set_ylabel("contact area (Å²)")
    legend_above(axes, 9)
    return figure
