"""Times of every unit and spelling, to the nanosecond."""

from __future__ import annotations

import logging
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmrec.data.sources.tabular import InteractionColumns, TabularSource
from mmrec.data.sources.times import NANOSECONDS, number_ns, times_ns
from mmrec.io import DataError
from tests.data.raw_world import cleaned, sequences

_MAY = 1_588_687_728 * 10**9
_LOG = InteractionColumns("log.csv", "user", "item", "when")


def _where(row: int) -> str:
    return f"log.csv, line {row + 2}"


def _times(values: Any, unit: str, dtype: Any = None) -> list[int | None]:
    return times_ns(pl.Series("when", values, dtype=dtype), unit, _where).to_list()


@pytest.mark.parametrize(
    ("unit", "late", "early"),
    [
        ("s", "1588687728.923", "1588687728.1"),
        ("ms", "1588687728923", "1588687728100"),
        ("us", "1588687728000002", "1588687728000001"),
        ("ns", "1588687728000000002", "1588687728000000001"),
        ("iso", "2020-05-05T14:08:48.923Z", "2020-05-05T16:08:48.1+02:00"),
        ("iso", "2020-05-05 14:08:48.000000002", "2020-05-05 14:08:48.000000001"),
    ],
)
def test_order_within_a_second_is_kept_to_the_end(
    tmp_path: Path, unit: Any, late: str, early: str
) -> None:
    (tmp_path / "log.csv").write_text(f"user,item,when\nU,A,{late}\nU,B,{early}\n")
    columns = InteractionColumns("log.csv", "user", "item", "when", unit)
    raw = TabularSource(tmp_path, interactions=columns, items=None).read()
    result = cleaned(tmp_path, raw.items, raw.interactions, text_fields=["title"])
    assert sequences(result) == {"U": ["B", "A"]}
    (times,) = result.sequences.column("timestamps_ns").to_pylist()
    assert times == sorted(raw.interactions.column("timestamp_ns").to_pylist())


@pytest.mark.parametrize(
    ("unit", "value", "expected"),
    [
        ("s", "1588687728.9", _MAY + 900_000_000),
        ("s", " 1588687728 ", _MAY),
        ("s", "1.588687728e9", _MAY),
        ("s", "1588687728.123456789", _MAY + 123_456_789),
        ("s", "1588687728.1234567899", _MAY + 123_456_789),
        ("s", "-0.5", -500_000_000),
        ("ms", "1588687728923.25", _MAY + 923_250_000),
        ("us", "1588687728923001", _MAY + 923_001_000),
        ("ns", "1588687728923001002", _MAY + 923_001_002),
        ("ns", "5.9", 5),
        ("s", "NaN", None),
        ("s", "", None),
    ],
)
def test_numbers_are_exact(unit: str, value: str, expected: int | None) -> None:
    assert _times([value, None], unit) == [expected, None]
    if expected is not None:
        assert number_ns(value, unit) == expected


def test_floats_are_what_they_print_as() -> None:
    assert _times([1588687728.9, None, float("nan")], "s") == [_MAY + 900_000_000, None, None]
    assert _times([1588687728923.0], "ms") == [_MAY + 923_000_000]
    assert _times([1e17, 1.5], "ns") == [10**17, 1]
    assert _times([Decimal("1588687728.123456789")], "s") == [_MAY + 123_456_789]
    assert number_ns(1588687728.9, "s") == _MAY + 900_000_000


@given(st.integers(-(2**62), 2**62), st.sampled_from(["s", "ms", "us", "ns"]))
def test_every_number_of_nanoseconds_survives_its_spelling(number: int, unit: str) -> None:
    spelled = f"{Decimal(number) / NANOSECONDS[unit]:f}"
    assert _times([spelled, "x"[:0]], unit) == [number, None]
    assert number_ns(spelled, unit) == number


@given(st.datetimes(datetime(1970, 1, 1), datetime(2262, 1, 1)), st.integers(-720, 720))  # noqa: DTZ001
def test_every_moment_survives_its_spelling(moment: datetime, minutes: int) -> None:
    utc = moment.replace(tzinfo=UTC)
    expected = (utc - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1) * 1000
    local = utc.astimezone(timezone(timedelta(minutes=minutes)))
    assert _times([local.isoformat(), utc.isoformat(" ")], "iso") == [expected] * 2
    for unit in ("us", "ns"):
        assert _times([utc], "iso", pl.Datetime(unit, "UTC")) == [expected]


