"""Items of a run as JSON: found by words of their titles, and on lists."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias
from urllib.parse import quote

import polars as pl

from mmrec.serving.pictures import Pictures

Card: TypeAlias = dict[str, Any]
"""`item_id`, `title`, `picture` (an address, or null), and what a list says of it."""


class Shelf:
    """Items, the most popular first.

    Args:
        items: CLEAN_ITEMS as a frame.
        pictures: of them.
    """

    def __init__(self, items: pl.DataFrame, pictures: Pictures) -> None:
        self._pictures = pictures
        ordered = items.sort("training_count", descending=True, maintain_order=True)
        sought = pl.concat_str("item_id", "title", separator="\n").str.to_lowercase()
        self._items = ordered.select("item_id", "title", sought.alias("sought"))
        self._titles = dict(items.select("item_id", "title").iter_rows())

    def find(self, words: str, k: int) -> list[Card]:
        """Items with all of some words in title or id, in part or whole; of no words any items."""
        found = self._items.lazy()
        for word in {*words.lower().split()}:
            found = found.filter(pl.col("sought").str.contains(word, literal=True))
        return self.cards(found.head(k).collect()["item_id"])

    def cards(self, items: Iterable[str]) -> list[Card]:
        """Items as they are shown."""
        return [self._card(item, self._titles[item]) for item in items]

    def lists(self, frame: pl.DataFrame, names: Sequence[str | int]) -> list[dict[str, Any]]:
        """Lists of the library by whose they are; also those in which nothing is left.

        Args:
            frame: whose they are first, then `rank`, `item_id`, `title`, `score`.
            names: of everybody who was asked for.
        """
        owner, *_ = frame.columns
        found: dict[str | int, list[Card]] = {name: [] for name in names}
        for name, rank, item, title, score in frame.iter_rows():
            found[name].append({"rank": rank, **self._card(item, title), "score": score})
        return [{owner: name, "items": items} for name, items in found.items()]

    def _card(self, item: str, title: str) -> Card:
        address = f"picture?item={quote(item, safe='')}" if self._pictures.has(item) else None
        return {"item_id": item, "title": title, "picture": address}
