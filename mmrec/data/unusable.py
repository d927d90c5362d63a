"""What `drop_invalid` found wrong with a log in; an error out if it is too much of it."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Final

import polars as pl

from mmrec.data.spellings import describe_unknown
from mmrec.io import DataError

logger = logging.getLogger(__name__)

_BY_INTENT: Final = frozenset({"missing_rating", "low_rating"})
"""Reasons that `min_rating` asks for."""


def refuse_unusable(
    interactions: pl.DataFrame,
    item_ids: pl.Series,
    dropped: Mapping[str, int],
    *,
    max_unusable_share: float,
) -> None:
    """Raise `DataError` if too many interactions cannot be used, or all of them.

    Args:
        interactions: all of them.
        item_ids: of the catalogue.
        dropped: how many cannot be used, by reason.
        max_unusable_share: most of them that may go for a reason that no setting asks for.
    """
    reasons = {name: n for name, n in dropped.items() if n and name not in _BY_INTENT}
    if not reasons:
        return
    lost, total = sum(reasons.values()), interactions.height
    told = _unknown(interactions, item_ids) if reasons.get("unknown_item") else ""
    if lost < total and lost <= max_unusable_share * total:
        if told:
            logger.info("%d interactions are of unknown items%s", reasons["unknown_item"], told)
        return
    counts = ", ".join(f"{count:,} {name}" for name, count in reasons.items())
    raise DataError(
        f"clean: {lost:,} of {total:,} interactions ({lost / total:.1%}) cannot be used: {counts}"
        f"{told}; correct the source"
        + ("" if lost == total else f", or raise clean.max_unusable_share ({max_unusable_share})")
    )


def _unknown(interactions: pl.DataFrame, item_ids: pl.Series) -> str:
    ids = interactions["item_id"]
    unknown = ids.filter(
        (ids != "") & (interactions["user_id"] != "") & ~ids.is_in(item_ids.implode())
    )
    return f" (items {describe_unknown(unknown, item_ids)})"
