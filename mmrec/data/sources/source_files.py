"""Opening the files of a source, and the words for what is wrong with them."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import IO, cast

from mmrec.data.sources.regular_files import check_regular
from mmrec.io import DataError

UNREADABLE = (OSError, EOFError, zlib.error)
"""What reading a file raises, `.gz` or plain, that is damaged."""


def open_text(path: Path, encoding: str) -> IO[str]:
    """Open a text file, `.gz` or plain, without translating line ends."""
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding=encoding, newline="")
    return path.open(encoding=encoding, newline="")


def open_bytes(path: Path) -> IO[bytes]:
    """Open a file, `.gz` or plain, as bytes."""
    if path.suffix == ".gz":
        return cast("IO[bytes]", gzip.open(path, "rb"))
    return path.open("rb")


def check_exists(path: Path) -> None:
    """Raise `DataError` if there is no regular file at `path`, saying what lies there or beside."""
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


def check_columns(path: Path, columns: Sequence[str], found: Sequence[str]) -> None:
    """Raise `DataError` if a column is missing or named twice."""
    missing = [name for name in columns if name not in found]
    if missing:
        raise DataError(
            f"{path}: column {', '.join(map(repr, missing))} not found;"
            f" the file has {', '.join(map(repr, found)) or 'no columns'}; check the column map"
        )
    twice = [name for name in columns if list(found).count(name) > 1]
    if twice:
        raise DataError(f"{path}: column {twice[0]!r} stands twice in the header; rename one")


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
                return DataError(
                    f"{path}, line {line}: expected {encoding} text, found the byte"
                    f" 0x{data[error.start]:02x}; convert the file to {encoding}"
                )
    return DataError(f"{path}: not {encoding} text; convert the file to {encoding}")
