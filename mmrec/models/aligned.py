"""Training on next items, and beside it on IDs that find their own items' content.

Shapes: n distinct targets, D embedding_dim.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from mmrec.models.next_item import NextItemLoss, NextItemModel, Samples, TrainingBatch
from mmrec.nn.losses import item_contrast
from mmrec.nn.processes import num_processes
from mmrec.recommender import Objective


class IdsAndContent(NamedTuple):
    """Two views of the same items, in one space."""

    ids: Tensor  # [n, D]
    content: Tensor  # [n, D]


class IdAlignment(nn.Module):
    """Contrast of the IDs of items with their content, in both directions.

    Args:
        views: gives both for items [n], with gradient.
        weight: of the loss.
        temperature: Divides cosines.
    """

    def __init__(
        self, views: Callable[[Tensor], IdsAndContent], *, weight: float, temperature: float
    ) -> None:
        super().__init__()
        self.views = views
        self.weight = weight
        self.temperature = temperature

    def forward(self, batch: TrainingBatch) -> Tensor:
        """Weighted loss over the distinct targets of the batch; of several processes, a part."""
        samples = Samples.of(batch)
        items = torch.unique(samples.parts.gather(samples.targets))  # [n]
        ids, content = self.views(items)
        loss = item_contrast(ids, content, temperature=self.temperature)
        return self.weight * loss / num_processes()  # each computes the loss of all


class AlignedObjective(Objective):
    """The next item and the alignment at once."""

    def __init__(
        self, recommender: NextItemModel, next_item: NextItemLoss, alignment: IdAlignment
    ) -> None:
        super().__init__()
        self.recommender: NextItemModel = recommender
        self.next_item = next_item
        self.alignment = alignment

    def forward(self, batch: TrainingBatch) -> dict[str, Tensor]:
        """Losses `next_item` and `alignment`."""
        return {
            "next_item": self.next_item(self.recommender, batch),
            "alignment": self.alignment(batch),
        }
