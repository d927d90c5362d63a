"""Metrics of all runs side by side: runs in, comparison tables out."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from mmrec.evaluation.metrics import nearest_metrics
from mmrec.report.runs import RunReport

PARTS: Mapping[str, str] = {
    "all": "All users",
    "warm": "Warm targets",
    "cold": "Cold targets",
    "new": "New targets",
    "cold_positions": "Cold positions",
    "cold_positions_few": "Cold positions, few training interactions",
    "cold_positions_new": "Cold positions, no training interactions",
}
"""Parts of the held-out items and of cold positions, by their key in the file of all metrics."""

_FAMILIES = ("recall", "ndcg", "mrr")
_LABELS: Mapping[str, str] = {
    "recall": "Recall",
    "ndcg": "NDCG",
    "mrr": "MRR",
    "coverage": "Coverage",
    "gini": "Gini",
    "novelty": "Novelty",
    "popularity": "Popularity",
    "diversity_text": "Diversity (text)",
    "diversity_image": "Diversity (pictures)",
    "diversity_category": "Diversity (category)",
}
_TERMINAL_PARTS = ("all", "warm", "cold")


class Row(NamedTuple):
    """Metrics of one run on one part of the users, or of the cold positions."""

    dataset: str
    part: str
    run: str
    model: str
    size: int
    """Users, or samples of them, that the metrics are means over."""
    unit: str
    """`user`, or `sample` where a user may have several."""
    values: Mapping[str, float]


class Cell(NamedTuple):
    """One figure of a comparison as shown."""

    text: str
    best: bool


def metric_order(names: Iterable[str]) -> list[str]:
    """Metric names as columns: recall, then NDCG, by cut-off, then MRR, then others."""

    def key(name: str) -> tuple[int, str, float, str]:
        family, _, cutoff = name.partition("@")
        place = _FAMILIES.index(family) if family in _FAMILIES else len(_FAMILIES)
        return place, family, float(cutoff) if cutoff.isdigit() else math.inf, name

    return sorted(set(names), key=key)


def metric_label(name: str) -> str:
    """`recall@10` as people write it: `Recall@10`."""
    family, at, cutoff = name.partition("@")
    return _LABELS.get(family, family) + at + cutoff


def comparison_rows(runs: Iterable[RunReport]) -> list[Row]:
    """A row for each run and part that its metrics hold, parts in the order of `PARTS`."""
    return [
        _row(run, part, run.metrics[part]) for run in runs for part in PARTS if part in run.metrics
    ]


def list_rows(runs: Iterable[RunReport]) -> list[Row]:
    """A row for each run whose lists are measured, of all users and of each group by history."""
    measured = [(run, lists) for run in runs if (lists := run.metrics.get("lists"))]
    return [
        _row(run, part, of_part)
        for run, lists in measured
        for part, of_part in [("all", lists["all"]), *_by_length(lists["history_length"])]
    ]


def _by_length(groups: Mapping[str, Any]) -> list[tuple[str, Any]]:
    return sorted(groups.items(), key=lambda group: shortest_history(group[0]))


def shortest_history(group: str) -> int:
    """Length that a group of users such as `6-10` or `21+` starts with."""
    return int(group.rstrip("+").partition("-")[0])


def part_name(part: str) -> str:
    """A part, or a group of users by history length, in words."""
    return PARTS.get(part, f"{part} items in the history")


def metric_values(metrics: Mapping[str, Any]) -> dict[str, float]:
    """The metrics of one part: what is not a count or missing."""
    return {
        name: float(value)
        for name, value in metrics.items()
        if not name.startswith("num_") and value is not None
    }


def size_and_unit(metrics: Mapping[str, Any]) -> tuple[int, str]:
    """What the metrics of one part are means over: how many, and `user` or `sample`."""
    if "num_samples" in metrics:
        return int(metrics["num_samples"]), "sample"
    return int(metrics.get("num_users", 0)), "user"


def _row(run: RunReport, part: str, metrics: Mapping[str, Any]) -> Row:
    size, unit = size_and_unit(metrics)
    return Row(run.dataset, part, run.name, run.model, size, unit, metric_values(metrics))


def best_values(rows: Iterable[Row]) -> dict[str, float]:
    """Best value of each metric, where at least two rows compete and one is above zero."""
    found: dict[str, list[float]] = {}
    for row in rows:
        for name, value in row.values.items():
            found.setdefault(name, []).append(value)
    return {
        name: max(values) for name, values in found.items() if len(values) > 1 and max(values) > 0
    }


def cells(row: Row, columns: Iterable[str], best: Mapping[str, float]) -> list[Cell]:
    """The figures of a row as shown, four digits, the best ones marked."""
    return [
        Cell(f"{row.values[name]:.4f}", row.values[name] == best.get(name))
        if name in row.values
        else Cell("–", best=False)
        for name in columns
    ]


def by_dataset(rows: Iterable[Row]) -> dict[str, list[Row]]:
    """Rows grouped by dataset, in order of first appearance."""
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(row.dataset, []).append(row)
    return groups


def headline_metrics(rows: Iterable[Row], *, cutoff: int = 10) -> list[str]:
    """Recall and NDCG at one cut-off (the nearest to `cutoff` there is)."""
    return nearest_metrics({name for row in rows for name in row.values}, [cutoff])


def format_comparison(rows: Sequence[Row]) -> str:
    """Comparison of all runs for a terminal: a block for each dataset, best values starred."""
    if not rows:
        return "no run has been evaluated\n"
    return "\n".join(_block(dataset, group) for dataset, group in by_dataset(rows).items())


def _block(dataset: str, rows: list[Row]) -> str:
    metrics = headline_metrics(rows)
    units = {row.unit for row in rows if row.part in _TERMINAL_PARTS}
    header, users = [f"{dataset}:", ""], ["", "samples" if "sample" in units else "users"]
    lines: dict[str, list[str]] = {row.run: [row.run] for row in rows}
    for part in _TERMINAL_PARTS:
        group = [row for row in rows if row.part == part]
        best = best_values(group)
        header += [f"{part} {metric_label(name)}" for name in metrics]
        count = max((row.size for row in group), default=0)
        users += [f"{count:,}"] * len(metrics)
        shown = {row.run: cells(row, metrics, best) for row in group}
        for run, line in lines.items():
            line += [
                cell.text + ("*" if cell.best else " ")
                for cell in shown.get(run, [Cell("–", best=False)] * len(metrics))
            ]
    header.pop(1)
    users.pop(0)
    return aligned([header, users, *lines.values()])


def aligned(lines: Sequence[Sequence[str]]) -> str:
    """Lines of cells as text: the first column to the left, others to the right."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "".join(
        "  ".join(
            text.ljust(width) if place == 0 else text.rjust(width)
            for place, (text, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        + "\n"
        for line in lines
    )
