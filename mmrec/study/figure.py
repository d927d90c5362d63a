"""The figure of a study: one metric of every row, with its spread over the seeds."""

from __future__ import annotations

from pathlib import Path

from matplotlib.figure import Figure

from mmrec.atomic import atomic_path
from mmrec.params.study import StudyParams
from mmrec.study.markdown import part_label
from mmrec.study.tables import Cells

_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")


def write_figure(study: StudyParams, cells: Cells, path: Path) -> None:
    """Write a PNG: rows from top to bottom, the first column's metric, a colour for each part."""
    metric, rows, parts = study.columns[0], list(study.rows), list(cells)
    figure = Figure(figsize=(7, 1.2 + 0.32 * len(rows) * len(parts) ** 0.5), layout="constrained")
    axes = figure.subplots()
    height = 0.8 / len(parts)
    comparisons = len({*study.comparisons().values()})
    for number, part in enumerate(parts):
        found = [cells[part][row][metric] for row in rows]
        places = [place + (number - (len(parts) - 1) / 2) * height for place in range(len(rows))]
        bars = axes.barh(
            places,
            [cell.mean for cell in found],
            height,
            xerr=[cell.spread or 0.0 for cell in found],
            label=part_label(study, part),
            color=_COLOURS[number],
            error_kw={"elinewidth": 1},
        )
        # Bars of several comparisons cannot be told against each other by eye.
        if comparisons > 1:
            axes.bar_label(bars, [cell.percent for cell in found], padding=3, fontsize=7)
    axes.set_yticks(range(len(rows)), rows)
    axes.invert_yaxis()
    axes.set_xlabel(metric)
    axes.spines[["top", "right"]].set_visible(False)
    if len(parts) > 1:
        axes.legend(frameon=False)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format="png", dpi=150)
