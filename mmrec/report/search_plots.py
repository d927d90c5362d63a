"""Drawings of a search: its trials over parallel axes, and which settings matter."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mmrec.report.plots import COLOURS, INK, OPTIONS, Plot, Style, inline_svg

BEST, BEFORE, OTHERS, PRUNED = "the best", "trial 0, as it was", "other trials", "pruned"
SEARCH_LOOKS: Final[Mapping[str, Style]] = {
    BEST: Style(COLOURS[1], (), "o"),
    BEFORE: Style(COLOURS[0], (5, 2), "s"),
    OTHERS: Style(COLOURS[6], (), "D"),
    PRUNED: Style(COLOURS[6], (1.5, 1.5), "v"),
}
"""How trials are drawn, by what they are."""
_AXIS_WIDTH, _LEAST_WIDTH = 1.3, 6.0
"""Inches."""


@dataclass(frozen=True)
class _Scale:
    """Where the values of a setting lie on its axis, from 0 to 1; choices are evenly spread."""

    choices: Sequence[str]
    low: float = 0.0
    high: float = 0.0
    log: bool = False

    def place(self, value: Any) -> float:
        if value is None:
            return math.nan
        if self.choices:
            found = self.choices.index(option_text(value))
            return (found + 0.5) / len(self.choices)
        low, high, at = (math.log(x) if self.log else x for x in (self.low, self.high, value))
        return float((at - low) / (high - low)) if high > low else 0.5

    @property
    def marks(self) -> dict[str, float]:
        """Texts beside the axis, with their places."""
        if self.choices:
            return {
                text: (place + 0.5) / len(self.choices) for place, text in enumerate(self.choices)
            }
        return {f"{value:.4g}": self.place(value) for value in (self.low, self.high)}


def option_text(value: object) -> str:
    """A value of a setting, short; of a section its kind first."""
    match value:
        case dict():
            kind = [str(value["name"])] if "name" in value else []
            others = (f"{key} {option_text(one)}" for key, one in value.items() if key != "name")
            return ", ".join([*kind, *others])
        case float():
            return f"{value:.4g}"
        case None | bool():
            return json.dumps(value)
        case _:
            return str(value)


def trials_plot(
    title: str,
    trials: Sequence[Mapping[str, Any]],
    best: int | None,
    space: Mapping[str, Any],
    label: str,
) -> Plot:
    """A line for each trial over an axis for each setting, and last one for the objective.

    Args:
        title: Of the drawing.
        trials: With a value, the best first.
        best: The trial that is complete and best.
        space: Options by setting.
        label: Of the objective.
    """
    scales = [_scale(options, [one["settings"].get(path) for one in trials])
              for path, options in space.items()]  # fmt: skip
    values = [one["value"] for one in trials]
    scales.append(_Scale((), min(values), max(values)))
    names = [*(path.replace(".", ".\n") for path in space), f"{label},\nvalidation"]
    with mpl.rc_context(OPTIONS | {"svg.hashsalt": title, "font.size": 9}):
        figure = Figure(
            figsize=(max(_AXIS_WIDTH * len(scales), _LEAST_WIDTH), 3), layout="constrained"
        )
        axes = figure.add_subplot()
        _draw_axes(axes, scales, names)
        drawn = set()
        for one in reversed(trials):  # the best on top
            kind = _kind(one, best)
            drawn.add(kind)
            found = [*(one["settings"].get(path) for path in space), one["value"]]
            places = [scale.place(value) for scale, value in zip(scales, found, strict=True)]
            _draw(axes, places, kind)
        return Plot(title, inline_svg(figure, title), tuple(k for k in SEARCH_LOOKS if k in drawn))


def importance_plot(title: str, importance: Mapping[str, float]) -> Plot:
    """A bar for each setting, the most important on top."""
    shares = sorted(importance.items(), key=lambda pair: pair[1])
    with mpl.rc_context(OPTIONS | {"svg.hashsalt": title}):
        figure = Figure(figsize=(4.3, 0.8 + 0.4 * len(shares)), layout="constrained")
        axes = figure.add_subplot(xlabel="share of the variance (fANOVA)", xlim=(0, 1))
        names, values = zip(*shares, strict=True)
        axes.barh(names, values, color=COLOURS[0], height=0.6)
        axes.grid(axis="x", color=INK, alpha=0.15, linewidth=0.6)
        return Plot(title, inline_svg(figure, title), ())


def _scale(options: Any, found: Sequence[Any]) -> _Scale:
    """Of a setting; what a trial has beyond the options, as trial 0 may, is on it, too."""
    there = [value for value in found if value is not None]
    if isinstance(options, list):
        return _Scale([*dict.fromkeys(option_text(value) for value in [*options, *there])])
    if not all(isinstance(value, int | float) for value in there):
        return _Scale([*dict.fromkeys(map(option_text, there))])
    low, high = min(options["low"], *there), max(options["high"], *there)
    return _Scale((), low, high, options["log"] and low > 0)


def _kind(trial: Mapping[str, Any], best: int | None) -> str:
    if trial["trial"] == best:
        return BEST
    if trial["trial"] == 0:
        return BEFORE
    return OTHERS if trial["state"] == "complete" else PRUNED


def _draw_axes(axes: Axes, scales: Sequence[_Scale], names: Sequence[str]) -> None:
    for place, scale in enumerate(scales):
        axes.axvline(place, color=INK, alpha=0.35, linewidth=0.8)
        for text, height in scale.marks.items():
            axes.annotate(text, (place, height), (4, 0), textcoords="offset points", va="center")
    axes.set_xticks(range(len(names)), names)
    axes.set_yticks([])
    axes.set(xlim=(-0.2, len(names) - 0.4), ylim=(-0.06, 1.06))
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.tick_params(length=0)


def _draw(axes: Axes, places: Sequence[float], kind: str) -> None:
    look = SEARCH_LOOKS[kind]
    stands_out = kind in (BEST, BEFORE)
    axes.plot(
        range(len(places)),
        places,
        color=look.colour,
        linewidth=2.2 if stands_out else 1.2,
        linestyle=(0, look.dashes) if look.dashes else "-",
        alpha=1 if stands_out else 0.7,
        marker=look.marker if stands_out else "",
        markersize=5,
    )
