"""Figures as they look everywhere: colours that the colour-blind tell apart, sizes that print well, and a sentence
where data lack."""

import base64
import io
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..errors import ConfigError
from .colours import COLOURS

if TYPE_CHECKING:
    from matplotlib.typing import RcKeyType

#: The order in which lines and groups take colours.
CYCLE = tuple(COLOURS[name] for name in ("blue", "orange", "green", "vermilion", "purple", "sky", "black", "grey"))

#: For texts with names in them: a dollar sign begins no formula.
AS_IS: dict[str, Any] = {"parse_math": False}

#: Inches; fits the text width of a printed A4 page.
WIDTH = 7.5
_DPI = 144
STYLE: "dict[RcKeyType, Any]" = {
    "font.size": 9.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "figure.constrained_layout.use": True,
}


class Picture(Figure):
    """A figure that shows itself as the last line of a notebook's cell, with a description for those who do not see
    it."""

    description = ""

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> tuple[dict[str, Any], dict[str, Any]]:
        image = io.BytesIO()
        with rc_context(STYLE):
            self.savefig(image, format="png", dpi=_DPI)
        width = round(self.get_figwidth() * 96)
        encoded = base64.b64encode(image.getvalue()).decode()
        return {"image/png": encoded}, {"image/png": {"width": width, "alt": self.description}}


class Missing(str):
    """A sentence in the place of a figure or a table whose data were not noted."""

    def _repr_markdown_(self) -> str:
        return f"*{self}*"


def picture(
    description: str, height: float, rows: int = 1, columns: int = 1, given: Any = None, **options: Any
) -> tuple[Figure, Any]:
    """A figure and its axes, an array of these where there are several: a new one, or that of the caller's axes.

    Parameters
    ----------
    description : str
        What it shows, for those who do not see it.
    height : float
        Inches.
    rows, columns : int
    given : Axes or sequence of Axes, optional
        To draw on instead, row by row.
    **options
        Of `Figure.subplots`.

    Raises
    ------
    ConfigError
        There are more or fewer axes given than are drawn on.
    """
    if given is not None:
        axes = np.array(given, dtype=object)
        if axes.size != rows * columns:
            raise ConfigError(f"expected {rows * columns} axes to draw on, found {axes.size}")
        return axes.flat[0].figure, axes.reshape(rows, columns).squeeze()[()]
    with rc_context(STYLE):
        figure = Picture(figsize=(WIDTH, height))
        figure.description = description
        return figure, figure.subplots(rows, columns, **options)


def legend_above(axes: Axes, columns: int) -> None:
    """A legend between title and plot, where it covers nothing."""
    place: dict[str, Any] = {"loc": "lower left", "bbox_to_anchor": (0.0, 1.0), "borderaxespad": 0.2}
    axes.legend(**place, ncols=columns, columnspacing=1.2, frameon=False, fontsize=8.0)


def title(axes: Axes, text: str) -> None:
    """A title where reading begins."""
    axes.set_title(text, loc="left", fontsize=9.5, **AS_IS)
