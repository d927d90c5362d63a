"""Ragged feature rows in, one vector per item out: attention pooling and its variants.

Shapes: N items incl. padding, R feature rows, n items asked for, p of them that have rows,
r rows of those items, d feature width.
"""

from __future__ import annotations

from typing import Literal, NamedTuple, assert_never

import torch
from torch import Tensor, nn

from mmrec.nn.segments import Segments, mean_of_rows, softmax_pooled

PoolingMode = Literal["attention", "attention_frozen_unmasked", "mean"]


class Rows(NamedTuple):
    """Feature rows of those of n items that have any."""

    segments: Segments  # of p items
    order: Tensor  # [n] number of an item among the p, or p and more if it has no row

    @property
    def num_items(self) -> int:
        """Items asked for, with and without rows."""
        return len(self.order)


class RaggedFeatures(nn.Module):
    """Frozen feature rows of a catalogue, and a learned stand-in for items that have none.

    The rows are data, not weights: they are left out of the state dict, so that weights
    trained on one catalogue can be loaded for another. They stay in the precision they are
    stored in. Where items have several rows, these are converted a chunk at a time as they are
    used; where no item has two, pooling gives the converted rows themselves.

    Args:
        vectors: Feature rows, [R, d].
        offsets: Rows of item i are `offsets[i]:offsets[i + 1]`, [N + 1].
    """

    vectors: Tensor
    offsets: Tensor
    owners: Tensor
    starts: Tensor
    counts: Tensor
    order: Tensor

    def __init__(self, vectors: Tensor, offsets: Tensor) -> None:
        super().__init__()
        offsets = offsets.long()
        counts = offsets.diff()
        has_rows = counts > 0
        owners = torch.repeat_interleave(counts[has_rows])
        buffers = {
            "vectors": vectors,
            "offsets": offsets,
            "owners": owners,
            "starts": offsets[:-1][has_rows],
            "counts": counts[has_rows],
            "order": _order(has_rows),
        }
        for name, buffer in buffers.items():
            self.register_buffer(name, buffer, persistent=False)
        self.max_rows = int(counts.max()) if len(counts) else 0
        self.missing = nn.Parameter(torch.empty(vectors.shape[1]).normal_(std=0.02))

    def all_rows(self) -> Rows:
        """Rows of the whole catalogue."""
        segments = Segments(self.vectors, None, self.owners, self.starts, self.counts)
        return Rows(segments, self.order)

    def rows_of(self, items: Tensor) -> Rows:
        """Rows of the items [n], in that order."""
        first = self.offsets[items]
        counts = self.offsets[items + 1] - first
        has_rows = counts > 0
        first, counts = first[has_rows], counts[has_rows]
        starts = counts.cumsum(0) - counts
        owners = torch.repeat_interleave(counts)
        index = torch.arange(len(owners), device=items.device) + (first - starts)[owners]
        return Rows(Segments(self.vectors, index, owners, starts, counts), _order(has_rows))


class AttentionPooling(nn.Module):
    """Weighted sum of an item's rows, weights softmax(x W1 w2) over its rows (MP4SR 3.3.2).

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

    def forward(self, segments: Segments, max_rows: int, dtype: torch.dtype) -> Tensor:
        """Pool to [p, d].

        Args:
            segments: The items' feature rows.
            max_rows: Most rows of any item in the catalogue: what the unmasked mode pads to.
            dtype: Of the result.
        """
        if max_rows <= 1:
            return segments.rows_between(0, len(segments.owners), dtype)
        match self.mode:
            case "mean":
                return mean_of_rows(segments, dtype)
            case "attention":
                return softmax_pooled(segments, self._weights(dtype))
            case "attention_frozen_unmasked":
                return softmax_pooled(segments, self._weights(dtype), padded_to=max_rows)
            case _:
                assert_never(self.mode)

    def without_effect(self) -> Tensor:
        """Zero, with zero gradients for the weights.

        Where every item has one row its weight is 1, whatever the parameters are. An optimiser
        treats a parameter with a zero gradient otherwise than one that has none.
        """
        zeros = (parameter.sum() * 0 for parameter in self.parameters())
        return sum(zeros, start=torch.zeros(()))

    def _weights(self, dtype: torch.dtype) -> Tensor:
        with torch.autocast(self.hidden.device.type, enabled=False):
            return (self.hidden @ self.score).to(dtype)  # [d]


def _order(has_rows: Tensor) -> Tensor:
    """Numbers [n] of the items with rows first, then of those without."""
    num_with = has_rows.sum()
    return torch.where(has_rows, has_rows.cumsum(0), num_with + (~has_rows).cumsum(0)) - 1