def test_dates_of_parquet_keep_unit_and_zone(tmp_path: Path) -> None:
    moment = datetime(2020, 5, 5, 14, 8, 48, 923_001, tzinfo=UTC)
    when = pl.Series("when", [moment, None], dtype=pl.Datetime("us", "Europe/Berlin"))
    frame = pl.DataFrame([pl.Series("user", ["u", "v"]), pl.Series("item", ["a", "b"]), when])
    frame.write_parquet(tmp_path / "log.parquet")
    columns = InteractionColumns("log.parquet", "user", "item", "when", "iso")
    raw = TabularSource(tmp_path, interactions=columns, items=None).read()
    assert raw.interactions.column("timestamp_ns").to_pylist() == [_MAY + 923_001_000, None]
    assert _times([date(1970, 1, 2)], "s") == [86_400 * 10**9]


@pytest.mark.parametrize(
    ("unit", "value", "message"),
    [
        ("s", 1_588_687_728_923, "found '1588687728923' .*in ms it is 2020-05-05: set timestamp_u"),
        ("s", "1588687728923001.5", r"found '1588687728923001\.5' .*in us it is 2020-05-05"),
        ("ms", "1588687728923000001", "in ns it is 2020-05-05: set timestamp_unit: ns"),
        ("s", 10**18, "in ns it is 2001-09-09"),
        ("s", -(10**17), "leave it empty where the time is not known"),
        ("iso", "9999-12-31", "found '9999-12-31'; leave it empty where the time is not known"),
        ("iso", "0001-01-01", "found '0001-01-01'; leave it empty"),
        ("iso", date(9999, 12, 31), "found '9999-12-31' .*leave it empty"),
        ("iso", datetime(1, 1, 1), r"found '0001-01-01 00:00:00' .*leave it empty"),  # noqa: DTZ001
    ],
)
def test_a_time_out_of_range_names_line_and_remedy(unit: str, value: Any, message: str) -> None:
    with pytest.raises(DataError, match=rf"line 3: expected a time from 1677 to 2262.*{message}"):
        _times([None, value], unit)


@pytest.mark.parametrize(
    ("unit", "value", "message"),
    [
        ("s", "1588687728,9", "write a decimal point instead of the comma"),
        ("iso", "31/12/2020", "write dates with the year first"),
        ("iso", "31.12.2020 10:00", "write dates with the year first"),
        ("ms", "12/31/20", "write dates with the year first"),
        ("s", "2020-12-31", "it is a date: set timestamp_unit: iso"),
        ("iso", "1588687728", "looks like s since 1970: set timestamp_unit: s"),
        ("iso", "1588687728923", "looks like ms since 1970: set timestamp_unit: ms"),
        ("iso", "17", "looks like no time since 1970: set timestamp_unit to s, ms, us or ns"),
        ("iso", "2020-12-31 10:00:00.5 UTC", "write Z instead of ' UTC'"),
        ("s", "99999999999999999999", "correct the file"),
        ("s", "inf", "correct the file"),
        ("s", "1e400", "correct the file"),
        ("s", "1_000", "correct the file, or map another column"),
    ],
)
def test_what_is_no_time_names_line_and_remedy(unit: str, value: str, message: str) -> None:
    good = "2020-05-05" if unit == "iso" else "5"
    with pytest.raises(
        DataError, match=rf"line 3: expected an? (ISO|time) .*'when', found '{value}'.*{message}"
    ):
        _times([good, value], unit)


@pytest.mark.parametrize("unit", ["ms", "us", "ns"])
@pytest.mark.parametrize("value", [1_588_687_728, "1588687728.9"])
def test_seconds_in_a_finer_unit_are_warned_of(
    caplog: pytest.LogCaptureFixture, unit: str, value: Any
) -> None:
    kind = pl.String if isinstance(value, str) else None
    with caplog.at_level(logging.WARNING, "mmrec"):
        assert _times([None, value], unit, kind)[1] is not None
    assert "line 3: found 1588687728 as a time in" in caplog.text
    assert "if they are in s, set timestamp_unit: s" in caplog.text


def test_true_times_are_not_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    for unit, nanoseconds in NANOSECONDS.items():
        assert _times([_MAY // nanoseconds, 0, 17, None], unit)[0] == _MAY
    assert not caplog.text
