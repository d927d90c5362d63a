"""Rows of a comparison, one of them against another: ranks from several seeds in, tests out.

A row is one thing, such as a model with its settings, that was trained from one seed or more. Its
value for a sample is the mean over its seeds, so that what a seed happens to be good at counts
less; the tests are over users, of these means.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import stdev
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from mmrec.evaluation.metrics import part_members, user_metrics
from mmrec.evaluation.significance import (
    Bootstrap,
    Floats,
    Indices,
    TTest,
    holm_adjusted,
    paired_bootstrap,
    paired_t_test,
)
from mmrec.io import DataError

_SEED = 0


@dataclass(frozen=True)
class RowValues:
    """What a row has for each sample of a part.

    Attributes:
        values: of each seed [seeds, samples].
        users: whose samples they are [samples].
    """

    values: Floats
    users: Indices

    @property
    def of_seeds(self) -> tuple[float, ...]:
        """Mean over the samples, of each seed; empty where there are none."""
        return tuple(float(one.mean()) for one in self.values) if self.values.size else ()

    @property
    def num_users(self) -> int:
        """Users that have any sample."""
        return len(np.unique(self.users))

    @property
    def seed_means(self) -> Floats:
        """Mean over the seeds, of each sample."""
        means: Floats = self.values.mean(axis=0)
        return means


class Comparison(NamedTuple):
    """A row (`second`) against another one (`first`).

    Attributes:
        test: over users of the means over seeds.
        holm: its p-value, corrected for the number of comparisons that are made with it.
    """

    test: TTest
    holm: float


def row_values(tables: Sequence[pa.Table], part: str, metric: str) -> RowValues:
    """Values of a metric on a part.

    Args:
        tables: `RANKS` of each seed, as `sorted_samples`, over the same samples.
        part: such as `all` or `cold`.
        metric: such as `ndcg@10`.
    """
    members = part_members(tables[0], part)
    ranks = [table["rank"].to_numpy()[members] for table in tables]
    values = np.stack([user_metrics(one, metric) for one in ranks])
    return RowValues(values, tables[0]["user_index"].to_numpy()[members])


def compare_rows(
    rows: Mapping[str, RowValues], pairs: Sequence[tuple[str, str]]
) -> list[Comparison]:
    """Tests of pairs of rows, first and second, corrected for how many they are.

    Args:
        rows: by name; the two of a pair have the same samples.
        pairs: names of two rows each.

    Raises:
        DataError: fewer than two users.
    """
    tests = [_tested(rows[first], rows[second]) for first, second in pairs]
    adjusted = holm_adjusted([test.p_value for test in tests])
    return [Comparison(test, holm) for test, holm in zip(tests, adjusted, strict=True)]


def difference_interval(first: RowValues, second: RowValues) -> Bootstrap:
    """95 % interval of the difference of two rows, as `compare_rows` has it."""
    return paired_bootstrap(first.seed_means, second.seed_means, first.users, seed=_SEED)


def spread_of(values: Sequence[float]) -> float | None:
    """Standard deviation over seeds; None of a single one."""
    return stdev(values) if len(values) > 1 else None


def sorted_samples(ranks: pa.Table) -> pa.Table:
    """A `RANKS` table in order of users, and of each user's positions."""
    return ranks.sort_by([("user_index", "ascending"), ("history_length", "ascending")])


def require_same_samples(first: pa.Table, second: pa.Table) -> None:
    """Refuse two `RANKS` tables, as `sorted_samples`, over other users, positions or targets.

    Raises:
        DataError: they differ.
    """
    for column in ("user_index", "history_length", "target", "target_is_cold"):
        if not first.column(column).equals(second.column(column)):
            raise DataError(
                f"ranks: the two tables differ in '{column}' ({first.num_rows} and "
                f"{second.num_rows} rows); compare runs of the same dataset"
            )


def _tested(first: RowValues, second: RowValues) -> TTest:
    if first.num_users < 2:
        raise DataError(f"ranks: {first.num_users} user to compare, expected at least 2")
    return paired_t_test(first.seed_means, second.seed_means, first.users)
