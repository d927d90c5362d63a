"""Which contents of an item are encoded: all of its text as one, its first pictures."""

from __future__ import annotations

import polars as pl
import pyarrow as pa


def joined_sentences(sentences: pa.Table) -> pa.Table:
    """One text per item that has sentences: all of them, in order, joined by spaces.

    Args:
        sentences: columns item_id, position, sentence.

    Returns:
        Columns item_id (ascending), position (0), sentence.
    """
    joined = (
        _frame(sentences, ["item_id", "position", "sentence"])
        .sort("item_id", "position")
        .group_by("item_id", maintain_order=True)
        .agg(pl.lit(0, pl.Int32).alias("position"), pl.col("sentence").str.join(" "))
    )
    return joined.to_arrow().cast(sentences.select(joined.columns).schema)


def first_images(images: pa.Table, count: int | None) -> pa.Table:
    """The first `count` pictures of each item, or all of them.

    Args:
        images: columns item_id, position, content_key.
        count: how many; None is all.

    Returns:
        The same columns, sorted by item_id and position.
    """
    ordered = _frame(images, ["item_id", "position", "content_key"]).sort("item_id", "position")
    if count is not None:
        ordered = ordered.filter(pl.int_range(pl.len()).over("item_id") < count)
    return ordered.to_arrow().cast(images.select(ordered.columns).schema)


def _frame(table: pa.Table, columns: list[str]) -> pl.DataFrame:
    frame = pl.from_arrow(table.select(columns))
    assert isinstance(frame, pl.DataFrame)
    return frame
