"""A delimited text file in; its lines as fields out, and the words for what is wrong with one."""

from __future__ import annotations

import csv
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from mmrec.data.sources.source_files import (
    SEPARATORS,
    UNREADABLE,
    not_in_encoding,
    open_bytes,
    open_text,
    shorten,
)
from mmrec.io import DataError, reraise_if_of_machine

_log = logging.getLogger(__name__)

# The default of 128 KiB is shorter than some descriptions.
csv.field_size_limit(1 << 30)

_USUAL = {".csv": ",", ".tsv": "\t"}
"""Separator by ending."""


class _RecordError(csv.Error):
    """What is wrong with the quotes of the record that begins on `line`."""

    def __init__(self, line: int, problem: csv.Error) -> None:
        super().__init__(f"line {line}: {problem}")
        self.line = line
        self.problem = problem


@dataclass(frozen=True)
class DelimitedText:
    """How the lines of a text file are to be read.

    Attributes:
        path: the file.
        separator: of the fields.
        encoding: of the text.
        quoted: whether fields may be quoted, and so hold line breaks.
    """

    path: Path
    separator: str = ","
    encoding: str = "utf-8"
    quoted: bool = True

    def records(self, *, strict: bool = False) -> Iterator[tuple[int, list[str]]]:
        """The 1-based line on which a record begins, and its fields; blank lines are none."""
        with open_text(self.path, self.encoding) as file:
            if not self.quoted:
                for line, text in enumerate(file, start=1):
                    if row := text.rstrip("\r\n"):
                        yield line, row.split(self.separator)
                return
            reader = csv.reader(file, delimiter=self.separator, strict=strict)
            line = 1
            try:
                for fields in reader:
                    if fields:
                        yield line, fields
                    line = reader.line_num + 1
            except csv.Error as problem:
                raise _RecordError(line, problem) from None

    def names(self) -> list[str]:
        """Names of the columns."""
        try:
            first = next(self.records(), None)
        except (UnicodeDecodeError, csv.Error, *UNREADABLE) as error:
            raise self.first_problem(str(error)) from None
        if first is None:
            raise DataError(f"{self.path}: the file is empty; expected a line of column names")
        return first[1]

    def first_problem(self, error: str, *, expected: int | None = None) -> DataError:
        """The `DataError` for a file that could not be parsed.

        Args:
            error: the parser's word.
            expected: number of fields of a line; by default as many as in the first.
        """
        try:
            for line, fields in self.records():
                expected = len(fields) if expected is None else expected
                if len(fields) != expected:
                    hint = "quote fields that hold a separator"
                    if line == 1 or not self.quoted:
                        hint = "check that it is the right file"
                    return DataError(
                        f"{self.path}, line {line}: expected {expected} fields separated by"
                        f" {self.separator!r}, found {len(fields)}:"
                        f" {shorten(self.separator.join(fields))}; correct the line, or {hint}"
                    )
        except UnicodeDecodeError:
            return not_in_encoding(self.path, self.encoding)
        except csv.Error as problem:
            return DataError(f"{self.path}: cannot be parsed ({problem}); correct the file")
        except UNREADABLE as problem:
            reraise_if_of_machine(problem)
            return DataError(f"{self.path}: cannot be read ({problem}); replace the file")
        return DataError(f"{self.path}: cannot be parsed ({error}); correct the file")

    def check_quotes(self) -> None:
        """Raise `DataError` for a stray quote, which would swallow rows up to the next one."""
        with open_bytes(self.path) as file:
            if not any(b'"' in block for block in iter(lambda: file.read(1 << 20), b"")):
                return
        try:
            for _ in self.records(strict=True):
                pass
        except _RecordError as error:
            raise DataError(
                f"{self.path}, line {error.line}: expected every quoted field to be closed and"
                f" followed by {self.separator!r}, found: {error.problem}; quote the whole field"
                " and double the quotes inside it"
            ) from None


def find_separator(path: Path, columns: Sequence[str]) -> str:
    """What separates the columns of a text file: a tab in `.tsv`, else what parts `columns`.

    Raises:
        DataError: the header has the columns by more than one separator.
    """
    usual = _usual_separator(path)
    if usual == "\t":
        return usual
    headers = {mark: DelimitedText(path, mark).names() for mark in SEPARATORS}
    fitting = [mark for mark, names in headers.items() if set(columns) <= set(names)]
    if usual in fitting:
        found = usual
    elif len(fitting) > 1:
        marks = " and ".join(f"{mark!r} ({len(headers[mark])} columns)" for mark in fitting)
        raise DataError(
            f"{path}: the columns may be separated by {marks}; set `separator` of the source"
        )
    else:
        # Where none has all of them, the message about it shows the likeliest.
        found = max(fitting or SEPARATORS, key=lambda mark: len(headers[mark]))
    _log.info("%s: found columns separated by %r", path, found)
    return found


def _usual_separator(path: Path) -> str:
    suffix = Path(path.stem).suffix if path.suffix == ".gz" else path.suffix
    if suffix not in _USUAL:
        raise DataError(
            f"{path}: found the ending {path.suffix!r}; expected .csv, .tsv (also .gz) or"
            " .parquet, or a `separator` in the source"
        )
    return _USUAL[suffix]
