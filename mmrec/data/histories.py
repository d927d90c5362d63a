"""Histories: slices of the flat item array, gathered into right-padded rows for a model.

Everything is index arithmetic on whole arrays; no step costs Python time per user.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Histories:
    """History of row r, oldest first: `items[starts[r] : starts[r] + lengths[r]]`.

    Attributes:
        items: int32 [T], the flat array, shared with the sequences it comes from.
        users: int64 [R], user index of each row, ascending.
        starts: int64 [R].
        lengths: int64 [R]; 0 is a user without history.
    """

    items: Tensor
    users: Tensor
    starts: Tensor
    lengths: Tensor

    @property
    def num_rows(self) -> int:
        """R."""
        return len(self.users)

    def to(self, device: torch.device) -> Histories:
        """The same histories on another device."""
        tensors = (self.items, self.users, self.starts, self.lengths)
        return Histories(*(tensor.to(device) for tensor in tensors))

    def latest(self, max_length: int) -> Histories:
        """The same rows, each with its latest `max_length` items only."""
        kept = self.lengths.clamp(max=max_length)
        return Histories(self.items, self.users, self.starts + self.lengths - kept, kept)

    def flat(self) -> Tensor:
        """Items of all rows, one row behind the other: int32, as many as `lengths` add up to."""
        before = (self.lengths.cumsum(0) - self.lengths).repeat_interleave(self.lengths)
        position = torch.arange(len(before), device=self.items.device) - before
        return self.items[self.starts.repeat_interleave(self.lengths) + position]

    def padded(self, rows: Tensor) -> Tensor:
        """Items of `rows` [B], right-padded with 0: int64 [B, L], L the longest (at least 1)."""
        lengths = self.lengths[rows]
        width = max(1, int(lengths.max())) if len(rows) else 1
        return pad_slices(self.items, self.starts[rows], lengths, width)


def pad_slices(items: Tensor, starts: Tensor, lengths: Tensor, width: int) -> Tensor:
    """Slices of a flat array as right-padded rows: int64 [B, width], 0 behind the end."""
    if not items.numel():
        return starts.new_zeros(len(starts), width)
    position = torch.arange(width, device=items.device)  # [width]
    index = (starts[:, None] + position).clamp_(max=items.numel() - 1)  # [B, width]
    return items[index].long().masked_fill_(position >= lengths[:, None], 0)


def inference_batches(
    histories: Histories, *, max_sequence_length: int, token_budget: int
) -> Iterator[tuple[Tensor, Tensor]]:
    """Every row that has a history, once, as (rows int64 [B], items int64 [B, L]).

    Rows come longest first, so that padding is trimmed and memory peaks in the first
    batch. A batch holds at most `token_budget` positions, padding included, unless one
    row alone is longer. Rows without history are left out.
    """
    latest = histories.latest(max_sequence_length)
    order = latest.lengths.argsort(descending=True, stable=True)
    lengths: list[int] = latest.lengths[order].tolist()
    start, end = 0, int((latest.lengths > 0).sum())
    while start < end:
        stop = min(end, start + max(1, token_budget // lengths[start]))
        rows = order[start:stop]
        yield (
            rows,
            pad_slices(latest.items, latest.starts[rows], latest.lengths[rows], lengths[start]),
        )
        start = stop
