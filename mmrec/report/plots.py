"""Curves as inline SVG: columns of numbers in, one accessible picture each out.

Text and axes take the colour of the page (`currentColor`), so that one drawing serves
light, dark and print; equal numbers give equal bytes.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from io import StringIO
from typing import NamedTuple

import matplotlib as mpl
from markupsafe import Markup, escape
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

INK = "#010203"
"""Stands for the colour of the page's text while matplotlib draws."""
OPTIONS = {
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 10,
    "text.parse_math": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
}
"""Of matplotlib, for a drawing that `inline_svg` takes."""
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#7F7F7F")
"""Okabe and Ito's palette, less those too pale for white or too dark for black."""
_DASHES: tuple[tuple[float, ...], ...] = ((), (5, 2), (1.5, 1.5), (6, 2, 1.5, 2))
_MARKERS = "os^Dvp*"
_GENERATED_ID = re.compile(
    r' id="(?:figure|axes|patch|line2d|text|legend|xtick|ytick|matplotlib)[\w.]*_\d+"'
)


class Style(NamedTuple):
    """How one run is drawn everywhere."""

    colour: str
    dashes: tuple[float, ...]
    marker: str


class Plot(NamedTuple):
    """A drawing, what it shows in words, and the runs that its legend names."""

    title: str
    svg: Markup
    names: tuple[str, ...]


class Curve(NamedTuple):
    """Points of one run."""

    name: str
    x: Sequence[float]
    y: Sequence[float]


def styles(names: Sequence[str]) -> dict[str, Style]:
    """A style for each name, distinct in colour, and in dashes and marker for who sees none."""
    return {
        name: Style(
            COLOURS[place % len(COLOURS)],
            _DASHES[(place % len(COLOURS) + place // len(COLOURS)) % len(_DASHES)],
            _MARKERS[place % len(_MARKERS)],
        )
        for place, name in enumerate(names)
    }


def line_plot(
    title: str,
    curves: Sequence[Curve],
    looks: Mapping[str, Style],
    *,
    x_label: str,
    y_label: str,
    mark_best: bool = False,
    ticks: Sequence[str] = (),
) -> Plot:
    """Lines over a common axis, the legend being left to the page.

    Args:
        title: Title of the drawing, also its text for screen readers.
        curves: What to draw; a name appears in `looks`.
        looks: Styles by name.
        x_label: Meaning of x.
        y_label: Meaning of y.
        mark_best: Whether to mark the highest point of each line.
        ticks: Names of x = 0, 1, … where x is a category.
    """
    # The salt makes ids of clip paths and markers the same every time, and unique on the page.
    with mpl.rc_context(OPTIONS | {"svg.hashsalt": title}):
        figure = Figure(figsize=(4.3, 2.9), layout="constrained")
        axes = figure.add_subplot(xlabel=x_label, ylabel=y_label)
        axes.grid(color=INK, alpha=0.15, linewidth=0.6)
        for curve in curves:
            _draw(axes, curve, looks[curve.name], mark_best=mark_best, points=bool(ticks))
        if ticks:
            axes.set_xticks(range(len(ticks)), ticks)
            axes.set_ylim(bottom=0)
        else:
            axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=8))
        names = tuple(curve.name for curve in curves if _real(curve))
        return Plot(title, inline_svg(figure, title), names)


def _draw(axes: Axes, curve: Curve, look: Style, *, mark_best: bool, points: bool) -> None:
    dots = points or len(curve.x) == 1
    axes.plot(
        curve.x,
        curve.y,
        color=look.colour,
        linewidth=1.8,
        linestyle=(0, look.dashes) if look.dashes else "-",
        marker=look.marker if dots else "",
        markersize=5,
    )
    real = _real(curve)
    if mark_best and real and not dots:
        best = max(real, key=lambda place: curve.y[place])
        axes.plot([curve.x[best]], [curve.y[best]], look.marker, color=look.colour, markersize=6)


def _real(curve: Curve) -> list[int]:
    """Places of the points that can be drawn."""
    return [place for place, value in enumerate(curve.y) if math.isfinite(value)]


def inline_svg(figure: Figure, title: str) -> Markup:
    """A drawing as part of a page, in the colour of its text."""
    buffer = StringIO()
    nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    figure.savefig(buffer, format="svg", metadata=nothing, transparent=True)
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :].replace(INK, "currentColor")
    # Inside a page, ids and style rules are the page's: only those that are referred to stay.
    svg = _GENERATED_ID.sub("", svg)
    svg = re.sub(r"<(style|metadata)\b.*?</\1>", "", svg, flags=re.DOTALL)
    svg = re.sub(r"font-family: [^;]*; ", "", svg)
    label = escape(title)
    svg = svg.replace("<svg", f'<svg class="plot" role="img" aria-label="{label}"', 1)
    return Markup(svg)
