"""Item-kNN: items that the same users chose are neighbours (as in RecBole).

Shapes: U users, N items incl. padding, c candidates of a chunk.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import torch
from scipy import sparse

from mmrec.data.sequences import Sequences
from mmrec.models.item_to_item import ItemToItem, counts

MAX_PAIRS = 1 << 24
"""Pairs of a candidate and an item of one of its users that are looked at together."""
NORM_EPS = 1e-6
"""RecBole's, in the denominator of a similarity."""

Integers = npt.NDArray[np.int64]


class ItemKnn(ItemToItem):
    """Score = sum over the history of the similarity to the candidate; nothing to train."""


def nearest_neighbours(
    sequences: Sequences, num_items: int, *, num_neighbours: int, shrink: float
) -> sparse.csr_array:
    """Similarity of each item to the candidates whose neighbour it is, [N, N].

    It is the number of users that i and j share / (sqrt(users of i x users of j) + shrink); a user
    counts once however often he chose an item, and nothing is its own neighbour. Of each candidate
    only the `num_neighbours` most similar items are kept; among equally similar ones those of the
    smaller index. No matrix of N x N numbers is ever made.

    Args:
        sequences: training parts.
        num_items: N.
        num_neighbours: k.
        shrink: makes small overlaps count less.
    """
    chosen = _chosen(sequences, num_items)  # [U, N]
    users_of = chosen.T.tocsr()  # [N, U]
    num_users = np.diff(users_of.indptr)  # [N]
    kept: list[tuple[Integers, Integers, npt.NDArray[np.float64]]] = []
    for first, last in _chunks(chosen, users_of):
        shared = (users_of[first:last] @ chosen).tocoo()  # [c, N]
        candidates, items = shared.row.astype(np.int64) + first, shared.col.astype(np.int64)
        norms = np.sqrt(num_users[candidates] * num_users[items])
        similarity = shared.data / (norms + shrink + NORM_EPS)
        other = candidates != items
        found = (candidates[other], items[other], similarity[other])
        kept.append(_most_similar(*found, num_neighbours))
    candidates, items, similarity = (np.concatenate(parts) for parts in zip(*kept, strict=True))
    shape = (num_items, num_items)
    return sparse.coo_array((similarity, (items, candidates)), shape=shape).tocsr()


def _chosen(sequences: Sequences, num_items: int) -> sparse.csr_array:
    """1 where a user chose an item, [U, N]."""
    users = torch.repeat_interleave(torch.arange(sequences.num_users), sequences.lengths)
    shape = (sequences.num_users, num_items)
    chosen = counts(users.numpy(), sequences.items.long().numpy(), shape)
    chosen.data[:] = 1
    return chosen


def _chunks(chosen: sparse.csr_array, users_of: sparse.csr_array) -> Iterator[tuple[int, int]]:
    """Consecutive candidates, so that all items of all their users are not too many."""
    pairs = np.cumsum(users_of @ np.diff(chosen.indptr))  # [N]
    first = 0
    while first < len(pairs):
        done = pairs[first - 1] if first else 0
        last = max(first + 1, int(np.searchsorted(pairs, done + MAX_PAIRS, side="right")))
        yield first, last
        first = last


def _most_similar(
    candidates: Integers, items: Integers, similarity: npt.NDArray[np.float64], count: int
) -> tuple[Integers, Integers, npt.NDArray[np.float64]]:
    """Of each candidate's items the `count` most similar."""
    order = np.lexsort((items, -similarity, candidates))
    candidates, items, similarity = candidates[order], items[order], similarity[order]
    own_first = np.searchsorted(candidates, candidates, side="left")
    near = np.arange(len(candidates)) - own_first < count
    return candidates[near], items[near], similarity[near]
