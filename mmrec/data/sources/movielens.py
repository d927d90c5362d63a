"""MovieLens 100K and 1M as published, or as two CSV files, with posters and plots."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Literal

import polars as pl

from mmrec.data.sources import columns, raw_tables
from mmrec.data.sources.image_files import find_images
from mmrec.data.sources.movielens_files import read_1m, read_100k, read_csv_layout, read_titles
from mmrec.data.sources.shared_films import without_films
from mmrec.data.sources.source import ImageRef, RawCatalogue
from mmrec.data.sources.source_files import shorten
from mmrec.data.sources.source_table import SourceTable, read_source_table
from mmrec.io import DataError

_METADATA_TEXTS = ("genres", "tagline", "overview")


class MovielensSource:
    """Films with their titles, genres and whatever the metadata file says about them.

    Args:
        files: folder of the published files.
        layout: `100k` (u.data, u.item), `1m` (ratings.dat, movies.dat) or `csv`
            (interactions.csv[.gz], items.csv).
        posters: folder below `files` with `<item id>.jpg`, where the item is called as in the log;
            None for no pictures.
        metadata: CSV below `files` with `movie_id` and `tagline`, `overview`, `genres`. A film
            that stands in it more than once takes the first row.
        without: file below `files` with titles, `u.item`, `movies.dat` or a table with a column
            `title`, of films that are left out with their interactions and posters.
    """

    def __init__(
        self,
        files: Path,
        *,
        layout: Literal["100k", "1m", "csv"],
        posters: str | None,
        metadata: str | None,
        without: str | None = None,
    ) -> None:
        self._files = files
        self._layout = layout
        self._posters = posters
        self._metadata = metadata
        self._without = without

    def read(self) -> RawCatalogue:
        """Read log, films and metadata, and list the posters."""
        raw = self._read_whole()
        if self._without is None:
            return raw
        path = self._files / self._without
        return without_films(raw, read_titles(path), path)

    def _read_whole(self) -> RawCatalogue:
        read_layout = {"100k": read_100k, "1m": read_1m, "csv": read_csv_layout}[self._layout]
        movies, interactions = read_layout(self._files)
        frame, num_without_id = raw_tables.drop_items_without_id(movies.frame, movies.table)
        skipped = {"item_without_id": num_without_id}
        texts = list(movies.texts)
        if self._metadata is not None:
            frame, found = _join_metadata(frame, self._files / self._metadata)
            skipped |= found
            texts += [
                name for name in _METADATA_TEXTS if name in frame.columns and name not in texts
            ]
        refs: list[ImageRef] = []
        if self._posters is not None:
            refs, unmatched = find_images(self._files, self._posters, frame["item_id"])
            skipped |= unmatched
        return RawCatalogue(
            items=raw_tables.build_items(frame, {name: name for name in texts}),
            interactions=raw_tables.build_interactions(interactions),
            image_refs=refs,
            skipped=skipped,
        )


def _join_metadata(films: pl.DataFrame, path: Path) -> tuple[pl.DataFrame, dict[str, int]]:
    table = read_source_table(path, ["movie_id"], optional=_METADATA_TEXTS)
    texts = [name for name in _METADATA_TEXTS if name in table.frame.columns]
    rows = pl.DataFrame(
        [
            columns.as_ids(table, "movie_id").alias("movie_id"),
            *(columns.as_text(table, name).alias(name) for name in texts),
        ]
    )
    if "genres" in texts:
        rows = rows.with_columns(pl.Series("genres", _readable_genres(table), dtype=pl.String))
    first = rows.unique("movie_id", keep="first", maintain_order=True)
    used = first.join(films, on="movie_id", how="semi")
    raw_tables.refuse_if_of_no_item(path, first["movie_id"], films["movie_id"], field="metadata")
    joined = films.join(used, on="movie_id", how="left", maintain_order="left", suffix="_metadata")
    for name in _METADATA_TEXTS:
        if f"{name}_metadata" in joined.columns:
            found = pl.col(f"{name}_metadata").replace("", None)
            joined = joined.with_columns(pl.coalesce(found, name).alias(name))
    return joined, {
        "metadata_row_repeated": rows.height - first.height,
        "metadata_of_no_item": first.height - used.height,
    }


def _readable_genres(table: SourceTable) -> list[str]:
    """`[{'id': 16, 'name': 'Animation'}, …]`, as published by TMDB, as `Animation, …`."""
    texts = []
    for row, value in enumerate(table.frame["genres"]):
        try:
            entries = ast.literal_eval(value) if value else []
            texts.append(", ".join(str(entry["name"]) for entry in entries))
        except (ValueError, SyntaxError, TypeError, KeyError, MemoryError, RecursionError):
            raise DataError(
                f"{table.where(row)}: expected genres as [{{'id': 16, 'name': 'Animation'}}, …],"
                f" found {shorten(value)}; correct the line"
            ) from None
    return texts
