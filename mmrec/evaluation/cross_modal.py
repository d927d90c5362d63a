"""Retrieval across modalities: the text vector of an item in, the rank of its own picture out.

Shapes: n items, D width of their vectors, B items of a chunk.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from mmrec.evaluation.metrics import metric_names, summarize
from mmrec.evaluation.ranks import rank_targets
from mmrec.nn.scoring import score

CHUNK = 1024


def cross_modal_metrics(
    queries: Tensor, candidates: Tensor, cutoffs: Sequence[int]
) -> dict[str, float]:
    """Metrics of finding an item's own candidate among those of all items.

    Args:
        queries: [n, D], of one modality.
        candidates: [n, D], of the same items in another.
        cutoffs: the K.

    Raises:
        ValueError: a score is not finite.
    """
    names = metric_names(cutoffs)
    summary = summarize(cross_modal_ranks(queries, candidates).numpy(), names)
    return {name: float(summary[name]) for name in names}


def cross_modal_ranks(queries: Tensor, candidates: Tensor) -> Tensor:
    """Rank of each item's own candidate, int64 [n] on the CPU; equals count against it."""
    table = torch.cat([candidates.new_zeros(1, candidates.shape[1]), candidates])  # [n + 1, D]
    own = torch.arange(1, len(table), device=table.device)
    ranks = [
        rank_targets(score(part, table), targets)
        for part, targets in zip(torch.split(queries, CHUNK), torch.split(own, CHUNK), strict=True)
    ]
    return torch.cat(ranks).cpu()
