"""Training on the next item among all items of the sequences that a batch has.

Shapes: n training samples, B sequences of length L, s items of all sequences of the batch, c
distinct ones, N items incl. padding.
"""

from __future__ import annotations

from typing import NamedTuple, Self

import torch
import torch.nn.functional as F
from torch import Tensor

from mmrec.models.next_item import NextItemLoss, NextItemModel, Samples, training_shares, zero
from mmrec.nn.excluding_softmax import excluding_softmax
from mmrec.nn.processes import Parts


class SequencesOfBatch(NamedTuple):
    """Whole sequences of the rows that train, and the items that all of a batch have.

    A sequence is what a row reads and what it is to predict: its inputs and its last target, or
    its items as they were before some were masked.
    """

    items: Tensor  # [c] distinct ones of all processes, ascending
    times: Tensor  # [c] how often each is in sequences
    sequences: Tensor  # [B, L + 1] of this process; 0 is padding, as is a row that trains nothing

    @classmethod
    def of(cls, samples: Samples, *, num_items: int) -> Self:
        """Those of the batch that the samples are of; N tells items from masks."""
        sequences = _sequences(samples, num_items=num_items)
        own = sequences[sequences > 0]
        everywhere = Parts.of(len(own), own.device).gather(own)  # [s]
        items, times = torch.unique(everywhere, return_counts=True)
        return cls(items, times, sequences)

    @property
    def real(self) -> Tensor:
        """Where sequences have items; [B, L + 1]."""
        return self.sequences > 0

    @property
    def places(self) -> Tensor:
        """Which of the distinct items is where, the first one at padding; [B, L + 1]."""
        return torch.searchsorted(self.items, self.sequences)


class InBatchSequencesSoftmax(NextItemLoss):
    """Cross-entropy among the items at all positions of the batch's sequences (PMMRec's DAP).

    An item is a candidate as often as it is in sequences (`SequencesOfBatch`), trained there or
    not. For a position it is none if it is anywhere in the row of the position, in others too; the
    target counts once. Padding, masks and rows without any target bring no candidates.

    A row is as much of a user's training part as a window holds; what another row of the batch
    has of the same user is a candidate. With `prefix` rows that is most often what the user chose
    later, so this loss is for `dense` ones.

    A position whose row has all items of the batch has no loss. Of several processes, each has
    the sequences of all.

    Args:
        training_counts: Training interactions of each item, [N]; none counts as one.
        correction: Weigh an item by 1 / its share of the training interactions, the target too:
            the natural log of the share is subtracted from the score.
    """

    shares: Tensor

    def __init__(self, training_counts: Tensor, *, correction: bool) -> None:
        super().__init__()
        self.register_buffer("shares", training_shares(training_counts), persistent=False)
        self.correction = correction

    def mean(self, recommender: NextItemModel, samples: Samples) -> Tensor:
        """Encode each distinct item of the batch once, score it for every position."""
        batch = SequencesOfBatch.of(samples, num_items=len(self.shares))
        queries, vectors = recommender.queries_and_candidates(
            samples.items, samples.rows, samples.columns, batch.items
        )
        return self.among(queries, vectors, batch, samples)

    def among(
        self, queries: Tensor, vectors: Tensor, batch: SequencesOfBatch, samples: Samples
    ) -> Tensor:
        """The same, of queries [n, D'] and vectors [c, D'] of the batch's items that are there."""
        if not len(samples.rows):
            return zero(queries, vectors)
        place = torch.searchsorted(batch.items, samples.targets)  # [n]
        own = torch.where(batch.real[samples.rows], batch.places[samples.rows], place.unsqueeze(1))
        log_shares = self.shares[batch.items].log()
        return excluding_softmax(
            queries,
            vectors,
            -log_shares if self.correction else torch.zeros_like(log_shares),
            batch.times,
            targets=place,
            excluded=own,  # [n, L + 1]
        )


def _sequences(samples: Samples, *, num_items: int) -> Tensor:
    """All items of each row that trains, those to be predicted in their places; [B, L + 1]."""
    items, rows, columns, targets, _ = samples
    sequences = F.pad(items, (0, 1))
    # A target is what comes after its position; in a row with masks, what was at it.
    has_masks = (items >= num_items).any(dim=1)  # [B]
    sequences[rows, torch.where(has_masks[rows], columns, columns + 1)] = targets
    trains = torch.zeros_like(sequences[:, :1]).index_fill_(0, rows, 1)  # [B, 1]
    return sequences * trains
