"""A log and a catalogue in; how many users, items and interactions they have out."""

from __future__ import annotations

from typing import Final, NamedTuple

import polars as pl

from mmrec.data.sources import columns as convert
from mmrec.data.sources.source_table import read_source_table
from mmrec.own_data.look import Look

FEW: Final = 10
"""Interactions below which an item is rare: `clean.cold_threshold` of the examples."""


class Size(NamedTuple):
    """Of what is left of a log once users with too few interactions are gone.

    Attributes:
        users: of the log.
        items: of the catalogue.
        interactions: of these users with these items.
        rare: items with at least one interaction and fewer than `FEW`.
        new: items without any.
    """

    users: int
    items: int
    interactions: int
    rare: int
    new: int

    @property
    def hardly_known(self) -> float:
        """The share of the items that are rare or new."""
        return (self.rare + self.new) / max(1, self.items)

    def __str__(self) -> str:
        return (
            f"{self.users:,} users, {self.items:,} items, {self.interactions:,} interactions "
            f"({self.interactions / max(1, self.items):.1f} an item); {self.rare:,} items have 1 "
            f"to {FEW - 1} of them, {self.new:,} none"
        )


def size_of(log: Look, user: str, item: str, items: pl.Series, core: int) -> Size:
    """Count users, items and interactions as a training would have them.

    Args:
        log: the log.
        user: its column of users.
        item: its column of items.
        items: ids of the catalogue.
        core: fewest interactions of a user that stays.
    """
    table = read_source_table(log.path, [user, item], separator=log.separator)
    found = pl.DataFrame({"user": convert.as_ids(table, user), "item": convert.as_ids(table, item)})
    known = found.drop_nulls().filter(pl.col("item").is_in(items.implode()))
    kept = known.filter(pl.len().over("user") >= core)
    counts = kept["item"].value_counts()["count"]
    num_items = items.n_unique()
    return Size(
        kept["user"].n_unique(),
        num_items,
        len(kept),
        int((counts < FEW).sum()),
        num_items - len(counts),
    )
