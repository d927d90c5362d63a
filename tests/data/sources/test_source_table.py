"""Reading of delimited text files, and the words for what is wrong with one."""

from __future__ import annotations

import gzip
import logging
from pathlib import Path

import polars as pl
import pytest

from mmrec.data.sources.source_table import read_delimited, read_source_table
from mmrec.io import DataError


def _file(folder: Path, content: str | bytes) -> Path:
    path = folder / "log.csv"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def _rows(path: Path) -> list[tuple[str, ...]]:
    return read_source_table(path, ["user", "item"]).frame.rows()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("user,item\nu,a\nv\n", r"line 3: expected 2 fields separated by ',', found 1: 'v'"),
        ("user,item\nu,a,b\n", r"line 2: expected 2 fields .*found 3: 'u,a,b'"),
        ("user,thing\nu,a\n", r"column 'item' not found; the file has 'user', 'thing'"),
        ("user,item,item\nu,a,b\n", r"column 'item' stands twice"),
        ("", r"the file is empty; expected a table"),
        (b"user,item\nu,a\nv,\xff\n", r"line 3: expected utf-8 text, found the byte 0xff"),
        ('user,item\nu,a\nv,"b\nw,c\n', r"line 3: expected every quoted field to be closed"),
        ('user,item,note\nu,a,"x\nv,b,y\n', r"line 2: expected every quoted field to be closed"),
        ('user,item\nu,"a\nv,"b\nw,c\n', r"line 2: expected every quoted field"),
        ('user,item\nu,a\nv,"b" c\n', r"line 3: .*followed by ','"),
    ],
)
def test_a_malformed_file_names_line_expected_and_found(
    tmp_path: Path, content: str | bytes, message: str
) -> None:
    path = _file(tmp_path, content)
    with pytest.raises(DataError, match=rf"log\.csv.*{message}"):
        _rows(path)


def test_a_missing_file_says_what_lies_beside_it(tmp_path: Path) -> None:
    (tmp_path / "logs.csv").touch()
    with pytest.raises(DataError, match=r"log\.csv: file not found; the folder holds: logs\.csv"):
        _rows(tmp_path / "log.csv")
    with pytest.raises(DataError, match="nor its folder"):
        _rows(tmp_path / "nowhere" / "log.csv")


@pytest.mark.parametrize("name", ["log.csv.gz", "log.parquet", "log.xlsx"])
def test_a_file_of_another_kind_is_refused_by_name(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"user,item\nu,a\n")
    with pytest.raises(DataError, match=name.replace(".", r"\.")):
        _rows(tmp_path / name)


def test_a_cut_off_gzip_file_is_refused(tmp_path: Path) -> None:
    data = gzip.compress(b"user,item\n" + b"u,a\n" * 9_999)
    (tmp_path / "log.csv.gz").write_bytes(data[:-20])
    with pytest.raises(DataError, match=r"log\.csv\.gz: cannot be read"):
        _rows(tmp_path / "log.csv.gz")


def test_a_damaged_gzip_file_is_refused(tmp_path: Path) -> None:
    data = bytearray(gzip.compress(bytes(range(97, 123)) * 99))
    data[15:40] = bytes(25)
    (tmp_path / "log.csv.gz").write_bytes(data)
    with pytest.raises(DataError, match=r"log\.csv\.gz: cannot be read .*; replace the file"):
        _rows(tmp_path / "log.csv.gz")


def test_a_damaged_parquet_file_is_to_be_replaced(tmp_path: Path) -> None:
    (tmp_path / "log.parquet").write_bytes(b"PAR1 nonsense PAR1")
    with pytest.raises(DataError, match=r"not a readable Parquet file .*; replace the file$"):
        _rows(tmp_path / "log.parquet")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("u\ta\t1\nv\tb\t2\n", r"line 1: expected 4 fields .*found 3: 'u\\ta\\t1'"),
        ("u\ta\t1\nv\tb\t2\t3\n", r"line 1: expected 4 fields"),
        ("u\ta\t1\t2\nv\tb\t2\n", r"line 2: expected 4 fields"),
    ],
)
def test_without_a_header_the_layout_says_how_many_fields(
    tmp_path: Path, content: str, message: str
) -> None:
    path = _file(tmp_path, content)
    columns = ["user", "item", "rating", "time"]
    with pytest.raises(DataError, match=message):
        read_delimited(path, columns, separator="\t", quoted=False, header=False)


def test_a_lone_quote_inside_a_field_is_text(tmp_path: Path) -> None:
    path = _file(tmp_path, 'user,item\nu,5" nail\nv,b\n')
    assert _rows(path) == [("u", '5" nail'), ("v", "b")]


def test_line_ends_byte_order_mark_and_blank_lines_do_not_matter(tmp_path: Path) -> None:
    path = _file(tmp_path, b"\xef\xbb\xbfuser,item\r\nu,a\r\n\r\nv,b")
    assert _rows(path) == [("u", "a"), ("v", "b")]


