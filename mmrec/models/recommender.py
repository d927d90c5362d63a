"""What every sequence recommender and every training objective offers.

Shapes: B users, L sequence length, N items incl. padding, n training samples, D' width of a
query (several streams side by side, where a model has them), c candidates.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple, Protocol

import torch
from torch import Tensor, nn


class TrainingBatch(Protocol):
    """Sequences and what to predict after each position."""

    @property
    def items(self) -> Tensor:
        """Item indices [B, L], right padded with 0."""

    @property
    def targets(self) -> Tensor:
        """Next item [B, L] where a position is trained, 0 elsewhere."""


class SequenceRecommender(nn.Module, ABC):
    """Scores items after a history by the inner product of a query and a row of an item table."""

    @abstractmethod
    def item_table(self) -> Tensor:
        """Retrieval vectors of the whole catalogue, [N, D'], row 0 zeros, without gradient."""

    @abstractmethod
    def encode(self, items: Tensor) -> Tensor:
        """Query after the last real item, without gradient; right-padded [B, L] -> [B, D']."""

    def item_parameters(self) -> tuple[str, ...]:
        """Names of the parameters with a row per item; none where content alone tells them apart.

        Weights without such a parameter serve any catalogue that has the same features.
        """
        return ()


class QueriesAndTable(NamedTuple):
    """Both factors of the scores of a training step."""

    queries: Tensor  # [n, D']
    table: Tensor  # [N, D']


class QueriesAndCandidates(NamedTuple):
    """Both factors of the scores of a training step among some items."""

    queries: Tensor  # [n, D']
    candidates: Tensor  # [c, D']


class NextItemModel(SequenceRecommender):
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


class Objective(nn.Module, ABC):
    """A recommender together with what it is trained on."""

    recommender: SequenceRecommender

    @abstractmethod
    def forward(self, batch: TrainingBatch) -> dict[str, Tensor]:
        """Weighted losses by name; their sum is minimised.

        Of several processes each has some of the batch's rows, or one without targets, and gives
        its part of the losses: the parts add up to the losses of the batch.
        """


@contextmanager
def inference(model: nn.Module) -> Iterator[None]:
    """No gradient and no dropout inside; the module's mode is restored afterwards."""
    was_training = model.training
    model.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        model.train(was_training)
