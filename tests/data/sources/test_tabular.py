"""Any CSV, TSV or Parquet file with a column map."""

from __future__ import annotations

import gzip
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from mmrec import schemas
from mmrec.data.sources.build import build_source
from mmrec.data.sources.source import ImageRef, Url
from mmrec.data.sources.tabular import InteractionColumns, ItemColumns, TabularSource
from mmrec.io import DataError
from mmrec.params.sources import TabularInteractions, TabularItems, TabularSourceParams

SECOND = 10**9

_LOG = InteractionColumns("log.csv", "user", "item")
_TIMED = InteractionColumns("log.csv", "user", "item", "when", "s")
_ITEMS = ItemColumns("items.csv", "id", "name", ("text", "brand"))


def _write(folder: Path, **files: str | bytes) -> Path:
    for name, content in files.items():
        data = content.encode() if isinstance(content, str) else content
        (folder / name.replace("_", ".")).write_bytes(data)
    return folder


def _interactions(folder: Path, columns: InteractionColumns = _LOG) -> list[tuple[Any, ...]]:
    table = TabularSource(folder, interactions=columns, items=None).read().interactions
    return [tuple(row.values()) for row in table.to_pylist()]


def _times(folder: Path, unit: Any, *values: str) -> list[int | None]:
    rows = "".join(f"u,a,{value}\n" for value in values)
    _write(folder, log_csv=f"user,item,when\n{rows}")
    columns = InteractionColumns("log.csv", "user", "item", "when", unit)
    return [row[2] for row in _interactions(folder, columns)]


@pytest.mark.parametrize("name", ["log.csv", "log.csv.gz", "log.tsv", "log.tsv.gz", "log.parquet"])
def test_every_kind_of_file_gives_the_same_rows(tmp_path: Path, name: str) -> None:
    frame = pl.DataFrame(
        {
            "user": ["u", "v", "ü, x"],
            "more": ["", "", ""],
            "item": ["a.b", "c d", '日"本'],
            "when": [3, 1, None],
            "stars": [5.0, None, 1.5],
        }
    )
    path = tmp_path / name
    if name.endswith(".parquet"):
        frame.write_parquet(path)
    else:
        text = frame.write_csv(separator="\t" if ".tsv" in name else ",").encode()
        path.write_bytes(gzip.compress(text) if name.endswith(".gz") else text)
    columns = InteractionColumns(name, "user", "item", "when", "s", "stars")
    assert _interactions(tmp_path, columns) == [
        ("u", "a.b", 3 * SECOND, 5.0),
        ("v", "c d", SECOND, None),
        ("ü, x", '日"本', None, 1.5),
    ]


def test_ids_are_kept_byte_for_byte(tmp_path: Path) -> None:
    ids = [" a ", "a", "A", "007", "1.0", "e\u0301", "\u00e9", "a.b.c", "null", "NaN"]
    _write(tmp_path, log_csv="user,item\n" + "".join(f"u,{item}\n" for item in ids))
    assert [row[1] for row in _interactions(tmp_path)] == ids


def test_numbers_of_a_parquet_file_are_ids_without_a_fraction(tmp_path: Path) -> None:
    frame = pl.DataFrame({"user": [1, 2], "item": [10.0, 11.0]})
    frame.write_parquet(tmp_path / "log.parquet")
    columns = InteractionColumns("log.parquet", "user", "item")
    assert [row[:2] for row in _interactions(tmp_path, columns)] == [("1", "10"), ("2", "11")]


def test_an_empty_id_passes_on_to_be_counted_by_clean(tmp_path: Path) -> None:
    _write(tmp_path, log_csv="user,item\nu,\n,a\n")
    source = TabularSource(tmp_path, interactions=_LOG, items=None)
    assert [row[:2] for row in _interactions(tmp_path)] == [("u", ""), ("", "a")]
    assert source.read().items.column("item_id").to_pylist() == ["a"]


def test_times_in_seconds(tmp_path: Path) -> None:
    assert _times(tmp_path, "s", "5", "", "-3", "7.9") == [
        5 * SECOND,
        None,
        -3 * SECOND,
        7_900_000_000,
    ]


def test_times_in_milliseconds(tmp_path: Path) -> None:
    assert _times(tmp_path, "ms", "1405296000123", "", "-1") == [
        1_405_296_000_123 * 10**6,
        None,
        -(10**6),
    ]


