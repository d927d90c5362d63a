"""Ranks of rows in; means, differences and tests of them out, as a table or as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import mean
from typing import Any

import pyarrow as pa

from mmrec.evaluation.comparison import (
    Comparison,
    compare_rows,
    difference_interval,
    row_values,
    spread_of,
)
from mmrec.evaluation.metrics import unit_of
from mmrec.evaluation.significance import Bootstrap
from mmrec.io import DataError
from mmrec.report.tables import aligned, metric_label, part_name

_HEAD = ["", "mean ± sd", "difference", "95 % interval", "p", "p, Holm", "d"]
_NOTE = """\
Means, and standard deviations over seeds. Differences from {reference} are of means over seeds;
the interval resamples users, p is of a paired t-test over users{whole}, corrected by
Holm's procedure for {count}. d is Cohen's d of the paired differences (mean / standard deviation).
"""


@dataclass(frozen=True)
class ComparedRow:
    """A row, and how it differs from the reference; the latter differs from none."""

    values: Sequence[float]
    comparison: Comparison | None = None
    interval: Bootstrap | None = None

    def as_json(self) -> dict[str, Any]:
        """All figures, null where there is none."""
        test, holm = self.comparison or (None, None)
        return {
            "values": list(self.values),
            "mean": mean(self.values),
            "standard_deviation": spread_of(self.values),
            "difference": test and test.difference,
            "low": self.interval and self.interval.low,
            "high": self.interval and self.interval.high,
            "p_value": test and test.p_value,
            "holm": holm,
            "effect_size": test and test.effect_size,
        }

    def cells(self) -> list[str]:
        """The same as text, as wide as the head of the table."""
        spread = spread_of(self.values)
        shown = f"{mean(self.values):.4f}" + ("" if spread is None else f" ± {spread:.4f}")
        if self.comparison is None or self.interval is None:
            return [shown, *[""] * 5]
        test, holm = self.comparison
        effect = "–" if test.effect_size is None else f"{test.effect_size:+.3f}"
        interval = f"[{self.interval.low:+.4f}, {self.interval.high:+.4f}]"
        return [shown, f"{test.difference:+.4f}", interval, _p(test.p_value), _p(holm), effect]


@dataclass(frozen=True)
class CompareTable:
    """Rows against one of them, by one metric on one part."""

    dataset: str
    metric: str
    part: str
    reference: str
    num_users: int
    size: int
    unit: str
    rows: Mapping[str, ComparedRow]

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return {
            "dataset": self.dataset,
            "metric": self.metric,
            "part": self.part,
            "reference": self.reference,
            "num_users": self.num_users,
            "num_samples": self.size,
            "rows": {name: row.as_json() for name, row in self.rows.items()},
        }

    def as_text(self) -> str:
        """For people."""
        others = len(self.rows) - 1
        count = "one comparison" if others == 1 else f"{others} comparisons"
        of_users, whole = "", ""
        if self.unit == "sample":
            of_users, whole = f" of {self.num_users:,} users", " (each with all samples)"
        lines = [_HEAD, *([name, *row.cells()] for name, row in self.rows.items())]
        title = f"{self.dataset}, {part_name(self.part).lower()}, {metric_label(self.metric)}"
        head = f"{title}: {self.size:,} {self.unit}s{of_users}"
        note = _NOTE.format(reference=self.reference, count=count, whole=whole)
        return f"{head}\n\n{aligned(lines)}\n{note}"


def compare_table(
    tables: Mapping[str, Sequence[pa.Table]],
    *,
    dataset: str,
    metric: str,
    part: str,
    reference: str,
) -> CompareTable:
    """Compare rows with one of them.

    Args:
        tables: `RANKS` of each row's seeds, all over the same samples in the same order.
        dataset: that they are of.
        metric: such as `ndcg@10`.
        part: such as `all`.
        reference: the row that the others are compared with.

    Raises:
        DataError: the part has fewer than two users.
        ValueError: there is no such metric.
    """
    rows = {name: row_values(of_row, part, metric) for name, of_row in tables.items()}
    own = rows[reference]
    if own.num_users < 2:
        raise DataError(
            f"{part_name(part).lower()} of '{dataset}': {own.num_users} users, expected at least "
            "2; take another --part"
        )
    others = [name for name in rows if name != reference]
    compared = dict(
        zip(others, compare_rows(rows, [(reference, name) for name in others]), strict=True)
    )
    found = {
        name: ComparedRow(
            values.of_seeds,
            compared.get(name),
            difference_interval(own, values) if name in compared else None,
        )
        for name, values in rows.items()
    }
    return CompareTable(
        dataset,
        metric,
        part,
        reference,
        num_users=own.num_users,
        size=len(own.users),
        unit=unit_of(tables[reference][0], part),
        rows=found,
    )


def _p(value: float) -> str:
    return "< 0.0001" if value < 0.0001 else f"{value:.4f}"
