"""A text vector and an image vector of each item in, one vector per item out.

Shapes: n items, D embedding_dim.

MMSR's coarse fusions (paper's Table 3, released code). One layer norm serves both vectors. What an
item without text or image has in its place is the caller's to say.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmrec.nn.dropout import dropout
from mmrec.nn.transformer import initialise

NORM_EPS = 1e-6
NUM_DNN_LAYERS = 3


class Summation(nn.Module):
    """W_x LN(text) + W_y LN(image)."""

    def __init__(self, embedding_dim: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(embedding_dim, eps=NORM_EPS)
        self.text = nn.Linear(embedding_dim, embedding_dim)
        self.image = nn.Linear(embedding_dim, embedding_dim)
        initialise(self, "xavier_normal")

    def forward(self, vectors: Tensor) -> Tensor:
        """Text first; [n, 2, D] -> [n, D]."""
        text, image = self.norm(vectors).unbind(dim=1)  # [n, D] each
        fused: Tensor = self.text(text) + self.image(image)
        return fused


class Concatenation(nn.Module):
    """W [LN(text); LN(image)]."""

    def __init__(self, embedding_dim: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(embedding_dim, eps=NORM_EPS)
        self.output = nn.Linear(2 * embedding_dim, embedding_dim)
        initialise(self, "xavier_normal")

    def forward(self, vectors: Tensor) -> Tensor:
        """Text first; [n, 2, D] -> [n, D]."""
        fused: Tensor = self.output(self.norm(vectors).flatten(1))
        return fused


class FiLM(nn.Module):
    """W_o (scale * LN(image) + shift), scale and shift being W LN(text)."""

    def __init__(self, embedding_dim: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(embedding_dim, eps=NORM_EPS)
        self.scale_shift = nn.Linear(embedding_dim, 2 * embedding_dim)
        self.output = nn.Linear(embedding_dim, embedding_dim)
        initialise(self, "xavier_normal")

    def forward(self, vectors: Tensor) -> Tensor:
        """Text first; [n, 2, D] -> [n, D]."""
        text, image = self.norm(vectors).unbind(dim=1)  # [n, D] each
        scale, shift = self.scale_shift(text).chunk(2, dim=1)  # [n, D] each
        fused: Tensor = self.output(scale * image + shift)
        return fused


class Gate(nn.Module):
    """W_o (sigmoid(W_x LN(text)) * W_y LN(image))."""

    def __init__(self, embedding_dim: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(embedding_dim, eps=NORM_EPS)
        self.text = nn.Linear(embedding_dim, embedding_dim)
        self.image = nn.Linear(embedding_dim, embedding_dim)
        self.output = nn.Linear(embedding_dim, embedding_dim)
        initialise(self, "xavier_normal")

    def forward(self, vectors: Tensor) -> Tensor:
        """Text first; [n, 2, D] -> [n, D]."""
        text, image = self.norm(vectors).unbind(dim=1)  # [n, D] each
        fused: Tensor = self.output(torch.sigmoid(self.text(text)) * self.image(image))
        return fused


class Dnn(nn.Module):
    """What may follow each: dropout, dense map, ReLU, three times, the last ReLU included."""

    def __init__(self, embedding_dim: int, dropout: float) -> None:
        super().__init__()
        self.dropout = dropout
        self.layers = nn.ModuleList(
            nn.Linear(embedding_dim, embedding_dim) for _ in range(NUM_DNN_LAYERS)
        )
        initialise(self, "xavier_normal")

    def forward(self, vectors: Tensor) -> Tensor:
        """[n, D] -> [n, D], nothing below 0."""
        for layer in self.layers:
            vectors = F.relu(layer(dropout(vectors, self.dropout, training=self.training)))
        return vectors
