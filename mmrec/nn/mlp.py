"""Vectors in, vectors of another width out: two dense maps.

Shapes: n vectors, d width of the inputs, D width of the outputs.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from mmrec.nn.dropout import dropout
from mmrec.nn.transformer import initialise


class Mlp(nn.Module):
    """Dropout, dense map, ReLU, twice, the last ReLU included (as in RecBole)."""

    def __init__(self, input_dim: int, embedding_dim: int, dropout: float) -> None:
        super().__init__()
        self.dropout = dropout
        self.hidden = nn.Linear(input_dim, embedding_dim)
        self.output = nn.Linear(embedding_dim, embedding_dim)
        initialise(self, "normal")

    def forward(self, inputs: Tensor) -> Tensor:
        """[n, d] -> [n, D]."""
        for layer in (self.hidden, self.output):
            inputs = F.relu(layer(dropout(inputs, self.dropout, training=self.training)))
        return inputs
