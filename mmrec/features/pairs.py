"""Text and picture of an item as one content, for models that read both at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import polars as pl
import pyarrow as pa

from mmrec import schemas
from mmrec.io import content_key, sentence_key

if TYPE_CHECKING:
    from PIL.Image import Image


class TextImagePair(NamedTuple):
    """What a vision-language model reads of one item."""

    text: str
    image: Image


ITEM_PAIRS = pa.schema(
    [
        pa.field("item_id", pa.string(), nullable=False),
        pa.field("position", pa.int32(), nullable=False),
        pa.field("content_key", schemas.CONTENT_KEY, nullable=False),
        pa.field("text", pa.string(), nullable=False),
        pa.field("image_key", schemas.CONTENT_KEY, nullable=False),
    ]
)
"""At most one row per item, position 0; `content_key` is that of the pair."""


def item_pairs(sentences: pa.Table, images: pa.Table) -> pa.Table:
    """The pair of every item: its sentences joined by spaces, and its first picture.

    An item without sentences or without a picture has no pair, hence no states: as everywhere,
    a missing modality is the absence of rows and not a made-up content.

    Args:
        sentences: columns item_id, position, sentence.
        images: columns item_id, position, content_key.

    Returns:
        `ITEM_PAIRS`, in ascending order of item_id.
    """
    texts = (
        _frame(sentences, ["item_id", "position", "sentence"])
        .sort("item_id", "position")
        .group_by("item_id", maintain_order=True)
        .agg(pl.col("sentence").str.join(" ").alias("text"))
    )
    first = (
        _frame(images, ["item_id", "position", "content_key"])
        .sort("item_id", "position")
        .unique("item_id", keep="first", maintain_order=True)
        .select("item_id", pl.col("content_key").alias("image_key"))
    )
    pairs = texts.join(first, on="item_id", how="inner").sort("item_id")
    keys = [pair_key(text, key) for text, key in pairs.select("text", "image_key").iter_rows()]
    columns = {
        "item_id": pairs["item_id"].to_list(),
        "position": [0] * len(keys),
        "content_key": keys,
        "text": pairs["text"].to_list(),
        "image_key": pairs["image_key"].to_list(),
    }
    return pa.table(columns, schema=ITEM_PAIRS)


def pair_key(text: str, image_key: bytes) -> bytes:
    """Content key of a text with the picture behind `image_key`."""
    return content_key(sentence_key(text) + image_key)


def _frame(table: pa.Table, columns: list[str]) -> pl.DataFrame:
    frame = pl.from_arrow(table.select(columns))
    assert isinstance(frame, pl.DataFrame)
    return frame
