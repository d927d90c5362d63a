"""Is the difference between two models more than chance? Paired over the same users.

What is compared are means over samples: a user has one of leave-one-out, and any number of cold
positions. Samples of one user are not independent, so users are what counts as drawn by chance,
each with all of its samples: t-tests have standard errors clustered by user, the bootstrap
resamples users. With one sample each these are the plain paired t-test and bootstrap.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

_DRAWS_AT_ONCE = 2**22

Floats = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]


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

    @property
    def effect_size(self) -> float | None:
        """Cohen's d of the paired differences, d_z: their mean in standard deviations.

        As t / √users (Lakens 2013, equation 7), which is the same where a user has one sample, and
        counts users where some have several. It says how large a difference is for a single user;
        p-values fall with every user more. None where all users differ by the same.
        """
        if not np.isfinite(self.statistic):
            return None
        return float(self.statistic / np.sqrt(self.num_users))


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


def paired_t_test(first: Floats, second: Floats, users: Indices) -> TTest:
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
    first: Floats,
    second: Floats,
    users: Indices,
    *,
    seed: int,
    num_samples: int = 10_000,
    confidence: float = 0.95,
) -> Bootstrap:
    """Confidence interval of the difference of two models; arguments as of `paired_t_test`."""
    sums, counts = _by_user(second - first, users)
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


def holm_adjusted(p_values: Sequence[float]) -> list[float]:
    """P-values of several tests, corrected for their number by Holm's step-down procedure (1979).

    Those below α are rejected with a chance of at most α that any of them is rejected in error,
    however the tests depend on each other. The smallest of m is multiplied by m, the next by
    m - 1, and so on; none falls below one before it, nor rises above 1.

    >>> holm_adjusted([0.03, 0.01, 0.04])
    [0.06, 0.03, 0.06]
    """
    adjusted = [0.0] * len(p_values)
    largest = 0.0
    for place, index in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        largest = max(largest, min(1.0, (len(p_values) - place) * p_values[index]))
        adjusted[index] = largest
    return adjusted


def _by_user(values: Floats, users: Indices) -> tuple[Floats, Floats]:
    """Sum of each user's values, and how many they are."""
    _, place, counts = np.unique(users, return_inverse=True, return_counts=True)
    return np.bincount(place, weights=values).astype(np.float64), counts.astype(np.float64)
