"""A source file in, its columns as a frame out, with the line of every row for messages."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.csv as pc

from mmrec.data.sources.source_files import (
    UNREADABLE,
    check_columns,
    check_exists,
    not_in_encoding,
    open_bytes,
    open_text,
    shorten,
)
from mmrec.io import DataError, open_parquet


class _RecordError(csv.Error):
    """What is wrong with the quotes of the record that begins on `line`."""

    def __init__(self, line: int, problem: csv.Error) -> None:
        super().__init__(f"line {line}: {problem}")
        self.line = line
        self.problem = problem


# The default of 128 KiB is shorter than some descriptions.
csv.field_size_limit(1 << 30)

_SEPARATORS = {".csv": ",", ".tsv": "\t"}


@dataclass(frozen=True)
class SourceTable:
    """Columns of one source file; text files give strings, Parquet its own types.

    Attributes:
        path: the file.
        frame: its rows, in order.
        separator: of the columns of a text file; None for Parquet.
        encoding: of a text file.
        quoted: whether fields may be quoted, and so hold line breaks.
        header: whether line 1 names the columns.
    """

    path: Path
    frame: pl.DataFrame
    separator: str | None = ","
    encoding: str = "utf-8"
    quoted: bool = True
    header: bool = True

    def where(self, row: int) -> str:
        """File and 1-based line (of Parquet: row) of the row with index `row`, for messages.

        Reads the file again: quoted fields may span lines and blank lines are no rows.
        """
        if self.separator is None:
            return f"{self.path}, row {row + 1}"
        for index, (line, _) in enumerate(self._records()):
            if index == row:
                return f"{self.path}, line {line}"
        return str(self.path)

    def first_problem(self, error: str, *, expected: int | None = None) -> DataError:
        """The `DataError` for a file that could not be parsed.

        Args:
            error: the parser's word.
            expected: number of fields of a line; by default as many as in the header.
        """
        try:
            for line, fields in self._records(with_header=True):
                expected = len(fields) if expected is None else expected
                if len(fields) != expected:
                    return DataError(
                        f"{self.path}, line {line}: expected {expected} fields separated by"
                        f" {self.separator!r}, found {len(fields)}:"
                        f" {shorten((self.separator or '').join(fields))}; correct the line"
                    )
        except UnicodeDecodeError:
            return not_in_encoding(self.path, self.encoding)
        except csv.Error as problem:
            return DataError(f"{self.path}: cannot be parsed ({problem}); correct the file")
        except UNREADABLE as problem:
            return DataError(f"{self.path}: cannot be read ({problem}); replace the file")
        return DataError(f"{self.path}: cannot be parsed ({error}); correct the file")

    def _records(
        self, *, with_header: bool = False, strict: bool = False
    ) -> Iterator[tuple[int, list[str]]]:
        separator = self.separator or ","
        with open_text(self.path, self.encoding) as file:
            skip = self.header and not with_header
            if self.quoted:
                reader = csv.reader(file, delimiter=separator, strict=strict)
                line = 1
                try:
                    for fields in reader:
                        if fields and not skip:
                            yield line, fields
                        skip = skip and not fields
                        line = reader.line_num + 1
                except csv.Error as problem:
                    raise _RecordError(line, problem) from None
                return
            for line, text in enumerate(file, start=1):
                row = text.rstrip("\r\n")
                if row and not skip:
                    yield line, row.split(separator)
                skip = skip and not row


def read_source_table(
    path: Path, columns: Sequence[str], *, optional: Sequence[str] = ()
) -> SourceTable:
    """Read `columns` of a `.csv`, `.csv.gz`, `.tsv`, `.tsv.gz` or `.parquet` file.

    Args:
        path: the file.
        columns: columns that must be there.
        optional: columns that are read where they are there.

    Raises:
        DataError: the file or a column is missing, or a line has too few or many fields.
    """
    check_exists(path)
    separator = _separator(path)
    if separator is None:
        return _read_parquet(path, columns, optional)
    if optional:
        header = column_names(path)
        columns = [*columns, *(name for name in optional if name in header)]
    return read_delimited(path, columns, separator=separator)


def column_names(path: Path) -> list[str]:
    """Names of the columns of a delimited text file."""
    check_exists(path)
    return _header(SourceTable(path, pl.DataFrame(), _separator(path)))


def _separator(path: Path) -> str | None:
    """That of a text file by its ending; None for Parquet."""
    suffix = Path(path.stem).suffix if path.suffix == ".gz" else path.suffix
    if suffix == ".parquet" and path.suffix != ".gz":
        return None
    if suffix not in _SEPARATORS:
        raise DataError(
            f"{path}: found the ending {path.suffix!r}; expected .csv, .tsv (also .gz) or .parquet"
        )
    return _SEPARATORS[suffix]


def read_delimited(
    path: Path,
    columns: Sequence[str],
    *,
    separator: str,
    encoding: str = "utf-8",
    quoted: bool = True,
    header: bool = True,
) -> SourceTable:
    """Read a delimited text file as strings, strictly: every line has every field.

    Without `header`, `columns` names all fields of a line, else those to take.
    """
    check_exists(path)
    empty = SourceTable(path, pl.DataFrame(), separator, encoding, quoted, header)
    if header:
        check_columns(path, columns, _header(empty))
    try:
        table = pc.read_csv(
            path,
            pc.ReadOptions(
                block_size=1 << 24,
                encoding=encoding,
                column_names=None if header else list(columns),
            ),
            pc.ParseOptions(
                delimiter=separator, quote_char='"' if quoted else False, newlines_in_values=quoted
            ),
            pc.ConvertOptions(
                column_types={name: pa.string() for name in columns},
                include_columns=list(dict.fromkeys(columns)),
                strings_can_be_null=False,
            ),
        )
    except (pa.ArrowInvalid, OSError, UnicodeDecodeError) as error:
        expected = None if header else len(columns)
        raise empty.first_problem(str(error).splitlines()[0], expected=expected) from None
    if quoted:
        _check_quotes(empty)
    return SourceTable(path, _as_frame(table), separator, encoding, quoted, header)


def _read_parquet(path: Path, columns: Sequence[str], optional: Sequence[str]) -> SourceTable:
    with open_parquet(path, remedy="replace the file") as file:
        names = file.schema_arrow.names
        columns = [*columns, *(name for name in optional if name in names)]
        check_columns(path, columns, names)
        try:
            table = file.read(columns=list(dict.fromkeys(columns)))
        except (pa.ArrowInvalid, OSError) as error:
            raise DataError(f"{path}: damaged ({error}); replace the file") from None
    return SourceTable(path, _as_frame(table), separator=None)


def _as_frame(table: pa.Table) -> pl.DataFrame:
    frame = pl.from_arrow(table)
    assert isinstance(frame, pl.DataFrame)
    return frame


def _header(table: SourceTable) -> list[str]:
    try:
        first = next(table._records(with_header=True), None)
    except (UnicodeDecodeError, csv.Error, *UNREADABLE) as error:
        raise table.first_problem(str(error)) from None
    if first is None:
        raise DataError(f"{table.path}: the file is empty; expected a line of column names")
    names = first[1]
    return [names[0].removeprefix("\ufeff"), *names[1:]]


def _check_quotes(table: SourceTable) -> None:
    # The fast parser is lenient: a stray quote would swallow rows up to the next one.
    with open_bytes(table.path) as file:
        if not any(b'"' in block for block in iter(lambda: file.read(1 << 20), b"")):
            return
    try:
        for _ in table._records(strict=True):
            pass
    except _RecordError as error:
        raise DataError(
            f"{table.path}, line {error.line}: expected every quoted field to be closed and"
            f" followed by {table.separator!r}, found: {error.problem}; quote the whole field and"
            " double the quotes inside it"
        ) from None
