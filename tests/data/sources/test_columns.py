"""Columns of every type that a Parquet file may hold."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mmrec.data.sources import columns
from mmrec.data.sources.source_table import SourceTable, read_source_table
from mmrec.io import DataError


def _table(folder: Path, values: Any) -> SourceTable:
    path = folder / "log.parquet"
    pq.write_table(pa.table({"x": values}), path)
    return read_source_table(path, ["x"])


SECOND = 10**9

_STRUCT = pa.array([{"a": 1}])
_MAP = pa.array([[("a", 1)]], pa.map_(pa.string(), pa.int64()))
_TIMES = [pa.array([time(1)]), pa.array([timedelta(1)])]
_BYTES = pa.array([b"\xff"])


@pytest.mark.parametrize(
    "values", [_STRUCT, _MAP, *_TIMES, pa.array([["a"]]), pa.array([True]), pa.array([date.min])]
)
def test_what_is_no_id_is_refused_by_its_type(tmp_path: Path, values: pa.Array) -> None:
    with pytest.raises(DataError, match=r"log\.parquet, column 'x': expected text or whole num"):
        columns.as_ids(_table(tmp_path, values), "x")


@pytest.mark.parametrize(
    "values", [_STRUCT, _MAP, _TIMES[1], pa.array([[["a"]]]), pa.array([[{"a": 1}]])]
)
def test_what_is_no_text_is_refused_by_its_type(tmp_path: Path, values: pa.Array) -> None:
    with pytest.raises(DataError, match=r"column 'x': expected text.*found the type"):
        columns.as_text(_table(tmp_path, values), "x")


@pytest.mark.parametrize("values", [_STRUCT, _MAP, *_TIMES, pa.array([[1.0]])])
def test_what_is_no_rating_is_refused_by_its_type(tmp_path: Path, values: pa.Array) -> None:
    with pytest.raises(DataError, match="column 'x': expected numbers as ratings, found the type"):
        columns.as_ratings(_table(tmp_path, values), "x")


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns", "iso"])
@pytest.mark.parametrize("values", [_STRUCT, _MAP, *_TIMES, pa.array([[5]]), pa.array([True])])
def test_what_is_no_time_is_refused_by_its_type(
    tmp_path: Path, values: pa.Array, unit: str
) -> None:
    with pytest.raises(DataError, match=rf"'x': expected dates or .* \(timestamp_unit {unit}\)"):
        columns.as_timestamps_ns(_table(tmp_path, values), "x", unit)


@pytest.mark.parametrize("values", [pa.array([1]), pa.array([1.5])])
def test_numbers_are_no_iso_times(tmp_path: Path, values: pa.Array) -> None:
    message = r"expected dates or text as times .*found the type .*set timestamp_unit to s, ms"
    with pytest.raises(DataError, match=message):
        columns.as_timestamps_ns(_table(tmp_path, values), "x", "iso")


@pytest.mark.parametrize("values", [_STRUCT, _MAP, pa.array([1]), pa.array([[1]]), *_TIMES])
def test_what_is_no_path_is_refused_by_its_type(tmp_path: Path, values: pa.Array) -> None:
    with pytest.raises(DataError, match=r"'x': expected paths of pictures .*found the type"):
        columns.as_paths(_table(tmp_path, values), "x")


def test_bytes_are_text_if_they_are_utf_8(tmp_path: Path) -> None:
    good = _table(tmp_path, pa.array(["ü".encode(), None]))
    assert columns.as_ids(good, "x").to_list() == ["ü", None]
    assert columns.as_text(good, "x").to_list() == ["ü", None]
    for convert in (columns.as_ids, columns.as_text, columns.as_paths):
        with pytest.raises(DataError, match=r"log\.parquet, row 1: expected UTF-8 text in column"):
            convert(_table(tmp_path, _BYTES), "x")


def test_categories_are_text(tmp_path: Path) -> None:
    table = _table(tmp_path, pa.array(["1.jpg|2.jpg", None]).dictionary_encode())
    assert columns.as_paths(table, "x").to_list() == [["1.jpg", "2.jpg"], None]
    assert columns.as_ids(table, "x").to_list() == ["1.jpg|2.jpg", None]
    assert columns.as_text(table, "x").to_list() == ["1.jpg|2.jpg", None]
    numbers = _table(tmp_path, pa.array(["5", ""]).dictionary_encode())
    assert columns.as_ratings(numbers, "x").to_list() == [5.0, None]
    assert columns.as_timestamps_ns(numbers, "x", "s").to_list() == [5 * SECOND, None]
    listed = pa.array([["a", "b"]], pa.list_(pa.dictionary(pa.int8(), pa.string())))
    assert columns.as_paths(_table(tmp_path, listed), "x").to_list() == [["a", "b"]]


def test_lists_of_numbers_are_text(tmp_path: Path) -> None:
    assert columns.as_text(_table(tmp_path, pa.array([[1, 2]])), "x").to_list() == ["1 2"]


def test_nothing_but_nulls_is_nothing(tmp_path: Path) -> None:
    table = _table(tmp_path, pa.nulls(2))
    for convert in (columns.as_ids, columns.as_text, columns.as_ratings, columns.as_paths):
        assert convert(table, "x").to_list() == [None, None]
    assert columns.as_timestamps_ns(table, "x", "iso").to_list() == [None, None]


def test_dates_are_times_in_utc(tmp_path: Path) -> None:
    table = _table(tmp_path, pa.array([date(1970, 1, 2)]))
    assert columns.as_timestamps_ns(table, "x", "s").to_list() == [86_400 * SECOND]
    zoned = pa.array([datetime(2014, 7, 14, tzinfo=UTC)], pa.timestamp("us", "Europe/Berlin"))
    times = columns.as_timestamps_ns(_table(tmp_path, zoned), "x", "s")
    assert times.to_list() == [1_405_296_000 * SECOND]


def test_ids_as_floats(tmp_path: Path) -> None:
    nan = float("nan")
    table = _table(tmp_path, pa.array([10.0, nan, None, 2.0**53 - 1]))
    assert columns.as_ids(table, "x").to_list() == ["10", None, None, "9007199254740991"]
    fractions = _table(tmp_path, pa.array([1.5, nan]))
    assert columns.as_ids(fractions, "x").to_list() == ["1.5", None]
    for value in (1e20, 2.0**53, float("inf")):
        with pytest.raises(DataError, match=r"row 2: expected ids .* float holds exactly, found"):
            columns.as_ids(_table(tmp_path, pa.array([1.0, value])), "x")
    small = pa.array([2.0**24], pa.float32())
    with pytest.raises(DataError, match=r"float holds exactly, found '16777216\.0'"):
        columns.as_ids(_table(tmp_path, small), "x")


def test_text_files_give_text(tmp_path: Path) -> None:
    table = SourceTable(tmp_path / "log.csv", pl.DataFrame({"x": ["a", ""]}))
    assert columns.as_ids(table, "x").to_list() == ["a", ""]
    assert columns.as_paths(table, "x").to_list() == [["a"], [""]]
