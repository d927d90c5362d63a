"""Top-K search that is exact to the last bit: queries in, item indices and scores out.

FAISS finds candidates fast, but its float32 scores depend on how queries are grouped, and
it cuts ties arbitrarily. So candidates are scored once more, in double precision, and a
list is final only when nothing outside the candidates can still enter it. The result is
then a function of query and items alone: not of chunks, threads, or a heap's order.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from mmrec.evaluation.vectors import Vectors
from mmrec.retrieval.index import Index

Indices = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

_MARGIN = 8
"""Candidates beyond K that are scored again at first."""
_MARGIN_GROWTH = 8
_TOLERANCE = 1e-5
"""Bound of the float32 error of an inner product, relative to both lengths."""
_MAX_CELLS = 1 << 22
"""Values of candidates, or of their vectors, held at a time: a few tens of megabytes."""


class Histories(NamedTuple):
    """Items not to be returned; those of user u are `items[offsets[u]:offsets[u + 1]]`."""

    items: Indices
    offsets: Indices

    def lengths(self, users: Indices) -> Indices:
        """Number of entries of each user."""
        lengths: Indices = self.offsets[users + 1] - self.offsets[users]
        return lengths

    def contain(self, users: Indices, items: Indices) -> Bools:
        """Whether items [users, W] occur in the history of the user of their row."""
        lengths = self.lengths(users)
        rows = np.repeat(np.arange(users.size), lengths)
        starts = np.repeat(self.offsets[users] - np.cumsum(lengths) + lengths, lengths)
        seen = self.items[starts + np.arange(rows.size)]
        base = 1 + max(int(items.max(initial=0)), int(seen.max(initial=0)))
        keys = items + base * np.arange(users.size)[:, None]
        found: Bools = np.isin(keys, seen + base * rows)
        return found


class Matches(NamedTuple):
    """Best items by user, best first; a list that ends early is filled with item 0."""

    items: Indices
    scores: Vectors


def search(
    index: Index, vectors: Vectors, queries: Vectors, hidden: Histories, top_k: int
) -> Matches:
    """The `top_k` best items of each query that are not in its `hidden` history.

    Ties in score go to the smaller item index.

    Args:
        index: Index whose id i is row i - 1 of `vectors`.
        vectors: Item vectors [I, d].
        queries: User vectors [U, d].
        hidden: Histories of these users.
        top_k: Length of a list; shorter where fewer items are left.
    """
    shape = (queries.shape[0], top_k)
    matches = Matches(np.zeros(shape, np.int64), np.full(shape, -np.inf, np.float32))
    longest = np.linalg.norm(vectors, axis=1).max()
    tolerance = _TOLERANCE * longest * np.linalg.norm(queries, axis=1)
    # Users with histories of like length share a search, so that one reader of everything
    # does not widen the search of all others.
    pending = np.argsort(-hidden.lengths(np.arange(shape[0])), kind="stable")
    margin = _MARGIN
    while pending.size:
        wanted = min(top_k + margin, vectors.shape[0])
        unsettled = []
        while pending.size:
            width = min(wanted + int(hidden.lengths(pending[:1])[0]), vectors.shape[0])
            cells = max(width, wanted * vectors.shape[1])
            users, pending = np.split(pending, [max(1, _MAX_CELLS // cells)])
            candidates = _unhidden(index, queries[users], hidden, users, width, wanted)
            best, settled = _best(candidates, vectors, queries[users], tolerance[users], top_k)
            matches.items[users, : best.items.shape[1]] = best.items
            matches.scores[users, : best.items.shape[1]] = best.scores
            unsettled.append(users[~settled])
        pending = np.concatenate(unsettled)
        margin *= _MARGIN_GROWTH
    return matches


def _unhidden(
    index: Index, queries: Vectors, hidden: Histories, users: Indices, width: int, wanted: int
) -> Matches:
    scores, items = index.search(queries, width)
    drop = hidden.contain(users, items)
    items[drop], scores[drop] = 0, -np.inf
    keep = np.argsort(drop, axis=1, kind="stable")[:, :wanted]
    return Matches(np.take_along_axis(items, keep, 1), np.take_along_axis(scores, keep, 1))


def _best(
    candidates: Matches, vectors: Vectors, queries: Vectors, tolerance: Vectors, top_k: int
) -> tuple[Matches, Bools]:
    """Best of the candidates, and whether no item outside them can belong there."""
    real = candidates.items > 0
    gathered = vectors[candidates.items - real].astype(np.float64)
    exact = np.einsum("ukd,ud->uk", gathered, queries.astype(np.float64)).astype(np.float32)
    exact[~real] = -np.inf
    order = np.lexsort((candidates.items, -exact))[:, :top_k]
    best = Matches(
        np.take_along_axis(candidates.items, order, 1), np.take_along_axis(exact, order, 1)
    )
    # What is outside scores at most what the last candidate scores; where there were fewer
    # candidates than asked for, or all items were candidates, nothing is outside.
    complete = ~real[:, -1] | (real.shape[1] == vectors.shape[0])
    beyond_reach = candidates.scores[:, -1] < best.scores[:, -1] - tolerance
    return best, complete | beyond_reach
