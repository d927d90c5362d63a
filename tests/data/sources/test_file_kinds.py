"""Files that are not what their names say, in every reader."""

from __future__ import annotations

import gzip
import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from mmrec.data.sources.json_lines import read_records
from mmrec.data.sources.record import Record
from mmrec.data.sources.sequences import SequencesSource
from mmrec.data.sources.source_table import read_delimited, read_source_table
from mmrec.io import DataError

_CSV = "user,item\nu,a\nv,b\n"
_JSON = '{"user": "u", "item": "é"}\n'


def _parquet() -> bytes:
    file = io.BytesIO()
    pl.DataFrame({"user": ["u"], "item": ["a"]}).write_parquet(file)
    return file.getvalue()


def _workbook() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(zipfile.ZipInfo("xl/workbook.xml"), "<workbook/>")
    return file.getvalue()


def _read_table(path: Path) -> list[tuple[str, ...]]:
    return read_source_table(path, ["user", "item"]).frame.rows()


def _read_headless(path: Path) -> list[tuple[str, ...]]:
    return read_delimited(path, ["user", "item"], separator="|", header=False).frame.rows()


def _read_objects(path: Path) -> list[tuple[str, ...]]:
    def convert(record: Record) -> tuple[str, str]:
        return record.identifier("user"), record.identifier("item")

    return read_records(path, convert, {"user": pl.String, "item": pl.String}).rows()


def _read_sequences(path: Path) -> None:
    SequencesSource(path).read()


_READERS: dict[str, Callable[[Path], object]] = {
    "log.csv": _read_table,
    "u.item": _read_headless,
    "log.jsonl": _read_objects,
    "shop.txt": _read_sequences,
}


