"""What every recommender, every objective and every training offers to those that use them.

Evaluation, retrieval and the training loop know models by these contracts alone.

Shapes: B users, L sequence length, N items incl. padding, D' width of a query (several streams
side by side, where a model has them).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol, Self

import torch
from torch import Tensor, nn

from mmrec.nn.scoring import score
from mmrec.params.optimizer import ParameterGroup


class History(NamedTuple):
    """What some users did, as a recommender sees it."""

    users: Tensor  # [B] user indices
    items: Tensor  # [B, L] item indices, oldest first, right padded with 0


class Recommender(nn.Module, ABC):
    """Scores the whole catalogue after a history."""

    def __init__(self, *, num_items: int, max_sequence_length: int) -> None:
        """Say how many items it scores, padding included, and how many of a history it reads."""
        super().__init__()
        self.num_items = num_items
        self.max_sequence_length = max_sequence_length

    @abstractmethod
    def scores(self, history: History) -> Tensor:
        """Score of every item after each history, [B, N], no gradient; column 0 means nothing."""

    def item_parameters(self) -> tuple[str, ...]:
        """Names of the parameters with a row per item; none where content alone tells them apart.

        Weights without such a parameter serve any catalogue that has the same features.
        """
        return ()


class VectorRecommender(Recommender):
    """Scores items by the inner product of a query and a row of an item table."""

    @abstractmethod
    def item_table(self) -> Tensor:
        """Retrieval vectors of the whole catalogue, [N, D'], row 0 zeros, without gradient."""

    @abstractmethod
    def encode(self, history: History) -> Tensor:
        """Query after the last real item, without gradient; [B, D']."""

    def encode_by(self, table: Tensor, history: History) -> Tensor:  # noqa: ARG002
        """The same query, where the item table [N, D'] is at hand.

        A model that reads the rows of its table need not encode the items of a history again.
        """
        return self.encode(history)

    def scores(self, history: History) -> Tensor:
        """Inner products of queries and table."""
        table = self.item_table()
        return score(self.encode_by(table, history), table)


class Batch(Protocol):
    """Some training samples: of sequences, of items, of anything that its objective reads."""

    @property
    def num_samples(self) -> Tensor:
        """How many there are, a scalar: what a loss is the mean over."""

    def part(self, rank: int, size: int) -> Self:
        """What the process `rank` of `size` trains; with too few rows, one that trains nothing."""


class EpochBatches(Protocol):
    """The batches of one epoch, in order."""

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[Batch]: ...


class BatchSource(Protocol):
    """Batches, epoch by epoch."""

    @property
    def digest(self) -> str:
        """Changes with everything that decides what the batches hold."""

    def epoch(self, epoch: int) -> EpochBatches:
        """Batches of an epoch: the same for the same number, whatever ran before."""


class Objective(nn.Module, ABC):
    """A recommender together with what it is trained on."""

    recommender: Recommender

    @abstractmethod
    def forward(self, batch: Any) -> dict[str, Tensor]:
        """Weighted losses by name; their sum is minimised.

        Of several processes each has some of the batch's rows, or one without targets, and gives
        its part of the losses: the parts add up to the losses of the batch.
        """


@dataclass(frozen=True)
class Validation:
    """How an epoch is judged.

    Attributes:
        metrics: of the objective as it is, higher is better.
        references: the deciding metric of rankings that have learned nothing, by column of the
            history.
        digest: of what is validated on.
    """

    metrics: Callable[[], Mapping[str, float]]
    references: Mapping[str, float]
    digest: str


@dataclass(frozen=True)
class Training:
    """Everything that the training loop asks of a model.

    Attributes:
        objective: on its device.
        batches: of the same device.
        groups: parameters that the model wants trained with settings of their own.
        read: digests of what batches are trained on and no module holds, such as token states.
        counts: what takes part and what does not, by name; for the record.
    """

    objective: Objective
    batches: BatchSource
    validation: Validation
    groups: tuple[ParameterGroup, ...] = ()
    read: tuple[str, ...] = ()
    counts: Mapping[str, int] = field(default_factory=dict)


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