def test_times_as_iso_without_a_zone_are_utc(tmp_path: Path) -> None:
    moment = int(datetime(2014, 7, 14, 1, tzinfo=UTC).timestamp()) * SECOND
    values = ["2014-07-14T01:00:00Z", "2014-07-14 01:00:00", "2014-07-14T03:00:00+02:00", ""]
    assert _times(tmp_path, "iso", *values) == [moment, moment, moment, None]
    assert _times(tmp_path, "iso", "2014-07-14") == [moment - 3600 * SECOND]


@pytest.mark.parametrize("unit", ["ms", "us", "ns"])
def test_times_of_parquet_know_their_unit(tmp_path: Path, unit: Any) -> None:
    moment = pl.Series("when", [datetime(2014, 7, 14), None], dtype=pl.Datetime(unit))  # noqa: DTZ001
    frame = pl.DataFrame([pl.Series("user", ["u", "v"]), pl.Series("item", ["a", "b"]), moment])
    frame.write_parquet(tmp_path / "log.parquet")
    columns = InteractionColumns("log.parquet", "user", "item", "when", "iso")
    assert [row[2] for row in _interactions(tmp_path, columns)] == [1_405_296_000 * SECOND, None]


def test_missing_times_and_ratings_of_pandas_are_null_and_nan(tmp_path: Path) -> None:
    nan = float("nan")
    frame = pl.DataFrame({"user": ["u"] * 2, "item": ["a"] * 2, "when": [1.0, nan], "r": [nan, 1]})
    frame.write_parquet(tmp_path / "log.parquet")
    columns = InteractionColumns("log.parquet", "user", "item", "when", "s", "r")
    (_, _, first_time, first_rating), (_, _, second_time, _) = _interactions(tmp_path, columns)
    assert (first_time, second_time) == (SECOND, None)
    assert first_rating != first_rating


@pytest.mark.parametrize(
    ("unit", "value", "message"),
    [
        ("s", "soon", r"log\.csv, line 3: expected a time in s as a number .*'when'.*found 'soon'"),
        ("ms", "1e", r"line 3: expected a time in ms as a number"),
        ("iso", "14/7/2014", r"line 3: expected an ISO 8601 time .*found '14/7/2014' \(1 such"),
        ("s", "1405296000123", r"line 3: expected a time from 1677 to 2262.*timestamp_unit: ms"),
    ],
)
def test_a_malformed_time_names_file_line_and_value(
    tmp_path: Path, unit: str, value: str, message: str
) -> None:
    good = "2014-07-14" if unit == "iso" else "5"
    with pytest.raises(DataError, match=message):
        _times(tmp_path, unit, good, value)


def test_a_malformed_rating_names_the_line_also_after_quoted_line_breaks(tmp_path: Path) -> None:
    _write(tmp_path, log_csv='user,item,stars\n"u\nx",a,1\n\nv,b,many\n')
    columns = InteractionColumns("log.csv", "user", "item", rating="stars")
    with pytest.raises(DataError, match=r"log\.csv, line 5: expected a number .*found 'many'"):
        _interactions(tmp_path, columns)


def test_log_and_catalogue_have_their_own_separators(tmp_path: Path) -> None:
    _write(
        tmp_path,
        log_csv="user|item;x\nu|a\nv|b\n",
        items_csv="id\tname;text|brand\na\tGood; very, |Acme|\n",
    )
    log = TabularInteractions(
        file="log.csv",
        separator="|",
        user_id="user",
        item_id="item;x",
        timestamp=None,
        timestamp_unit=None,
        rating=None,
    )
    catalogue = TabularItems(
        file="items.csv",
        separator="\t",
        item_id="id",
        title="name;text|brand",
        texts=[],
        image_files=None,
        image_folder=None,
        image_urls=None,
    )
    params = TabularSourceParams(name="tabular", interactions=log, items=catalogue)
    raw = build_source(params, tmp_path).read()
    assert raw.items.column("title").to_pylist() == ["Good; very, |Acme|"]
    assert raw.interactions.column("item_id").to_pylist() == ["a", "b"]


@pytest.mark.parametrize("separator", ["", "ab", '"', "a", "1", "\n", "\\t", "é"])
def test_a_separator_is_one_mark(separator: str) -> None:
    columns = {"user_id": "u", "item_id": "i", "rating": None}
    times = {"timestamp": None, "timestamp_unit": None}
    with pytest.raises(ValueError, match="write one mark, such as ';'"):
        TabularInteractions.model_validate(
            {"file": "log.csv", "separator": separator, **columns, **times}
        )
    absent = TabularInteractions.model_validate({"file": "log.csv", **columns, **times})
    assert absent.separator is None


