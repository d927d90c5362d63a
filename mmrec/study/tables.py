"""Ranks of all runs of a study in, the cells of its tables out, with spread and significance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import nan
from statistics import mean, stdev
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from mmrec.evaluation.metrics import COLD_POSITION_PARTS, part_members, user_metrics
from mmrec.evaluation.significance import (
    paired_test_of_values,
    require_same_samples,
    sorted_samples,
)
from mmrec.params.study import StudyParams

STARS = ((0.001, "***"), (0.01, "**"), (0.05, "*"))
"""Marks of p-values below these."""


class StudyCell(NamedTuple):
    """A metric of a row on a part of the held-out items, or of the cold positions.

    Attributes:
        values: one of each seed; none where nothing is in the part.
        p_value: of the paired test of users' means over the seeds against the row that it is
            compared with, users with several cold positions as wholes; None without one, and where
            fewer than two users are in the part.
        gain: of the mean over that of the row that it is compared with, 0.1 for a tenth more;
            None without one, and where that one has 0.
    """

    values: tuple[float, ...]
    p_value: float | None
    gain: float | None

    @property
    def mean(self) -> float:
        """Over the seeds; not a number of none."""
        return mean(self.values) if self.values else nan

    @property
    def spread(self) -> float | None:
        """Standard deviation over the seeds; None of a single one."""
        return stdev(self.values) if len(self.values) > 1 else None

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
        if self.p_value is None:
            return ""
        return next((stars for limit, stars in STARS if self.p_value < limit), "")


Cells = Mapping[str, Mapping[str, Mapping[str, StudyCell]]]
"""By part, row and metric."""


PartSizes = Mapping[str, Mapping[str, str]]
"""How many users have their target in a part, in words, by part and dataset; where a user may have
several, how many targets, too."""


class StudyRanks(NamedTuple):
    """RANKS of each row, one of each seed."""

    held_out: Mapping[str, Sequence[pa.Table]]
    cold_positions: Mapping[str, Sequence[pa.Table]]
    """Empty where no part of a study is of them."""

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
    ordered = StudyRanks(*(_ordered(study, of_rows) for of_rows in ranks))
    return {part: _cells_of_part(study, part, ordered.of_part(part)) for part in study.parts}


def part_sizes(study: StudyParams, ranks: StudyRanks) -> PartSizes:
    """Over how many users, or cold positions, the cells are means."""
    datasets = {study.dataset_of(row): row for row in study.rows}
    return {
        part: {name: _size(ranks.of_part(part)[row][0], part) for name, row in datasets.items()}
        for part in study.parts
    }


def _size(ranks: pa.Table, part: str) -> str:
    users = ranks["user_index"].to_numpy()
    members = users[part_members(ranks, part)]
    if part not in COLD_POSITION_PARTS and len(np.unique(users)) == len(users):
        return f"{len(members):,} users"
    return f"{len(members):,} samples"


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
    study: StudyParams, part: str, tables: Mapping[str, Sequence[pa.Table]]
) -> dict[str, dict[str, StudyCell]]:
    return {
        row: {
            column: _cell(
                tables[row],
                tables[study.compared_with(row)],
                column,
                part_members(tables[row][0], part),
            )
            for column in study.columns
        }
        for row in study.rows
    }


def _cell(
    tables: Sequence[pa.Table],
    compared_with: Sequence[pa.Table],
    metric: str,
    members: npt.NDArray[np.bool_],
) -> StudyCell:
    if not members.any():
        return StudyCell((), None, None)
    own, other = (_by_seed(one, metric, members) for one in (tables, compared_with))
    values = tuple(float(one.mean()) for one in own)
    if tables is compared_with:
        return StudyCell(values, None, None)
    before = float(other.mean())
    gain = float(own.mean()) / before - 1 if before else None
    users = tables[0]["user_index"].to_numpy()[members]
    if len(np.unique(users)) < 2:
        return StudyCell(values, None, gain)
    found = paired_test_of_values(other.mean(axis=0), own.mean(axis=0), users)
    return StudyCell(values, found.p_value, gain)


def _by_seed(
    tables: Sequence[pa.Table], metric: str, members: npt.NDArray[np.bool_]
) -> npt.NDArray[np.float64]:
    """Values of the members [seeds, samples]."""
    return np.stack([user_metrics(table["rank"].to_numpy()[members], metric) for table in tables])
