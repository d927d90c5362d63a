"""Columns of a source file in; ids, texts, ratings, times and paths out, every value checked.

A text file gives strings only. A Parquet file may hold anything: what cannot be what it is
mapped to is refused by its type.
"""

from __future__ import annotations

import polars as pl

from mmrec.data.sources.source_files import shorten
from mmrec.data.sources.source_table import SourceTable
from mmrec.data.sources.times import DECIMAL_COMMA, times_ns
from mmrec.io import DataError

_NAMED = pl.Categorical | pl.Enum | pl.Null
_PRINTABLE = pl.String | pl.Boolean | pl.Date | pl.Datetime | pl.Time


def as_text(table: SourceTable, column: str) -> pl.Series:
    """A column as strings; numbers and dates of a Parquet file as they print, lists joined."""
    values = _values(table, column)
    if not _is_list(values.dtype):
        return _printed(table, values, "text, numbers, dates or lists of text")
    lists = _lists_of_text(table, values, "text or lists of text", numbers=True)
    return lists.list.join(" ", ignore_nulls=True)


def as_ids(table: SourceTable, column: str) -> pl.Series:
    """A column of ids, byte for byte; whole numbers print without a fraction."""
    values = _values(table, column)
    if values.dtype.is_float():
        values = _without_fraction(table, values.fill_nan(None))
    kind = values.dtype
    if kind == pl.String or kind.is_integer() or kind.is_float() or kind.is_decimal():
        return values.cast(pl.String)
    raise _wrong_type(table, values, "text or whole numbers as ids")


def _without_fraction(table: SourceTable, values: pl.Series) -> pl.Series:
    # pandas writes whole numbers as floats as soon as one is missing.
    exact = values.abs() < 2.0 ** (24 if values.dtype == pl.Float32 else 53)
    _refuse(table, values, ~exact, f"ids in column {values.name!r} that a float holds exactly")
    whole = values.cast(pl.Int64)
    return whole if (whole.cast(values.dtype) == values).all() else values


def as_ratings(table: SourceTable, column: str) -> pl.Series:
    """A column of ratings; empty is null, `nan` is kept for `clean` to count."""
    values = _values(table, column)
    if not (isinstance(values.dtype, pl.String | pl.Boolean) or values.dtype.is_numeric()):
        raise _wrong_type(table, values, "numbers as ratings")
    if values.dtype == pl.String:
        values = values.str.strip_chars().replace("", None)
    numbers = values.cast(pl.Float64, strict=False)
    _refuse_failed(table, values, numbers, f"a number as rating in column {column!r}")
    return numbers


def as_timestamps_ns(table: SourceTable, column: str, unit: str) -> pl.Series:
    """A column of times as UTC nanoseconds; empty is null. `unit` is s, ms, us, ns or iso."""
    values = _values(table, column)
    kind = values.dtype
    is_date = isinstance(kind, pl.Date | pl.Datetime)
    if unit == "iso" and kind.is_numeric():
        raise DataError(
            f"{table.path}, column {column!r}: expected dates or text as times (timestamp_unit"
            f" iso), found the type {kind}; set timestamp_unit to s, ms, us or ns"
        )
    if not (is_date or kind == pl.String or kind.is_numeric()):
        expected = "text" if unit == "iso" else f"numbers in {unit}"
        raise _wrong_type(table, values, f"dates or {expected} as times (timestamp_unit {unit})")
    return times_ns(values, unit, table.where)


def as_paths(table: SourceTable, column: str) -> pl.Series:
    """A column of paths as lists of strings: lists, or strings separated by `|`."""
    values = _values(table, column)
    if values.dtype == pl.String:
        return values.str.split("|")
    expected = "paths of pictures separated by |, or lists of them"
    if not _is_list(values.dtype):
        raise _wrong_type(table, values, expected)
    return _lists_of_text(table, values, expected)


def _values(table: SourceTable, column: str) -> pl.Series:
    """The column, with categories, bytes and nothing but nulls as strings."""
    values = table.frame.get_column(column)
    if isinstance(values.dtype, _NAMED):
        return values.cast(pl.String)
    if values.dtype == pl.Binary:
        try:
            return values.cast(pl.String)
        except pl.exceptions.ComputeError:
            readable = pl.Series([_is_utf8(value) for value in values], dtype=pl.Boolean)
            _refuse(table, values, ~readable, f"UTF-8 text in column {column!r}")
    return values


def _is_utf8(value: bytes | None) -> bool:
    try:
        (value or b"").decode()
    except UnicodeDecodeError:
        return False
    return True


def _is_list(kind: pl.DataType) -> bool:
    return isinstance(kind, pl.List | pl.Array)


def _lists_of_text(
    table: SourceTable, values: pl.Series, expected: str, *, numbers: bool = False
) -> pl.Series:
    inner = getattr(values.dtype, "inner", None)
    is_number = isinstance(inner, pl.DataType) and inner.is_numeric()
    if not (isinstance(inner, pl.String | _NAMED) or (numbers and is_number)):
        raise _wrong_type(table, values, expected)
    return values.cast(pl.List(pl.String))


def _printed(table: SourceTable, values: pl.Series, expected: str) -> pl.Series:
    kind = values.dtype
    if kind.is_numeric() or isinstance(kind, _PRINTABLE):
        return values.cast(pl.String)
    raise _wrong_type(table, values, expected)


def _wrong_type(table: SourceTable, values: pl.Series, expected: str) -> DataError:
    return DataError(
        f"{table.path}, column {values.name!r}: expected {expected}, found the type"
        f" {values.dtype}; convert the column or map another"
    )


def _refuse_failed(
    table: SourceTable, values: pl.Series, converted: pl.Series, expected: str
) -> None:
    _refuse(table, values, converted.is_null() & values.is_not_null(), expected)


def _refuse(table: SourceTable, values: pl.Series, wrong: pl.Series, expected: str) -> None:
    if wrong.any():
        row = wrong.arg_max() or 0
        raise DataError(
            f"{table.where(row)}: expected {expected}, found {shorten(str(values[row]))}"
            f" ({wrong.sum()} such rows); {_remedy(str(values[row]))}"
        )


def _remedy(value: str) -> str:
    if DECIMAL_COMMA.fullmatch(value):
        return "write a decimal point instead of the comma"
    return "correct the file, or map another column"
