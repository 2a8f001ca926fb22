"""Colours that the colour-blind tell apart, for figures and for whatever else shows a model."""

#: Okabe & Ito's palette (Color Universal Design, 2008).
COLOURS = {
    "blue": "#0072B2",
    "orange": "#E69F00",
    "green": "#009E73",
    "vermilion": "#D55E00",
    "purple": "#CC79A7",
    "sky": "#56B4E9",
    "yellow": "#F0E442",
    "grey": "#999999",
    "light": "#DDDDDD",
    "black": "#222222",
}
