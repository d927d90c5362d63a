"""Categories of items by the words of their text: words and sentences in, a category each out."""

from __future__ import annotations

import re
from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc


def categories_of(
    item_ids: Sequence[str], sentences: pa.Table, words: Sequence[str]
) -> list[str | None]:
    """For each item the one of some words that its text has first; None where it has none.

    Tables of items have no column of categories. Where a shop writes them, they are part of the
    text: genres, a path of departments, or the noun of a title. Words are whole ones, of one word
    or several, in capitals or not.

    Args:
        item_ids: Whose categories.
        sentences: SENTENCES.
        words: The categories.
    """
    named = {word.casefold(): word for word in words}
    if not named:
        return [None] * len(item_ids)
    # Of two that begin alike the longer one is meant: "table lamp" and not "table".
    choice = "|".join(re.escape(word) for word in sorted(named, key=len, reverse=True))
    pattern = re.compile(rf"(?<!\w)(?:{choice})(?!\w)")
    wanted = pc.is_in(sentences.column("item_id"), value_set=pa.array(item_ids, pa.string()))
    rows = sentences.filter(wanted).sort_by([("item_id", "ascending"), ("position", "ascending")])
    found: dict[str, str] = {}
    for row in rows.to_pylist():
        match = pattern.search(row["sentence"].casefold())
        if match:
            found.setdefault(row["item_id"], named[match[0]])
    return [found.get(item_id) for item_id in item_ids]
