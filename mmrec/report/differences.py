"""Is a run better than the others by more than chance? Ranks in, paired tests out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa

from mmrec.evaluation.comparison import (
    RowValues,
    compare_rows,
    difference_interval,
    row_values,
    sorted_samples,
)
from mmrec.evaluation.metrics import unit_of
from mmrec.io import DataError
from mmrec.report.runs import RunReport
from mmrec.report.tables import PARTS, comparison_rows, headline_metrics, metric_label

_HELD_OUT = ("all", "warm", "cold")
_COLD_POSITIONS = "cold_positions"
_TARGETS = ["user_index", "history_length", "target", "target_is_cold"]
_VERDICTS = ("better", "worse", "no clear difference")


@dataclass(frozen=True)
class Difference:
    """How far the run in question is ahead of another one, over the same users.

    Attributes:
        p_value: Of the difference from this run alone.
        holm: The same, corrected for how many runs it is compared with.
        effect_size: Cohen's d of the paired differences; None where all users differ alike.
    """

    run: str
    difference: float
    low: float
    high: float
    p_value: float
    holm: float
    effect_size: float | None

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
    positions = [] if any(run.cold_ranks is None for run in ranked) else [_COLD_POSITIONS]
    for whole in ("all", *positions):
        _require_same_targets(ranked, chosen, whole)
    found = [_of_part(ranked, chosen, part, metric) for part in (*_HELD_OUT, *positions)]
    parts = [part for part in found if part is not None]
    return Contrast(chosen.name, metric_label(metric), parts)


def _require_same_targets(runs: Sequence[RunReport], chosen: RunReport, part: str) -> None:
    """Refuse to compare what was ranked of different users, naming the runs."""
    of_chosen = _sorted_ranks(chosen, part).select(_TARGETS)
    for other in runs:
        of_other = _sorted_ranks(other, part).select(_TARGETS)
        if not of_other.equals(of_chosen):
            raise DataError(
                f"runs '{other.name}' and '{chosen.name}' of dataset '{chosen.dataset}' ranked "
                f"other users or held-out items than each other ({of_other.num_rows} and "
                f"{of_chosen.num_rows} rows); run `dvc repro evaluate@{other.name} "
                f"evaluate@{chosen.name}`"
            )


def _of_part(
    runs: Sequence[RunReport], chosen: RunReport, part: str, metric: str
) -> PartOfUsers | None:
    tables = {run.name: _sorted_ranks(run, part) for run in runs}
    rows = {name: row_values([table], part, metric) for name, table in tables.items()}
    own = rows[chosen.name]
    if own.num_users < 2:
        return None
    others = [run.name for run in runs if run is not chosen]
    unit = unit_of(tables[chosen.name], part)
    found = _differences(rows, others, chosen.name)
    return PartOfUsers(PARTS[part], len(own.users), unit, found)


def _differences(
    rows: dict[str, RowValues], others: Sequence[str], chosen: str
) -> list[Difference]:
    compared = compare_rows(rows, [(other, chosen) for other in others])
    differences = []
    for other, (test, holm) in zip(others, compared, strict=True):
        interval = difference_interval(rows[other], rows[chosen])
        differences.append(
            Difference(
                run=other,
                difference=test.difference,
                low=interval.low,
                high=interval.high,
                p_value=test.p_value,
                holm=holm,
                effect_size=test.effect_size,
            )
        )
    return differences


def _sorted_ranks(run: RunReport, part: str) -> pa.Table:
    ranks = run.cold_ranks if part == _COLD_POSITIONS else run.ranks
    assert ranks is not None
    return sorted_samples(ranks)