def test_a_decimal_comma_in_a_rating_is_named(tmp_path: Path) -> None:
    _write(tmp_path, log_csv="user;item;stars\nu;a;4.5\nu;b; 5 \nu;c;3,5\n")
    columns = InteractionColumns("log.csv", "user", "item", rating="stars")
    with pytest.raises(DataError, match=r"line 4: .*found '3,5' .*write a decimal point instead"):
        _interactions(tmp_path, columns)


def _read(folder: Path, items: ItemColumns = _ITEMS) -> Any:
    return TabularSource(folder, interactions=_LOG, items=items).read()


def test_items_have_title_and_texts_that_are_there(tmp_path: Path) -> None:
    _write(
        tmp_path,
        log_csv="user,item\nu,a\n",
        items_csv="id,name,text,brand,other\na,A,,Acme,x\nb,,Good.,,x\n,C,,,x\n",
    )
    raw = _read(tmp_path)
    assert raw.items.to_pylist() == [
        {"item_id": "a", "title": "A", "texts": [{"field": "brand", "text": "Acme"}]},
        {"item_id": "b", "title": None, "texts": [{"field": "text", "text": "Good."}]},
    ]
    assert raw.skipped == {"item_without_id": 1}


def test_lists_and_numbers_of_parquet_become_text(tmp_path: Path) -> None:
    _write(tmp_path, log_csv="user,item\nu,1\n")
    frame = pl.DataFrame(
        {"id": [1, 2], "bullets": [["Soft.", "Warm."], None], "year": [1999, None]}
    )
    frame.write_parquet(tmp_path / "items.parquet")
    raw = _read(tmp_path, ItemColumns("items.parquet", "id", texts=("bullets", "year")))
    assert raw.items.to_pylist() == [
        {
            "item_id": "1",
            "title": None,
            "texts": [
                {"field": "bullets", "text": "Soft. Warm."},
                {"field": "year", "text": "1999"},
            ],
        },
        {"item_id": "2", "title": None, "texts": []},
    ]


def test_duplicate_item_ids_are_refused_with_their_lines(tmp_path: Path) -> None:
    _write(
        tmp_path,
        log_csv="user,item\nu,a\n",
        items_csv='id,name,text,brand\na,A,"two\nlines",\nb,B,,\na,A,,\nb,B,,\nb,B,,\n',
    )
    with pytest.raises(
        DataError, match=r"2 item ids .*\('a' at line 2 and line 5; 'b' at line 4 and line 6\)"
    ):
        _read(tmp_path)


def test_a_folder_of_pictures_is_matched_by_name(tmp_path: Path) -> None:
    _write(
        tmp_path,
        log_csv="user,item\nu,a\n",
        items_csv="id,name\na,A\na_1,B\nc.d e,C\nnone,D\n",
    )
    folder = tmp_path / "pictures"
    folder.mkdir()
    pictures = ("a_10.jpg", "a_2.PNG", "a.jpg", "a_1.jpg", "c.d e.webp", "zz.jpg")
    for name in (*pictures, "a.heic", "notes.txt"):
        (folder / name).touch()
    (folder / "more").mkdir()
    raw = _read(tmp_path, ItemColumns("items.csv", "id", "name", image_folder="pictures"))
    assert [(ref.item_id, ref.position, ref.link) for ref in raw.image_refs] == [
        ("a", 0, "pictures/a.jpg"),
        ("a", 1, "pictures/a_2.PNG"),
        ("a", 2, "pictures/a_10.jpg"),
        ("a_1", 0, "pictures/a_1.jpg"),
        ("c.d e", 0, "pictures/c.d e.webp"),
    ]
    assert raw.skipped == {
        "item_without_id": 0,
        "picture_of_no_item": 1,
        "file_with_other_ending": 2,
    }
    with pytest.raises(DataError, match="photos: folder of pictures not found"):
        _read(tmp_path, ItemColumns("items.csv", "id", image_folder="photos"))


