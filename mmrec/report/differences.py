"""Is a run better than the others by more than chance? Ranks in, paired tests out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from mmrec.evaluation.metrics import part_members
from mmrec.evaluation.significance import paired_bootstrap, paired_t_test, sorted_samples
from mmrec.io import DataError
from mmrec.report.runs import RunReport
from mmrec.report.tables import PARTS, comparison_rows, headline_metrics, metric_label

_SEED = 0
_HELD_OUT = ("all", "warm", "cold")
_COLD_POSITIONS = "cold_positions"
_TARGETS = ["user_index", "history_length", "target", "target_is_cold"]
_VERDICTS = ("better", "worse", "no clear difference")


@dataclass(frozen=True)
class Difference:
    """How far the run in question is ahead of another one, over the same users."""

    run: str
    difference: float
    low: float
    high: float
    p_value: float

    @property
    def verdict(self) -> str:
        """`better` or `worse` where the whole interval lies on one side of 0."""
        better, worse, unclear = _VERDICTS
        if self.low > 0:
            return better
        return worse if self.high < 0 else unclear


@dataclass(frozen=True)
class PartOfUsers:
    """The differences over the users, or the cold positions, of one part."""

    name: str
    size: int
    unit: str
    differences: Sequence[Difference]

    @property
    def answer(self) -> list[tuple[str, list[str]]]:
        """The other runs by verdict, verdicts without any left out."""
        groups = [
            (verdict, [row.run for row in self.differences if row.verdict == verdict])
            for verdict in _VERDICTS
        ]
        return [(verdict, names) for verdict, names in groups if names]


@dataclass(frozen=True)
class Contrast:
    """One run of a dataset against each of the others, by one metric."""

    run: str
    metric: str
    parts: Sequence[PartOfUsers]


def contrast(runs: Sequence[RunReport], name: str) -> Contrast | None:
    """A run against the others, by NDCG at the headline cut-off.

    Over all, warm and cold users, and over cold positions where all runs have ranks of them. Parts
    of fewer than two users are left out.

    Args:
        runs: Runs of one dataset.
        name: The run in question; where it is not among them, the best by that metric is.

    Returns:
        None where fewer than two runs have ranks of at least two users.

    Raises:
        DataError: runs were ranked on other users or items than the run in question.
    """
    ranked = [run for run in runs if run.ranks is not None and run.ranks.num_rows > 1]
    metrics = headline_metrics(comparison_rows(ranked))
    if len(ranked) < 2 or not metrics:
        return None
    metric = metrics[-1]
    best = max(ranked, key=lambda run: float(run.metrics["all"].get(metric, 0)))
    chosen = next((run for run in ranked if run.name == name), best)
    others = [run for run in ranked if run is not chosen]
    positions = [] if any(run.cold_ranks is None for run in ranked) else [_COLD_POSITIONS]
    for other in others:
        for whole in ("all", *positions):
            _require_same_targets(other, chosen, whole)
    parts = []
    for part in (*_HELD_OUT, *positions):
        ranks = _of_part(chosen, part)
        num_users = len(np.unique(ranks["user_index"].to_numpy()))
        if num_users > 1:
            rows = [_difference(other, ranks, part, metric) for other in others]
            one_each = part != _COLD_POSITIONS and num_users == ranks.num_rows
            unit = "user" if one_each else "sample"
            parts.append(PartOfUsers(PARTS[part], ranks.num_rows, unit, rows))
    return Contrast(chosen.name, metric_label(metric), parts)


def _require_same_targets(other: RunReport, chosen: RunReport, part: str) -> None:
    """Refuse to compare what was ranked of different users, naming the runs."""
    of_other, of_chosen = (
        sorted_samples(_of_part(run, part)).select(_TARGETS) for run in (other, chosen)
    )
    if not of_other.equals(of_chosen):
        raise DataError(
            f"runs '{other.name}' and '{chosen.name}' of dataset '{chosen.dataset}' ranked other "
            f"users or held-out items than each other ({of_other.num_rows} and "
            f"{of_chosen.num_rows} rows); run `dvc repro evaluate@{other.name} "
            f"evaluate@{chosen.name}`"
        )


def _difference(other: RunReport, ranks: pa.Table, part: str, metric: str) -> Difference:
    baseline = _of_part(other, part)
    interval = paired_bootstrap(baseline, ranks, metric, seed=_SEED)
    test = paired_t_test(baseline, ranks, metric)
    return Difference(other.name, interval.difference, interval.low, interval.high, test.p_value)


def _of_part(run: RunReport, part: str) -> pa.Table:
    ranks = run.cold_ranks if part == _COLD_POSITIONS else run.ranks
    assert ranks is not None
    return ranks.filter(pa.array(part_members(ranks, part)))
