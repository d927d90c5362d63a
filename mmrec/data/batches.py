"""Training batches out of flat sequences: windows, length buckets, trimmed padding.

A training row is a window into the flat item array: `start`, `length` and how many of
its last positions are trained; the target of a position is the item after it. `dense` and
`latest` rows train many positions at once, `prefix` rows one. Everything is index arithmetic on
whole arrays, on the device that holds the items; Python runs once per batch.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b
from typing import Literal, NamedTuple, assert_never

import numpy as np
import torch
from torch import Tensor

from mmrec.data.cutting import cut_batches
from mmrec.data.histories import pad_slices
from mmrec.data.sequences import Sequences
from mmrec.io import DataError
from mmrec.seeds import derive_seed

CHUNK_BATCHES = 16
"""Batches that are sorted by length together: less mixes worse, more pads more."""


@dataclass(frozen=True)
class Batch:
    """Right-padded rows and what follows each trained position.

    Attributes:
        items: int64 [B, L], 0 is padding, L the longest row of the batch.
        targets: int64 [B, L], the next item at trained positions, 0 elsewhere.
        users: int64 [B], user index of each row.
    """

    items: Tensor
    targets: Tensor
    users: Tensor

    @property
    def num_samples(self) -> Tensor:
        """Trained positions."""
        return (self.targets != 0).sum()

    def part(self, rank: int, size: int) -> Batch:
        """The rows that one of several processes trains.

        With fewer rows than processes the last ones get a row that trains nothing.
        """
        rows = torch.tensor_split(torch.arange(len(self.items)), size)[rank]
        if not len(rows):
            return Batch(self.items[:1], torch.zeros_like(self.targets[:1]), self.users[:1])
        own = slice(int(rows[0]), int(rows[-1]) + 1)
        return Batch(self.items[own], self.targets[own], self.users[own])


class _Rows(NamedTuple):
    users: Tensor
    starts: Tensor
    lengths: Tensor
    num_trained: Tensor

    def select(self, order: Tensor) -> _Rows:
        return _Rows(*(column[order] for column in self))


class TrainingBatches:
    """Every training target of a set of sequences, once per epoch; or those of latest windows.

    The first target of a user is its second item. A batch holds at most `batch_size`
    targets, or one more where one target would be left alone.

    Args:
        sequences: training parts, on the device where batches are wanted.
        batching: `dense` trains all positions of a row at once, in windows where a
            sequence is longer than `max_sequence_length`; `latest` those of the last
            window alone; `prefix` has a row per target.
        max_sequence_length: most items of history in a row.
        window_overlap: items of history that each further window starts with, so that
            a target has that many before it or all there are; half the length by default;
            `dense` only.
        batch_size: targets per batch.
        seed: of the order.

    Raises:
        DataError: no user has two items.
    """

    def __init__(
        self,
        sequences: Sequences,
        *,
        batching: Literal["dense", "prefix", "latest"],
        max_sequence_length: int,
        window_overlap: int | None,
        batch_size: int,
        seed: int,
    ) -> None:
        match batching:
            case "dense":
                overlap = max_sequence_length // 2 if window_overlap is None else window_overlap
                rows = dense_rows(sequences, max_sequence_length, overlap)
            case "latest":
                rows = latest_rows(sequences, max_sequence_length)
            case "prefix":
                rows = prefix_rows(sequences, max_sequence_length)
            case _:
                assert_never(batching)
        if not len(rows.users):
            raise DataError(
                "no training sample: no user has two items in the training part; "
                "lower clean.user_core or bring more interactions"
            )
        largest = int(rows.num_trained.max())
        if largest > batch_size:
            raise ValueError(
                f"batch_size ({batch_size} targets) cannot hold the longest window "
                f"({largest} targets); raise batch_size or lower max_sequence_length"
            )
        self._items = sequences.items
        self._rows = rows
        self._max_sequence_length = max_sequence_length
        # The samples of a prefix batch are each other's negatives in contrastive losses: they
        # must not be told apart by the length of their histories.
        self._bucketed = batching != "prefix"
        self._batch_size = batch_size
        self._seed = seed
        self.num_targets = int(rows.num_trained.sum())

    @property
    def digest(self) -> str:
        """Changes with the items, the rows, the batch size and the order."""
        digest = blake2b(f"{self._batch_size} {self._seed}".encode(), digest_size=16)
        for tensor in (self._items, *self._rows):
            digest.update(np.ascontiguousarray(tensor.cpu().numpy()).data)
        return digest.hexdigest()

    def epoch(self, epoch: int) -> EpochOfBatches:
        """Batches of an epoch in random order; all but `prefix` rows of similar lengths each."""
        generator = torch.Generator().manual_seed(derive_seed(self._seed, "order", epoch))
        order = torch.randperm(len(self._rows.users), generator=generator)
        if self._bucketed:
            order = self._by_length_in_chunks(order)
        rows = self._rows.select(order)
        borders = cut_batches(rows.num_trained.numpy(), self._batch_size)
        widths = np.maximum.reduceat(rows.lengths.numpy(), borders[:-1]).tolist()
        cuts = list(zip(borders[:-1], borders[1:], widths, strict=True))
        shuffled = torch.randperm(len(cuts), generator=generator).tolist()
        return EpochOfBatches(self._items, rows, [cuts[index] for index in shuffled])

    def _by_length_in_chunks(self, order: Tensor) -> Tensor:
        """Shuffled rows, sorted by length within each chunk.

        Chunks run up and down in turn: where two meet, lengths agree, and a batch across
        the border pads as little as any other.
        """
        num_rows = len(self._rows.users)
        rows_per_batch = num_rows * self._batch_size / self.num_targets
        chunk = torch.arange(num_rows) // max(1, round(CHUNK_BATCHES * rows_per_batch))
        direction = 1 - 2 * (chunk % 2)
        key = chunk * (2 * self._max_sequence_length + 1) + direction * self._rows.lengths[order]
        return order[key.argsort(stable=True)]


class EpochOfBatches:
    """Sized and iterable; rows are gathered from the flat array when their turn comes."""

    def __init__(self, items: Tensor, rows: _Rows, cuts: list[tuple[int, int, int]]) -> None:
        self._items = items
        self._rows = _Rows(*(column.to(items.device) for column in rows))
        self._cuts = cuts

    def __len__(self) -> int:
        return len(self._cuts)

    def __iter__(self) -> Iterator[Batch]:
        for first, last, width in self._cuts:
            users, starts, lengths, num_trained = (column[first:last] for column in self._rows)
            targets = pad_slices(self._items, starts + 1, lengths, width)  # [B, L]
            position = torch.arange(width, device=self._items.device)
            untrained = position < (lengths - num_trained)[:, None]
            yield Batch(
                items=pad_slices(self._items, starts, lengths, width),
                targets=targets.masked_fill_(untrained, 0),
                users=users,
            )


def dense_rows(sequences: Sequences, max_sequence_length: int, window_overlap: int) -> _Rows:
    """Windows that train each target once, with `window_overlap` items before it or all.

    The last window of a sequence ends at its end and is full, as histories are at
    inference; only the first may be shorter.
    """
    if not 0 <= window_overlap < max_sequence_length:
        raise ValueError(
            f"window_overlap ({window_overlap}) must be at least 0 and below "
            f"max_sequence_length ({max_sequence_length})"
        )
    inputs = sequences.lengths.cpu() - 1  # the last item is only ever a target
    stride = max_sequence_length - window_overlap
    further = (inputs - max_sequence_length + stride - 1).clamp(min=0) // stride
    num_windows = torch.where(inputs > 0, further + 1, 0)
    users, from_last = _expand(num_windows, descending=True)
    end = inputs[users] - from_last * stride
    start = (end - max_sequence_length).clamp(min=0)
    is_first = from_last == further[users]
    num_trained = torch.where(is_first, end, stride)
    return _Rows(users, sequences.offsets.cpu()[users] + start, end - start, num_trained)


def latest_rows(sequences: Sequences, max_sequence_length: int) -> _Rows:
    """One window per user, which ends where its sequence ends; all of its positions are trained."""
    inputs = (sequences.lengths.cpu() - 1).clamp(min=0)
    users = inputs.nonzero().squeeze(1)
    lengths = inputs[users].clamp(max=max_sequence_length)
    starts = sequences.offsets.cpu()[users] + inputs[users] - lengths
    return _Rows(users, starts, lengths, lengths)


def prefix_rows(sequences: Sequences, max_sequence_length: int) -> _Rows:
    """A row for each target, with the latest `max_sequence_length` items before it."""
    users, position = _expand((sequences.lengths.cpu() - 1).clamp(min=0), descending=False)
    lengths = (position + 1).clamp(max=max_sequence_length)
    starts = sequences.offsets.cpu()[users] + position + 1 - lengths
    return _Rows(users, starts, lengths, torch.ones_like(lengths))


def _expand(counts: Tensor, *, descending: bool) -> tuple[Tensor, Tensor]:
    """Owner of each of `counts` repeats, and its number among the owner's repeats."""
    owners = torch.repeat_interleave(torch.arange(len(counts)), counts)
    number = torch.arange(len(owners)) - (counts.cumsum(0) - counts)[owners]
    return owners, counts[owners] - 1 - number if descending else number