def test_a_column_of_paths_names_pictures_below_the_folder(tmp_path: Path) -> None:
    _write(
        tmp_path,
        log_csv="user,item\nu,a\n",
        items_csv="id,pictures\na,x/1.jpg|x/2.jpg\nb,\nc,../secret\nd,/etc/passwd\n",
    )
    raw = _read(tmp_path, ItemColumns("items.csv", "id", image_files="pictures"))
    assert list(raw.image_refs) == [
        ImageRef("a", 0, "x/1.jpg", tmp_path / "x/1.jpg"),
        ImageRef("a", 1, "x/2.jpg", tmp_path / "x/2.jpg"),
        ImageRef("c", 0, "../secret", None, "outside_folder"),
        ImageRef("d", 0, "/etc/passwd", None, "outside_folder"),
    ]
    frame = pl.DataFrame({"id": ["a", "b"], "pictures": [["1.jpg", "2.jpg"], None]})
    frame.write_parquet(tmp_path / "items.parquet")
    raw = _read(tmp_path, ItemColumns("items.parquet", "id", image_files="pictures"))
    assert [ref.link for ref in raw.image_refs] == ["1.jpg", "2.jpg"]


def test_pictures_of_one_name_or_with_dots_in_it_stay_with_their_items(tmp_path: Path) -> None:
    _write(
        tmp_path,
        log_csv="user,item\nu,a.b\n",
        items_csv="id,pictures\na.b,p/x/1.jpg\na.c,p/y/1.jpg\na,p/1.jpg\n",
    )
    for name in ("x/1.jpg", "y/1.jpg", "1.jpg", "a.b.jpg", "a.c.jpg", "a.jpg"):
        path = tmp_path / "p" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    columns = [ItemColumns("items.csv", "id", image_files="pictures")]
    columns.append(ItemColumns("items.csv", "id", image_folder="p"))
    found = []
    for how in columns:
        refs = list(_read(tmp_path, how).image_refs)
        assert all(isinstance(ref.load, Path) for ref in refs)
        found.append({ref.item_id: Path(str(ref.load)).read_text() for ref in refs})
    assert found == [
        {"a.b": "x/1.jpg", "a.c": "y/1.jpg", "a": "1.jpg"},
        {"a.b": "a.b.jpg", "a.c": "a.c.jpg", "a": "a.jpg"},
    ]


def test_contradicting_columns_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="image_files and image_folder are set"):
        _read(tmp_path, ItemColumns("i.csv", "id", image_files="x", image_folder="y"))
    with pytest.raises(ValueError, match="'name' is the title"):
        _read(tmp_path, ItemColumns("i.csv", "id", "name", ("name",)))


def test_a_column_of_links_names_pictures_on_the_web(tmp_path: Path) -> None:
    _write(
        tmp_path,
        log_csv="user,item\nu,a\n",
        items_csv="id,pictures\na,http://x/1.jpg| http://x/2.jpg\nb,\n",
    )
    raw = _read(tmp_path, ItemColumns("items.csv", "id", image_urls="pictures"))
    assert [(ref.item_id, ref.position, ref.load) for ref in raw.image_refs] == [
        ("a", 0, Url("http://x/1.jpg")),
        ("a", 1, Url("http://x/2.jpg")),
    ]
    frame = pl.DataFrame({"id": ["a"], "pictures": [["http://x/1.jpg", "", "http://x/2.jpg"]]})
    frame.write_parquet(tmp_path / "items.parquet")
    raw = _read(tmp_path, ItemColumns("items.parquet", "id", image_urls="pictures"))
    assert [ref.position for ref in raw.image_refs] == [0, 1]


def test_a_catalogue_alone_is_a_source_without_users(tmp_path: Path) -> None:
    _write(tmp_path, items_csv="id,name,text,brand\na,A,Red.,\nb,,,Acme\n,C,,\n")
    raw = TabularSource(tmp_path, interactions=None, items=_ITEMS).read()
    assert raw.items.column("item_id").to_pylist() == ["a", "b"]
    assert raw.interactions.equals(schemas.RAW_INTERACTIONS.empty_table())
    assert raw.skipped == {"item_without_id": 1}
    assert not raw.has_users


def test_a_log_without_a_row_still_is_one(tmp_path: Path) -> None:
    _write(tmp_path, log_csv="user,item\n", items_csv="id,name,text,brand\na,A,Red.,\n")
    raw = TabularSource(tmp_path, interactions=_LOG, items=_ITEMS).read()
    assert raw.interactions.num_rows == 0
    assert raw.has_users


def test_neither_log_nor_catalogue_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"source\.interactions and source\.items are both null"):
        TabularSource(tmp_path, interactions=None, items=None)