def test_a_byte_order_mark_before_a_quoted_header_does_not_matter(tmp_path: Path) -> None:
    path = _file(tmp_path, b'\xef\xbb\xbf"user","item"\r\n"u","a ""b"""\r\n')
    assert _rows(path) == [("u", 'a "b"')]
    table = read_source_table(path, ["user", "item"])
    assert table.where(0).endswith("log.csv, line 2")


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("quote", ["", '"'])
def test_the_separator_is_found_in_the_header_and_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, separator: str, quote: str
) -> None:
    rows = [("item", "more, or less", "user"), ("a;b|c", "x", "u"), ("1,5", "x", "v")]
    text = "\n".join(separator.join(f'"{field}"' for field in row) for row in rows)
    if not quote:
        text = text.replace('"item"', "item").replace('"user"', "user")
    path = _file(tmp_path, text)
    with caplog.at_level(logging.INFO, "mmrec"):
        assert _rows(path) == [("u", "a;b|c"), ("v", "1,5")]
    assert f"log.csv: found columns separated by {separator!r}" in caplog.text


def test_a_tsv_is_separated_by_tabs_whatever_else_its_header_holds(tmp_path: Path) -> None:
    path = tmp_path / "log.tsv"
    path.write_text("user;item\tuser\titem\nx\tu\ta\n")
    assert _rows(path) == [("u", "a")]


def test_the_separator_that_is_set_is_used_and_a_wrong_one_is_named(tmp_path: Path) -> None:
    path = _file(tmp_path, "user^item\nu^a\n")
    table = read_source_table(path, ["user", "item"], separator="^")
    assert table.frame.rows() == [("u", "a")]
    path = _file(tmp_path, "user;item\nu;a\n")
    message = r"the file has 'user;item' \(separated by ','\); .* set separator: \";\""
    with pytest.raises(DataError, match=message):
        read_source_table(path, ["user", "item"], separator=",")
    with pytest.raises(DataError, match=r"the file has 'usr', 'item' \(separated by ';'\)"):
        read_source_table(_file(tmp_path, "usr;item\nu;a\n"), ["user", "item"])
    with pytest.raises(DataError, match="set separator to the mark between the names"):
        read_source_table(_file(tmp_path, "user^item\nu^a\n"), ["user", "item"])
    pl.DataFrame({"user": ["u"]}).write_parquet(tmp_path / "log.parquet")
    with pytest.raises(DataError, match=r"separator is ';', and a Parquet file has none; set it"):
        read_source_table(tmp_path / "log.parquet", ["user"], separator=";")


def test_a_header_that_more_than_one_separator_parts_is_refused(tmp_path: Path) -> None:
    path = _file(tmp_path, "a;user;b|user|c\n1;2;3|4|5\n")
    with pytest.raises(DataError, match=r"separated by ';' \(3 columns\) and '\|' \(3 columns\)"):
        read_source_table(path, ["user"])
    assert read_source_table(path, ["user"], separator="|").frame.rows() == [("4",)]


def test_a_file_with_another_ending_needs_its_separator(tmp_path: Path) -> None:
    path = tmp_path / "log.txt"
    path.write_text("user,item\nu,a\n")
    with pytest.raises(DataError, match=r"found the ending '\.txt'; expected .*or a `separator`"):
        _rows(path)
    assert read_source_table(path, ["user"], separator=",").frame.rows() == [("u",)]


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("User ID,Item", r"letter by letter: map 'User ID', 'Item', or rename"),
        ("A2SUAM,0000031852,5.0", r"'0000031852' is hardly a name: put a line of column names"),
        ("sep=;\nuser_id;item", "delete line 1, which is for Excel alone"),
        ('[{"user_id": "u", "item": "a"}]', "the file holds JSON: export it as CSV"),
        ('{"user_id": "u", "item": "a"}', "the file holds JSON: export it as CSV"),
        ("who,what", "check the column map, or whether it is the right file"),
    ],
)
def test_a_header_without_the_columns_says_what_may_be_meant(
    tmp_path: Path, header: str, message: str
) -> None:
    path = _file(tmp_path, f"{header}\nu,a\n")
    with pytest.raises(DataError, match=f"column 'user_id', 'item' not found; .*{message}"):
        read_source_table(path, ["user_id", "item"])


def test_a_field_with_an_unquoted_separator_is_named(tmp_path: Path) -> None:
    path = _file(tmp_path, "user;item\nu;a;b\n")
    with pytest.raises(DataError, match=r"line 2: .*correct the line, or quote fields that hold a"):
        _rows(path)


def test_long_fields_and_quoted_line_breaks_are_text(tmp_path: Path) -> None:
    long = "word " * 60_000
    path = _file(tmp_path, f'user,item\nu,"{long}"\nv,"a ""b""\nc"\n')
    assert _rows(path) == [("u", long), ("v", 'a "b"\nc')]


def test_the_line_of_a_row_counts_blank_lines_and_line_breaks(tmp_path: Path) -> None:
    path = _file(tmp_path, '\nuser,item\n"u\nx",a\n\nv,b\n')
    table = read_source_table(path, ["user", "item"])
    assert [table.where(row).rpartition(" ")[2] for row in range(2)] == ["3", "6"]
