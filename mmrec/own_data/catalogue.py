"""The catalogue's columns in; which of them are title, texts, category and pictures out."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

import polars as pl

from mmrec.data.sources import columns as convert
from mmrec.data.sources.image_files import find_images
from mmrec.io import DataError
from mmrec.own_data import names
from mmrec.own_data.log import Guess
from mmrec.own_data.look import Look, share
from mmrec.params.pipeline import MAX_CATEGORIES

_ENDING: Final = r"(?i)\.(jpe?g|png|webp|gif|bmp|tiff?|avif)(\?.*)?$"
_WEB: Final = r"(?i)^https?://"
_SHOWN: Final = 40
"""Characters of a value in a reason."""
_NEARLY_ALL: Final = 0.9
"""Share of one value from which on a column says nothing about an item."""


class Texts(NamedTuple):
    """Columns that describe an item in words."""

    title: Guess | None
    others: list[Guess]
    categories: tuple[str, list[str]] | None
    """A column of few words, and these."""
    left_out: list[Guess]
    """Columns of words that nearly all items have alike."""


class Pictures(NamedTuple):
    """How pictures are named; at most one of the two."""

    files: Guess | None
    folder: Guess | None
    web: str | None
    """A column of addresses, which want a contact before they are asked for."""


def guess_texts(items: Look, taken: Sequence[str]) -> Texts:
    """Title, other texts and the category, among the columns that are not taken."""
    found = {
        name: texts
        for name in items.columns
        if name not in taken and _is_text(texts := items.texts(name))
    }
    left_out = [Guess(name, why) for name, texts in found.items() if (why := _repeated(texts))]
    for guess in left_out:
        del found[guess.value]
    called = {name: names.likeness(name, names.TITLE) for name in found}
    title = max(called, key=lambda name: called[name], default=None)
    if title is None or not called[title]:
        title = None
    others = [name for name in found if name != title]
    categories = _categories(items, others)
    guesses = [Guess(name, _kind(items.texts(name))) for name in others]
    named = Guess(title, "by its name") if title else None
    return Texts(named, guesses, categories, left_out)


def _repeated(texts: pl.Series | None) -> str:
    """Why a column tells no item from another; empty where it does."""
    if texts is None or texts.n_unique() == len(texts):
        return ""
    value, count = texts.value_counts(sort=True).row(0)
    if count < _NEARLY_ALL * len(texts):
        return ""
    shown = value if len(value) <= _SHOWN else f"{value[: _SHOWN - 1]}…"
    return f"{count / len(texts):.0%} of its values are {shown!r}"


def _is_text(texts: pl.Series | None) -> bool:
    """Whether most values have letters, and are neither codes nor addresses."""
    if texts is None or texts.is_empty():
        return False
    in_words = texts.str.contains(r"\pL{2}") & ~texts.str.contains(_WEB)
    picture = texts.str.contains(_ENDING)
    code = texts.str.contains(r"^\S*\d\S*$")
    return share(in_words & ~picture & ~code) > 0.5


def _kind(texts: pl.Series | None) -> str:
    if texts is None or texts.is_empty():
        return "words"
    words = int(texts.str.count_matches(r"\S+").sum()) / len(texts)
    return f"text of {words:.0f} words on average" if words >= 1.5 else "words"


def _categories(items: Look, others: Sequence[str]) -> tuple[str, list[str]] | None:
    for name in sorted(others, key=lambda one: -names.likeness(one, names.CATEGORY)):
        texts = items.texts(name)
        if texts is None or not names.likeness(name, names.CATEGORY):
            continue
        words = {word.strip().casefold(): word.strip() for word in texts.unique().sort()}
        if 2 <= len(words) <= MAX_CATEGORIES:
            return name, list(words.values())
    return None


def guess_pictures(
    items: Look, ids: pl.Series, files: Path, folder: Path | None, taken: Sequence[str]
) -> Pictures:
    """Which folder or column has the pictures.

    Args:
        items: the catalogue.
        ids: of its items.
        files: folder of the source.
        folder: that is said to have pictures named after the items.
        taken: columns that are something else.

    Raises:
        DataError: not one picture of the folder belongs to an item, with an example of each.
    """
    if folder is not None:
        inside = Path(os.path.relpath(folder, files)).as_posix()
        refs, _ = find_images(files, inside, ids.to_list())
        count = len({ref.item_id for ref in refs})
        return Pictures(None, Guess(inside, f"{count:,} of {len(ids):,} items have one"), None)
    web = None
    for name in items.columns:
        paths = None if name in taken else _paths(items, name)
        if paths is None or share(paths.str.contains(_ENDING)) <= 0.5:
            continue
        if share(paths.str.contains(_WEB)) > 0.5:
            web = web or name
            continue
        there = [(files / path).is_file() for path in paths[:50]]
        if any(there):
            said = f"{sum(there)} of its first {len(there)} files are there"
            return Pictures(Guess(name, said), None, None)
    return Pictures(None, None, web)


def _paths(items: Look, name: str) -> pl.Series | None:
    try:
        found = convert.as_paths(items.sample, name).explode().drop_nulls()
    except DataError:
        return None
    found = found.filter(found.str.strip_chars() != "")
    return found if len(found) and not re.search(r"\s{2}", str(found[0])) else None
