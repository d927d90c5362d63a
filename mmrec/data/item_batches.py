"""Batches of items, for what is trained on a catalogue and not on what its users did."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
import torch
from torch import Tensor

from mmrec.data.cutting import cut_batches
from mmrec.io import DataError
from mmrec.seeds import derive_seed


@dataclass(frozen=True)
class ItemBatch:
    """Some items, each once.

    Attributes:
        items: int64 [n], item indices; of several processes, one's part.
    """

    items: Tensor

    @property
    def num_samples(self) -> Tensor:
        """n."""
        return torch.tensor(len(self.items), device=self.items.device)

    def part(self, rank: int, size: int) -> ItemBatch:
        """The items that one of several processes trains, or none."""
        return ItemBatch(self.items.tensor_split(size)[rank])


class ItemBatches:
    """Every item once per epoch, in random order.

    A last batch of less than half a batch shares evenly with the one before, and none is left
    with a single item: a contrast needs another.

    Args:
        items: int64 [n], on the device where batches are wanted.
        batch_size: most items of a batch, or one more where one item would be left alone.
        seed: of the order.

    Raises:
        DataError: there are fewer than two items.
    """

    def __init__(self, items: Tensor, *, batch_size: int, seed: int) -> None:
        if len(items) < 2:
            raise DataError(
                f"{len(items)} items to train on, at least 2 are needed; bring items that have "
                "all features that are contrasted"
            )
        self._items = items
        self._batch_size = batch_size
        self._seed = seed

    @property
    def digest(self) -> str:
        """Changes with the items, the batch size and the order."""
        digest = blake2b(f"{self._batch_size} {self._seed}".encode(), digest_size=16)
        digest.update(np.ascontiguousarray(self._items.cpu().numpy()).data)
        return digest.hexdigest()

    def epoch(self, epoch: int) -> EpochOfItems:
        """Batches of an epoch: the same for the same number, whatever ran before."""
        generator = torch.Generator().manual_seed(derive_seed(self._seed, "order", epoch))
        order = torch.randperm(len(self._items), generator=generator).to(self._items.device)
        borders = cut_batches(np.ones(len(order), dtype=np.int64), self._batch_size)
        sizes = np.diff(borders).tolist()
        return EpochOfItems(self._items[order].split_with_sizes(sizes))


class EpochOfItems:
    """Sized and iterable."""

    def __init__(self, parts: Sequence[Tensor]) -> None:
        self._parts = parts

    def __len__(self) -> int:
        return len(self._parts)

    def __iter__(self) -> Iterator[ItemBatch]:
        return map(ItemBatch, self._parts)
