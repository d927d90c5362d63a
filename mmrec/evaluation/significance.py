"""Is the difference between two models more than chance? Paired over the same users.

What is compared are means over samples: a user has one of leave-one-out, and any number of cold
positions. Samples of one user are not independent, so users are what counts as drawn by chance,
each with all of its samples: t-tests have standard errors clustered by user, the bootstrap
resamples users. With one sample each these are the plain paired t-test and bootstrap.
"""

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
    """Two-sided paired t-test of `second` against `first`, with errors clustered by user.

    Attributes:
        difference: mean of `second` minus mean of `first`, over all samples.
        statistic: t, of one degree of freedom less than users; 0 where the models agree on every
            user.
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


def paired_test_of_values(
    first: npt.NDArray[np.float64],
    second: npt.NDArray[np.float64],
    users: npt.NDArray[np.int64],
) -> TTest:
    """Compare two models on values of the same samples.

    Args:
        first: value of each sample.
        second: the same of another model.
        users: whose samples they are, of at least two.
    """
    sums, counts = _by_user(second - first, users)
    difference = float(sums.sum() / counts.sum())
    # Without any spread, t is 0/0 or x/0: say what that means instead of computing it.
    if np.ptp(sums / counts) == 0:
        agree = difference == 0
        statistic, p_value = (0.0, 1.0) if agree else (float(np.copysign(np.inf, difference)), 0.0)
    else:
        # A mean over samples is a ratio of sums over users, which has this error.
        residuals = sums - difference * counts
        error = np.sqrt(len(sums) / (len(sums) - 1) * (residuals**2).sum()) / counts.sum()
        statistic = float(difference / error)
        p_value = float(2 * stats.t.sf(abs(statistic), len(sums) - 1))
    return TTest(
        first=float(first.mean()),
        second=float(second.mean()),
        difference=difference,
        statistic=statistic,
        p_value=p_value,
        num_users=len(sums),
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
    values_first, values_second, users = _paired(first, second, metric)
    sums, counts = _by_user(values_second - values_first, users)
    # Users with equal sums over as many samples are exchangeable: drawing how often each distinct
    # pair occurs is the same as drawing users, and there are far fewer pairs. Complex numbers are
    # sorted by both of their parts.
    pairs, frequencies = np.unique(sums + 1j * counts, return_counts=True)
    generator = np.random.default_rng(seed)
    shares = frequencies / frequencies.sum()
    step = max(1, _DRAWS_AT_ONCE // len(pairs))
    means = []
    for done in range(0, num_samples, step):
        drawn = generator.multinomial(len(sums), shares, min(step, num_samples - done))
        means.append((drawn @ pairs.real.copy()) / (drawn @ pairs.imag.copy()))
    tail = 50 * (1 - confidence)
    low, high = np.percentile(np.concatenate(means), [tail, 100 - tail])
    return Bootstrap(
        difference=float(sums.sum() / counts.sum()),
        low=float(low),
        high=float(high),
        confidence=confidence,
        num_users=len(sums),
    )


def _by_user(
    values: npt.NDArray[np.float64], users: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Sum of each user's values, and how many they are."""
    _, place, counts = np.unique(users, return_inverse=True, return_counts=True)
    return np.bincount(place, weights=values).astype(np.float64), counts.astype(np.float64)


def _paired(
    first: pa.Table, second: pa.Table, metric: str
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """Values of both models, and whose samples they are."""
    first, second = sorted_samples(first), sorted_samples(second)
    require_same_samples(first, second)
    users = first.column("user_index").to_numpy()
    if (num_users := len(np.unique(users))) < 2:
        raise DataError(f"ranks: {num_users} user to compare, expected at least 2")
    return (
        user_metrics(first.column("rank").to_numpy(), metric),
        user_metrics(second.column("rank").to_numpy(), metric),
        users,
    )


def sorted_samples(ranks: pa.Table) -> pa.Table:
    """A `RANKS` table in order of users, and of each user's positions."""
    return ranks.sort_by([("user_index", "ascending"), ("history_length", "ascending")])


def require_same_samples(first: pa.Table, second: pa.Table) -> None:
    """Refuse two `RANKS` tables, as `sorted_samples`, over other users, positions or targets.

    Raises:
        DataError: they differ.
    """
    for column in ("user_index", "history_length", "target"):
        if not first.column(column).equals(second.column(column)):
            raise DataError(
                f"ranks: the two tables differ in '{column}' ({first.num_rows} and "
                f"{second.num_rows} rows); compare runs of the same dataset"
            )
