"""External string ids in, contiguous integers out; of items 0 is padding, items are 1..I."""

from __future__ import annotations

import polars as pl

FIRST_ITEM_INDEX = 1


def assign_indices(ids: pl.Series, *, first: int) -> pl.DataFrame:
    """Number the distinct ids from `first` in ascending order of their UTF-8 bytes.

    Returns:
        Columns: that of `ids`, ascending, and `index` int32.
    """
    distinct = ids.unique().sort()
    numbers = pl.int_range(first, first + len(distinct), dtype=pl.Int32, eager=True)
    return pl.DataFrame([distinct, numbers.alias("index")])
