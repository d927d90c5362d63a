"""One object of a file of objects: its values by key, every one checked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmrec.data.sources.source_files import shorten
from mmrec.data.sources.times import RANGE, number_ns
from mmrec.io import DataError


@dataclass(frozen=True, slots=True)
class Record:
    """One line (of a Parquet file: row): its values, and where it stands for messages."""

    path: Path
    line: int
    values: Mapping[str, Any]

    def wrong(self, key: str, expected: str) -> DataError:
        """The `DataError` for a value that is not what it must be."""
        found = shorten(repr(self.values[key])) if key in self.values else "no such key"
        return DataError(
            f"{place(self.path, self.line)}: expected {expected} as {key!r}, found {found}"
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

    def time_ns(self, key: str, unit: str) -> int | None:
        """A time in `unit` as UTC nanoseconds, or none where it is null or the empty string."""
        value = self.values.get(key, self)
        if value is None or value == "":
            return None
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            raise self.wrong(key, f"a time in {unit}")
        try:
            return number_ns(value, unit)
        except ValueError:
            raise self.wrong(key, f"a time in {unit}, {RANGE},") from None

    def text(self, key: str, separator: str = "\n\n") -> str | None:
        """A text or number, or those of a list, nested or not, joined; none where missing."""
        value = self.values.get(key)
        if value is None or isinstance(value, str):
            return value
        # NaN stands for a missing text in files written by pandas.
        leaves = [leaf for leaf in _leaves(value) if leaf == leaf]
        if any(isinstance(leaf, Mapping | bool) for leaf in leaves):
            raise self.wrong(key, "a text or a list of texts")
        return separator.join(str(leaf) for leaf in leaves if leaf != "")

    def links(self, key: str) -> list[str]:
        """A link or a list of links; null and empty ones are left out."""
        value = self.values.get(key)
        links = value if isinstance(value, list) else [value]
        if not all(link is None or isinstance(link, str) for link in links):
            raise self.wrong(key, "a link or a list of links")
        return [link for link in links if link]


def place(path: Path, line: int) -> str:
    """File and 1-based line (of Parquet: row), for messages."""
    return f"{path}, {'row' if path.suffix == '.parquet' else 'line'} {line}"


def encodable(value: Any) -> Any:
    """A value of a line, a question mark in place of each half of a surrogate pair."""
    match value:
        case str():
            return value.encode("utf-8", "replace").decode()
        case list():
            return [encodable(element) for element in value]
        case dict():
            return {encodable(key): encodable(element) for key, element in value.items()}
    return value


def _leaves(value: Any) -> Iterator[Any]:
    if not isinstance(value, list):
        yield value
        return
    for element in value:
        if element is not None:
            yield from _leaves(element)
