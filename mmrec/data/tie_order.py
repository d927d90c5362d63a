"""Interactions of users in; the same, by user and time, and at equal times as is asked for, out."""

from __future__ import annotations

from hashlib import blake2b
from typing import assert_never

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mmrec.params.split import TieOrder


def sort_by_time(
    coded: pl.DataFrame,
    *,
    user_ids: pl.Series,
    item_ids: pl.Series,
    tie_order: TieOrder,
    tie_seed: int,
) -> pl.DataFrame:
    """Sort by user, then time; at equal times as the rows are, by item id, or at random.

    A random place follows from the seed, the ids of user and item, and how often the user has had
    the item before: neither other users nor the order of the rows have a say in it.

    Args:
        coded: `user`, `item`, places in the ids, and `timestamp_ns`.
        user_ids: ascending.
        item_ids: ascending.
        tie_order: what decides at equal times.
        tie_seed: of a random order.
    """
    match tie_order:
        case "file":
            return coded.sort("user", "timestamp_ns", maintain_order=True)
        case "item":
            return coded.sort("user", "timestamp_ns", "item", maintain_order=True)
        case "random":
            by_item = coded.sort("user", "timestamp_ns", "item", maintain_order=True)
            earlier = by_item.select(pl.int_range(pl.len()).over("user", "item")).to_series()
            users = _numbers(user_ids, "user", tie_seed)[by_item["user"].to_numpy()]
            items = _numbers(item_ids, "item", tie_seed)[by_item["item"].to_numpy()]
            places = _mixed(_mixed(users + items) + earlier.to_numpy().astype(np.uint64))
            return (
                by_item.with_columns(place=pl.Series(places))
                .sort("user", "timestamp_ns", "place", maintain_order=True)
                .drop("place")
            )
        case _:
            assert_never(tie_order)


def _numbers(ids: pl.Series, kind: str, seed: int) -> NDArray[np.uint64]:
    """A number of 64 bits for each id, which looks like chance."""
    key, person = str(seed).encode(), kind.encode()
    digests = (blake2b(one.encode(), digest_size=8, key=key, person=person) for one in ids)
    return np.frombuffer(b"".join(digest.digest() for digest in digests), dtype="<u8")


def _mixed(numbers: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Every bit of a number depends on all of its bits (the last step of SplitMix64)."""
    numbers = (numbers ^ (numbers >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    numbers = (numbers ^ (numbers >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return numbers ^ (numbers >> np.uint64(31))
