"""Content of items in, the same with the embeddings of their IDs added out, or some left out.

Shapes: N items incl. padding, n items asked for, D embedding_dim.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class IdDropout(nn.Module):
    """How much of the embedding of its ID each item has: nothing of those that go without.

    What is left is not scaled up: with its ID an item is in training what it is when ranked.

    Args:
        training_counts: Training interactions of each item, [N].
        chance: Of an item to go without in a training step.
        min_count: Items with fewer training interactions go without in training and outside.
        ranked_weight: What the embedding counts outside training.
    """

    has_id: Tensor

    def __init__(
        self, training_counts: Tensor, *, chance: float, min_count: int, ranked_weight: float
    ) -> None:
        super().__init__()
        self.register_buffer("has_id", training_counts >= min_count, persistent=False)  # [N]
        self.chance = chance
        self.ranked_weight = ranked_weight

    def forward(self, items: Tensor | None) -> Tensor:
        """Factors of the items [n], each drawn once, or of the whole catalogue; [n, 1]."""
        has_id = self.has_id if items is None else self.has_id[items]  # [n]
        if not self.training:
            return (has_id * self.ranked_weight).unsqueeze(1)
        if self.chance:
            has_id = has_id & (torch.rand(len(has_id), device=has_id.device) >= self.chance)
        return has_id.unsqueeze(1)  # [n, 1]


def with_ids(
    vectors: Tensor, item_ids: Tensor | None, items: Tensor | None, factors: Tensor | None
) -> Tensor:
    """Vectors [n, D] plus the embeddings of the IDs.

    Args:
        vectors: of the items by their content.
        item_ids: [N, D]; None where IDs are not used.
        items: [n], or None for the whole catalogue in its order.
        factors: [n, 1] of the embeddings; None leaves them as they are.
    """
    if item_ids is None:
        return vectors
    own = item_ids if items is None else F.embedding(items, item_ids)  # [n, D]
    return vectors + (own if factors is None else own * factors)
