"""Clean tables in; counts of what is left that a reader of results must know out."""

from __future__ import annotations

from typing import Final

import polars as pl

TIME: Final = "timestamp_ns"
"""Column of an interaction's time."""


def has_times(interactions: pl.DataFrame) -> bool:
    """Whether the source says when anything happened."""
    return interactions[TIME].null_count() < interactions.height


def count_what_is_left(items: pl.DataFrame, coded: pl.DataFrame, *, timed: bool) -> dict[str, int]:
    """Count items by what is known of them, and users by what they can be evaluated on.

    Args:
        items: `CLEAN_ITEMS`.
        coded: every interaction that is left in order, with `item_index`, its time, its
            `place` in the sequence of its `user` and the `length` of that.
        timed: whether the times are the source's; without, nothing is said of ties.
    """
    no_text, no_image = pl.col("num_sentences") == 0, pl.col("num_images") == 0
    last = coded.filter(pl.col("place") + 1 == pl.col("length"))
    counts = {
        "items_without_text": items.filter(no_text).height,
        "items_without_image": items.filter(no_image).height,
        "items_without_both": items.filter(no_text & no_image).height,
        "cold_items": items.filter("is_cold").height,
        "new_items": items.filter(pl.col("training_count") == 0).height,
        "items_without_interaction": items.height - coded["item_index"].n_unique(),
        "users_with_one_interaction": last.filter(pl.col("length") == 1).height,
        "users_evaluated": last.filter(pl.col("length") >= 3).height,
    }
    return counts | ({"users_evaluated_tied": _tied(coded)} if timed else {})


def _tied(coded: pl.DataFrame) -> int:
    """Users whose test and validation item are of one time: only the source's order parts them."""
    held_out = (pl.col("length") >= 3) & (pl.col("place") + 2 >= pl.col("length"))
    times = coded.filter(held_out).group_by("user").agg(pl.col(TIME).n_unique())
    return times.filter(pl.col(TIME) == 1).height
