"""Losses of a study's rows: how low a training came, and how low it is on what it has not seen."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import mean
from typing import NamedTuple

from matplotlib.figure import Figure

from mmrec.atomic import atomic_path
from mmrec.evaluation.comparison import spread_of
from mmrec.evaluation.metrics import VALIDATION_LOSS
from mmrec.io import DataError
from mmrec.params.study import StudyParams


class Losses(NamedTuple):
    """Of a training, in the epoch whose weights are kept."""

    training: float
    """Mean over the epoch, with dropout and whatever else a training draws."""
    validation: float


RowLosses = Mapping[str, Sequence[Losses]]
"""Of each row, one of each seed."""


def read_losses(history: Path, epoch: object) -> Losses:
    """The losses of an epoch of a training's history.

    Raises:
        DataError: nothing was trained, or by a loss that has none on validation targets.
    """
    with history.open(encoding="utf-8", newline="") as file:
        lines = [line for line in csv.DictReader(file) if int(line["epoch"]) == epoch]
    if not lines or VALIDATION_LOSS not in lines[0]:
        found = ", ".join(lines[0]) if lines else "no epoch"
        raise DataError(
            f"{history}: losses are told by loss and {VALIDATION_LOSS}, found {found}; leave rows "
            "out that are not trained or not by a softmax, or take losses out of the study"
        )
    return Losses(float(lines[0]["loss"]), float(lines[0][VALIDATION_LOSS]))


def losses_markdown(losses: RowLosses) -> str:
    """A table of the means over the seeds, and how far the two are apart."""
    lines = [
        "Losses in the kept epoch, means ± standard deviations over the seeds: of training, as it "
        "is trained, and of the validation targets:",
        "",
        "| | training | validation | validation - training |",
        "|---|---|---|---|",
        *(f"| {' | '.join([row, *_cells(found)])} |" for row, found in losses.items()),
    ]
    return "\n".join([*lines, ""])


def _cells(found: Sequence[Losses]) -> Iterator[str]:
    gaps = [one.validation - one.training for one in found]
    for values in ([one.training for one in found], [one.validation for one in found], gaps):
        spread = spread_of(values)
        yield f"{mean(values):.4f}" + ("" if spread is None else f" ± {spread:.4f}")


def losses_values(losses: RowLosses) -> dict[str, object]:
    """What the study's JSON file has of them, by row and seed."""
    return {row: [one._asdict() for one in found] for row, found in losses.items()}


def write_losses(study: StudyParams, losses: RowLosses, path: Path) -> None:
    """Write a PNG: validation by training loss, both on logarithmic axes, a dot for each seed.

    Rows are apart by colour, and those that start from a pre-training are filled.
    """
    figure = Figure(figsize=(6, 5), layout="constrained")
    axes = figure.subplots()
    for number, (row, found) in enumerate(losses.items()):
        colour = f"C{number % 10}"
        axes.scatter(
            [one.training for one in found],
            [one.validation for one in found],
            label=row,
            edgecolors=colour,
            facecolors=colour if study.model_rows[row].pretrained else "none",
        )
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel("training loss")
    axes.set_ylabel("validation loss")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format="png", dpi=150)
