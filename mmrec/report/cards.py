"""Items as shown: ids in, cards with title, first picture and its keywords out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from mmrec.report.thumbnails import Thumbnails

MAX_TITLE = 160
"""Characters of a title; of a longer one, the first."""


@dataclass(frozen=True)
class ItemCard:
    """One item as shown; `picture` is a data URI, empty where there is none."""

    item_id: str
    title: str
    picture: str
    keywords: str


def item_cards(
    item_ids: Iterable[str],
    *,
    items: pa.Table,
    images: pa.Table,
    keywords: pa.Table,
    thumbnails: Thumbnails,
) -> dict[str, ItemCard]:
    """Cards of some items, with their first picture and its keywords, by `item_id`.

    Args:
        item_ids: What to show.
        items: CLEAN_ITEMS.
        images: IMAGES.
        keywords: KEYWORDS.
        thumbnails: Pictures by content key.
    """
    wanted = sorted(set(item_ids))
    titles = titles_of(items, wanted)
    keys = _first_column(images, wanted, "content_key")
    words = _first_column(keywords, wanted, "sentence")
    pictures = thumbnails.uris(keys.values())
    return {
        item_id: ItemCard(
            item_id,
            titles.get(item_id, ""),
            pictures[keys[item_id]] if item_id in keys else "",
            words.get(item_id, ""),
        )
        for item_id in wanted
    }


def cards_of_indices(
    indices: Iterable[int],
    *,
    items: pa.Table,
    images: pa.Table,
    keywords: pa.Table,
    thumbnails: Thumbnails,
) -> dict[int, ItemCard]:
    """The same by item index, which counts from 1."""
    wanted = sorted(set(indices))
    rows = pa.array([index - 1 for index in wanted], pa.int64())
    item_ids = items["item_id"].take(rows).to_pylist()
    cards = item_cards(
        item_ids, items=items, images=images, keywords=keywords, thumbnails=thumbnails
    )
    return {index: cards[item_id] for index, item_id in zip(wanted, item_ids, strict=True)}


def titles_of(items: pa.Table, item_ids: Sequence[str]) -> dict[str, str]:
    """Titles by `item_id`, from CLEAN_ITEMS, of at most `MAX_TITLE` characters."""
    titles = _by_item(_of_items(items, item_ids), "title")
    return {item_id: _shortened(title) for item_id, title in titles.items()}


def first_of_each_item(table: pa.Table) -> pa.Table:
    """Rows with an item's lowest position, in order of `item_id`."""
    ordered = table.sort_by([("item_id", "ascending"), ("position", "ascending")])
    item_ids = ordered.column("item_id").combine_chunks()
    if len(item_ids) == 0:
        return ordered
    changes = pc.not_equal(item_ids.slice(1), item_ids.slice(0, len(item_ids) - 1))
    return ordered.filter(pa.chunked_array([pa.array([True]), changes]).combine_chunks())


def _first_column(table: pa.Table, item_ids: Sequence[str], column: str) -> dict[str, Any]:
    return _by_item(first_of_each_item(_of_items(table, item_ids)), column)


def _of_items(table: pa.Table, item_ids: Sequence[str]) -> pa.Table:
    return table.filter(
        pc.is_in(table.column("item_id"), value_set=pa.array(item_ids, pa.string()))
    )


def _by_item(table: pa.Table, column: str) -> dict[str, Any]:
    values = table.column(column).to_pylist()
    return dict(zip(table.column("item_id").to_pylist(), values, strict=True))


def _shortened(title: str) -> str:
    return title if len(title) <= MAX_TITLE else title[: MAX_TITLE - 1] + "…"
