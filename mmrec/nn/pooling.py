"""Ragged feature rows in, one vector per item out: attention pooling and its variants.

Shapes: N items incl. padding, R feature rows, n items asked for, r rows of those items,
d feature width.
"""

from __future__ import annotations

from typing import Literal, NamedTuple, assert_never

import torch
import torch.nn.functional as F
from torch import Tensor, nn

PoolingMode = Literal["attention", "attention_frozen_unmasked", "mean"]

# Features up to this size are kept as float32, which saves a conversion in every step and is
# exact; larger ones stay as stored, and rows are converted when they are used.
MAX_FLOAT32_BYTES = 1 << 30


class Rows(NamedTuple):
    """Feature rows of n items, item after item."""

    vectors: Tensor  # [r, d]
    owners: Tensor  # [r] which of the n items a row belongs to, ascending
    starts: Tensor  # [n] first row of each item
    counts: Tensor  # [n] rows of each item, 0 = the item lacks this modality


class RaggedFeatures(nn.Module):
    """Frozen feature rows of a catalogue, and a learned stand-in for items that have none.

    The rows are data, not weights: they are left out of the state dict, so that weights
    trained on one catalogue can be loaded for another.

    Args:
        vectors: Feature rows, [R, d].
        offsets: Rows of item i are `offsets[i]:offsets[i + 1]`, [N + 1].
    """

    vectors: Tensor
    offsets: Tensor
    owners: Tensor

    def __init__(self, vectors: Tensor, offsets: Tensor) -> None:
        super().__init__()
        if vectors.numel() * 4 <= MAX_FLOAT32_BYTES:
            vectors = vectors.float()
        counts = offsets.long().diff()
        owners = torch.repeat_interleave(torch.arange(len(counts), device=counts.device), counts)
        self.register_buffer("vectors", vectors, persistent=False)
        self.register_buffer("offsets", offsets.long(), persistent=False)
        self.register_buffer("owners", owners, persistent=False)
        self.max_rows = int(counts.max()) if len(counts) else 0
        self.missing = nn.Parameter(torch.empty(vectors.shape[1]).normal_(std=0.02))

    def all_rows(self) -> Rows:
        """Rows of the whole catalogue, without copying float32 features."""
        vectors = self.vectors.to(self.missing.dtype)
        return Rows(vectors, self.owners, self.offsets[:-1], self.offsets.diff())

    def rows_of(self, items: Tensor) -> Rows:
        """Rows of the items [n], in that order."""
        first = self.offsets[items]
        counts = self.offsets[items + 1] - first
        starts = counts.cumsum(0) - counts
        owners = torch.repeat_interleave(torch.arange(len(items), device=items.device), counts)
        rows = torch.arange(len(owners), device=items.device) + (first - starts)[owners]
        return Rows(self.vectors[rows].to(self.missing.dtype), owners, starts, counts)

    def fill_missing(self, pooled: Tensor, counts: Tensor) -> Tensor:
        """Put the learned vector where an item has no row; [n, d] -> [n, d]."""
        return torch.where((counts > 0).unsqueeze(1), pooled, self.missing)


class AttentionPooling(nn.Module):
    """Weighted sum of an item's rows, weights softmax(x W1 w2) over its rows (MP4SR 3.2).

    With no non-linearity between the two maps, `x (W1 w2)` is the same function at a fraction
    of the cost of `(x W1) w2`. The factors stay separate parameters, so that optimisation takes
    the steps it takes in the paper. The paper's biases b1, b2 add the same number to every score
    of an item; a softmax over the item's rows is unchanged by it, so they are left out.

    Modes:
        attention: softmax over the real rows, trained.
        attention_frozen_unmasked: what the authors' code does: the softmax also runs over the
            zero rows that pad every item to the longest, and the weights are never trained.
        mean: the mean of the real rows, no parameters.
    """

    def __init__(self, feature_dim: int, attention_dim: int, mode: PoolingMode) -> None:
        super().__init__()
        self.mode: PoolingMode = mode
        if mode != "mean":
            trained = mode == "attention"
            shapes_and_fans = (
                ((feature_dim, attention_dim), feature_dim),
                ((attention_dim,), attention_dim),
            )
            self.hidden, self.score = (
                nn.Parameter(
                    torch.empty(shape).uniform_(-(fan**-0.5), fan**-0.5), requires_grad=trained
                )
                for shape, fan in shapes_and_fans
            )

    def forward(self, rows: Rows, max_rows: int) -> Tensor:
        """Pool to [n, d]; zeros where an item has no row.

        Args:
            rows: The items' feature rows.
            max_rows: Most rows of any item in the catalogue: what the unmasked mode pads to.
        """
        match self.mode:
            case "mean":
                weights = (1 / rows.counts.clamp(min=1).to(rows.vectors.dtype))[rows.owners]  # [r]
            case "attention":
                weights = segment_softmax(self._scores(rows), rows)
            case "attention_frozen_unmasked":
                weights = segment_softmax(self._scores(rows), rows, padded_to=max_rows)
            case _:
                assert_never(self.mode)
        return weighted_sum(rows, weights)

    def _scores(self, rows: Rows) -> Tensor:
        scores = rows.vectors @ (self.hidden @ self.score)  # [r]
        return scores.to(rows.vectors.dtype)


def segment_softmax(scores: Tensor, rows: Rows, padded_to: int = 0) -> Tensor:
    """Softmax of the scores [r] within each item, optionally with zero scores as padding.

    Args:
        scores: One score per row.
        rows: Says which rows belong together.
        padded_to: Items with fewer rows than this are filled up with rows of score 0, which
            take their share of the sum.
    """
    num_items = len(rows.counts)
    highest = (
        scores.new_zeros(num_items) if padded_to else scores.new_full((num_items,), -torch.inf)
    )
    highest = highest.scatter_reduce(0, rows.owners, scores.detach(), "amax")
    powers = (scores - highest[rows.owners]).exp()
    totals = powers.new_zeros(num_items).index_add(0, rows.owners, powers)
    if padded_to:
        totals = totals + (padded_to - rows.counts).clamp(min=0) * (-highest).exp()
    return powers / totals[rows.owners]


def weighted_sum(rows: Rows, weights: Tensor) -> Tensor:
    """Sum of an item's rows, each times its weight [r]; [n, d]."""
    index = torch.arange(len(rows.owners), device=weights.device)
    return F.embedding_bag(index, rows.vectors, rows.starts, mode="sum", per_sample_weights=weights)
