"""Lists by falling score in; lists that repeat themselves less out.

Maximal marginal relevance (Carbonell and Goldstein 1998): place by place, of the items that are
left the one with the largest

    (1 - diversity) * relevance - diversity * (largest cosine to an item above it on the list),

relevance being the score scaled to 0 … 1 between the last and the first of the `POOL` best
candidates, among which lists are made more diverse. With a limit by group an item is passed over
whose group has its number of places; should the pool not fill a list, the candidates behind it
follow by falling score. Of equals the one with the better score comes first, so that with diversity
0 and no limit lists stay what they were.

Shapes: R lists, P candidates, N items incl. padding, D width of a vector, K length of a list.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Items = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Vectors = npt.NDArray[np.float32]

POOL = 100
"""Best candidates of a list among which it is made more diverse, if it is not longer itself."""
_VALUES_AT_ONCE = 1 << 24


class Lists(NamedTuple):
    """Item indices and scores, best first; item 0 at minus infinity behind the last."""

    items: Items  # [R, K]
    scores: Floats  # [R, K]


class Reranking(NamedTuple):
    """How lists are chosen.

    Attributes:
        length: K.
        diversity: 0 to 1.
        vectors: [N, D] of length 1 or 0; None where diversity is 0.
        groups: int64 [N], -1 for no group; None for no limit.
        max_per_group: places of a group on a list.
    """

    length: int
    diversity: float = 0.0
    vectors: Vectors | None = None
    groups: Items | None = None
    max_per_group: int = 1

    @property
    def pool(self) -> int:
        """Candidates that a list is made of, if no limit asks for more."""
        return max(POOL, 10 * self.length)


def reranked(best: Callable[[int], Lists], how: Reranking, num_items: int) -> Lists:
    """Lists as they are chosen, from as many candidates as that takes.

    Args:
        best: gives the best candidates of every list, as many as it is asked for.
        how: lists are chosen.
        num_items: of the catalogue: no list has more candidates.
    """
    length = min(how.pool, num_items)
    while True:
        items, scores = best(length)
        chosen = rerank(items, scores, how)
        is_short = (chosen < 0).any(axis=1) & (items[:, -1] > 0)
        if length >= num_items or not is_short.any():
            break
        length = min(4 * length, num_items)
    has = chosen >= 0
    return Lists(
        np.where(has, np.take_along_axis(items, chosen, 1), 0),
        np.where(has, np.take_along_axis(scores, chosen, 1), -np.inf),
    )


def rerank(items: Items, scores: Floats, how: Reranking) -> Items:
    """Columns of what is chosen for each place, int64 [R, K]; -1 where nothing is left.

    Args:
        items: [R, P] candidates by falling score, 0 behind the last.
        scores: [R, P] theirs.
        how: lists are chosen.
    """
    width = 1 if how.vectors is None else how.vectors.shape[1]
    rows = max(1, _VALUES_AT_ONCE // max(1, items.shape[1] * width))
    parts = [
        _chosen(items[start : start + rows], scores[start : start + rows], how)
        for start in range(0, len(items), rows)
    ]
    return np.concatenate([np.empty((0, how.length), np.int64), *parts])


def _chosen(items: Items, scores: Floats, how: Reranking) -> Items:
    value = _relevance(items, scores, how)  # [R, P]
    nearest = np.full(items.shape, -np.inf)
    pooled = None if how.vectors is None else how.vectors[items[:, : how.pool]]  # [R, pool, D]
    free = items > 0
    each = np.arange(len(items))
    chosen = np.full((len(items), how.length), -1, dtype=np.int64)
    for place in range(min(how.length, items.shape[1])):
        worth = value - how.diversity * np.where(np.isfinite(nearest), nearest, 0.0)
        best = np.where(free, worth, -np.inf).argmax(axis=1)  # [R]
        has = free[each, best]
        chosen[has, place] = best[has]
        free[each[has], best[has]] = False
        _bar_full_groups(free, items, chosen[:, : place + 1], how)
        if how.vectors is not None and pooled is not None:
            own = how.vectors[items[each, best]]  # [R, D]
            like = np.einsum("rpd,rd->rp", pooled, own)
            nearest[:, : how.pool] = np.maximum(nearest[:, : how.pool], like)
    return chosen


def _relevance(items: Items, scores: Floats, how: Reranking) -> Floats:
    """Of the pool 0 … 1 - diversity; behind it less than anything in it can be worth."""
    pool = min(how.pool, items.shape[1])
    real = items[:, :pool] > 0
    first = scores[:, :1]
    last = np.where(real, scores[:, :pool], np.inf).min(axis=1, keepdims=True)
    spread = np.where(first > last, first - last, 1.0)
    value = np.empty(items.shape)
    value[:, :pool] = (1 - how.diversity) * np.where(real, scores[:, :pool] - last, 0.0) / spread
    value[:, pool:] = -2.0 - np.arange(items.shape[1] - pool)
    return value


def _bar_full_groups(
    free: npt.NDArray[np.bool_], items: Items, chosen: Items, how: Reranking
) -> None:
    """No more of a group that the item chosen last has filled."""
    if how.groups is None:
        return
    rows = np.arange(len(items))
    listed = np.where(chosen >= 0, how.groups[items[rows[:, None], chosen]], -1)  # [R, places]
    latest = listed[:, -1]
    is_full = (latest >= 0) & ((listed == latest[:, None]).sum(axis=1) >= how.max_per_group)
    free &= ~(is_full[:, None] & (how.groups[items] == latest[:, None]))
