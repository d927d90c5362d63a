"""Settings that models share: the training loop, what it trains on, the transformer."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt, model_validator

from mmrec.params.optimizer import OptimizerParams
from mmrec.params.section import Section

Probability = Annotated[float, Field(ge=0, lt=1)]
Share = Annotated[float, Field(ge=0, le=1)]
Metric = Annotated[str, Field(pattern=r"^(recall@[1-9]\d*|ndcg@[1-9]\d*|mrr)$")]
Batching = Literal["dense", "prefix", "latest"]
Modality = Literal["text", "image"]


class LoopParams(OptimizerParams):
    """The loop around an objective."""

    epochs: PositiveInt
    """Passes over what is trained on, at most."""
    patience: PositiveInt
    """Epochs without a better `metric` on what is validated on before training stops."""
    metric: Metric = "recall@20"
    """What epochs are compared by: `recall@K`, `ndcg@K` or `mrr`."""
    keep: Literal["best", "last"] = "best"
    """Weights that a training leaves: of its best epoch, or of the last one that it trained."""
    batch_size: PositiveInt = 1024
    """Samples per optimiser step, over all processes: targets of sequences, or items."""
    max_grad_norm: PositiveFloat | None = 5.0
    """Gradients beyond this norm are scaled down to it; null never does."""


class UserTrainingParams(LoopParams):
    """Training on users, judged by what they chose next."""

    validation_users: PositiveInt | None = None
    """At most so many users, drawn once by the run's seed, are ranked after each epoch; all by
    default. The test always ranks everyone."""
    popularity_power: float = 0.0
    """Where items are ranked, in validation and test and in retrieval vectors, their scores are
    raised by this times the log of their training interactions, none as one. Losses are not."""


class TrainingParams(UserTrainingParams):
    """Training on what comes next in a sequence."""

    batching: Batching = "dense"
    """`dense`: all positions of a user, in windows; `prefix`: a row for each of them; `latest`: all
    positions of the latest window alone, as PMMRec and MMSR train."""
    window_overlap: NonNegativeInt | None = None
    """Items of history that each further window of a long sequence starts with; half of
    `max_sequence_length` by default."""


class FullLoss(Section):
    """Softmax over the whole catalogue."""

    name: Literal["full"]
    candidates: Literal["all", "trained"] = "all"
    """`trained` leaves items without training interactions out, which no step then pushes down."""
    candidate_power: float = 0.0
    """Items weigh by their training interactions to this power, none as one: at 1 the softmax is
    logit-adjusted (Menon et al., ICLR 2021), and scores need not hold popularity."""


class SampledLoss(Section):
    """Softmax over the target and items drawn for each batch: for large catalogues."""

    name: Literal["sampled"]
    num_negatives: PositiveInt = 1024
    """Items drawn for each batch."""
    draw: Literal["uniform", "popularity"] = "uniform"
    """All items alike, or by their training interactions."""
    correction: bool = True
    """Weigh what is drawn by 1 / its chance, so that the full softmax is estimated."""


class InBatchLoss(Section):
    """Softmax over the distinct targets of the batch: nothing else is encoded."""

    name: Literal["in_batch"]
    correction: bool = True
    """Weigh targets by 1 / their chance to be in a batch, so that the full softmax is estimated."""


class InBatchSequencesLoss(Section):
    """Softmax over all items of the batch's sequences, as often as they are there: PMMRec's.

    Those of the position's own row are no negatives. For `dense` rows.
    """

    name: Literal["in_batch_sequences"]
    correction: bool = True
    """Weigh items by 1 / their share of the training interactions: popular ones are there more
    often."""


class BinaryLoss(Section):
    """Binary cross-entropy of the target and one item for each position, drawn for each batch.

    All items alike that are not in the row of the batch: what a window holds of a user.
    """

    name: Literal["bce"]


NextItemLossParams = Annotated[
    FullLoss | SampledLoss | InBatchLoss | InBatchSequencesLoss | BinaryLoss,
    Field(discriminator="name"),
]


class NextItemTrainingParams(TrainingParams):
    """Training on the next item."""

    loss: NextItemLossParams = Field(default_factory=lambda: FullLoss(name="full"))
    """Which items compete with the next one."""


class MaskedItemTrainingParams(UserTrainingParams):
    """Training on items that are masked, each user's latest window once an epoch."""

    loss: NextItemLossParams = Field(default_factory=lambda: FullLoss(name="full"))
    """Which items compete with the masked one."""
    mask_probability: Probability
    """Chance of an item to be masked; of a window at least one is."""
    last_only_share: Share
    """Chance of a window to have its last item masked and no other, as when items are ranked."""


class SequenceArchitecture(Section):
    """An encoder of histories."""

    max_sequence_length: PositiveInt = 50
    """Latest items of a history that are read."""


class TransformerArchitecture(SequenceArchitecture):
    """The transformer over a sequence."""

    embedding_dim: PositiveInt = 64
    num_layers: PositiveInt = 2
    num_heads: PositiveInt = 2
    feedforward_dim: PositiveInt = 256
    dropout: Probability
    attention_dropout: Probability

    @model_validator(mode="after")
    def _heads_share_the_width(self) -> Self:
        if self.embedding_dim % self.num_heads:
            raise ValueError(
                f"embedding_dim ({self.embedding_dim}) must be a multiple of num_heads "
                f"({self.num_heads})"
            )
        return self


def check_windows(length: int, *trainings: TrainingParams | None) -> None:
    """Refuse windows of `max_sequence_length` items that the batches cannot hold."""
    for training in filter(None, trainings):
        if training.batching != "prefix" and training.batch_size < length:
            raise ValueError(
                f"batch_size ({training.batch_size} targets) cannot hold a window of "
                f"max_sequence_length ({length}) items; raise it, or use batching: prefix"
            )
        if training.window_overlap is not None and training.window_overlap >= length:
            raise ValueError(
                f"window_overlap ({training.window_overlap}) must be below "
                f"max_sequence_length ({length})"
            )
