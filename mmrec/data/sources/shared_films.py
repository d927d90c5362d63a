"""Titles with their years in, which of them are films of another list out."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

import polars as pl
import pyarrow as pa

from mmrec.data.sources.source import RawCatalogue
from mmrec.io import DataError

_YEAR = re.compile(r"\((\d{4})\)")
_BRACKETS = re.compile(r"\([^()]*\)")
_ARTICLES = {"a", "an", "the"}
_YEARS_APART = 1


class Film(NamedTuple):
    """What films of two lists are told to be the same by.

    Attributes:
        name: words of the title in small letters, without accents, English articles and what
            stands in brackets.
        year: the last in brackets; None where there is none.
    """

    name: str
    year: int | None

    @classmethod
    def of(cls, title: str) -> Film:
        """Read a title such as `Promise, The (La Promesse) (1996)`."""
        years = _YEAR.findall(title)
        words = _words(_BRACKETS.sub(" ", title)) or _words(title)
        kept = [word for word in words if word not in _ARTICLES]
        return cls(" ".join(kept or words), int(years[-1]) if years else None)


def without_films(raw: RawCatalogue, titles: pl.Series, path: Path) -> RawCatalogue:
    """A catalogue without the films that have one of `titles`, their interactions and pictures.

    Two films are the same if they have the same name and years at most one apart, or no years.
    What goes is counted in `skipped`.

    Args:
        raw: what a source has read.
        titles: of the other list.
        path: its file, for messages.

    Raises:
        DataError: no film, or every film, is one of the list.
    """
    own = pl.Series("title", raw.items.column("title"))
    others = _by_name(titles.drop_nulls())
    shared = [title is not None and _is_among(Film.of(title), others) for title in own]
    num_shared = sum(shared)
    if not num_shared:
        raise DataError(
            f"{path}: none of {len(titles):,} titles is of a film of the catalogue (first:"
            f" {_first(titles)}; the catalogue has {_first(own)}); name a list of films that are in"
            " it, or set without to null"
        )
    if num_shared == len(own):
        raise DataError(
            f"{path}: all {num_shared:,} films of the catalogue are among its titles, which leaves"
            " none; name another list, or set without to null"
        )
    gone = pl.Series(raw.items.column("item_id")).filter(pl.Series(shared))
    return _without_items(raw, gone)


def _first(titles: pl.Series) -> str:
    known = titles.drop_nulls()
    return repr(known[0]) if len(known) else "none"


def _without_items(raw: RawCatalogue, gone: pl.Series) -> RawCatalogue:
    items = raw.items.filter(_kept(raw.items, gone))
    interactions = raw.interactions.filter(_kept(raw.interactions, gone))
    names, refs = set(gone), list(raw.image_refs)
    kept_refs = [ref for ref in refs if ref.item_id not in names]
    counts = {
        "shared_film": len(gone),
        "interaction_with_shared_film": raw.interactions.num_rows - interactions.num_rows,
        "picture_of_shared_film": len(refs) - len(kept_refs),
    }
    return RawCatalogue(items, interactions, kept_refs, {**raw.skipped, **counts}, raw.has_users)


def _kept(table: pa.Table, gone: pl.Series) -> pa.Array:
    ids = pl.Series(table.column("item_id"))
    return (~ids.is_in(gone.implode())).to_arrow()


def _by_name(titles: Iterable[str]) -> Mapping[str, set[int | None]]:
    years: dict[str, set[int | None]] = defaultdict(set)
    for title in titles:
        film = Film.of(title)
        years[film.name].add(film.year)
    return dict(years)


def _is_among(film: Film, others: Mapping[str, set[int | None]]) -> bool:
    years = others.get(film.name, set())
    if film.year is None:
        return None in years
    return any(year is not None and abs(year - film.year) <= _YEARS_APART for year in years)


def _words(text: str) -> list[str]:
    plain = unicodedata.normalize("NFKD", text.casefold())
    return re.findall(r"\w+", "".join(c for c in plain if not unicodedata.combining(c)))
