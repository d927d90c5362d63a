"""Supervised training of any recommender: predict the next item, among all items or some.

Shapes: n training samples, c candidates, N items incl. padding, D' width of a query.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Literal, NamedTuple, Protocol, Self

import torch
from torch import Tensor, nn

from mmrec.nn.losses import full_cross_entropy
from mmrec.nn.processes import Parts, first_process_has
from mmrec.nn.sampled_softmax import (
    draw_items,
    log_in_batch_weights,
    log_sampled_weights,
    sampled_softmax,
)
from mmrec.recommender import Objective, VectorRecommender


class TrainingBatch(Protocol):
    """Sequences and what to predict after each position; B sequences of length L."""

    @property
    def items(self) -> Tensor:
        """Item indices [B, L], right padded with 0."""

    @property
    def targets(self) -> Tensor:
        """Next item [B, L] where a position is trained, 0 elsewhere."""


class QueriesAndTable(NamedTuple):
    """Both factors of the scores of a training step."""

    queries: Tensor  # [n, D']
    table: Tensor  # [N, D']


class QueriesAndCandidates(NamedTuple):
    """Both factors of the scores of a training step among some items."""

    queries: Tensor  # [n, D']
    candidates: Tensor  # [c, D']


class NextItemModel(VectorRecommender):
    """A recommender that can be trained on its own scores."""

    @abstractmethod
    def queries_and_table(self, items: Tensor, rows: Tensor, columns: Tensor) -> QueriesAndTable:
        """Queries after the positions (row, column) [n] of items [B, L], and the table."""

    @abstractmethod
    def queries_and_candidates(
        self, items: Tensor, rows: Tensor, columns: Tensor, candidates: Tensor
    ) -> QueriesAndCandidates:
        """The same queries, and the rows of the table of item indices [c] alone.

        Items that are neither in the histories nor candidates are not encoded.
        """


class Samples(NamedTuple):
    """Trained positions of a batch; of several processes, this one's part."""

    items: Tensor  # [B, L]
    rows: Tensor  # [n]
    columns: Tensor  # [n]
    targets: Tensor  # [n]
    parts: Parts

    @classmethod
    def of(cls, batch: TrainingBatch) -> Self:
        """Those of a batch, or of this process's part of it."""
        rows, columns = batch.targets.nonzero(as_tuple=True)  # [n], [n]
        parts = Parts.of(len(rows), rows.device)
        return cls(batch.items, rows, columns, batch.targets[rows, columns], parts)


class NextItemLoss(nn.Module, ABC):
    """Mean loss over the trained positions of a batch; of several processes, a part of it."""

    def forward(self, recommender: NextItemModel, batch: TrainingBatch) -> Tensor:
        """A scalar."""
        samples = Samples.of(batch)
        return self.mean(recommender, samples) * samples.parts.share

    @abstractmethod
    def mean(self, recommender: NextItemModel, samples: Samples) -> Tensor:
        """Mean over the samples; 0 of none, with gradients that are zeros and not missing."""

    def log_weights(self) -> Tensor | None:
        """Of the items in the softmax over the catalogue that this loss is, or estimates.

        [N], or a scalar for all; None where it is another loss.
        """
        return None


class FullSoftmax(NextItemLoss):
    """Cross-entropy over the whole catalogue."""

    def mean(self, recommender: NextItemModel, samples: Samples) -> Tensor:
        """Encode every item, score every item."""
        items, rows, columns, targets, _ = samples
        queries, table = recommender.queries_and_table(items, rows, columns)
        if not len(rows):
            return zero(queries, table)
        return full_cross_entropy(queries, table, targets)

    def log_weights(self) -> Tensor:
        """All alike."""
        return torch.zeros(())


