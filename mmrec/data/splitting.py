"""A sorted log in; which of its interactions train, validate and test out."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import NamedTuple, assert_never

import numpy as np
import polars as pl

from mmrec.data.borders import PARTS, Borders, Indices, by_period, leave_one_out, part_of_each
from mmrec.data.counted import TIME
from mmrec.io import DataError
from mmrec.params.split import LeaveOneOutParams, SplitParams, TemporalParams, moment_ns

PART = pl.Enum(PARTS)
"""Type of the column `part`."""


class SplitLog(NamedTuple):
    """A log whose interactions have their `part`.

    Attributes:
        coded: as it was, with the column.
        borders: of each user of the log, in order.
        moments: of a temporal split, when validation and test begin (ISO, UTC).
        counted: of one, `users_without_history`: not tested, having done nothing before the test.
    """

    coded: pl.DataFrame
    borders: Borders[Indices]
    moments: dict[str, str]
    counted: dict[str, int]


def split_log(coded: pl.DataFrame, split: SplitParams, *, timed: bool) -> SplitLog:
    """Give every interaction its part.

    Args:
        coded: by user and time: `user`, and the time.
        split: how.
        timed: whether the times are the source's.

    Raises:
        DataError: a split by time of a log without times, or one that leaves a side empty.
    """
    match split:
        case LeaveOneOutParams():
            lengths = _per_user(coded, pl.len())
            return _split(coded, lengths, leave_one_out(lengths), {})
        case TemporalParams():
            if not timed:
                raise DataError(
                    "clean.split is temporal, but no interaction has a time; set it to"
                    " {name: leave_one_out}, or map the column of the times in the source"
                )
            return _split_by_time(coded, split)
        case _:
            assert_never(split)


def _split_by_time(coded: pl.DataFrame, split: TemporalParams) -> SplitLog:
    times = coded[TIME].sort().to_numpy()
    validation, test = (_moment(border, times) for border in (split.validation, split.test))
    moments = {"validation": _iso(validation), "test": _iso(test)}
    _refuse_empty_periods(times, validation, test, moments)
    lengths = _per_user(coded, pl.len())
    before_validation, before_test = (
        _per_user(coded, (pl.col(TIME) < moment).sum()) for moment in (validation, test)
    )
    borders = by_period(lengths, before_validation, before_test, split.targets)
    found = _split(coded, lengths, borders, moments)
    periods = {"validation": (before_validation, before_test), "test": (before_test, lengths)}
    for part, (start, end) in periods.items():
        if not (found.coded["part"] == part).any():
            raise DataError(
                f"clean.split: nobody can be ranked for the {part}: of {(start < end).sum():,}"
                f" users with an interaction in it, which begins at {moments[part]}, none has an"
                f" earlier one; set split.{part} to a later time"
            )
    counted = {"users_without_history": int(np.count_nonzero(before_test == 0))}
    return found._replace(counted=counted)


def _refuse_empty_periods(
    times: Indices, validation: int, test: int, moments: dict[str, str]
) -> None:
    """Refuse borders that leave nothing before, between or behind them."""
    first, second = np.searchsorted(times, [validation, test])
    remedies = {
        "to train on": (first, "split.validation to a later time"),
        "to validate on": (second - first, "split.validation to an earlier time than split.test"),
        "to test on": (len(times) - second, "split.test to an earlier time"),
    }
    for what, (left, remedy) in remedies.items():
        if left <= 0:
            raise DataError(
                f"clean.split: no interaction is left {what}: they are of {_iso(int(times[0]))} to"
                f" {_iso(int(times[-1]))}, validation begins at {moments['validation']}, the test"
                f" at {moments['test']}; set {remedy}"
            )


def _split(
    coded: pl.DataFrame, lengths: Indices, borders: Borders[Indices], moments: dict[str, str]
) -> SplitLog:
    parts = pl.Series(part_of_each(borders, lengths)).replace_strict(
        range(len(PARTS)), list(PARTS), return_dtype=PART
    )
    return SplitLog(coded.with_columns(part=parts), borders, moments, {})


def _per_user(coded: pl.DataFrame, value: pl.Expr) -> Indices:
    found = coded.group_by("user", maintain_order=True).agg(value=value)["value"]
    return found.cast(pl.Int64).to_numpy()


def _moment(border: str | float, times: Indices) -> int:
    """Of a share, the time of the first interaction that is not among the earlier ones."""
    if isinstance(border, str):
        return moment_ns(border)
    # 0.29 of 100 are 28.999999999999996.
    return int(times[int(round(border * len(times), 6))])


def _iso(time_ns: int) -> str:
    return datetime.fromtimestamp(time_ns // 10**9, UTC).isoformat().replace("+00:00", "Z")
