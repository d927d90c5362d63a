"""Validation of every epoch of a study's rows in; how soon each is as good as another out."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from mmrec.atomic import atomic_path
from mmrec.io import DataError
from mmrec.params.study import StudyParams

Curve = Sequence[float]
"""A metric of the validation after each epoch."""
Curves = Mapping[str, Sequence[Curve]]
"""Of each row, one of each seed."""
Epochs = Mapping[str, Sequence[int | None]]
"""Of each row, for each seed; None where it is never as good."""


def read_curve(history: Path, metric: str) -> Curve:
    """The metric's column of a training's history.

    Raises:
        DataError: there is none, or no epoch: nothing was trained, or validated by another metric.
    """
    with history.open(encoding="utf-8", newline="") as file:
        lines = [*csv.DictReader(file)]
    if not lines or metric not in lines[0]:
        found = ", ".join(lines[0]) if lines else "no epoch"
        raise DataError(
            f"{history}: convergence is told by validation {metric}, found {found}; name a metric "
            "that trainings are validated by first in columns, and only rows that are trained"
        )
    return [float(line[metric]) for line in lines]


def epochs_to_share(study: StudyParams, curves: Curves) -> Epochs:
    """First epoch with the study's share of the best of the row that a row is compared with.

    Runs of the same seed are compared. A row that is compared with none is, with its own best.
    """
    assert study.convergence is not None
    found = {}
    for row, of_row in curves.items():
        pairs = zip(of_row, curves[study.compared_with(row)], strict=True)
        found[row] = [_first(own, study.convergence * max(other)) for own, other in pairs]
    return found


def _first(curve: Curve, wanted: float) -> int | None:
    return next((epoch for epoch, value in enumerate(curve, 1) if value >= wanted), None)


def convergence_markdown(study: StudyParams, curves: Curves) -> str:
    """A table of the epochs, those of each seed, beside how many there are and the best."""
    assert study.convergence is not None
    metric, seeds = study.columns[0], ", ".join(map(str, study.seeds))
    epochs = epochs_to_share(study, curves)
    lines = [
        f"Epochs to {study.convergence:.0%} of the best validation {metric} of {_of_what(study)}; "
        f"seeds {seeds}, – where a run ended before:",
        "",
        f"| | epochs to {study.convergence:.0%} | of epochs | best |",
        "|---|---|---|---|",
        *(_line(row, epochs[row], curves[row]) for row in curves),
    ]
    return "\n".join([*lines, ""])


def _of_what(study: StudyParams) -> str:
    others = {*map(study.compared_with, study.rows)}
    return others.pop() if len(others) == 1 else "the row that each is compared with"


def _line(row: str, epochs: Sequence[int | None], curves: Sequence[Curve]) -> str:
    cells = (
        ["–" if one is None else str(one) for one in epochs],
        [str(len(curve)) for curve in curves],
        [f"{max(curve):.4f}" for curve in curves],
    )
    return f"| {' | '.join([row, *map(', '.join, cells)])} |"


def write_curves(study: StudyParams, curves: Curves, path: Path) -> None:
    """Write a PNG: the metric by epoch, a colour for each row, a line for each seed."""
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    for number, (row, of_row) in enumerate(curves.items()):
        for seed, curve in enumerate(of_row):
            label = row if seed == 0 else None
            axes.plot(range(1, len(curve) + 1), curve, color=f"C{number % 10}", label=label)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel("epoch")
    axes.set_ylabel(f"validation {study.columns[0]}")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format="png", dpi=150)


def convergence_values(study: StudyParams, curves: Curves) -> dict[str, dict[str, object]]:
    """What the study's JSON file has of it: epochs and curves of each row, by seed."""
    epochs = epochs_to_share(study, curves)
    return {
        row: {"epochs": [*epochs[row]], "validation": [*map(list, curves[row])]} for row in curves
    }
