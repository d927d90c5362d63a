"""Points in the plane as inline SVG: groups of places in, one small drawing out.

A drawing has no axes, for those of t-SNE mean nothing, and a group is one path, so that a
thousand points take ten kilobytes; equal numbers give equal bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

import numpy as np
from markupsafe import Markup, escape

from mmrec.report.plots import COLOURS
from mmrec.report.projection import Places

Shape = Literal["dot", "cross", "square"]

_SIDE = 1000
_MARGIN = 20
_SHAPES: tuple[Shape, ...] = ("dot", "cross", "square")
# Each is a path from its middle; a line without length is its cap alone.
_STROKES: dict[Shape, str] = {
    "dot": 'stroke-width="17" stroke-linecap="round"',
    "cross": 'stroke-width="5" stroke-linecap="butt"',
    "square": 'stroke-width="14" stroke-linecap="square"',
}
_STEPS: dict[Shape, str] = {"dot": "h0", "cross": "m-8-8l16 16m0-16l-16 16", "square": "h0"}


class Mark(NamedTuple):
    """How the points of a group are drawn."""

    colour: str
    shape: Shape
    opacity: float = 1.0

    @property
    def swatch(self) -> Markup:
        """One point of it, for a legend."""
        return Markup(
            '<svg class="mark" viewBox="-12 -12 24 24" aria-hidden="true">{}</svg>'
        ).format(_path(self, [(0, 0)]))


class Group(NamedTuple):
    """Points that are drawn alike, and what they have in common."""

    label: str
    mark: Mark
    members: Sequence[int]


def marks(number: int) -> list[Mark]:
    """Distinct marks: another colour each, and another shape for who sees none."""
    return [
        Mark(
            COLOURS[place % len(COLOURS)],
            _SHAPES[(place + place // len(COLOURS)) % len(_SHAPES)],
        )
        for place in range(number)
    ]


def scatter(title: str, places: Places, groups: Iterable[Group]) -> Markup:
    """Groups over each other, the first below; distances are kept.

    Args:
        title: What is shown, for screen readers.
        places: [n, 2].
        groups: Their members are rows of `places`.
    """
    points = fitted(places)
    paths = Markup("").join(
        _path(group.mark, [points[row] for row in group.members])
        for group in groups
        if group.members
    )
    box = f'viewBox="0 0 {_SIDE} {_SIDE}" role="img" aria-label="{escape(title)}"'
    return Markup(f'<svg class="plot map" {box}>{paths}</svg>')


def fitted(places: Places) -> list[list[int]]:
    """Where a drawing has its points, [x, y] from its upper left corner: 0 to 1000."""
    low, high = places.min(axis=0), places.max(axis=0)
    scale = (_SIDE - 2 * _MARGIN) / float((high - low).max() or 1)
    centred = (places - (low + high) / 2) * scale + _SIDE / 2
    points: list[list[int]] = np.rint(centred).astype(int).tolist()
    return points


def _path(mark: Mark, points: Iterable[Sequence[int]]) -> Markup:
    step = _STEPS[mark.shape]
    line = "".join(f"M{x} {y}{step}" for x, y in points)
    opacity = f' stroke-opacity="{mark.opacity}"' if mark.opacity < 1 else ""
    return Markup(
        f'<path d="{line}" fill="none" stroke="{mark.colour}" {_STROKES[mark.shape]}{opacity}/>'
    )
