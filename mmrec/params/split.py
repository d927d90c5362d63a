"""In which order a user's interactions stand, and which of them train, validate and test."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, ValidationInfo, field_validator

from mmrec.params.section import Section

TieOrder = Literal["file", "item", "random"]
"""Order of a user's interactions at equal times: that of the source's rows, that of item ids, or
one drawn for each user."""

Targets = Literal["first", "last", "all"]
"""Which interactions of a period are asked for: a user's first, last, or each of them."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def moment_ns(text: str) -> int:
    """Nanoseconds since 1970 of an ISO date (its beginning) or time; without a zone it is UTC.

    >>> moment_ns("1970-01-02")
    86400000000000
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return (moment - _EPOCH) // timedelta(microseconds=1) * 1000


def _checked_border(value: object) -> object:
    allowed = "allowed: a date in quotes, such as '2014-01-31', or a share between 0 and 1"
    if isinstance(value, date):
        raise ValueError(f"without quotes this is no text; {allowed}")  # noqa: TRY004
    if isinstance(value, str):
        try:
            moment_ns(value)
        except ValueError:
            raise ValueError(allowed) from None
    elif isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1:
        raise ValueError(allowed)
    return value


Border = Annotated[str | float, BeforeValidator(_checked_border)]
"""A moment, or the share of all interactions that are earlier."""


class LeaveOneOutParams(Section):
    """A user's last interaction tests, the one before it validates."""

    name: Literal["leave_one_out"] = "leave_one_out"


class TemporalParams(Section):
    """What everybody did before a moment trains, up to another validates, from there on tests."""

    name: Literal["temporal"]
    validation: Border
    """Where the period of validation begins, for everybody: an ISO date, or a share. Of so many
    interactions at most are earlier; those of one time stay together."""
    test: Border
    """Where that of the test begins."""
    targets: Targets = "last"
    """Of a user's interactions of a period, which are asked for, each after all before it."""

    @field_validator("test")
    @classmethod
    def _after_validation(cls, test: str | float, info: ValidationInfo) -> str | float:
        validation = info.data.get("validation")
        comparable = (
            (moment_ns(validation), moment_ns(test))
            if isinstance(validation, str) and isinstance(test, str)
            else (validation, test)
            if isinstance(validation, float) and isinstance(test, float)
            else None
        )
        if comparable and comparable[0] >= comparable[1]:
            raise ValueError(f"not later than validation ({validation}); set it to what is")
        return test


SplitParams = Annotated[LeaveOneOutParams | TemporalParams, Field(discriminator="name")]
