"""Popularity: every user gets the items with the most training interactions.

Shapes: B users, N items incl. padding.
"""

from __future__ import annotations

import torch
from torch import Tensor

from mmrec.recommender import History, VectorRecommender


class Popularity(VectorRecommender):
    """Score = number of training interactions; nothing to train. Equal counts are ties.

    Args:
        training_counts: Interactions of each item in the training sequences, [N].
    """

    training_counts: Tensor

    def __init__(self, training_counts: Tensor) -> None:
        super().__init__(num_items=len(training_counts), max_sequence_length=1)
        self.register_buffer("training_counts", training_counts.float(), persistent=False)

    def item_table(self) -> Tensor:
        """Counts as one-dimensional vectors, [N, 1]."""
        table = self.training_counts.unsqueeze(1).clone()  # [N, 1]
        table[0] = 0
        return table

    def encode(self, history: History) -> Tensor:
        """The same query for everybody, [B, 1]."""
        return torch.ones(len(history.items), 1, device=history.items.device)
