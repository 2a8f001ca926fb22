"""What colours mean where a model or its graph is shown; matplotlib is not needed for them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..errors import ConfigError
from ..report.colours import COLOURS
from ..structure.residues import REGIONS

if TYPE_CHECKING:
    from .residues import ModelResidues

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
#: Of what lies outside the CDRs.
ROLE_COLOURS = {
    "heavy": COLOURS["light"],
    "light": COLOURS["grey"],
    "antigen": COLOURS["black"],
    "other": COLOURS["grey"],
}
#: Where values are shown, antibody and antigen without one.
BARE_COLOURS = ROLE_COLOURS | {"light": COLOURS["light"], "antigen": COLOURS["grey"]}
#: From the smallest to the largest value, ever darker.
RAMP = (COLOURS["yellow"], COLOURS["orange"], COLOURS["vermilion"])
#: The same for sticks beside cartoons that are coloured by region: no CDR has this hue.
STICK_RAMP = (COLOURS["light"], COLOURS["purple"], COLOURS["black"])
#: Bounds from which on a pLDDT is of a class, with its colour: those of AlphaFold's database, in our palette.
PLDDT_CLASSES = (
    (90.0, COLOURS["blue"]),
    (70.0, COLOURS["sky"]),
    (50.0, COLOURS["yellow"]),
    (-np.inf, COLOURS["vermilion"]),
)
#: What residues can be coloured by: how it is called, and its unit.
VALUES = {
    "contact_area": ("contact area", "Å²"),
    "bsa": ("buried area", "Å²"),
    "b_factor": ("B factor", ""),
    "plddt": ("pLDDT", ""),
}
CHOICES = ("region", *VALUES)
_CDRS = tuple(name for name in REGIONS if name[0] in "HL")


@dataclass(frozen=True)
class Colouring:
    """A colour for each residue of a model, and the legend.

    Attributes
    ----------
    title : str
        What is shown, with its unit.
    of_residues : list of str
        As ``#0072B2``, in the residues' order.
    legend : list of (str, str)
        Names with their colours.
    bounds : tuple of float, or None
        The values that have the first and the last colour of `RAMP`; None where values have no ramp.
    """

    title: str
    of_residues: list[str]
    legend: list[tuple[str, str]]
    bounds: tuple[float, float] | None = None


def colouring(residues: ModelResidues, by: str, values: np.ndarray | None = None) -> Colouring:
    """Colours of a model's residues.

    Parameters
    ----------
    residues : ModelResidues
    by : str
        One of `CHOICES`; with `values`, what these are called.
    values : ndarray of float64, shape=(r,), optional
        A value for each residue, NaN where there is none.

    Raises
    ------
    ConfigError
        There is no such choice.
    """
    if values is not None:
        return _by_value(residues, by, values)
    if by == "region":
        return _by_region(residues)
    if by not in VALUES:
        raise ConfigError(f"colour: expected {', '.join(CHOICES)}, found {by!r}")
    name, unit = VALUES[by]
    title = f"{name} ({unit})" if unit else name
    if by == "plddt":
        return _by_plddt(residues, title)
    return _by_value(residues, title, residues.values(by), None if by == "b_factor" else 0.0)


def _by_region(residues: ModelResidues) -> Colouring:
    found = [
        REGION_COLOURS[region] if region in _CDRS else ROLE_COLOURS[role]
        for role, region in zip(residues.role, residues.region, strict=True)
    ]
    legend = [(name, REGION_COLOURS[name]) for name in sorted(_CDRS) if name in residues.region]
    return Colouring("region", found, _roles(residues, ROLE_COLOURS) + legend)


def _roles(residues: ModelResidues, colours: dict[str, str]) -> list[tuple[str, str]]:
    return [(role, colours[role]) for role in ("heavy", "light", "antigen") if role in residues.role]


def _by_value(residues: ModelResidues, title: str, values: np.ndarray, least: float | None = None) -> Colouring:
    known = values[np.isfinite(values)]
    least, most = (float(known.min()) if least is None else least, float(known.max())) if len(known) else (0.0, 0.0)
    found = [
        ramp_colour((value - least) / (most - least or 1.0)) if np.isfinite(value) else BARE_COLOURS[role]
        for value, role in zip(values.tolist(), residues.role, strict=True)
    ]
    bare = {BARE_COLOURS[role] for role in residues.role}
    names = {COLOURS["light"]: "antibody without a value", COLOURS["grey"]: "antigen without a value"}
    return Colouring(title, found, [(names[colour], colour) for colour in names if colour in bare], (least, most))


def _by_plddt(residues: ModelResidues, title: str) -> Colouring:
    values = residues.values("b_factor").tolist()
    found = [next((colour for bound, colour in PLDDT_CLASSES if value >= bound), COLOURS["grey"]) for value in values]
    names = ("90 to 100", "70 to 90", "50 to 70", "under 50")
    return Colouring(title, found, [(name, colour) for name, (_, colour) in zip(names, PLDDT_CLASSES, strict=True)])


def ramp_colour(share: float) -> str:
    """The colour at a share (0 to 1) of the ramp, interpolated in RGB.

    >>> ramp_colour(0.0), ramp_colour(0.5), ramp_colour(1.0), ramp_colour(0.25)
    ('#F0E442', '#E69F00', '#D55E00', '#EBC221')
    """
    place = min(max(share, 0.0), 1.0) * (len(RAMP) - 1)
    k = min(int(place), len(RAMP) - 2)
    one, other = (np.array([int(text[i : i + 2], 16) for i in (1, 3, 5)]) for text in RAMP[k : k + 2])
    return "#{:02X}{:02X}{:02X}".format(*np.floor(one + (other - one) * (place - k) + 0.5).astype(int))
