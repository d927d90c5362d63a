"""Is the difference between two models more than chance? Paired over the same users."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from scipy import stats

from mmrec.evaluation.metrics import user_metrics
from mmrec.io import DataError

_DRAWS_AT_ONCE = 2**22


@dataclass(frozen=True)
class TTest:
    """Two-sided paired t-test of `second` against `first`.

    Attributes:
        difference: mean of `second` minus mean of `first`.
        statistic: t; 0 where the models agree on every user.
        p_value: chance of a difference at least as large if there were none.
    """

    first: float
    second: float
    difference: float
    statistic: float
    p_value: float
    num_users: int


@dataclass(frozen=True)
class Bootstrap:
    """Percentile interval of the difference, from resampled users.

    Attributes:
        difference: mean of `second` minus mean of `first`.
        low: lower end of the interval.
        high: upper end of the interval.
        confidence: of the interval, such as 0.95.
    """

    difference: float
    low: float
    high: float
    confidence: float
    num_users: int


def paired_t_test(first: pa.Table, second: pa.Table, metric: str) -> TTest:
    """Compare two `RANKS` tables on a metric such as `ndcg@10`.

    Raises:
        DataError: they are not over the same users and targets, or fewer than two users.
    """
    return paired_test_of_values(*_paired(first, second, metric))


def paired_test_of_values(first: npt.NDArray[np.float64], second: npt.NDArray[np.float64]) -> TTest:
    """Compare two models on a value of each of the same users, at least two."""
    differences = second - first
    # Without any spread, t is 0/0 or x/0: say what that means instead of computing it.
    if np.ptp(differences) == 0:
        mean = float(differences[0])
        statistic, p_value = (0.0, 1.0) if mean == 0 else (float(np.copysign(np.inf, mean)), 0.0)
    else:
        result = stats.ttest_rel(second, first)
        statistic, p_value = float(result.statistic), float(result.pvalue)
    return TTest(
        first=float(first.mean()),
        second=float(second.mean()),
        difference=float(differences.mean()),
        statistic=statistic,
        p_value=p_value,
        num_users=len(differences),
    )


def paired_bootstrap(
    first: pa.Table,
    second: pa.Table,
    metric: str,
    *,
    seed: int,
    num_samples: int = 10_000,
    confidence: float = 0.95,
) -> Bootstrap:
    """Confidence interval of the difference of two `RANKS` tables on a metric.

    Raises:
        DataError: they are not over the same users and targets, or fewer than two users.
    """
    values_first, values_second = _paired(first, second, metric)
    differences = values_second - values_first
    # Users with equal differences are exchangeable: drawing how often each distinct value
    # occurs is the same as drawing users, and there are far fewer values.
    values, counts = np.unique(differences, return_counts=True)
    generator = np.random.default_rng(seed)
    shares = counts / counts.sum()
    step = max(1, _DRAWS_AT_ONCE // len(values))
    means = [
        generator.multinomial(len(differences), shares, min(step, num_samples - done)) @ values
        for done in range(0, num_samples, step)
    ]
    tail = 50 * (1 - confidence)
    low, high = np.percentile(np.concatenate(means) / len(differences), [tail, 100 - tail])
    return Bootstrap(
        difference=float(differences.mean()),
        low=float(low),
        high=float(high),
        confidence=confidence,
        num_users=len(differences),
    )


def _paired(
    first: pa.Table, second: pa.Table, metric: str
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    first, second = first.sort_by("user_index"), second.sort_by("user_index")
    require_same_users(first, second)
    if first.num_rows < 2:
        raise DataError(f"ranks: {first.num_rows} user to compare, expected at least 2")
    return (
        user_metrics(first.column("rank").to_numpy(), metric),
        user_metrics(second.column("rank").to_numpy(), metric),
    )


def require_same_users(first: pa.Table, second: pa.Table) -> None:
    """Refuse two `RANKS` tables, sorted by user, over other users or targets.

    Raises:
        DataError: they differ.
    """
    for column in ("user_index", "target"):
        if not first.column(column).equals(second.column(column)):
            raise DataError(
                f"ranks: the two tables differ in '{column}' ({first.num_rows} and "
                f"{second.num_rows} rows); compare runs of the same dataset"
            )
