"""Text and picture of an item as one content, for models that read both at once."""

from __future__ import annotations

import pyarrow as pa

from mmrec import schemas
from mmrec.features.encode.inputs import first_images, joined_sentences
from mmrec.io import content_key, sentence_key

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
    texts = joined_sentences(sentences).drop("position")
    first = first_images(images, 1).drop("position").rename_columns(["item_id", "image_key"])
    pairs = texts.join(first, "item_id", join_type="inner").sort_by("item_id")
    pairs = pairs.rename_columns({"sentence": "text"})
    drawn = zip(pairs["text"].to_pylist(), pairs["image_key"].to_pylist(), strict=True)
    columns = {
        "item_id": pairs["item_id"],
        "position": pa.repeat(0, len(pairs)),
        "content_key": [pair_key(text, image_key) for text, image_key in drawn],
        "text": pairs["text"],
        "image_key": pairs["image_key"],
    }
    return pa.table({name: columns[name] for name in ITEM_PAIRS.names}).cast(ITEM_PAIRS)


def pair_key(text: str, image_key: bytes) -> bytes:
    """Content key of a text with the picture behind `image_key`."""
    return content_key(sentence_key(text) + image_key)
