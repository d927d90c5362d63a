"""JSON-lines files of a source in, frames out; a malformed line is named."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
from polars.datatypes import DataType

from mmrec.data.sources.source_files import check_exists, not_in_encoding, open_bytes, shorten
from mmrec.io import DataError

_BATCH = 200_000
"""Records held as Python objects."""

_TOO_LARGE = 2.0**63
"""For a column of 64-bit integers."""

_HALF_A_PAIR = re.compile(r"\\(u|U0000)[dD][89a-fA-F]")
"""How a line may spell half a surrogate pair, which no UTF-8 table can hold."""


@dataclass(frozen=True, slots=True)
class Record:
    """One line: its values, and where it stands for messages."""

    path: Path
    line: int
    values: Mapping[str, Any]

    def wrong(self, key: str, expected: str) -> DataError:
        """The `DataError` for a value that is not what it must be."""
        found = shorten(repr(self.values[key])) if key in self.values else "no such key"
        return DataError(
            f"{self.path}, line {self.line}: expected {expected} as {key!r}, found {found}"
            f" (keys: {', '.join(list(self.values)[:12])}); check the layout, or correct the line"
        )

    def identifier(self, key: str) -> str:
        """An id, a string or a whole number; null is the empty id, which `clean` counts."""
        value = self.values.get(key, self)
        if value is None:
            return ""
        if isinstance(value, str):
            return value
        if isinstance(value, int) and not isinstance(value, bool):
            return str(value)
        raise self.wrong(key, "an id")

    def number(self, key: str) -> float | None:
        """A number, or none where it is null or the empty string."""
        value = self.values.get(key, self)
        if value is None or value == "":
            return None
        try:
            return float(value)
        except (TypeError, ValueError, OverflowError):
            raise self.wrong(key, "a number") from None

    def whole(self, key: str) -> int | None:
        """A number without its fraction."""
        value = self.number(key)
        if value is not None and not abs(value) < _TOO_LARGE:
            raise self.wrong(key, "a whole number")
        return None if value is None else int(value)

    def text(self, key: str, separator: str = "\n\n") -> str | None:
        """A text, or the texts of a list, nested or not, joined; none where it is missing."""
        value = self.values.get(key)
        if isinstance(value, str):
            return value
        if isinstance(value, list):
            return separator.join(text for text in _leaves(value) if text)
        if value is None:
            return None
        raise self.wrong(key, "a text or a list of texts")

    def links(self, key: str) -> list[str]:
        """A link or a list of links; null and empty ones are left out."""
        value = self.values.get(key)
        links = value if isinstance(value, list) else [value]
        if not all(link is None or isinstance(link, str) for link in links):
            raise self.wrong(key, "a link or a list of links")
        return [link for link in links if link]


def _leaves(value: list[Any]) -> Iterator[str]:
    for element in value:
        if isinstance(element, list):
            yield from _leaves(element)
        elif element is not None:
            yield str(element)


def read_records(
    path: Path,
    convert: Callable[[Record], tuple[Any, ...]],
    schema: Mapping[str, DataType | type[DataType]],
    *,
    literals: bool = False,
) -> pl.DataFrame:
    """Read a file of one object a line, plain or `.gz`, as a frame.

    Args:
        path: the file.
        convert: a record to the values of its row.
        schema: of the frame.
        literals: whether lines may be Python literals instead of JSON.

    Raises:
        DataError: the file is missing or cut off, or a line is malformed.
    """
    frames = [pl.DataFrame(schema=schema)]
    rows = []
    for record in _records(path, literals=literals):
        rows.append(convert(record))
        if len(rows) == _BATCH:
            frames.append(pl.DataFrame(rows, schema=schema, orient="row"))
            rows = []
    frames.append(pl.DataFrame(rows, schema=schema, orient="row"))
    return pl.concat(frames)


def _records(path: Path, *, literals: bool) -> Iterator[Record]:
    check_exists(path)
    number = 0
    try:
        with open_bytes(path) as file:
            for number, line in enumerate(file, start=1):
                if not line.isspace():
                    yield Record(path, number, _parse(line, path, number, literals=literals))
    except UnicodeDecodeError:
        raise not_in_encoding(path, "utf-8") from None
    except (OSError, EOFError) as error:
        raise DataError(
            f"{path}: cannot be read after line {number} ({error}); replace the file"
        ) from None


def _parse(data: bytes, path: Path, number: int, *, literals: bool) -> dict[str, Any]:
    line = data.decode()
    try:
        try:
            value = json.loads(line)
        except ValueError:
            if not literals:
                raise
            # Builds constants only; it never runs what the line says.
            value = ast.literal_eval(line.strip())
        if _HALF_A_PAIR.search(line):
            value = _encodable(value)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        value = None
    if not isinstance(value, dict):
        kind = "a JSON object or a Python dictionary" if literals else "a JSON object"
        raise DataError(
            f"{path}, line {number}: expected {kind}, found {shorten(line.strip())};"
            " correct the line"
        )
    return value


def _encodable(value: Any) -> Any:
    """A value of a line, a question mark in place of each half of a pair."""
    match value:
        case str():
            return value.encode("utf-8", "replace").decode()
        case list():
            return [_encodable(element) for element in value]
        case dict():
            return {_encodable(key): _encodable(element) for key, element in value.items()}
    return value
