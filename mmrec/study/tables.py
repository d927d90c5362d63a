"""Ranks of all runs of a study in, the cells of its tables out, with spread and significance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import nan
from statistics import mean
from typing import NamedTuple

import pyarrow as pa

from mmrec.evaluation.comparison import (
    Comparison,
    RowValues,
    compare_rows,
    require_same_samples,
    row_values,
    sorted_samples,
    spread_of,
)
from mmrec.evaluation.lists import is_list_metric
from mmrec.evaluation.metrics import COLD_POSITION_PARTS, part_members, unit_of
from mmrec.params.study import StudyParams

STARS = ((0.001, "***"), (0.01, "**"), (0.05, "*"))
"""Marks of p-values below these."""
HOLM = (0.05, "†")
"""Mark of a p-value below this after correction for the number of rows."""


class StudyCell(NamedTuple):
    """A metric of a row on a part of the held-out items, or of the cold positions.

    Attributes:
        values: one of each seed; none where nothing is in the part.
        compared: the paired test of users' means over the seeds against the row that it is compared
            with, users with several cold positions as wholes; None without one, and where fewer
            than two users are in the part. Corrected for the rows that have one in its column.
        gain: of the mean over that of the row that it is compared with, 0.1 for a tenth more;
            None without one, and where that one has 0.
    """

    values: tuple[float, ...]
    compared: Comparison | None
    gain: float | None

    @property
    def mean(self) -> float:
        """Over the seeds; not a number of none."""
        return mean(self.values) if self.values else nan

    @property
    def spread(self) -> float | None:
        """Standard deviation over the seeds; None of a single one."""
        return spread_of(self.values)

    def __str__(self) -> str:
        if not self.values:
            return "–"
        spread = "" if self.spread is None else f" ± {self.spread:.4f}"
        return f"{self.mean:.4f}{spread}{self.stars}"

    @property
    def percent(self) -> str:
        """The gain as it is shown; empty without one."""
        return "" if self.gain is None else f"{self.gain:+.1%}"

    @property
    def stars(self) -> str:
        """How sure the difference from the other row is."""
        if self.compared is None:
            return ""
        p_value, (limit, mark) = self.compared.test.p_value, HOLM
        stars = next((stars for limit, stars in STARS if p_value < limit), "")
        return stars + (mark if self.compared.holm < limit else "")


Cells = Mapping[str, Mapping[str, Mapping[str, StudyCell]]]
"""By part, row and metric."""


class PartSize(NamedTuple):
    """How many users, or samples where users may have several, a part of a dataset has."""

    size: int
    unit: str

    def __str__(self) -> str:
        return f"{self.size:,} {self.unit}s"


PartSizes = Mapping[str, Mapping[str, PartSize]]
"""By part and dataset."""


class StudyRanks(NamedTuple):
    """RANKS of each row, one of each seed."""

    held_out: Mapping[str, Sequence[pa.Table]]
    cold_positions: Mapping[str, Sequence[pa.Table]]
    """Empty where no part of a study is of them."""
    lists: Mapping[str, Sequence[Mapping[str, float]]] = {}
    """Metrics of the lists of all users; empty where no column of a study is of them."""

    def of_part(self, part: str) -> Mapping[str, Sequence[pa.Table]]:
        """Those that a part is of."""
        return self.cold_positions if part in COLD_POSITION_PARTS else self.held_out


def study_cells(study: StudyParams, ranks: StudyRanks) -> Cells:
    """Every cell of a study's tables.

    Args:
        study: which rows, columns and parts.
        ranks: of its rows.

    Raises:
        DataError: those of a dataset are not over the same users and targets.
    """
    ordered = StudyRanks(
        _ordered(study, ranks.held_out), _ordered(study, ranks.cold_positions), ranks.lists
    )
    return {part: _cells_of_part(study, part, ordered) for part in study.parts}


def part_sizes(study: StudyParams, ranks: StudyRanks) -> PartSizes:
    """Over how many users, or samples, the cells are means."""
    datasets = {study.dataset_of(row): row for row in study.rows}
    return {
        part: {name: _size(ranks.of_part(part)[row][0], part) for name, row in datasets.items()}
        for part in study.parts
    }


def _size(ranks: pa.Table, part: str) -> PartSize:
    return PartSize(int(part_members(ranks, part).sum()), unit_of(ranks, part))


def _ordered(
    study: StudyParams, ranks: Mapping[str, Sequence[pa.Table]]
) -> dict[str, list[pa.Table]]:
    """Ranks whose rows are of the same samples, for each dataset."""
    tables = {row: [sorted_samples(table) for table in of_row] for row, of_row in ranks.items()}
    first: dict[str, pa.Table] = {}
    for row, of_row in tables.items():
        for table in of_row:
            require_same_samples(first.setdefault(study.dataset_of(row), table), table)
    return tables


def _cells_of_part(
    study: StudyParams, part: str, ranks: StudyRanks
) -> dict[str, dict[str, StudyCell]]:
    tables, columns = ranks.of_part(part), {}
    for column in study.columns:
        if is_list_metric(column):
            columns[column] = _column_of_lists(study, ranks.lists if part == "all" else {}, column)
        else:
            values = {row: row_values(of_row, part, column) for row, of_row in tables.items()}
            columns[column] = _column(study, values)
    return {row: {column: of[row] for column, of in columns.items()} for row in study.rows}


def _column(study: StudyParams, rows: Mapping[str, RowValues]) -> dict[str, StudyCell]:
    pairs = {
        row: (other, row) for row, other in study.comparisons().items() if rows[row].num_users > 1
    }
    compared = dict(zip(pairs, compare_rows(rows, [*pairs.values()]), strict=True))
    against = study.comparisons()
    return {
        row: StudyCell(
            values.of_seeds,
            compared.get(row),
            _gain(values.of_seeds, rows[against[row]].of_seeds) if row in against else None,
        )
        for row, values in rows.items()
    }


def _column_of_lists(
    study: StudyParams, lists: Mapping[str, Sequence[Mapping[str, float]]], metric: str
) -> dict[str, StudyCell]:
    """Cells without a test: what lists have together, such as coverage, no user has."""
    values = {
        row: tuple(of_seed[metric] for of_seed in lists.get(row, ()) if metric in of_seed)
        for row in study.rows
    }
    against = study.comparisons()
    return {
        row: StudyCell(own, None, _gain(own, values[against[row]]) if row in against else None)
        for row, own in values.items()
    }


def _gain(own: Sequence[float], other: Sequence[float]) -> float | None:
    before = mean(other) if own and other else 0.0
    return mean(own) / before - 1 if before else None
