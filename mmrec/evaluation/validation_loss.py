"""Scores of held-out rows, as they are ranked, in; the mean cross-entropy of their targets out.

Shapes: R rows, B rows of a chunk, N items incl. padding.
"""

from __future__ import annotations

import torch
from torch import Tensor


class TargetLosses:
    """-log w_t exp(s_t) / sum_j w_j exp(s_j) of every target, what a user has seen included.

    Args:
        num_rows: R.
        log_weights: log w of the items [N], minus infinity of what is no candidate; a scalar for
            all alike.
    """

    def __init__(self, num_rows: int, log_weights: Tensor) -> None:
        self._losses = torch.zeros(num_rows, dtype=torch.float64)
        self._log_weights = log_weights

    def add(self, rows: Tensor, scores: Tensor, targets: Tensor) -> None:
        """Take scores [B, N], padding at minus infinity, of rows [B] with targets [B]."""
        if self._log_weights.dim():
            scores = scores + self._log_weights.to(scores)
        of_targets = scores.gather(1, targets.unsqueeze(1)).squeeze(1)  # [B]
        losses = scores.logsumexp(dim=1) - of_targets
        self._losses[rows.cpu()] = losses.double().cpu()

    def mean(self) -> float | None:
        """Over the targets that are candidates; None where none is."""
        counted = self._losses[self._losses < torch.inf]
        return float(counted.mean()) if len(counted) else None
