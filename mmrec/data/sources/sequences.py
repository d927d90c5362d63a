"""A text file with a line per user, `user item item …` oldest first, as a source."""

from __future__ import annotations

import codecs
from pathlib import Path

import polars as pl

from mmrec.data.sources.file_kinds import check_text_file
from mmrec.data.sources.raw_tables import build_interactions, items_of_interactions
from mmrec.data.sources.source import RawCatalogue
from mmrec.data.sources.source_files import (
    UNREADABLE,
    not_in_encoding,
    open_bytes,
    shorten,
)
from mmrec.io import DataError, reraise_if_of_machine


class SequencesSource:
    """Order without times: all timestamps are null, items have neither title nor text."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def read(self) -> RawCatalogue:
        """Read and check every line."""
        check_text_file(self._file, "a line `user item item …` per user")
        lines = pl.Series(self._lines(), dtype=pl.String)
        frame = pl.DataFrame({"tokens": lines.str.extract_all(r"\S+")})
        frame = frame.with_columns(
            user_id=pl.col("tokens").list.first(), items=pl.col("tokens").list.slice(1)
        ).with_row_index("row")
        self._check(frame)
        table = frame.select("user_id", item_id="items").explode("item_id")
        interactions = build_interactions(table)
        return RawCatalogue(items_of_interactions(interactions), interactions)

    def _lines(self) -> list[str]:
        try:
            with open_bytes(self._file) as file:
                data = file.read().removeprefix(codecs.BOM_UTF8)
        except UNREADABLE as error:
            reraise_if_of_machine(error)
            raise DataError(f"{self._file}: cannot be read ({error}); replace the file") from None
        # As of texts anywhere, whoever ended the lines: else one user would take all of them.
        data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        lines = data.removesuffix(b"\n").split(b"\n")
        try:
            return [line.decode() for line in lines]
        except UnicodeDecodeError:
            raise not_in_encoding(self._file, "utf-8") from None

    def _check(self, frame: pl.DataFrame) -> None:
        short = frame.filter(pl.col("items").list.len() == 0)
        if not short.is_empty():
            row, tokens = short.select("row", "tokens").row(0)
            found = f"the user {shorten(tokens[0])} without items" if tokens else "a blank line"
            by_marks = tokens and any(mark in tokens[0] for mark in ",;|:")
            remedy = "separate ids by spaces" if by_marks else "remove the line"
            raise DataError(
                f"{self._file}, line {row + 1}: expected `user item item …`, found {found}"
                f" ({short.height} such lines); {remedy}"
            )
        repeated = frame.filter(pl.col("user_id").is_duplicated())
        if not repeated.is_empty():
            user_id = repeated["user_id"][0]
            rows = repeated.filter(pl.col("user_id") == user_id)["row"]
            raise DataError(
                f"{self._file}: expected one line per user, found {shorten(user_id)}"
                f" on lines {rows[0] + 1} and {rows[1] + 1}; join the lines"
            )
