"""Training by gaps: items of a sequence are masked, and predicted from what is on both sides.

The mask is a token of its own: index N, one beyond the items. It is in no table that is scored, so
that it is neither a candidate nor a class of the softmax.

Shapes: R rows, T items of all rows, B rows of a batch, L longest of them, N items incl. padding,
n tokens, D width of their vectors.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from hashlib import blake2b
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from mmrec.data.batches import Batch
from mmrec.data.cutting import cut_batches
from mmrec.data.histories import pad_slices
from mmrec.data.sequences import Sequences
from mmrec.device import choose_device
from mmrec.evaluation.evaluator import require_held_out
from mmrec.io import DataError
from mmrec.models.data import ModelData, TrainingRun
from mmrec.models.next_item import NextItemLoss, NextItemModel, TrainingBatch
from mmrec.models.next_item_training import Samples, next_item_validation
from mmrec.params.training import UserTrainingParams
from mmrec.recommender import BatchSource, Objective, Training
from mmrec.seeds import derive_seed

CHUNK_BATCHES = 16
"""Batches that are sorted by length together: less mixes worse, more pads more."""


class MaskedItemObjective(Objective):
    """A recommender that is trained on its scores at masked positions."""

    def __init__(self, recommender: NextItemModel, loss: NextItemLoss) -> None:
        super().__init__()
        self.recommender: NextItemModel = recommender
        self.loss = loss

    def forward(self, batch: TrainingBatch) -> dict[str, Tensor]:
        """Loss `masked_item`."""
        return {"masked_item": self.loss(self.recommender, batch)}


def masked_training(
    objective: MaskedItemObjective,
    settings: UserTrainingParams,
    data: ModelData,
    run: TrainingRun,
    batches: Callable[[Sequences, int], BatchSource],
) -> Training:
    """Train an objective on masked items; an epoch is judged by the ranks of validation items.

    Args:
        objective: is moved to the chosen device.
        settings: of the training.
        data: of the run.
        run: of which the training is.
        batches: gives the source of them, of training parts on the device and a seed.

    Raises:
        DataError: there is nothing to train or nobody to validate on.
    """
    sequences, held_out = Samples.of(data)
    require_held_out(held_out)  # and not when an epoch has been trained
    objective.to(choose_device())
    source = batches(sequences.to(choose_device()), derive_seed(run.seed, run.stage))
    validation = next_item_validation(
        objective.recommender, objective.loss, held_out, settings, data, run
    )
    return Training(objective, source, validation)


class MaskedBatches:
    """The latest items of every user as a row, once per epoch, with other masks in each.

    What is masked is part of the batches, and not drawn in a step: it is the same however many
    processes share a batch, and a batch holds at most `batch_size` masked items.

    Args:
        sequences: training parts, on the device where batches are wanted.
        mask: index of the mask token.
        max_sequence_length: most items of a row.
        mask_probability: chance of an item to be masked; one of each row is, if no other.
        last_only_share: chance of a row to have its last item masked, and no other.
        batch_size: targets per batch.
        seed: of the order and the masks.

    Raises:
        DataError: there is no item to train on.
        ValueError: a row with all items masked would not fit a batch.
    """

    def __init__(
        self,
        sequences: Sequences,
        *,
        mask: int,
        max_sequence_length: int,
        mask_probability: float,
        last_only_share: float,
        batch_size: int,
        seed: int,
    ) -> None:
        users = sequences.lengths.cpu().nonzero().squeeze(1)  # [R]
        if not len(users):
            raise DataError("no training sample: no user has an item in the training part")
        lengths = sequences.lengths.cpu()[users].clamp(max=max_sequence_length)
        if int(lengths.max()) > batch_size:
            raise ValueError(
                f"batch_size ({batch_size} targets) cannot hold the longest row "
                f"({int(lengths.max())} items); raise batch_size or lower max_sequence_length"
            )
        self._items = sequences.items
        self._rows = _Rows(users, sequences.offsets.cpu()[users + 1] - lengths, lengths)
        self._settings = (mask, mask_probability, last_only_share, batch_size, seed)

    @property
    def digest(self) -> str:
        """Changes with the items, the rows, the batch size, the order and the masks."""
        digest = blake2b(repr(self._settings).encode(), digest_size=16)
        for tensor in (self._items, *self._rows):
            digest.update(np.ascontiguousarray(tensor.cpu().numpy()).data)
        return digest.hexdigest()

    def epoch(self, epoch: int) -> MaskedEpoch:
        """Batches of an epoch in random order; rows of similar lengths each."""
        mask, mask_probability, last_only_share, batch_size, seed = self._settings
        generator = torch.Generator().manual_seed(derive_seed(seed, "order and masks", epoch))
        lengths = self._rows.lengths
        masked = draw_masks(
            lengths,
            mask_probability=mask_probability,
            last_only_share=last_only_share,
            generator=generator,
        )
        firsts = lengths.cumsum(0) - lengths  # [R]
        num_masked = torch.segment_reduce(masked.double(), "sum", lengths=lengths).long()  # [R]
        order = torch.randperm(len(lengths), generator=generator)
        chunk_rows = len(lengths) * batch_size / int(num_masked.sum()) * CHUNK_BATCHES
        chunk = torch.arange(len(order)) // max(1, round(chunk_rows))
        order = order[(chunk * (int(lengths.max()) + 1) + lengths[order]).argsort(stable=True)]
        borders = cut_batches(num_masked[order].numpy(), batch_size)
        cuts = list(pairwise(borders))
        shuffled = [cuts[at] for at in torch.randperm(len(cuts), generator=generator).tolist()]
        rows = [order[first:last] for first, last in shuffled]
        return MaskedEpoch(self._items, mask, self._rows, masked, firsts, rows)


class MaskedEpoch:
    """Sized and iterable; rows are gathered and masked when their turn comes."""

    def __init__(
        self,
        items: Tensor,
        mask: int,
        rows: _Rows,
        masked: Tensor,
        firsts: Tensor,
        batches: list[Tensor],
    ) -> None:
        device = items.device
        self._items, self._mask, self._masked = items, mask, masked.to(device)
        self._rows, self._firsts = _Rows(*(column.to(device) for column in rows)), firsts.to(device)
        self._batches = [batch.to(device) for batch in batches]

    def __len__(self) -> int:
        return len(self._batches)

    def __iter__(self) -> Iterator[Batch]:
        for batch in self._batches:
            users, starts, lengths = (column[batch] for column in self._rows)
            width = int(lengths.max())
            items = pad_slices(self._items, starts, lengths, width)  # [B, L]
            masked = pad_slices(self._masked, self._firsts[batch], lengths, width).bool()
            yield Batch(
                items=items.masked_fill(masked, self._mask),
                targets=items.masked_fill(~masked, 0),
                users=users,
            )


class _Rows(NamedTuple):
    users: Tensor  # [R]
    starts: Tensor  # [R] of the row, among the items of the sequences
    lengths: Tensor  # [R]


def draw_masks(
    lengths: Tensor, *, mask_probability: float, last_only_share: float, generator: torch.Generator
) -> Tensor:
    """Which items of rows of these lengths [R] are masked, row after row; bool [T]."""
    row = torch.repeat_interleave(torch.arange(len(lengths)), lengths)  # [T]
    draws = torch.rand(len(row), dtype=torch.float64, generator=generator)
    least = torch.segment_reduce(draws, "min", lengths=lengths)  # [R]
    masked = (draws < mask_probability) | (draws == least[row])
    last_only = torch.rand(len(lengths), dtype=torch.float64, generator=generator) < last_only_share
    is_last = torch.zeros_like(masked)
    is_last[lengths.cumsum(0) - 1] = True
    return torch.where(last_only[row], is_last, masked)


def with_mask(tokens: Tensor, item_vectors: Tensor, mask_vector: Tensor) -> Tensor:
    """Vectors of tokens [n] from those of items [N, D], and of the mask [D]; [n, D]."""
    is_mask = tokens == len(item_vectors)
    found = F.embedding(tokens.masked_fill(is_mask, 0), item_vectors)
    return torch.where(is_mask.unsqueeze(1), mask_vector, found)


def with_mask_behind(items: Tensor, mask: int) -> Tensor:
    """Right-padded rows with the mask after their last item; [B, L] -> [B, L + 1]."""
    ends = (items != 0).sum(dim=1, keepdim=True)  # [B, 1]
    return F.pad(items, (0, 1)).scatter(1, ends, mask)
