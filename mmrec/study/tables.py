"""Ranks of all runs of a study in, the cells of its tables out, with spread and significance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import nan
from statistics import mean, stdev
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from mmrec.evaluation.metrics import user_metrics
from mmrec.evaluation.significance import paired_test_of_values, require_same_users
from mmrec.params.study import StudyParams

STARS = ((0.001, "***"), (0.01, "**"), (0.05, "*"))
"""Marks of p-values below these."""


class StudyCell(NamedTuple):
    """A metric of a row on a part of the users.

    Attributes:
        values: one of each seed; none where no user is in the part.
        p_value: of the paired test of users' means over the seeds against the row that it is
            compared with; None without one, and where fewer than two users are in the part.
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


PartSizes = Mapping[str, Mapping[str, int]]
"""Users whose target is in a part, by part and dataset."""


def study_cells(study: StudyParams, ranks: Mapping[str, Sequence[pa.Table]]) -> Cells:
    """Every cell of a study's tables.

    Args:
        study: which rows, columns and parts.
        ranks: RANKS of each row, one of each seed.

    Raises:
        DataError: those of a dataset are not over the same users and targets.
    """
    tables = {row: [table.sort_by("user_index") for table in ranks[row]] for row in study.rows}
    first: dict[str, pa.Table] = {}
    for row, of_row in tables.items():
        for table in of_row:
            require_same_users(first.setdefault(study.dataset_of(row), table), table)
    return {
        part: {
            row: {
                column: _cell(
                    of_row, tables[study.compared_with(row)], column, _members(of_row[0], part)
                )
                for column in study.columns
            }
            for row, of_row in tables.items()
        }
        for part in study.parts
    }


def part_sizes(study: StudyParams, ranks: Mapping[str, Sequence[pa.Table]]) -> PartSizes:
    """Over how many users the cells are means."""
    of_dataset = {study.dataset_of(row): ranks[row][0] for row in study.rows}
    return {
        part: {name: int(_members(table, part).sum()) for name, table in of_dataset.items()}
        for part in study.parts
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
    if members.sum() < 2:
        return StudyCell(values, None, gain)
    return StudyCell(
        values, paired_test_of_values(other.mean(axis=0), own.mean(axis=0)).p_value, gain
    )


def _by_seed(
    tables: Sequence[pa.Table], metric: str, members: npt.NDArray[np.bool_]
) -> npt.NDArray[np.float64]:
    """Values of the members [seeds, users]."""
    return np.stack([user_metrics(table["rank"].to_numpy()[members], metric) for table in tables])


def _members(ranks: pa.Table, part: str) -> npt.NDArray[np.bool_]:
    cold = ranks["target_is_cold"].to_numpy(zero_copy_only=False).astype(bool)
    never_trained = ranks["target_training_count"].to_numpy() == 0
    members: npt.NDArray[np.bool_] = {
        "all": np.ones(len(cold), dtype=bool),
        "warm": ~cold,
        "cold": cold,
        "new": never_trained,
    }[part]
    return members
