"""Queries and an item table in, scores of every item out.

Shapes: B queries, N items incl. padding, D embedding_dim or several streams of it side by side.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

# Vectors shorter than this count as zero, so that a gradient never becomes huge.
NORM_EPS = 1e-6


def at_least_float32(values: Tensor) -> Tensor:
    """The values in float32, or as they are in float64."""
    return values.to(torch.promote_types(values.dtype, torch.float32))


def unit(vectors: Tensor) -> Tensor:
    """Scale to length 1 along the last dimension; a zero vector stays zero. Never below float32."""
    return F.normalize(at_least_float32(vectors), dim=-1, eps=NORM_EPS)


def score(queries: Tensor, table: Tensor) -> Tensor:
    """Inner products [B, N] with the padding item, column 0, at minus infinity."""
    # Items first: this way round the product is two to three times as fast on a CPU.
    scores = (table @ queries.T).T  # [B, N]
    scores[:, 0] = -torch.inf
    return scores