class SampledSoftmax(NextItemLoss):
    """Cross-entropy among the target and items drawn anew, with replacement, for each batch.

    Args:
        training_counts: Training interactions of each item, [N]; none counts as one.
        num_negatives: K, draws that the samples of a batch share.
        draw: All items alike, or by their training counts.
        correction: Weigh candidates so that the full softmax is estimated.
    """

    shares: Tensor
    cumulative_shares: Tensor

    def __init__(
        self,
        training_counts: Tensor,
        *,
        num_negatives: int,
        draw: Literal["uniform", "popularity"],
        correction: bool,
    ) -> None:
        super().__init__()
        counts = torch.ones_like(training_counts) if draw == "uniform" else training_counts
        shares = training_shares(counts)
        self.register_buffer("shares", shares, persistent=False)
        self.register_buffer("cumulative_shares", shares[1:].cumsum(0), persistent=False)
        self.num_negatives = num_negatives
        self.correction = correction

    def mean(self, recommender: NextItemModel, samples: Samples) -> Tensor:
        """Encode and score the batch's targets and what is drawn."""
        _, rows, columns, targets, _ = samples
        drawn = first_process_has(draw_items(self.cumulative_shares, self.num_negatives))
        items, times = torch.unique(drawn, return_counts=True)  # [c], [c]
        own, place = torch.unique(targets, return_inverse=True)
        queries, vectors = recommender.queries_and_candidates(
            samples.items, rows, columns, torch.cat([own, items])
        )
        if not len(rows):
            return zero(queries, vectors)
        log_weights = (
            log_sampled_weights(self.shares[items], times, self.num_negatives)
            if self.correction
            else times.double().log()
        )
        return sampled_softmax(
            queries,
            vectors[: len(own)].index_select(0, place),
            vectors[len(own) :],
            log_weights,
            targets=targets,
            items=items,
        )

    def log_weights(self) -> Tensor | None:
        """All alike in what is estimated."""
        return torch.zeros(()) if self.correction else None


class InBatchSoftmax(NextItemLoss):
    """Cross-entropy among the distinct targets of the batch.

    Args:
        training_counts: Training interactions of each item, [N]; none counts as one.
        correction: Weigh candidates so that the full softmax is estimated.
    """

    shares: Tensor

    def __init__(self, training_counts: Tensor, *, correction: bool) -> None:
        super().__init__()
        self.register_buffer("shares", training_shares(training_counts), persistent=False)
        self.correction = correction

    def mean(self, recommender: NextItemModel, samples: Samples) -> Tensor:
        """Encode and score the batch's targets, those of other processes among them."""
        _, rows, columns, targets, parts = samples
        items = torch.unique(parts.gather(targets))  # [c]
        place = torch.searchsorted(items, targets)  # [n]
        queries, vectors = recommender.queries_and_candidates(samples.items, rows, columns, items)
        if not len(rows):
            return zero(queries, vectors)
        log_weights = (
            log_in_batch_weights(self.shares[items], parts.total)
            if self.correction
            else self.shares.new_zeros(len(items))
        )
        return sampled_softmax(
            queries,
            vectors.index_select(0, place),
            vectors,
            log_weights,
            targets=targets,
            items=items,
        )

    def log_weights(self) -> Tensor | None:
        """All alike in what is estimated."""
        return torch.zeros(()) if self.correction else None


def zero(*tensors: Tensor) -> Tensor:
    """0, with gradients of zeros."""
    return torch.stack([tensor.sum() * 0 for tensor in tensors]).sum()


def training_shares(counts: Tensor) -> Tensor:
    """Shares of items 1 to N - 1 in counts [N], none as one, float64 [N]; padding has none."""
    counts = counts.double().clamp(min=1)
    counts[0] = 0
    return counts / counts.sum()


class NextItemObjective(Objective):
    """A recommender and how its next items are scored in training."""

    def __init__(self, recommender: NextItemModel, loss: NextItemLoss) -> None:
        super().__init__()
        self.recommender: NextItemModel = recommender
        self.loss = loss

    def forward(self, batch: TrainingBatch) -> dict[str, Tensor]:
        """Loss `next_item`."""
        return {"next_item": self.loss(self.recommender, batch)}
