"""Pictures with the words CLIP gave them: keyword tables in, a few entries out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from mmrec.report.cards import ItemCard, first_of_each_item, titles_of
from mmrec.report.thumbnails import Thumbnails


@dataclass(frozen=True)
class Keyword:
    """A word CLIP gave a picture, with their cosine similarity."""

    text: str
    score: float


@dataclass(frozen=True)
class GalleryEntry:
    """A picture with its words."""

    card: ItemCard
    keywords: Sequence[Keyword]


def gallery(
    keywords: pa.Table, items: pa.Table, thumbnails: Thumbnails, *, num_entries: int
) -> list[GalleryEntry]:
    """The first picture of items evenly spread over the catalogue, with CLIP's words.

    Args:
        keywords: KEYWORDS.
        items: CLEAN_ITEMS.
        thumbnails: Pictures by content key.
        num_entries: How many pictures, fewer where there are fewer.
    """
    firsts = first_of_each_item(keywords)
    chosen = firsts.take(spread(firsts.num_rows, num_entries))
    titles = titles_of(items, chosen.column("item_id").to_pylist())
    rows = chosen.to_pylist()
    pictures = thumbnails.uris(row["content_key"] for row in rows)
    return [
        GalleryEntry(
            ItemCard(
                row["item_id"],
                titles.get(row["item_id"], ""),
                pictures[row["content_key"]],
                row["sentence"],
            ),
            [
                Keyword(word, score)
                for word, score in zip(row["keywords"], row["scores"], strict=True)
            ],
        )
        for row in rows
    ]


def spread(num_rows: int, num_chosen: int) -> pa.Array:
    """Places from the first row to the last at even distances: equal tables, equal page."""
    places = np.linspace(0, num_rows - 1, min(num_rows, num_chosen)).round().astype(np.int64)
    return pa.array(np.unique(places))
