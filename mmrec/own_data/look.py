"""A table of someone's in; its columns and its first rows out, as the `tabular` source has them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final

import polars as pl

from mmrec.data.sources import columns as convert
from mmrec.data.sources.delimited import DelimitedText, find_separator
from mmrec.data.sources.file_kinds import check_parquet_file, check_text_file
from mmrec.data.sources.source_files import SEPARATORS
from mmrec.data.sources.source_table import SourceTable, read_source_table
from mmrec.io import DataError, open_parquet

SAMPLE: Final = 5000
"""Rows that are looked at."""


@dataclass(frozen=True)
class Look:
    """A file and its first rows.

    Attributes:
        path: the file.
        separator: of the columns of a text file; None of Parquet.
        sample: the first rows; of a text file strings only.
    """

    path: Path
    separator: str | None
    sample: SourceTable

    @property
    def columns(self) -> list[str]:
        """Names of the columns, in order."""
        return self.sample.frame.columns

    def ids(self, column: str) -> pl.Series | None:
        """A column of the sample as ids, without empty ones; None if it cannot be one."""
        try:
            found = convert.as_ids(self.sample, column)
        except DataError:
            return None
        return found.filter(found.is_not_null() & (found != ""))

    def texts(self, column: str) -> pl.Series | None:
        """A column of the sample as texts, without empty ones; None if it cannot be one."""
        try:
            found = convert.as_text(self.sample, column)
        except DataError:
            return None
        return found.filter(found.is_not_null() & (found.str.strip_chars() != ""))

    def all_ids(self, column: str) -> pl.Series:
        """The whole column as ids, without empty ones."""
        table = read_source_table(self.path, [column], separator=self.separator)
        found = convert.as_ids(table, column)
        return found.filter(found.is_not_null() & (found != ""))

    def written_separator(self, used: Sequence[str]) -> str | None:
        """What params.yaml must say of the separator, for these columns; None if nothing."""
        if self.separator is None:
            return None
        try:
            found = find_separator(self.path, used)
        except DataError:
            return self.separator
        return None if found == self.separator else self.separator


def look(path: Path) -> Look:
    """Look at a `.csv`, `.tsv` (also `.gz`) or `.parquet` file.

    Raises:
        DataError: there is none, or it is no table; says what it is.
    """
    if path.suffix == ".parquet":
        check_parquet_file(path)
        with open_parquet(path, remedy="replace the file") as file:
            batch = next(file.iter_batches(batch_size=SAMPLE), None)
            frame = pl.from_arrow(batch) if batch is not None else pl.DataFrame()
        assert isinstance(frame, pl.DataFrame)
        return Look(path, None, _filled(SourceTable(path, frame, separator=None)))
    check_text_file(path, "a table")
    usual = find_separator(path, [])
    separator = usual if usual == "\t" else _likeliest(path)
    rows = [fields for _, fields in islice(DelimitedText(path, separator).records(), SAMPLE + 1)]
    names = rows[0]
    if len({*names}) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise DataError(f"{path}: column {twice!r} stands twice in the header; rename one")
    whole = [row for row in rows[1:] if len(row) == len(names)]
    frame = pl.DataFrame(whole, schema=dict.fromkeys(names, pl.String), orient="row")
    return Look(path, separator, _filled(SourceTable(path, frame, separator)))


def share(which: pl.Series) -> float:
    """Of the values of a column, those of which something is true; 0 of none."""
    return int(which.sum()) / max(1, len(which))


def _likeliest(path: Path) -> str:
    """The mark that parts the header into most columns."""
    return max(SEPARATORS, key=lambda mark: len(DelimitedText(path, mark).names()))


def _filled(table: SourceTable) -> SourceTable:
    if table.frame.is_empty():
        raise DataError(f"{table.path}: found no rows below the names of the columns; add some")
    return table
