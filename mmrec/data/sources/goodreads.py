"""Goodreads books and interactions as published by UCSD, covers by link."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl

from mmrec.data.sources import columns, raw_tables
from mmrec.data.sources.image_files import refs_of_urls
from mmrec.data.sources.json_lines import read_records
from mmrec.data.sources.record import Record, place
from mmrec.data.sources.source import ImageRef, RawCatalogue
from mmrec.data.sources.source_files import shorten
from mmrec.data.sources.source_table import read_source_table
from mmrec.data.sources.times import times_ns
from mmrec.io import DataError

_TEXTS = ("description", "genres", "publisher")
_PLACEHOLDER = "/nophoto/"
"""In the address of the grey picture that stands for a missing cover."""

_TIME = "%a %b %d %H:%M:%S %z %Y"
"""`Mon Apr 04 20:10:53 -0700 2016`"""

_BOOK = {
    "item_id": pl.String,
    "title": pl.String,
    "description": pl.String,
    "publisher": pl.String,
    "link": pl.String,
}
_EVENT = {
    "line": pl.Int64,
    "user_id": pl.String,
    "item_id": pl.String,
    "time": pl.String,
    "rating": pl.Float64,
}


class GoodreadsSource:
    """Books and who put them on a shelf when; a rating of 0 is none.

    Args:
        files: folder of the published files.
        books: `goodreads_books*.json.gz`.
        interactions: `goodreads_interactions*.json.gz` (with times), or
            `goodreads_interactions.csv` (order only).
        book_ids: `book_id_map.csv`, which the CSV needs; None otherwise.
        genres: `goodreads_book_genres_initial.json.gz`; None for no genres.
        images: whether covers are taken.
    """

    def __init__(
        self,
        files: Path,
        *,
        books: str,
        interactions: str,
        book_ids: str | None,
        genres: str | None,
        images: bool,
    ) -> None:
        self._files = files
        self._books = books
        self._interactions = interactions
        self._book_ids = book_ids
        self._genres = genres
        self._images = images

    def read(self) -> RawCatalogue:
        """Read books, genres and the log. Of a book that is repeated the first line counts."""
        log = (
            _read_events(self._files / self._interactions)
            if self._book_ids is None
            else _read_csv(self._files / self._interactions, self._files / self._book_ids)
        )
        rated = pl.when(pl.col("rating") != 0).then("rating").alias("rating")
        rows = read_records(self._files / self._books, _book, _BOOK)
        named = rows.filter(pl.col("item_id") != "")
        books = named.unique("item_id", keep="first", maintain_order=True)
        has_cover = (pl.col("link") != "") & ~pl.col("link").str.contains(_PLACEHOLDER)
        covers = books.filter(has_cover)
        refs: list[ImageRef] = []
        if self._images:
            refs = list(refs_of_urls(covers["item_id"], covers["link"].str.split("\n")))
        books_with_genres, unused = self._with_genres(books)
        return RawCatalogue(
            items=raw_tables.build_items(books_with_genres, {name: name for name in _TEXTS}),
            interactions=raw_tables.build_interactions(log.with_columns(rated)),
            image_refs=refs,
            skipped={
                "item_without_id": rows.height - named.height,
                "item_repeated": named.height - books.height,
                "no_cover": books.height - covers.height,
                **unused,
            },
        )

    def _with_genres(self, books: pl.DataFrame) -> tuple[pl.DataFrame, dict[str, int]]:
        if self._genres is None:
            return books.with_columns(genres=pl.lit(None, dtype=pl.String)), {}
        schema = {"item_id": pl.String, "genres": pl.String}
        path = self._files / self._genres
        genres = read_records(path, _genres_of, schema)
        first = genres.unique("item_id", keep="first", maintain_order=True)
        used = first.join(books, on="item_id", how="semi")
        raw_tables.refuse_if_of_no_item(path, first["item_id"], books["item_id"], field="genres")
        return books.join(used, on="item_id", how="left", maintain_order="left"), {
            "genres_repeated": genres.height - first.height,
            "genres_of_no_item": first.height - used.height,
        }


def _book(record: Record) -> tuple[Any, ...]:
    return (
        record.identifier("book_id"),
        record.text("title"),
        record.text("description"),
        record.text("publisher"),
        record.text("image_url") or "",
    )


def _genres_of(record: Record) -> tuple[Any, ...]:
    genres = record.values.get("genres")
    if not isinstance(genres, dict):
        raise record.wrong("genres", "genres with their counts")
    return record.identifier("book_id"), ", ".join(genres)


def _event(record: Record) -> tuple[Any, ...]:
    return (
        record.line,
        record.identifier("user_id"),
        record.identifier("book_id"),
        record.text("date_added"),
        record.number("rating"),
    )


def _read_events(path: Path) -> pl.DataFrame:
    events = read_records(path, _event, _EVENT)
    given = events["time"].replace("", None).alias("date_added")

    def where(row: int) -> str:
        return place(path, events["line"][row])

    times = given.str.to_datetime(_TIME, strict=False)
    failed = times.is_null() & given.is_not_null()
    if failed.any():
        row = failed.arg_max() or 0
        raise DataError(
            f"{where(row)}: expected a time such as 'Mon Apr 04 20:10:53"
            f" -0700 2016' as 'date_added', found {shorten(given[row])}; correct the line"
        )
    return events.with_columns(timestamp_ns=times_ns(times, "iso", where))


def _read_csv(path: Path, book_ids: Path) -> pl.DataFrame:
    table = read_source_table(path, ["user_id", "book_id", "rating"])
    names = _book_ids(book_ids)
    frame = table.frame.select(
        "user_id",
        pl.col("book_id")
        .replace_strict(names["book_id_csv"], names["book_id"], default=None)
        .alias("item_id"),
        rating=columns.as_ratings(table, "rating"),
    )
    unknown = frame["item_id"].is_null()
    if unknown.any():
        row = unknown.arg_max() or 0
        raise DataError(
            f"{table.where(row)}: expected a book_id that {book_ids.name} lists as 'book_id_csv',"
            f" found {shorten(table.frame['book_id'][row])}; take both files of one release"
        )
    return frame


def _book_ids(path: Path) -> pl.DataFrame:
    table = read_source_table(path, ["book_id_csv", "book_id"])
    names = table.frame.unique(maintain_order=True)
    repeated = names.filter(pl.col("book_id_csv").is_duplicated())["book_id_csv"]
    if len(repeated):
        raise DataError(
            f"{path}: expected one book_id per book_id_csv, found several for"
            f" {shorten(str(repeated[0]))}; keep one of the rows"
        )
    return names
