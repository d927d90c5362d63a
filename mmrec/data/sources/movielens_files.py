"""The three layouts of MovieLens in, one shape of films and interactions out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from mmrec.data.sources import columns as convert
from mmrec.data.sources.file_kinds import check_text_file
from mmrec.data.sources.source_files import (
    check_exists,
    encoding_of,
    not_in_encoding,
    shorten,
)
from mmrec.data.sources.source_table import (
    SourceTable,
    read_delimited,
    read_header,
    read_source_table,
)
from mmrec.data.sources.tabular import InteractionColumns, read_interactions
from mmrec.io import DataError

_GENRES = (
    "unknown",
    "Action",
    "Adventure",
    "Animation",
    "Children's",
    "Comedy",
    "Crime",
    "Documentary",
    "Drama",
    "Fantasy",
    "Film-Noir",
    "Horror",
    "Musical",
    "Mystery",
    "Romance",
    "Sci-Fi",
    "Thriller",
    "War",
    "Western",
)
_100K_ITEM_COLUMNS = ["movie_id", "title", "release_date", "video_release_date", "url", *_GENRES]
_DAT_ITEM_COLUMNS = ["item_id", "title", "genres"]
_CSV_TEXTS = ("genres", "plot", "director", "actors")


@dataclass(frozen=True)
class Movies:
    """Films of one layout.

    Attributes:
        table: the file they come from, for messages.
        frame: `item_id`, `title`, one column per text and `movie_id`, by which metadata
            names a film, in the file's order.
        texts: names of the text columns.
    """

    table: SourceTable
    frame: pl.DataFrame
    texts: tuple[str, ...]


def read_100k(files: Path) -> tuple[Movies, pl.DataFrame]:
    """`u.item` (latin-1, a flag per genre) and `u.data` (tab-separated)."""
    table = _read_u_item(files / "u.item")
    for genre in _GENRES:
        wrong = ~table.frame[genre].is_in(["0", "1"])
        if wrong.any():
            row = wrong.arg_max() or 0
            raise DataError(
                f"{table.where(row)}: expected 0 or 1 for the genre {genre!r},"
                f" found {shorten(table.frame[genre][row])}; correct the line"
            )
    # "unknown" says nothing about a film.
    flags = [pl.when(pl.col(name) == "1").then(pl.lit(name)) for name in _GENRES[1:]]
    genres = pl.concat_str(flags, separator=", ", ignore_nulls=True)
    frame = table.frame.select(
        "movie_id", "title", genres.alias("genres"), item_id=pl.col("movie_id")
    )
    columns = ["user_id", "item_id", "rating", "timestamp"]
    ratings = read_delimited(files / "u.data", columns, separator="\t", quoted=False, header=False)
    return Movies(table, frame, ("genres",)), _interactions(ratings)


def read_1m(files: Path) -> tuple[Movies, pl.DataFrame]:
    """`movies.dat` and `ratings.dat` (latin-1, fields separated by `::`)."""
    table = _read_dat(files / "movies.dat", _DAT_ITEM_COLUMNS)
    frame = table.frame.with_columns(_separated_by_commas("genres"), movie_id=pl.col("item_id"))
    ratings = _read_dat(files / "ratings.dat", ["user_id", "item_id", "rating", "timestamp"])
    return Movies(table, frame, ("genres",)), _interactions(ratings)


def read_csv_layout(files: Path) -> tuple[Movies, pl.DataFrame]:
    """`items.csv` (genres, plot, director, actors) and `interactions.csv[.gz]` (rating)."""
    table = read_source_table(
        files / "items.csv", ["item_id", "title"], optional=[*_CSV_TEXTS, "movie_id"]
    )
    name = "interactions.csv"
    if not (files / name).is_file() and (files / f"{name}.gz").is_file():
        name += ".gz"
    separator, names = read_header(files / name, ["user_id", "item_id", "timestamp"])
    columns = InteractionColumns(
        name,
        "user_id",
        "item_id",
        timestamp="timestamp",
        timestamp_unit="s",
        rating="rating" if "rating" in names else None,
        separator=separator,
    )
    texts = tuple(name for name in _CSV_TEXTS if name in table.frame.columns)
    films_by = "movie_id" if "movie_id" in table.frame.columns else "item_id"
    frame = table.frame.with_columns(_separated_by_commas("^genres$"), movie_id=pl.col(films_by))
    return Movies(table, frame, texts), read_interactions(files, columns)


def read_titles(path: Path) -> pl.Series:
    """Titles of any list of films: a `u.item`, a `movies.dat`, or a table with a column `title`."""
    if path.suffix == ".item":
        table = _read_u_item(path)
    elif path.suffix == ".dat":
        table = _read_dat(path, _DAT_ITEM_COLUMNS)
    else:
        table = read_source_table(path, ["title"])
    return table.frame["title"]


def _read_u_item(path: Path) -> SourceTable:
    check_exists(path)
    return read_delimited(
        path,
        _100K_ITEM_COLUMNS,
        separator="|",
        encoding=encoding_of(path, "latin-1"),
        quoted=False,
        header=False,
    )


def _separated_by_commas(column: str) -> pl.Expr:
    return pl.col(column).str.replace_all("|", ", ", literal=True)


def _interactions(table: SourceTable) -> pl.DataFrame:
    return table.frame.select("user_id", "item_id").with_columns(
        convert.as_timestamps_ns(table, "timestamp", "s").alias("timestamp_ns"),
        convert.as_ratings(table, "rating").alias("rating"),
    )


def _read_dat(path: Path, columns: list[str]) -> SourceTable:
    check_text_file(path, "a table")
    encoding = encoding_of(path, "latin-1")
    try:
        text = path.read_text(encoding).removeprefix("\ufeff")
    except UnicodeDecodeError:
        raise not_in_encoding(path, encoding) from None
    lines = pl.Series("line", text.split("\n")).str.strip_chars_end("\r").to_frame()
    fields = lines.filter(pl.col("line") != "").select(pl.col("line").str.split("::"))["line"]
    table = SourceTable(path, pl.DataFrame(), "::", encoding=encoding, quoted=False, header=False)
    wrong = fields.list.len() != len(columns)
    if wrong.any():
        row = wrong.arg_max() or 0
        raise DataError(
            f"{table.where(row)}: expected {' :: '.join(columns)},"
            f" found {shorten('::'.join(fields[row]))}; correct the line, or check that it is the"
            " file of the layout"
        )
    frame = pl.DataFrame([fields.list.get(i).alias(name) for i, name in enumerate(columns)])
    return SourceTable(path, frame, "::", encoding=encoding, quoted=False, header=False)
