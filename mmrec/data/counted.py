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
        coded: every interaction that is left, by user and time, with `item_index`, its time and
            its `part`.
        timed: whether the times are the source's; without, nothing is said of ties.
    """
    no_text, no_image = pl.col("num_sentences") == 0, pl.col("num_images") == 0
    new_items = items.filter(pl.col("training_count") == 0)["item_index"]
    tested = coded.filter(pl.col("part") == "test")
    num_single = coded.group_by("user").len().filter(pl.col("len") == 1).height
    counts = {
        "items_without_text": items.filter(no_text).height,
        "items_without_image": items.filter(no_image).height,
        "items_without_both": items.filter(no_text & no_image).height,
        "cold_items": items.filter("is_cold").height,
        "new_items": len(new_items),
        "items_without_interaction": items.height - coded["item_index"].n_unique(),
        "users_with_one_interaction": num_single,
        "users_evaluated": tested["user"].n_unique(),
        "items_tested": tested.height,
        "new_items_tested": tested.filter(pl.col("item_index").is_in(new_items.implode())).height,
    }
    return counts | ({"users_evaluated_tied": _tied(coded)} if timed else {})


def _tied(coded: pl.DataFrame) -> int:
    """Users with a test item at the same time as another of theirs: a rule of order parts them."""
    times = coded.select("user", TIME)
    as_before = times == times.shift(1)
    beside = as_before.select(pl.all_horizontal("user", TIME).fill_null(value=False)).to_series()
    tied = beside | beside.shift(-1, fill_value=False)
    return coded.filter(tied & (coded["part"] == "test"))["user"].n_unique()
