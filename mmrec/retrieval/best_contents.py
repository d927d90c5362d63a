"""Vectors of what items have in, the items with the best of them out: exact to the last bit."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from mmrec.evaluation.vectors import Vectors
from mmrec.retrieval.index import index_of
from mmrec.retrieval.reranking import Floats, Items, Lists, Reranking, reranked
from mmrec.retrieval.search import Histories, search


class BestContents(NamedTuple):
    """A row of each item that is found, best first."""

    rows: Items  # [K]
    scores: Floats  # [K]


def best_contents(units: Vectors, owners: Items, query: Vectors, top_k: int) -> BestContents:
    """The best row of each of the `top_k` items that have the best rows, by cosine.

    Ties go to the smaller row.

    Args:
        units: [R, d] of length 1.
        owners: [R], whose each row is.
        query: [d] of length 1.
        top_k: how many items; fewer where fewer have rows.
    """
    index = index_of(units, np.arange(1, len(units) + 1))
    nothing = Histories(np.empty(0, np.int64), np.zeros(2, np.int64))

    def best(length: int) -> Lists:
        found = search(index, units, query[None], nothing, length)
        return Lists(found.items, found.scores.astype(np.float64))

    how = Reranking(
        length=min(top_k, len(np.unique(owners))),
        groups=np.concatenate([[-1], owners]),
        max_per_group=1,
    )
    lists = reranked(best, how, len(units))
    return BestContents(lists.items[0] - 1, lists.scores[0])
