"""Opening the files of a source, and the words for what is wrong with them."""

from __future__ import annotations

import codecs
import gzip
import json
import re
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import IO, cast

from mmrec.data.sources.regular_files import check_regular
from mmrec.io import DataError

SEPARATORS = (",", ";", "\t", "|")
"""Of columns, the likeliest first."""

UNREADABLE = (OSError, EOFError, zlib.error)
"""What reading a file raises, `.gz` or plain, that is damaged."""


def open_text(path: Path, encoding: str) -> IO[str]:
    """Open a text file, `.gz` or plain, without its byte order mark or translating line ends."""
    encoding = "utf-8-sig" if encoding == "utf-8" else encoding
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding=encoding, newline="")
    return path.open(encoding=encoding, newline="")


def encoding_of(path: Path, usual: str) -> str:
    """UTF-8 if the file begins with the byte order mark by which it says so, else `usual`."""
    with open_bytes(path) as file:
        return "utf-8" if file.read(len(codecs.BOM_UTF8)) == codecs.BOM_UTF8 else usual


def open_bytes(path: Path) -> IO[bytes]:
    """Open a file, `.gz` or plain, as bytes."""
    if path.suffix == ".gz":
        return cast("IO[bytes]", gzip.open(path, "rb"))
    return path.open("rb")


def check_exists(path: Path) -> None:
    """Raise `DataError` if there is no regular file at `path`, saying what lies there or beside."""
    if path.is_dir():
        raise DataError(f"{path}: expected a file, found a folder; name a file in it")
    check_regular(path)
    if path.is_file():
        return
    if not path.parent.is_dir():
        raise DataError(f"{path}: file not found, nor its folder; check `files` of the dataset")
    beside = sorted(entry.name for entry in path.parent.iterdir())
    listing = ", ".join(beside[:8]) + (", …" if len(beside) > 8 else "")
    raise DataError(
        f"{path}: file not found; the folder holds: {listing or 'nothing'};"
        " check `files` and the file names of the dataset"
    )


def check_columns(
    path: Path, columns: Sequence[str], found: Sequence[str], *, separator: str | None = None
) -> None:
    """Raise `DataError` if a column is missing or named twice; `separator` is that of a text."""
    missing = [name for name in columns if name not in found]
    if missing:
        by = f" (separated by {separator!r})" if separator is not None else ""
        raise DataError(
            f"{path}: column {', '.join(map(repr, missing))} not found;"
            f" the file has {', '.join(map(repr, found)) or 'no columns'}{by};"
            f" {_remedy(missing, found, separator)}"
        )
    twice = [name for name in columns if list(found).count(name) > 1]
    if twice:
        raise DataError(f"{path}: column {twice[0]!r} stands twice in the header; rename one")


def _remedy(missing: Sequence[str], found: Sequence[str], separator: str | None) -> str:
    """What to do about columns that are not there."""
    if separator is not None and found[0].startswith(("{", "[")):
        return "the file holds JSON: export it as CSV or Parquet"
    if separator is not None and found[0].startswith("sep="):
        return "delete line 1, which is for Excel alone"
    if separator is not None and len(found) == 1:
        others = [mark for mark in SEPARATORS if mark != separator and mark in found[0]]
        if others:
            return f"if {others[0]!r} separates them, set separator: {json.dumps(others[0])}"
        if all(name in found[0] for name in missing):
            return "set separator to the mark between the names"
    spellings = {_bare(name): name for name in found}
    meant = [spellings[_bare(name)] for name in missing if _bare(name) in spellings]
    if meant:
        return (
            f"names are compared letter by letter: map {', '.join(map(repr, meant))}, or rename"
            " the columns"
        )
    numbers = [name for name in found if re.fullmatch(r"[+-]?\d+([.,]\d+)?", name.strip())]
    if separator is not None and numbers:
        return f"{numbers[0]!r} is hardly a name: put a line of column names before the first row"
    return "check the column map, or whether it is the right file"


def _bare(name: str) -> str:
    """A name without what is easily mistaken: case, spaces, marks."""
    return "".join(letter for letter in name.casefold() if letter.isalnum()) or name


def shorten(text: str, limit: int = 80) -> str:
    """Quote `text` for a message, cut to `limit` characters."""
    return repr(text if len(text) <= limit else text[: limit - 1] + "…")


def not_in_encoding(path: Path, encoding: str) -> DataError:
    """The `DataError` for the first line of a file that is not text in `encoding`."""
    with open_bytes(path) as file:
        for line, data in enumerate(file, start=1):
            try:
                data.decode(encoding)
            except UnicodeDecodeError as error:
                byte = data[error.start : error.start + 1]
                letter = byte.decode("cp1252", "replace")
                hint = f", which is {letter!r} in Windows-1252" if letter.isalpha() else ""
                return DataError(
                    f"{path}, line {line}: expected {encoding} text, found the byte"
                    f" 0x{byte.hex()}{hint}; convert the file to {encoding}"
                    f" (`iconv -f WINDOWS-1252 -t {encoding.upper()}`)"
                )
    return DataError(f"{path}: not {encoding} text; convert the file to {encoding}")
