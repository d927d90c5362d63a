"""What is trained on and later than what is tested: a log with its parts in, shares out."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mmrec.data.counted import TIME


def later_training_shares(coded: pl.DataFrame) -> dict[str, float]:
    """Of pairs of a test target and an interaction that trains, how many are the wrong way round.

    A target stands for what is asked at its time; an interaction of anybody that is later (not at
    the same time) was not known then. What is trained on helps to predict every target:

    - `later_training_share`: of all pairs of a target and a training interaction, those where the
      training interaction is later;
    - `later_training_share_of_items`: the same of pairs of one item, where what is trained on says
      of the target itself that it is chosen. Left out where no target has been trained on.

    Sorted once and searched, so a million interactions take about a second.

    Args:
        coded: `item`, the source's times, and the `part` of every interaction; of one without any
            that trains, or that tests, nothing is said.
    """
    trained, tested = (
        coded.filter(pl.col("part") == part).select("item", TIME) for part in ("training", "test")
    )
    if trained.is_empty() or tested.is_empty():
        return {}
    times, asked_at = (of_part[TIME].to_numpy() for of_part in (trained, tested))
    shares = {"later_training_share": _num_later(times, asked_at).mean() / len(times)}
    # Times as places in their order, so that an item and a time are one number.
    distinct = np.unique(np.concatenate([times, asked_at]))
    width = len(distinct) + 1
    by_item = np.sort(_keys(trained, times, distinct, width))
    keys = _keys(tested, asked_at, distinct, width)
    firsts = tested["item"].to_numpy().astype(np.int64) * width
    behind = np.searchsorted(by_item, firsts + width)
    later = behind - np.searchsorted(by_item, keys, side="right")
    of_item = behind - np.searchsorted(by_item, firsts)
    if of_item.any():
        shares["later_training_share_of_items"] = later.sum() / of_item.sum()
    return {name: float(share) for name, share in shares.items()}


def _num_later(times: NDArray[np.int64], asked_at: NDArray[np.int64]) -> NDArray[np.int64]:
    """How many of the times are later than each of those asked at."""
    return len(times) - np.searchsorted(np.sort(times), asked_at, side="right")


def _keys(
    rows: pl.DataFrame, times: NDArray[np.int64], distinct: NDArray[np.int64], width: int
) -> NDArray[np.int64]:
    items = rows["item"].to_numpy().astype(np.int64)
    return np.asarray(items * width + np.searchsorted(distinct, times))
