"""Training on the next item among all items that weigh unlike, or among those that train.

Shapes: n training samples, c candidates, N items incl. padding, D' width of a query.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from mmrec.models.next_item import NextItemLoss, NextItemModel, Samples, zero
from mmrec.nn.losses import full_cross_entropy

Candidates = Literal["all", "trained"]


class WeighedSoftmax(NextItemLoss):
    """-log w_t exp(s_t) / sum_j w_j exp(s_j), w_j = training interactions of j ** `power`.

    With `power` 1 it is the logit-adjusted softmax of Menon et al. (Long-tail learning via logit
    adjustment, ICLR 2021, eq. 10, tau = 1): popularity is explained by the weights, so that
    scores, which have none, need not hold it.

    Args:
        training_counts: Training interactions of each item, [N]; none counts as one.
        candidates: All items, or those with training interactions: only these are encoded, but
            for what is in histories, and no other item is pushed down.
        power: of the weights; 0 weighs all alike.
    """

    items: Tensor
    places: Tensor
    log_candidate_weights: Tensor

    def __init__(self, training_counts: Tensor, *, candidates: Candidates, power: float) -> None:
        super().__init__()
        self.candidates: Candidates = candidates
        self.power = power
        trained = training_counts > 0
        trained[0] = True  # padding is in its place, and no candidate
        kept = trained if candidates == "trained" else torch.ones_like(trained)
        weights = power * log_counts(training_counts)
        self.register_buffer("items", kept.nonzero().squeeze(1), persistent=False)  # [c + 1]
        places = (kept.cumsum(0) - 1).masked_fill(~kept, -1)  # no target: what trains is trained
        self.register_buffer("places", places, persistent=False)  # [N]
        weights = weights.masked_fill(~kept, -torch.inf)
        self.register_buffer("log_candidate_weights", weights, persistent=False)  # [N]

    def mean(self, recommender: NextItemModel, samples: Samples) -> Tensor:
        """Encode and score the candidates."""
        items, rows, columns, targets, _ = samples
        if self.candidates == "all":
            queries, table = recommender.queries_and_table(items, rows, columns)
        else:
            queries, table = recommender.queries_and_candidates(items, rows, columns, self.items)
        if not len(rows):
            return zero(queries, table)
        if self.power:  # one more column of both, whose product is the log of the weight
            weights = self.log_candidate_weights[self.items].to(table.dtype)
            queries = torch.cat([queries, torch.ones_like(queries[:, :1])], dim=1)
            table = torch.cat([table, weights.unsqueeze(1)], dim=1)
        return full_cross_entropy(queries, table, self.places[targets])

    def log_weights(self) -> Tensor:
        """Those of the candidates; minus infinity of what is none."""
        return self.log_candidate_weights


def log_counts(training_counts: Tensor) -> Tensor:
    """Log of training interactions [N], none as one; float64 [N], 0 of padding."""
    return training_counts.double().clamp(min=1).log()
