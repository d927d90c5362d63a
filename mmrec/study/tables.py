"""Ranks of all runs of a study in; the table of its rows out, with spread and significance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
        values: one of each seed.
        p_value: of the paired test of users' means over the seeds against the reference; None of
            the reference itself, and where fewer than two users are in the part.
    """

    values: tuple[float, ...]
    p_value: float | None

    @property
    def mean(self) -> float:
        """Over the seeds."""
        return mean(self.values)

    @property
    def spread(self) -> float | None:
        """Standard deviation over the seeds; None of a single one."""
        return stdev(self.values) if len(self.values) > 1 else None

    def __str__(self) -> str:
        spread = "" if self.spread is None else f" ± {self.spread:.4f}"
        return f"{self.mean:.4f}{spread}{self.stars}"

    @property
    def stars(self) -> str:
        """How sure the difference from the reference is."""
        if self.p_value is None:
            return ""
        return next((stars for limit, stars in STARS if self.p_value < limit), "")


Cells = Mapping[str, Mapping[str, Mapping[str, StudyCell]]]
"""By part, row and metric."""


def study_cells(study: StudyParams, ranks: Mapping[str, Sequence[pa.Table]]) -> Cells:
    """Every cell of a study's tables.

    Args:
        study: which rows, columns and parts.
        ranks: RANKS of each row, one of each seed.

    Raises:
        DataError: they are not over the same users and targets.
    """
    tables = {row: [table.sort_by("user_index") for table in ranks[row]] for row in study.rows}
    first = tables[study.reference][0]
    for of_row in tables.values():
        for table in of_row:
            require_same_users(first, table)
    return {
        part: {
            row: {
                column: _cell(tables, row, study.reference, column, _members(first, part))
                for column in study.columns
            }
            for row in study.rows
        }
        for part in study.parts
    }


def num_members(ranks: pa.Table, part: str) -> int:
    """Users whose target is in a part."""
    return int(_members(ranks, part).sum())


def _cell(
    tables: Mapping[str, Sequence[pa.Table]],
    row: str,
    reference: str,
    metric: str,
    members: npt.NDArray[np.bool_],
) -> StudyCell:
    own, other = (_by_seed(tables[name], metric, members) for name in (row, reference))
    values = tuple(float(one.mean()) if one.size else float("nan") for one in own)
    p_value = None
    if row != reference and members.sum() > 1:
        p_value = paired_test_of_values(other.mean(axis=0), own.mean(axis=0)).p_value
    return StudyCell(values, p_value)


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


def study_markdown(
    name: str, study: StudyParams, cells: Cells, num_users: Mapping[str, int]
) -> str:
    """The tables as Markdown, one for each part of the users."""
    lines = [f"# {name}", ""]
    for part, rows in cells.items():
        lines += [
            f"{num_users[part]:,} users, {part} targets; seeds {', '.join(map(str, study.seeds))}:",
            "",
            f"| | {' | '.join(study.columns)} |",
            "|---" * (len(study.columns) + 1) + "|",
            *(
                f"| {row} | {' | '.join(str(of_row[column]) for column in study.columns)} |"
                for row, of_row in rows.items()
            ),
            "",
        ]
    lines += [
        f"Mean ± standard deviation over the seeds. Stars: against {study.reference}, paired "
        "t-test over users of their means over the seeds, p < .05 (\\*), .01 (\\*\\*), "
        ".001 (\\*\\*\\*), not corrected for the number of rows.",
        "",
    ]
    return "\n".join(lines)
