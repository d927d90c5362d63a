"""Rows that belong to items: those of an item lie between two offsets.

N items with padding, r rows.
"""

from __future__ import annotations

import torch
from torch import Tensor


class ItemRows:
    """Any number of rows per item."""

    offsets: Tensor
    """[N + 1] int64: rows of item i are offsets[i]:offsets[i + 1]."""

    @property
    def num_items(self) -> int:
        """Items including padding."""
        return len(self.offsets) - 1

    @property
    def counts(self) -> Tensor:
        """[N] rows per item."""
        return self.offsets.diff()

    def rows_of(self, item_indices: Tensor) -> tuple[Tensor, Tensor]:
        """Where the rows of the items lie.

        Args:
            item_indices: any shape; read in flattened order, repeats allowed.

        Returns:
            row_index: [r] rows, item after item.
            segment: [r] for each row, the position of its item in the flattened indices.
        """
        flat = item_indices.reshape(-1)
        starts = self.offsets[flat]
        return rows_between(starts, self.offsets[flat + 1] - starts)


def rows_between(starts: Tensor, counts: Tensor) -> tuple[Tensor, Tensor]:
    """Adjacent rows from each of `starts` on.

    Returns:
        row_index: [r] the rows, one start after another.
        segment: [r] for each row, the position of its start.
    """
    segment = torch.repeat_interleave(counts)
    begin = counts.cumsum(0) - counts
    within = torch.arange(len(segment), device=starts.device) - begin[segment]
    return starts[segment] + within, segment


def offsets_of(counts: Tensor) -> Tensor:
    """[n + 1] where each of n groups of these sizes begins and the last one ends."""
    return torch.cat([counts.new_zeros(1), counts.cumsum(0)])
