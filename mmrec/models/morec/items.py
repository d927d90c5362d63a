"""Item side of MoRec: one head per feature, and what joins two.

Shapes: n items, d feature width, M modalities, D embedding_dim.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from mmrec.nn.transformer import initialise


class MorecHead(nn.Module):
    """A dense map, then GELU (released code); [n, d] -> [n, D]."""

    def __init__(self, feature_dim: int, embedding_dim: int) -> None:
        super().__init__()
        self.output = nn.Linear(feature_dim, embedding_dim)
        initialise(self, "normal")

    def forward(self, vectors: Tensor) -> Tensor:
        """Embed."""
        return F.gelu(self.output(vectors))


class ConcatenatedFeatures(nn.Module):
    """A dense map of all of them side by side; [n, M, D] -> [n, D]."""

    def __init__(self, num_features: int, embedding_dim: int) -> None:
        super().__init__()
        self.output = nn.Linear(num_features * embedding_dim, embedding_dim)
        initialise(self, "normal")

    def forward(self, vectors: Tensor) -> Tensor:
        """Join."""
        joined: Tensor = self.output(vectors.flatten(1))
        return joined
