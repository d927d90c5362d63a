"""An interaction log in, the valid, distinct and frequent interactions out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mmrec.data.vocabulary import distinct_ids, places
from mmrec.io import DataError

Duplicates = Literal["keep_last", "keep_first", "keep_all"]


@dataclass(frozen=True)
class Dropped:
    """Counts of what a step dropped, by reason.

    Attributes:
        interactions: each for one reason.
        users: users whose last interaction went, by the reason of that one.
        items: items of the catalogue whose last interaction went, likewise.
    """

    interactions: Mapping[str, int]
    users: Mapping[str, int] = field(default_factory=dict)
    items: Mapping[str, int] = field(default_factory=dict)


def drop_invalid(
    frame: pl.DataFrame, item_ids: pl.Series, *, min_rating: float | None
) -> tuple[pl.DataFrame, Dropped]:
    """Drop rows that cannot be used; each goes for the first reason that holds.

    Reasons: `empty_id`, `unknown_item` (not in the catalogue), `missing_timestamp` (while
    other rows have one), `negative_timestamp`, `rating_not_finite` (NaN or infinite, whatever
    `min_rating` is); with a `min_rating` also `missing_rating` and `low_rating`.
    """
    timed = frame["timestamp_ns"].null_count() < frame.height
    rating, time = pl.col("rating"), pl.col("timestamp_ns")
    reasons = {
        "empty_id": (pl.col("user_id") == "") | (pl.col("item_id") == ""),
        "unknown_item": ~pl.col("item_id").is_in(item_ids.implode()),
        "missing_timestamp": time.is_null() & pl.lit(timed),
        "negative_timestamp": time < 0,
        "rating_not_finite": ~rating.is_finite(),
    }
    if min_rating is not None:
        if frame.height and frame["rating"].null_count() == frame.height:
            raise DataError(
                f"clean.min_rating is {min_rating:g}, but no interaction has a rating;"
                " set it to null or map a rating column"
            )
        reasons["missing_rating"] = rating.is_null()
        reasons["low_rating"] = rating < min_rating
    # By its place, so that a later reason is a larger one.
    reason = pl.coalesce(
        pl.when(holds.fill_null(value=False)).then(pl.lit(place, dtype=pl.Int8))
        for place, holds in enumerate(reasons.values())
    )
    marked = frame.lazy().with_columns(reason=reason).collect()
    kept = marked.filter(pl.col("reason").is_null()).drop("reason")
    gone = marked.filter(pl.col("reason").is_not_null())
    users = gone.filter(pl.col("user_id") != "")
    items = gone.filter(pl.col("item_id").is_in(item_ids.implode()))
    return kept, Dropped(
        *(
            {name: int((series == place).sum()) for place, name in enumerate(reasons)}
            for series in (
                gone["reason"],
                _last_reasons(users, kept, "user_id"),
                _last_reasons(items, kept, "item_id"),
            )
        )
    )


def _last_reasons(gone: pl.DataFrame, kept: pl.DataFrame, name: str) -> pl.Series:
    """The last reason of everyone who has rows in `gone` and none in `kept`."""
    last = gone.lazy().group_by(name).agg(pl.col("reason").max())
    return last.join(kept.lazy(), on=name, how="anti").collect()["reason"]


def code(frame: pl.DataFrame, item_ids: pl.Series) -> tuple[pl.DataFrame, pl.Series]:
    """Give ids codes.

    Args:
        frame: valid interactions: every item is in the catalogue.
        item_ids: of the catalogue, ascending.

    Returns:
        `user`, `item` (places in the ascending user ids, and in the ascending `item_ids`)
        and `timestamp_ns` (0 where the source has no times); and the ascending user ids.
    """
    user_ids = distinct_ids(frame["user_id"])
    coded = frame.select(
        places(frame["user_id"], user_ids).alias("user"),
        places(frame["item_id"], item_ids).alias("item"),
        pl.col("timestamp_ns").fill_null(0),
    )
    return coded, user_ids


def drop_duplicates(frame: pl.DataFrame, duplicates: Duplicates) -> tuple[pl.DataFrame, Dropped]:
    """Keep one interaction of each (user, item), the last or the first in time, or all."""
    if duplicates == "keep_all":
        return frame, Dropped({})
    keep: Literal["last", "first"] = "last" if duplicates == "keep_last" else "first"
    kept = frame.unique(["user", "item"], keep=keep, maintain_order=True)
    return kept, Dropped({f"duplicate_{duplicates}": frame.height - kept.height})


def keep_core(
    frame: pl.DataFrame, *, user_core: int, item_core: int
) -> tuple[pl.DataFrame, Dropped]:
    """Drop rare users and items, in turn, until every one left has enough interactions.

    The result is the largest such set, so it does not depend on who goes first. Under
    `keep_all` repeated interactions count as many.
    """
    sides = {
        "user_core": (frame["user"].to_numpy(), user_core),
        "item_core": (frame["item"].to_numpy(), item_core),
    }
    kept: NDArray[np.bool_] = np.ones(frame.height, dtype=np.bool_)
    gone = {name: np.zeros(3, dtype=np.int64) for name in sides}
    left, before = _left(sides, kept), -1
    while before != left[0]:
        before = int(left[0])
        for name, (codes, least) in sides.items():
            if least > 1:
                kept &= ~_rare(codes, kept, least)
                now = _left(sides, kept)
                gone[name] += left - now
                left = now
    counts = [{name: int(numbers[place]) for name, numbers in gone.items()} for place in range(3)]
    return frame.filter(pl.Series(kept)), Dropped(*counts)


def _left(
    sides: Mapping[str, tuple[NDArray[np.int32], int]], kept: NDArray[np.bool_]
) -> NDArray[np.int64]:
    """How many interactions, users and items are left: [3]."""
    distinct = [np.count_nonzero(np.bincount(codes[kept])) for codes, _ in sides.values()]
    return np.array([kept.sum(), *distinct], dtype=np.int64)


def _rare(codes: NDArray[np.int32], kept: NDArray[np.bool_], least: int) -> NDArray[np.bool_]:
    num_codes = int(codes.max(initial=-1)) + 1
    counts = np.bincount(codes[kept], minlength=num_codes)
    return np.asarray(kept & (counts[codes] < least))