@pytest.mark.parametrize("name", _READERS)
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            _workbook(),
            r"found an Excel workbook \(\.xlsx\) or a zip archive; save the",
        ),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(99), r"found an Excel workbook \(\.xls\)"),
        (_CSV.encode("utf-16"), "found UTF-16 text; save it as UTF-8"),
        (_CSV.encode("utf-16-le"), "found UTF-16 text; save it as UTF-8"),
        (b"<!DOCTYPE html>\n<html>403</html>", "found an HTML or XML page, such as the error page"),
        (b"\xef\xbb\xbf\n <HTML><body>", "found an HTML or XML page, such as the error page"),
        (b'<?xml version="1.0"?>\n<Error/>', "or XML page, .*; download the file again"),
        (_parquet(), r"found a Parquet file; rename it to \w+\.parquet"),
        (gzip.compress(_CSV.encode(), mtime=0), r"packed with gzip, .*; rename it to \w+\.\w+\.gz"),
        (b"BZh91AY&SY", "found a file packed with bzip2; unpack it"),
        (b"SQLite format 3\x00", "found an SQLite database; export the table"),
        (b"version https://git-lfs.github.com/spec/v1\noid", "found a Git LFS pointer"),
        (bytes(range(1, 200)), "found binary data; export it as CSV"),
        (b"\x93NUMPY\x01\x00v\x00" + bytes(99), "found binary data; export it as CSV"),
        (b"", "the file is empty; expected .*: copy or download it anew"),
        (b"\n \n", "the file is empty"),
    ],
)
def test_every_reader_of_text_names_another_kind(
    tmp_path: Path, name: str, content: bytes, message: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(DataError, match=rf"{name}: .*{message}"):
        _READERS[name](path)


@pytest.mark.parametrize("name", ["log.csv", "log.jsonl", "shop.txt"])
def test_a_packed_name_needs_a_packed_file(tmp_path: Path, name: str) -> None:
    path = tmp_path / f"{name}.gz"
    path.write_text(_CSV)
    message = rf"expected a file packed with gzip, found plain text; rename it to {name}$"
    with pytest.raises(DataError, match=message):
        _READERS[name](path)
    path.write_bytes(gzip.compress(gzip.compress(_CSV.encode())))
    with pytest.raises(DataError, match="found a file packed twice with gzip; unpack it once"):
        _READERS[name](path)
    path.write_bytes(gzip.compress(b"<html>"))
    with pytest.raises(DataError, match="found an HTML or XML page"):
        _READERS[name](path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (_CSV.encode(), "found text; name it"),
        (b"", "found an empty file; copy or download it anew"),
        (gzip.compress(b"x", mtime=0), "found a file packed with gzip; unpack it"),
        (_workbook(), "found an Excel workbook"),
    ],
)
def test_what_is_named_parquet_must_be_it(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "log.parquet"
    path.write_bytes(content)
    for read in (_read_table, _read_objects):
        with pytest.raises(DataError, match=rf"expected a Parquet file, {message}"):
            read(path)


@pytest.mark.parametrize("name", _READERS)
def test_windows_text_is_named_by_line_and_letter(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes({"log.jsonl": _JSON}.get(name, "user,item\nu,café\n").encode("cp1252"))
    message = r"line [12]: expected utf-8 text, found the byte 0xe9, which is 'é' in Windows-1252"
    with pytest.raises(DataError, match=message):
        _READERS[name](path)


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "log.csv").mkdir()
    with pytest.raises(DataError, match=r"log\.csv: expected a file, found a folder; name a f"):
        _read_table(tmp_path / "log.csv")


def test_json_lines_may_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_bytes(b"\xef\xbb\xbf" + _JSON.encode())
    assert _read_objects(path) == [("u", "é")]
    path.write_bytes(b"\xef\xbb\xbf\n" + _JSON.encode())
    assert _read_objects(path) == [("u", "é")]


def test_objects_may_be_rows_of_parquet(tmp_path: Path) -> None:
    path = tmp_path / "log.parquet"
    path.write_bytes(_parquet())
    assert _read_objects(path) == [("u", "a")]
    pl.DataFrame({"user": ["u", "v"], "item": ["a", "b"], "x": [{"y": None}, {"y": [1]}]}).drop(
        "item"
    ).write_parquet(path)
    with pytest.raises(DataError, match=r"log\.parquet, row 1: expected an id as 'item'"):
        _read_objects(path)


def test_objects_may_be_rows_of_several_files_if_none_is_missing(tmp_path: Path) -> None:
    folder = tmp_path / "raw_meta"
    folder.mkdir()
    with pytest.raises(DataError, match=r"raw_meta: expected a file, or a folder of \.parquet"):
        _read_objects(folder)
    for number, user in ((1, "v"), (0, "u")):
        frame = pl.DataFrame({"user": [user], "item": ["a"]})
        frame.write_parquet(folder / f"full-0000{number}-of-00002.parquet")
    assert _read_objects(folder) == [("u", "a"), ("v", "a")]
    third = folder / "full-00000-of-00003.parquet"
    frame.write_parquet(third)
    with pytest.raises(DataError, match=r"expected 2 files by .*found 3; move the others away"):
        _read_objects(folder)
    third.unlink()
    (folder / "full-00000-of-00002.parquet").unlink()
    with pytest.raises(DataError, match=r"expected 2 files by the name .*found 1; download the"):
        _read_objects(folder)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (f"[{_JSON.strip()}]", "the file is a JSON array: write an object a line"),
        (_JSON.replace(",", ",\n"), "if objects span lines, write one a line"),
        (_CSV, "the file is no JSON lines"),
        ("{'user': 'u'}\n", "it is a Python dictionary, as in Amazon's files of 2014: check the"),
        (_JSON + _JSON[:9], r"line 2: expected a JSON object, found '\{.*correct the line"),
    ],
)
def test_what_is_no_json_lines_says_what_it_may_be(
    tmp_path: Path, content: str, message: str
) -> None:
    path = tmp_path / "log.jsonl"
    path.write_text(content)
    with pytest.raises(DataError, match=message):
        _read_objects(path)
