"""Times of a source file in; whole UTC nanoseconds since 1970 out, exact and in range.

Nanoseconds hold what any source has, so that no order is lost: int64, from 1677 to 2262.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Literal

import polars as pl

from mmrec.data.sources.source_files import shorten
from mmrec.io import DataError

Unit = Literal["s", "ms", "us", "ns", "iso"]

NANOSECONDS = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}
"""How many make one of a unit."""

RANGE = "from 1677 to 2262"
_LATEST = 2**63 - 1
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY = 86_400 * 10**9
_PLAUSIBLE = (631_152_000 * 10**9, 4_102_444_800 * 10**9)
"""1990 to 2100: where a number of an unknown unit is sought."""

DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+")
_DECIMAL = r"^([+-]?)(\d{1,19})(?:\.(\d*))?$"
_BEYOND_MICROSECONDS = re.compile(r"[.,]\d{6}(\d{1,3})")

_log = logging.getLogger(__name__)


def times_ns(values: pl.Series, unit: str, where: Callable[[int], str]) -> pl.Series:
    """A column of times as nanoseconds; null, the empty string and pandas' NaN are null.

    Args:
        values: dates, which know their unit, or numbers or strings in `unit`.
        unit: s, ms, us, ns or iso.
        where: a row's place in its file, for messages.

    Raises:
        DataError: a value is no time in that unit, or one that int64 cannot hold.
    """
    if isinstance(values.dtype, pl.Date | pl.Datetime):
        return _dates_as_ns(values, where)
    if values.dtype == pl.String:
        values = values.str.strip_chars().replace(["", "nan", "NaN"], None)
    elif values.dtype.is_float():
        values = values.fill_nan(None)
    found = _iso_as_ns(values, where) if unit == "iso" else _numbers_as_ns(values, unit, where)
    wrong = found.is_null() & values.is_not_null()
    if wrong.any():
        row = wrong.arg_max() or 0
        expected = (
            "an ISO 8601 time such as 2014-07-14T00:00:00Z"
            if unit == "iso"
            else f"a time in {unit} as a number"
        )
        raise DataError(
            f"{where(row)}: expected {expected} in column {values.name!r}, found"
            f" {shorten(str(values[row]))} ({wrong.sum()} such rows);"
            f" {_remedy(str(values[row]), unit)}"
        )
    return found


def number_ns(value: int | float | str, unit: str) -> int:
    """One number of `unit` as nanoseconds.

    Raises:
        ValueError: it is no finite number, or none that int64 can hold.
    """
    try:
        nanoseconds = int(Decimal(str(value).strip()) * NANOSECONDS[unit])
    except (InvalidOperation, OverflowError):
        raise ValueError(f"no number: {value!r}") from None
    if abs(nanoseconds) > _LATEST:
        raise ValueError(f"not {RANGE}: {value!r}")
    return nanoseconds


def _scaled(
    whole: pl.Series, multiplier: int, where: Callable[[int], str], *, shown: pl.Series
) -> pl.Series:
    """Whole numbers of `multiplier` nanoseconds each as nanoseconds, refused out of range."""
    limit = _LATEST // multiplier
    wrong = ((whole > limit) | (whole < -limit)).fill_null(value=False)
    if wrong.any():
        row = wrong.arg_max() or 0
        raise DataError(
            f"{where(row)}: expected a time {RANGE} in column {shown.name!r}, found"
            f" {shorten(str(shown[row]))} ({wrong.sum()} such rows);"
            f" {_other_unit(int(whole[row]), multiplier)}"
        )
    return whole * multiplier


def _dates_as_ns(values: pl.Series, where: Callable[[int], str]) -> pl.Series:
    kind = values.dtype
    multiplier = NANOSECONDS[kind.time_unit] if isinstance(kind, pl.Datetime) else _DAY
    return _scaled(values.to_physical().cast(pl.Int64), multiplier, where, shown=values)


def _numbers_as_ns(values: pl.Series, unit: str, where: Callable[[int], str]) -> pl.Series:
    multiplier = NANOSECONDS[unit]
    exact = values.dtype == pl.String or values.dtype.is_integer()
    whole = values.cast(pl.Int64, strict=False) if exact else pl.Series([None], dtype=pl.Int64)
    if not exact or whole.null_count() > values.null_count():
        return _fractions_as_ns(values, unit, where)
    _warn_of_coarser_unit(whole, unit, where)
    return _scaled(whole, multiplier, where, shown=values)


def _fractions_as_ns(values: pl.Series, unit: str, where: Callable[[int], str]) -> pl.Series:
    """Digit by digit: 1588687728.9 has no exact neighbour among floats."""
    multiplier = NANOSECONDS[unit]
    digits = len(str(multiplier)) - 1
    printed = values.cast(pl.String)
    parts = printed.str.extract_groups(_DECIMAL).struct
    sign, whole, fraction = (parts.field(name) for name in ("1", "2", "3"))
    seconds = whole.cast(pl.Int64, strict=False)
    _warn_of_coarser_unit(seconds, unit, where)
    scaled = _scaled(seconds, multiplier, where, shown=values)
    rest = fraction.fill_null("").str.slice(0, digits).str.pad_end(digits, "0")
    found = scaled + rest.replace("", "0").cast(pl.Int64)
    found = found.zip_with(sign != "-", -found)
    return _with_exponents(printed, found, unit)


def _with_exponents(printed: pl.Series, found: pl.Series, unit: str) -> pl.Series:
    """Fill in what is written as 1.4e9: rare, so one by one."""
    missing = printed.filter(found.is_null() & printed.is_not_null()).unique()
    numbers = {text: _number_or_none(text, unit) for text in missing if "e" in text.lower()}
    if not numbers:
        return found
    filled = printed.replace_strict(
        list(numbers), pl.Series(list(numbers.values()), dtype=pl.Int64), default=None
    )
    return found.zip_with(found.is_not_null(), filled)


def _number_or_none(text: str, unit: str) -> int | None:
    try:
        return number_ns(text, unit)
    except ValueError:
        return None


def _iso_as_ns(values: pl.Series, where: Callable[[int], str]) -> pl.Series:
    distinct = values.drop_nulls().unique()
    numbers = [_moment_ns(text) for text in distinct]
    late = {
        text
        for text, number in zip(distinct, numbers, strict=True)
        if number is not None and abs(number) > _LATEST
    }
    if late:
        row = values.is_in(list(late)).arg_max() or 0
        raise DataError(
            f"{where(row)}: expected a time {RANGE} in column {values.name!r}, found"
            f" {values[row]!r}; leave it empty where the time is not known"
        )
    return values.replace_strict(
        distinct, pl.Series(numbers, dtype=pl.Int64), default=None, return_dtype=pl.Int64
    )


def _moment_ns(text: str) -> int | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    passed = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - _EPOCH
    # datetime ends at microseconds.
    beyond = _BEYOND_MICROSECONDS.search(text)
    rest = int(beyond[1].ljust(3, "0")) if beyond else 0
    return (passed.days * 86_400 + passed.seconds) * 10**9 + passed.microseconds * 1000 + rest


def _warn_of_coarser_unit(numbers: pl.Series, unit: str, where: Callable[[int], str]) -> None:
    """Seconds read as milliseconds are all of January 1970: in order, but not in that year."""
    for coarser, nanoseconds in NANOSECONDS.items():
        if coarser == unit:
            return
        low, high = (bound // nanoseconds for bound in _PLAUSIBLE)
        early = numbers.is_between(low, high).fill_null(value=False)
        if early.any():
            row = early.arg_max() or 0
            _log.warning(
                "%s: found %s as a time in %s, which is early in 1970 (%s of %s times); if they"
                " are in %s, set timestamp_unit: %s",
                *(where(row), numbers[row], unit, f"{early.sum():,}", f"{len(numbers):,}"),
                *(coarser, coarser),
            )


def _other_unit(number: int, multiplier: int) -> str:
    """What to do about a number that is too large for its unit."""
    low, high = _PLAUSIBLE
    for unit, finer in NANOSECONDS.items():
        if finer < multiplier and low <= number * finer <= high:
            moment = datetime.fromtimestamp(number * finer / 1e9, UTC)
            return f"in {unit} it is {moment:%Y-%m-%d}: set timestamp_unit: {unit}"
    return "leave it empty where the time is not known"


def _remedy(text: str, unit: str) -> str:
    """What to do about a value that is no time in `unit`."""
    if DECIMAL_COMMA.fullmatch(text):
        return "write a decimal point instead of the comma"
    if re.match(r"\d{1,2}[./-]\d{1,2}[./-]\d{2,4}\b", text):
        return "write dates with the year first, as 2014-07-14"
    if unit == "iso" and re.fullmatch(r"\d+(\.\d*)?", text):
        return f"the number looks like {_likely_unit(text)}"
    if unit == "iso" and _moment_ns(text.removesuffix(" UTC")) is not None:
        return "write Z instead of ' UTC'"
    if unit != "iso" and _moment_ns(text) is not None:
        return "it is a date: set timestamp_unit: iso"
    return "correct the file, or map another column"


def _likely_unit(text: str) -> str:
    low, high = _PLAUSIBLE
    for unit, nanoseconds in NANOSECONDS.items():
        if low <= int(text.partition(".")[0]) * nanoseconds <= high:
            return f"{unit} since 1970: set timestamp_unit: {unit}"
    return "no time since 1970: set timestamp_unit to s, ms, us or ns"
