"""What recommenders share that add up, for each item of a history, a row of weights.

Shapes: B users, L history length, N items incl. padding.
"""

from __future__ import annotations

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

from mmrec.recommender import History, Recommender


class ItemToItem(Recommender):
    """Score of an item = the sum of its weights from all distinct items of the history.

    It has nothing to train and no vectors. It works on the CPU, in double precision: sums of the
    same weights in another order are equal in the single precision of the scores, so that what
    ties in exact numbers ties here.

    Args:
        weights: [N, N], from the item of a row to those of its columns; nothing of item 0.
        max_sequence_length: Latest items of a history that count.
    """

    def __init__(self, weights: sparse.csr_array, *, max_sequence_length: int) -> None:
        super().__init__(num_items=weights.shape[0], max_sequence_length=max_sequence_length)
        self.weights = weights.astype(np.float64)

    def scores(self, history: History) -> Tensor:
        """Sums of weights, [B, N] on the device of the history."""
        items = history.items.cpu()
        ends = (items != 0).sum(dim=1, keepdim=True)  # [B, 1]
        columns = torch.arange(items.shape[1])
        rows, places = ((columns < ends) & (columns >= ends - self.max_sequence_length)).nonzero(
            as_tuple=True
        )
        shape = (len(items), self.num_items)
        counted = counts(rows.numpy(), items[rows, places].numpy(), shape)
        found = (counted.astype(bool).astype(np.float64) @ self.weights).toarray()  # [B, N]
        return torch.from_numpy(found).float().to(history.items.device)


def counts(
    rows: np.ndarray[tuple[int], np.dtype[np.int64]],
    columns: np.ndarray[tuple[int], np.dtype[np.int64]],
    shape: tuple[int, int],
) -> sparse.csr_array:
    """How often each pair of row and column occurs, as a sparse matrix of that shape."""
    ones = np.ones(len(rows), dtype=np.int64)
    found = sparse.coo_array((ones, (rows, columns)), shape=shape).tocsr()
    found.sum_duplicates()
    return found
