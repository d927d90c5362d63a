"""A trained recommender in, the same with scores raised or lowered by popularity out.

Shapes: N items incl. padding, B users, D' width of a query.
"""

from __future__ import annotations

import torch
from torch import Tensor

from mmrec.models.weighed_softmax import log_counts
from mmrec.recommender import History, Recommender, VectorRecommender


class PopularityCorrected(VectorRecommender):
    """score + power * log(training interactions), which is one more dimension of the vectors.

    Args:
        recommender: gives the scores.
        training_counts: Training interactions of each item, [N]; none counts as one.
        power: below 0 it raises items that were chosen rarely.
    """

    log_counts: Tensor

    def __init__(
        self, recommender: VectorRecommender, training_counts: Tensor, *, power: float
    ) -> None:
        super().__init__(
            num_items=recommender.num_items, max_sequence_length=recommender.max_sequence_length
        )
        self.recommender = recommender
        self.power = power
        self.register_buffer("log_counts", log_counts(training_counts), persistent=False)

    def item_table(self) -> Tensor:
        """Rows with power * log(training interactions) last; [N, D' + 1], row 0 zeros."""
        table = self.recommender.item_table()
        raised = (self.power * self.log_counts).to(table)
        return torch.cat([table, raised.unsqueeze(1)], dim=1)

    def encode(self, history: History) -> Tensor:
        """Queries with 1 last; [B, D' + 1]."""
        return _with_one(self.recommender.encode(history))

    def encode_by(self, table: Tensor, history: History) -> Tensor:
        """The same of a table [N, D' + 1]."""
        return _with_one(self.recommender.encode_by(table[:, :-1], history))


def corrected(recommender: Recommender, training_counts: Tensor, *, power: float) -> Recommender:
    """The recommender as it ranks; itself where `power` is 0."""
    if not power:
        return recommender
    assert isinstance(recommender, VectorRecommender)  # as all that have a training
    found = PopularityCorrected(recommender, training_counts, power=power)
    return found.to(next(recommender.parameters()).device)


def _with_one(queries: Tensor) -> Tensor:
    return torch.cat([queries, torch.ones_like(queries[:, :1])], dim=1)
