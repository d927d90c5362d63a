"""A source file in, its columns as a frame out, with the line of every row for messages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.csv as pc

from mmrec.data.sources.delimited import DelimitedText, find_separator
from mmrec.data.sources.file_kinds import check_parquet_file, check_text_file
from mmrec.data.sources.source_files import check_columns
from mmrec.io import DataError, open_parquet, reraise_if_of_machine


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
        text = DelimitedText(self.path, self.separator, self.encoding, self.quoted)
        for line, _ in islice(text.records(), row + self.header, None):
            return f"{self.path}, line {line}"
        return str(self.path)


def read_source_table(
    path: Path,
    columns: Sequence[str],
    *,
    optional: Sequence[str] = (),
    separator: str | None = None,
) -> SourceTable:
    """Read `columns` of a `.csv`, `.csv.gz`, `.tsv`, `.tsv.gz` or `.parquet` file.

    Args:
        path: the file.
        columns: columns that must be there.
        optional: columns that are read where they are there.
        separator: of the columns of a text file; None to find it in the header.

    Raises:
        DataError: the file or a column is missing, or a line has too few or many fields.
    """
    if path.suffix == ".parquet":
        if separator is not None:
            raise DataError(
                f"{path}: separator is {separator!r}, and a Parquet file has none; set it to null"
            )
        return _read_parquet(path, columns, optional)
    check_text_file(path, "a table")
    if separator is None:
        separator = find_separator(path, columns)
    if optional:
        names = DelimitedText(path, separator).names()
        columns = [*columns, *(name for name in optional if name in names)]
    return read_delimited(path, columns, separator=separator)


def read_header(path: Path, columns: Sequence[str]) -> tuple[str, list[str]]:
    """Separator and names of the columns of a text file that has `columns`."""
    check_text_file(path, "a table")
    separator = find_separator(path, columns)
    return separator, DelimitedText(path, separator).names()


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
    check_text_file(path, "a table")
    text = DelimitedText(path, separator, encoding, quoted)
    if header:
        check_columns(path, columns, text.names(), separator=separator)
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
        raise text.first_problem(str(error).splitlines()[0], expected=expected) from None
    if quoted:
        text.check_quotes()
    return SourceTable(path, _as_frame(table), separator, encoding, quoted, header)


def _read_parquet(path: Path, columns: Sequence[str], optional: Sequence[str]) -> SourceTable:
    check_parquet_file(path)
    with open_parquet(path, remedy="replace the file") as file:
        names = file.schema_arrow.names
        columns = [*columns, *(name for name in optional if name in names)]
        check_columns(path, columns, names)
        try:
            table = file.read(columns=list(dict.fromkeys(columns)))
        except (pa.ArrowInvalid, OSError) as error:
            reraise_if_of_machine(error)
            raise DataError(f"{path}: damaged ({error}); replace the file") from None
    return SourceTable(path, _as_frame(table), separator=None)


def _as_frame(table: pa.Table) -> pl.DataFrame:
    frame = pl.from_arrow(table)
    assert isinstance(frame, pl.DataFrame)
    return frame
