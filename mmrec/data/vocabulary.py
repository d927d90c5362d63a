"""External string ids in, contiguous integers out; of items 0 is padding, items are 1..I."""

from __future__ import annotations

import polars as pl

FIRST_ITEM_INDEX = 1


def distinct_ids(ids: pl.Series) -> pl.Series:
    """Each id once, in ascending order of their UTF-8 bytes."""
    return ids.unique().sort()


def places(ids: pl.Series, distinct: pl.Series) -> pl.Series:
    """Place of each id among distinct ones, int32; an id that is none of them is an error."""
    # The numbers of an Enum are places in its list: a fraction of the memory of a join.
    return ids.cast(pl.Enum(distinct)).to_physical().cast(pl.Int32)
