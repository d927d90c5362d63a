"""Supervised training of any recommender: predict the next item among the whole catalogue."""

from __future__ import annotations

from torch import Tensor

from mmrec.models.recommender import NextItemModel, Objective, TrainingBatch
from mmrec.nn.losses import full_cross_entropy
from mmrec.nn.processes import Parts


class NextItemObjective(Objective):
    """Full cross-entropy of every trained position's next item."""

    def __init__(self, recommender: NextItemModel) -> None:
        super().__init__()
        self.recommender: NextItemModel = recommender

    def forward(self, batch: TrainingBatch) -> dict[str, Tensor]:
        """Loss `next_item`."""
        return {"next_item": next_item_loss(self.recommender, batch)}


def next_item_loss(recommender: NextItemModel, batch: TrainingBatch) -> Tensor:
    """Mean cross-entropy over the trained positions of a batch; of several processes, a part."""
    rows, columns = batch.targets.nonzero(as_tuple=True)  # [n], [n]
    queries, table = recommender.queries_and_table(batch.items, rows, columns)
    parts = Parts.of(len(rows), rows.device)
    if not len(rows):
        return queries.sum() * 0 + table.sum() * 0  # its gradients are zeros, and not missing
    return full_cross_entropy(queries, table, batch.targets[rows, columns]) * parts.share
