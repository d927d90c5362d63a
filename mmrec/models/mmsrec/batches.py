"""Prefixes of what users did, their last items masked and some others, for MMSRec's fine-tuning.

Shapes: R prefixes, B rows of a batch, L longest of them, N items incl. padding.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
import torch
from torch import Tensor

from mmrec.data.batches import Batch, prefix_rows
from mmrec.data.cutting import cut_batches
from mmrec.data.histories import pad_slices
from mmrec.data.sequences import Sequences
from mmrec.io import DataError
from mmrec.seeds import derive_seed


@dataclass(frozen=True)
class Corruption:
    """What happens to the items before the last of a row, which is always masked.

    Attributes:
        num_items: N: items are 1 to N - 1, and N is the mask.
        probability: of an item to be predicted.
        mask_share: of those, how many are masked.
        random_share: how many are replaced by any item, be it the same; the rest stays.
    """

    num_items: int
    probability: float
    mask_share: float
    random_share: float

    def corrupt(self, rows: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """What is shown of rows [B, L], right padded with 0, and the targets; [B, L] each."""
        real = rows != 0
        is_last = torch.zeros_like(real)
        is_last.scatter_(1, real.sum(dim=1, keepdim=True) - 1, True)
        chance, kind = torch.rand(2, *rows.shape, generator=generator).to(rows.device)
        predicted = real & (is_last | (chance < self.probability))
        is_random = ~is_last & (kind >= self.mask_share)
        stays = is_random & (kind >= self.mask_share + self.random_share)
        drawn = torch.randint(1, self.num_items, rows.shape, generator=generator).to(rows.device)
        shown = torch.where(is_random, torch.where(stays, rows, drawn), self.num_items)
        return torch.where(predicted, shown, rows), torch.where(predicted, rows, 0)


class MaskedPrefixes:
    """Every prefix of every user once per epoch, or a share of them, with masks of its own.

    What is masked is part of a batch, and not drawn in a step: it is the same however many
    processes share it.

    Args:
        sequences: training parts, on the device where batches are wanted.
        corruption: of the prefixes.
        max_sequence_length: latest items of a prefix that are read, its last included.
        prefix_share: of all prefixes, how many an epoch has.
        batch_size: prefixes per batch.
        seed: of the order and the masks.

    Raises:
        DataError: no user has two items.
    """

    def __init__(
        self,
        sequences: Sequences,
        corruption: Corruption,
        *,
        max_sequence_length: int,
        prefix_share: float,
        batch_size: int,
        seed: int,
    ) -> None:
        rows = prefix_rows(sequences, max_sequence_length - 1)
        if not len(rows.users):
            raise DataError(
                "no training sample: no user has two items in the training part; "
                "lower clean.user_core or bring more interactions"
            )
        self._items = sequences.items
        # A history and what comes next.
        self._rows = torch.stack([rows.users, rows.starts, rows.lengths + 1])  # [3, R]
        self._corruption = corruption
        self._num_rows = max(1, round(len(rows.users) * prefix_share))
        self._batch_size = batch_size
        self._seed = seed

    @property
    def digest(self) -> str:
        """Changes with the items, the prefixes, the batch size, the order and the masks."""
        settings = (self._corruption, self._num_rows, self._batch_size, self._seed)
        digest = blake2b(repr(settings).encode(), digest_size=16)
        for tensor in (self._items, self._rows):
            digest.update(np.ascontiguousarray(tensor.cpu().numpy()).data)
        return digest.hexdigest()

    def epoch(self, epoch: int) -> EpochOfPrefixes:
        """Batches of an epoch in random order: the same for the same number."""
        generator = torch.Generator().manual_seed(derive_seed(self._seed, "order", epoch))
        order = torch.randperm(self._rows.shape[1], generator=generator)[: self._num_rows]
        borders = cut_batches(np.ones(len(order), dtype=np.int64), self._batch_size)
        rows = self._rows[:, order].to(self._items.device)
        seeds = [
            derive_seed(self._seed, "masks", epoch, number) for number in range(len(borders) - 1)
        ]
        return EpochOfPrefixes(
            self._items,
            rows.split_with_sizes(np.diff(borders).tolist(), dim=1),
            seeds,
            self._corruption,
        )


class EpochOfPrefixes:
    """Sized and iterable; rows are gathered and masked when their turn comes."""

    def __init__(
        self,
        items: Tensor,
        batches: Sequence[Tensor],
        seeds: Sequence[int],
        corruption: Corruption,
    ) -> None:
        self._items, self._batches, self._seeds = items, batches, seeds
        self._corruption = corruption

    def __len__(self) -> int:
        return len(self._batches)

    def __iter__(self) -> Iterator[Batch]:
        for (users, starts, lengths), seed in zip(self._batches, self._seeds, strict=True):
            whole = pad_slices(self._items, starts, lengths, int(lengths.max()))
            generator = torch.Generator().manual_seed(seed)
            items, targets = self._corruption.corrupt(whole, generator)
            yield Batch(items, targets, users)
