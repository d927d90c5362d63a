"""What the lists of compared runs are like: their metrics in, a table beside the comparison out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean
from typing import Any

from mmrec.compare.rows import Rows
from mmrec.evaluation.comparison import spread_of
from mmrec.evaluation.lists import is_list_metric
from mmrec.io import read_json
from mmrec.paths import Paths
from mmrec.report.tables import aligned, metric_label, metric_order

ListMetrics = Mapping[str, Mapping[str, Sequence[float]]]
"""By row and metric, one of each seed; a row without lists, as on cold targets, has none."""

_NOTE = """\
Lists of these users, means and standard deviations over seeds; without a test, since coverage and
Gini are of all lists together. – where a run reads no such feature."""


def list_metrics_of_rows(rows: Rows, part: str, paths: Paths) -> ListMetrics:
    """Metrics of the lists of a part of the users: all of them, or those of a history length."""
    return {row: _of_row(runs, part, paths) for row, runs in rows.items()}


def _of_row(runs: Sequence[str], part: str, paths: Paths) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {}
    for run in runs:
        for name, value in _of_run(paths.run(run).all_metrics, part).items():
            if is_list_metric(name):
                found.setdefault(name, []).append(value)
    return found


def _of_run(file: Path, part: str) -> Mapping[str, float]:
    lists = read_json(file).get("lists", {})
    groups: Mapping[str, Mapping[str, float]] = {
        "all": lists.get("all", {}),
        **lists.get("history_length", {}),
    }
    return groups.get(part, {})


def lists_as_text(metrics: ListMetrics) -> str:
    """A table for people; empty where no row has any."""
    names = metric_order(name for of_row in metrics.values() for name in of_row)
    if not names:
        return ""
    lines = [
        ["", *map(metric_label, names)],
        *(
            [row, *(_cell(of_row.get(name, ())) for name in names)]
            for row, of_row in metrics.items()
        ),
    ]
    return f"\n{aligned(lines)}\n{_NOTE}\n"


def lists_as_json(metrics: ListMetrics) -> dict[str, Any]:
    """All figures."""
    return {
        row: {
            name: {
                "values": list(values),
                "mean": mean(values),
                "standard_deviation": spread_of(values),
            }
            for name, values in of_row.items()
        }
        for row, of_row in metrics.items()
    }


def _cell(values: Sequence[float]) -> str:
    if not values:
        return "–"
    spread = spread_of(values)
    return f"{mean(values):.4f}" + ("" if spread is None else f" ± {spread:.4f}")
