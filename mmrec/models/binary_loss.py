"""Training on the next item against one other: neither a softmax nor more than two items each.

Shapes: n training samples, B sequences of length L, c distinct items, N items incl. padding.
"""

from __future__ import annotations

import torch
from torch import Tensor

from mmrec.models.next_item import NextItemLoss, NextItemModel, Samples
from mmrec.nn.negatives import binary_cross_entropy, items_outside


class BinaryCrossEntropy(NextItemLoss):
    """The target up, one other item down, drawn anew for each position of each batch.

    The other item is any that is not in the row of the batch, all alike: neither among what the
    row has of the history nor among what follows. A row is as much of a user's training part as a
    window holds; a longer history may be drawn from.

    Args:
        num_items: N.
    """

    def __init__(self, *, num_items: int) -> None:
        super().__init__()
        self.num_items = num_items

    def mean(self, recommender: NextItemModel, samples: Samples) -> Tensor:
        """Encode and score the batch's targets and what is drawn."""
        items, rows, columns, targets, parts = samples
        uniform = parts.uniform(2, rows.device)  # [n, 2]
        negatives = items_outside(_windows(samples), rows, uniform, self.num_items)  # [n]
        candidates, place = torch.unique(torch.cat([targets, negatives]), return_inverse=True)
        queries, vectors = recommender.queries_and_candidates(items, rows, columns, candidates)
        of_targets, of_negatives = vectors.index_select(0, place).tensor_split([len(targets)])
        return binary_cross_entropy(queries, of_targets, of_negatives, negatives > 0)


def _windows(samples: Samples) -> Tensor:
    """All items of each row, those to be predicted among them; [B, 2 L]."""
    following = torch.zeros_like(samples.items)
    following[samples.rows, samples.columns] = samples.targets
    return torch.cat([samples.items, following], dim=1)
