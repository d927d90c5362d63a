"""Neighbours by content: candidates that are like the latest items of the history.

Score of a candidate = the sum, over the latest items of the history, of their weight times the
cosine of candidate and item. An item that stands there twice counts twice, and a candidate that
stands there is like itself. Dividing by the length of the summed vector, as a user's profile in
the vector space model, changes no order. An item without content scores 0 and adds nothing.

Shapes: B users, L history length, N items incl. padding, D width of a vector, c candidates of a
chunk, K neighbours.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import torch
from scipy import sparse
from torch import Tensor

from mmrec.evaluation.top_items import rounds, top_items
from mmrec.recommender import History, Recommender, VectorRecommender

MAX_SCORES = 1 << 22
"""Similarities of candidates to all items that are in memory at once."""


class ContentVectors(VectorRecommender):
    """By dense vectors: the query is the weighted sum of those of the history.

    Args:
        vectors: [N, D] of unit length, or zeros.
        history_length: Latest items that count.
        decay: Weight of an item in comparison with the one after it.
    """

    vectors: Tensor

    def __init__(self, vectors: Tensor, *, history_length: int, decay: float) -> None:
        super().__init__(num_items=len(vectors), max_sequence_length=history_length)
        self.register_buffer("vectors", vectors, persistent=False)
        self.decay = decay

    def item_table(self) -> Tensor:
        """The vectors, [N, D]."""
        return self.vectors

    def encode(self, history: History) -> Tensor:
        """Weighted sums, [B, D]."""
        weights = history_weights(history.items, self.max_sequence_length, self.decay)
        read = self.vectors[history.items]  # [B, L, D]
        return (weights.to(read.dtype).unsqueeze(1) @ read).squeeze(1)  # [B, D]


class SparseContent(Recommender):
    """By sparse vectors or by weights of neighbours: on the CPU, in double precision.

    Sums of the same weights in another order are equal in the single precision of the scores.

    Args:
        read: [N, D] of the items of a history.
        scored: [N, D] of candidates.
        history_length: Latest items that count.
        decay: Weight of an item in comparison with the one after it.
    """

    def __init__(
        self,
        read: sparse.csr_array,
        scored: sparse.csr_array,
        *,
        history_length: int,
        decay: float,
    ) -> None:
        super().__init__(num_items=read.shape[0], max_sequence_length=history_length)
        self.read, self.scored, self.decay = read, scored, decay

    def scores(self, history: History) -> Tensor:
        """Sums, [B, N] on the device of the history."""
        items = history.items.cpu()
        weights = history_weights(items, self.max_sequence_length, self.decay)
        rows, places = weights.nonzero(as_tuple=True)
        values = (weights[rows, places].numpy(), (rows.numpy(), items[rows, places].numpy()))
        weighed = sparse.coo_array(values, shape=(len(items), self.num_items)).tocsr()
        queries = np.ascontiguousarray((weighed @ self.read).toarray().T)  # [D, B]
        found = np.ascontiguousarray((self.scored @ queries).T)  # [B, N]
        return torch.from_numpy(found).float().to(history.items.device)


def history_weights(items: Tensor, history_length: int, decay: float) -> Tensor:
    """Weight of each place [B, L]: 1 of the last item, `decay` times that of the one before it, …

    0 of padding, and of what is further back than `history_length`; float64.
    """
    ends = (items != 0).sum(dim=1, keepdim=True)  # [B, 1]
    steps_back = ends - 1 - torch.arange(items.shape[1], device=items.device)  # [B, L]
    counts = (steps_back >= 0) & (steps_back < history_length)
    weights = torch.full((), decay, dtype=torch.float64, device=items.device) ** steps_back
    return weights.where(counts, 0.0)


def nearest_by_content(
    similarities: Callable[[int, int], Tensor],
    has_content: Tensor,
    *,
    num_neighbours: int,
    max_scores: int = MAX_SCORES,
) -> sparse.csr_array:
    """Similarity of each candidate to its most similar items, [N, N]; 0 to all others.

    Of equally similar items those of the smaller index are kept; items without content are
    nobody's neighbours. No matrix of N x N numbers is ever made.

    Args:
        similarities: of the candidates from one index up to another to all items, [c, N].
        has_content: bool [N].
        num_neighbours: K.
        max_scores: c x N at most, unless N alone is more.
    """
    num_items = len(has_content)
    step = max(1, max_scores // num_items)
    kept: list[tuple[npt.NDArray[np.int64], ...]] = []
    values: list[npt.NDArray[np.float64]] = []
    for first in range(0, num_items, step):
        found = similarities(first, min(num_items, first + step))  # [c, N]
        found[:, ~has_content] = -torch.inf
        near = top_items(rounds(found), num_neighbours)  # [c, K]
        rows, places = near.nonzero(as_tuple=True)
        columns = near[rows, places]
        kept.append(((rows + first).numpy(), columns.numpy()))
        values.append(found[rows, columns].numpy().astype(np.float64))
    rows_of, columns_of = (np.concatenate(parts) for parts in zip(*kept, strict=True))
    shape = (num_items, num_items)
    weights = sparse.coo_array((np.concatenate(values), (rows_of, columns_of)), shape=shape).tocsr()
    weights.eliminate_zeros()
    return weights
