"""Items to look through: a catalogue in, the rows of one table with small pictures out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import pyarrow as pa

from mmrec.report.cards import ItemCard, item_cards
from mmrec.report.categories import categories_of
from mmrec.report.run_lists import RunLists
from mmrec.report.sampling import Indices, drawn_at_random
from mmrec.report.thumbnails import Thumbnails

MAX_ITEMS = 2000
"""Items in the table; all, where there are fewer."""


class ShownItem(NamedTuple):
    """A row of the table.

    Attributes:
        category: Empty where it has none.
        times: On how many of the lists it is.
        picture: A data URI, empty where there is none.
    """

    item_id: str
    title: str
    category: str
    training_count: int
    is_cold: bool
    times: int
    picture: str


@dataclass(frozen=True)
class ShownItems:
    """The table, and what it is of.

    Attributes:
        run: Whose lists are counted.
        num_lists: How many it has.
        categories: That rows have, in the order of the params.
    """

    dataset: str
    num_items: int
    run: str
    num_lists: int
    list_length: int
    categories: Sequence[str]
    items: Sequence[ShownItem]


def sampled_items(num_items: int, most: int = MAX_ITEMS) -> Indices:
    """Rows of CLEAN_ITEMS that are shown, of which maps may show fewer."""
    return drawn_at_random(num_items, most, "items")


def shown_items(
    dataset: str,
    *,
    items: pa.Table,
    images: pa.Table,
    keywords: pa.Table,
    sentences: pa.Table,
    categories: Sequence[str],
    lists: RunLists,
    thumbnails: Thumbnails,
) -> ShownItems:
    """All items, or a sample of them, in order of their ids.

    Args:
        dataset: Its name.
        items: CLEAN_ITEMS.
        images: IMAGES.
        keywords: KEYWORDS.
        sentences: SENTENCES.
        categories: Words that name one.
        lists: Whose items are counted.
        thumbnails: Pictures by content key.
    """
    rows = sampled_items(items.num_rows)
    shown = items.take(pa.array(rows))
    item_ids = shown["item_id"].to_pylist()
    cards = item_cards(
        item_ids, items=shown, images=images, keywords=keywords, thumbnails=thumbnails
    )
    named = categories_of(item_ids, sentences, categories)
    found = zip(shown.to_pylist(), named, lists.times[rows].tolist(), strict=True)
    return ShownItems(
        dataset=dataset,
        num_items=items.num_rows,
        run=lists.run,
        num_lists=lists.num_lists,
        list_length=lists.length,
        categories=[name for name in categories if name in named],
        items=[_shown(row, cards[row["item_id"]], *others) for row, *others in found],
    )


def _shown(row: Mapping[str, Any], card: ItemCard, category: str | None, times: int) -> ShownItem:
    return ShownItem(
        card.item_id,
        card.title,
        category or "",
        row["training_count"],
        row["is_cold"],
        times,
        card.picture,
    )
