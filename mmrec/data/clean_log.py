"""A raw log in; valid, distinct and frequent interactions in time order out, and the users' ids."""

from __future__ import annotations

import polars as pl

from mmrec.data.counted import has_times
from mmrec.data.interactions import (
    Duplicates,
    code,
    drop_duplicates,
    drop_invalid,
    keep_core,
)
from mmrec.data.steps import Account
from mmrec.data.tie_order import sort_by_time
from mmrec.data.unusable import refuse_unusable
from mmrec.io import DataError
from mmrec.params.split import TieOrder


def clean_log(
    raw: pl.DataFrame,
    item_ids: pl.Series,
    account: Account,
    *,
    min_rating: float | None,
    user_core: int,
    item_core: int,
    duplicates: Duplicates,
    tie_order: TieOrder,
    tie_seed: int,
    max_unusable_share: float,
) -> tuple[pl.DataFrame, pl.Series]:
    """Drop invalid interactions and sort; drop duplicates, then rare users and items.

    Args:
        raw: `RAW_INTERACTIONS`.
        item_ids: of the catalogue, ascending.
        account: is told of every step.
        min_rating: lowest rating that stays; None for any.
        user_core: fewest interactions of a user.
        item_core: fewest interactions of an item.
        duplicates: which interactions of one user with one item stay.
        tie_order: order of a user's interactions at equal times.
        tie_seed: of a random order.
        max_unusable_share: most of the interactions that may go for a reason no setting asks for.

    Returns:
        What is left, as `code` gives it, sorted; and the ids of all users of valid interactions.

    Raises:
        DataError: nothing is left after a step, too many interactions cannot be used, or none has
            a time and `tie_order` asks for one.
    """
    if raw.height and tie_order != "file" and not has_times(raw):
        raise DataError(
            f"clean.tie_order is {tie_order}, but no interaction has a time, so that the order of"
            " the source's rows is all there is; set it to file"
        )
    valid, dropped = drop_invalid(raw, item_ids, min_rating=min_rating)
    coded, user_ids = code(valid, item_ids)
    refuse_unusable(raw, item_ids, dropped.interactions, max_unusable_share=max_unusable_share)
    account.add_interactions("interactions", coded, dropped)
    coded = sort_by_time(
        coded, user_ids=user_ids, item_ids=item_ids, tie_order=tie_order, tie_seed=tie_seed
    )
    coded, dropped = drop_duplicates(coded, duplicates)
    account.add_interactions("duplicates", coded, dropped)
    coded, dropped = keep_core(coded, user_core=user_core, item_core=item_core)
    account.add_interactions("core", coded, dropped)
    return coded, user_ids


def no_log(
    raw: pl.DataFrame, item_ids: pl.Series, *, item_core: int
) -> tuple[pl.DataFrame, pl.Series]:
    """What `clean_log` gives of a dataset without users: no interactions, no ids.

    Raises:
        DataError: there are interactions all the same, or `item_core` would leave no item.
    """
    if raw.height:
        raise DataError(
            f"raw/interactions.parquet: {raw.height:,} rows, but raw/summary.json says that the"
            " source has no users (has_users: false); run the crawl stage again"
        )
    if item_core:
        raise DataError(
            f"clean.item_core is {item_core}, but the source has no users, so that no item has an"
            " interaction; set it to 0"
        )
    return code(raw, item_ids)
