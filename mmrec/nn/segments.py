"""Runs of feature rows in, one weighted sum per run out, a chunk of rows at a time.

Shapes: R feature rows of a table, r rows asked for, p segments (runs of rows that belong to one
item), d feature width; c rows of a chunk, s its segments.

A chunk is read from where the table lies, converted, used for everything and forgotten: what is
pooled is never held in another precision as a whole. The backward pass reads it once more.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

# Values at once: 1 MiB in float32 stays in the cache of a core, an accelerator wants more to do.
CHUNK_VALUES = {"cpu": 1 << 18}
CHUNK_VALUES_ELSEWHERE = 1 << 27


class Segments(NamedTuple):
    """Rows of a table, segment after segment; none is empty."""

    vectors: Tensor  # [R, d]
    taken: Tensor | None  # [r] rows of the table, None = all in order
    owners: Tensor  # [r] segment of a row, ascending
    starts: Tensor  # [p] first row of each segment
    counts: Tensor  # [p] rows of each segment

    def rows_between(self, first: int, last: int, dtype: torch.dtype) -> Tensor:
        """Rows `first:last` of the r; float32 rows in order are not copied."""
        if self.taken is None:
            return self.vectors[first:last].to(dtype)
        return self.vectors.index_select(0, self.taken[first:last]).to(dtype)

    def chunks(self) -> Iterator[Chunk]:
        """Whole segments together, as many as fit into a chunk, at least one."""
        budget = CHUNK_VALUES.get(self.vectors.device.type, CHUNK_VALUES_ELSEWHERE)
        num_rows, num_segments = len(self.owners), len(self.starts)
        limit = max(1, budget // max(1, self.vectors.shape[1]))
        borders = [(0, 0), (num_segments, num_rows)]
        if num_rows > limit:
            wanted = torch.arange(limit, num_rows, limit, device=self.starts.device)
            inner = torch.unique(torch.searchsorted(self.starts, wanted, right=True) - 1)
            pairs = zip(inner.tolist(), self.starts[inner].tolist(), strict=True)
            borders[1:1] = [pair for pair in pairs if pair[0]]
        for (first, first_row), (last, last_row) in pairwise(borders):
            rows, own = slice(first_row, last_row), slice(first, last)
            yield Chunk(rows, own, self.owners[rows] - first, self.starts[own] - first_row)


class Chunk(NamedTuple):
    """Where a chunk lies among the rows and segments, and how it is divided."""

    rows: slice  # c of the r rows
    segments: slice  # s of the p segments
    owners: Tensor  # [c] number of a row's segment within the chunk
    starts: Tensor  # [s] first row of each within the chunk


def mean_of_rows(segments: Segments, dtype: torch.dtype) -> Tensor:
    """Mean of each segment's rows; [p, d]."""
    means = torch.empty(
        len(segments.starts), segments.vectors.shape[1], dtype=dtype, device=segments.owners.device
    )
    for chunk in segments.chunks():
        vectors = segments.rows_between(chunk.rows.start, chunk.rows.stop, dtype)
        weights = (1 / segments.counts[chunk.segments].to(dtype))[chunk.owners]
        means[chunk.segments] = _weighted_sum(vectors, weights, chunk.starts)
    return means


def softmax_pooled(segments: Segments, weights: Tensor, *, padded_to: int = 0) -> Tensor:
    """Sum of each segment's rows x, times the softmax of x @ weights over the segment; [p, d].

    Args:
        segments: rows of float16 or of the type of the weights.
        weights: [d]; the result is of their type.
        padded_to: segments with fewer rows than this are filled up with zero rows, which take
            their share of the softmax.
    """
    with torch.autocast(weights.device.type, enabled=False):
        pooled: Tensor = _SoftmaxPooled.apply(  # type: ignore[no-untyped-call]
            weights, *segments, padded_to
        )
        return pooled


class _SoftmaxPooled(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, weights: Tensor, *rest: Any) -> Tensor:
        *parts, padded_to = rest
        segments = Segments(*parts)
        shares = weights.new_empty(len(segments.owners))  # [r]
        pooled = weights.new_empty(len(segments.starts), len(weights))
        for chunk in segments.chunks():
            vectors = segments.rows_between(chunk.rows.start, chunk.rows.stop, weights.dtype)
            counts = segments.counts[chunk.segments]
            shares[chunk.rows] = _softmax(vectors @ weights, chunk.owners, counts, padded_to)
            pooled[chunk.segments] = _weighted_sum(vectors, shares[chunk.rows], chunk.starts)
        ctx.save_for_backward(shares, *segments)
        return pooled

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        shares, *parts = ctx.saved_tensors
        segments = Segments(*parts)
        weights_grad = gradient.new_zeros(gradient.shape[1])
        for chunk in segments.chunks():
            vectors = segments.rows_between(chunk.rows.start, chunk.rows.stop, gradient.dtype)
            by_row = gradient[chunk.segments].index_select(0, chunk.owners)  # [c, d]
            by_share = torch.linalg.vecdot(vectors, by_row)  # [c]
            weighted = shares[chunk.rows] * by_share
            means = gradient.new_zeros(len(chunk.starts)).index_add_(0, chunk.owners, weighted)
            by_score = weighted - shares[chunk.rows] * means[chunk.owners]  # [c]
            weights_grad.addmv_(vectors.T, by_score)
        return (weights_grad, *[None] * (len(segments) + 1))


def _softmax(scores: Tensor, owners: Tensor, counts: Tensor, padded_to: int) -> Tensor:
    """Softmax of the scores [c] within each segment, with scores 0 for the rows of padding."""
    highest = scores.new_full((len(counts),), 0.0 if padded_to else -torch.inf)
    highest.scatter_reduce_(0, owners, scores, "amax")
    powers = (scores - highest[owners]).exp_()
    totals = powers.new_zeros(len(counts)).index_add_(0, owners, powers)
    if padded_to:
        totals += (padded_to - counts).clamp(min=0) * (-highest).exp()
    return powers / totals[owners]


def _weighted_sum(vectors: Tensor, weights: Tensor, starts: Tensor) -> Tensor:
    """Sum of each segment's rows, each times its weight [c]; [s, d]."""
    index = torch.arange(len(vectors), device=vectors.device)
    return F.embedding_bag(index, vectors, starts, mode="sum", per_sample_weights=weights)
