"""The first bytes of a source file in; a word for what is wrong with its kind out.

Files are misnamed and half downloaded every day. A parser's word for that names a byte or
a missing column; this one names the file's kind and what to do.
"""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from pathlib import Path

from mmrec.data.sources.source_files import UNREADABLE, check_exists
from mmrec.io import DataError

_HEAD = 4096
_GZIP = b"\x1f\x8b"
_PARQUET = b"PAR1"

_KINDS: Sequence[tuple[bytes, str, str]] = (
    (_PARQUET, "a Parquet file", "rename it to {stem}.parquet"),
    (
        b"PK\x03\x04",
        "an Excel workbook (.xlsx) or a zip archive",
        "save the sheet as CSV UTF-8, or unpack the archive",
    ),
    (b"\xd0\xcf\x11\xe0", "an Excel workbook (.xls)", "save the sheet as CSV UTF-8"),
    (_GZIP, "a file packed twice with gzip", "unpack it once"),
    (b"BZh", "a file packed with bzip2", "unpack it, or pack it with gzip"),
    (b"\xfd7zXZ\x00", "a file packed with xz", "unpack it, or pack it with gzip"),
    (b"\x28\xb5\x2f\xfd", "a file packed with zstd", "unpack it, or pack it with gzip"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", "unpack it"),
    (b"SQLite format 3", "an SQLite database", "export the table as CSV"),
    (
        b"version https://git-lfs",
        "a Git LFS pointer instead of the file",
        "fetch the file with `git lfs pull`",
    ),
)
_IN_TEXT = b"\t\n\r\x0c\x01"
"""Control characters that text and tables have."""

_PAGE = (b"<!doctype html", b"<html", b"<head", b"<body", b"<?xml")


def check_text_file(path: Path, expected: str) -> None:
    """Raise `DataError` if there is no file, or if it is no UTF-8 or 8-bit text by its start.

    Args:
        path: the file, plain or `.gz`.
        expected: what it must be, for messages: `a table`, `JSON lines`, …
    """
    check_exists(path)
    with path.open("rb") as file:
        start = file.read(_HEAD)
    if start and start.startswith(_GZIP) != (path.suffix == ".gz"):
        raise _misnamed(path, start)
    if path.suffix == ".gz":
        try:
            with gzip.open(path) as unpacked:
                start = unpacked.read(_HEAD)
        except UNREADABLE:
            return  # Whoever reads it all says where it breaks.
    if not start.strip():
        raise DataError(f"{path}: the file is empty; expected {expected}: copy or download it anew")
    if found := _kind(path, start):
        raise DataError(f"{path}: expected {expected}, found {found[0]}; {found[1]}")


def _misnamed(path: Path, start: bytes) -> DataError:
    """The `DataError` for a file that is packed and not named so, or the other way round."""
    if path.suffix != ".gz":
        return DataError(
            f"{path}: found a file packed with gzip, which its name does not say;"
            f" rename it to {path.name}.gz"
        )
    kind, remedy = _kind(path, start) or ("plain text", f"rename it to {path.stem}")
    return DataError(f"{path}: expected a file packed with gzip, found {kind}; {remedy}")


def check_parquet_file(path: Path) -> None:
    """Raise `DataError` if there is no file, or if it is not Parquet by its start."""
    check_exists(path)
    with path.open("rb") as file:
        start = file.read(_HEAD)
    if start.startswith(_PARQUET):
        return
    kind, remedy = _kind(path, start) or ("text", "name it .csv or .jsonl, whichever it is")
    if not start:
        kind, remedy = "an empty file", "copy or download it anew"
    if start.startswith(_GZIP):
        kind, remedy = "a file packed with gzip", "unpack it, and name it as what it is"
    raise DataError(f"{path}: expected a Parquet file, found {kind}; {remedy}")


def _alternates(start: bytes) -> bool:
    """Whether every other byte is zero, as of Latin letters in UTF-16, and no byte between."""
    few, many = sorted(half.count(0) for half in (start[::2], start[1::2]))
    return few == 0 and 10 * many > 9 * (len(start) // 2)


def _kind(path: Path, start: bytes) -> tuple[str, str] | None:
    """What else than text a file is, and what to do about it."""
    for magic, kind, remedy in _KINDS:
        if start.startswith(magic):
            return kind, remedy.format(stem=path.name.partition(".")[0])
    if start.startswith((b"\xff\xfe", b"\xfe\xff")) or _alternates(start):
        return "UTF-16 text", "save it as UTF-8 (`iconv -f UTF-16 -t UTF-8`)"
    if 10 * sum(byte < 32 and byte not in _IN_TEXT for byte in start) > len(start):
        return "binary data", "export it as CSV, JSON lines or Parquet"
    if start.removeprefix(b"\xef\xbb\xbf").lstrip()[:20].lower().startswith(_PAGE):
        return (
            "an HTML or XML page, such as the error page of a download",
            "download the file again",
        )
    return None
