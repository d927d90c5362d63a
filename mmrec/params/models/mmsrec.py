"""Settings of MMSRec, as published or released; a field says which where the two differ."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt, model_validator

from mmrec.params.model import Stage, SystemParams
from mmrec.params.optimizer import ExponentialRate, ScheduleParams
from mmrec.params.section import Section
from mmrec.params.training import (
    FullLoss,
    LoopParams,
    Metric,
    Modality,
    NextItemLossParams,
    Probability,
    Share,
    TransformerArchitecture,
    UserTrainingParams,
)

ProperShare = Annotated[float, Field(gt=0, lt=1)]


class MmsrecArchitecture(TransformerArchitecture):
    """One transformer over items' modalities: of a history, and of an item by itself."""

    embedding_dim: PositiveInt = 512
    num_heads: PositiveInt = 8
    feedforward_dim: PositiveInt = 1024
    max_sequence_length: Annotated[int, Field(ge=2)] = 20
    """Items that are read: of a history one fewer, and the mask. 100 for MovieLens-1M."""
    dropout: Probability = 0.5
    """.2 for MovieLens-1M, as `attention_dropout`."""
    attention_dropout: Probability = 0.5
    input_dropout: Probability = 0.2
    """Of what enters the transformer."""
    temperature: PositiveFloat = 0.05
    missing: Literal["exclude", "mask_token"] = "exclude"
    """A modality that an item lacks is left out (released code), or is the mask (paper). An item
    that has neither is the same learned vector in both places."""
    pad_to: Literal["N", "batch_max"] = "N"
    """Positions count to the last of `max_sequence_length`, or to the longest row of whatever is
    encoded together (released code), so that a score depends on the rows beside it."""
    item_tower_position: Literal["first", "none"] = "first"
    """Position of an item by itself: the first of the table (released code), or none."""
    item_head: Literal["self_tower", "table"] = "self_tower"
    """What is scored: the state of the item by itself, or its vectors before the transformer."""


class MmsrecContrast(Section):
    """Weights of the four pairs of passes; cosines are divided by the model's temperature."""

    text: NonNegativeFloat = 0.25
    """Of two passes over the text of an item."""
    image: NonNegativeFloat = 0.25
    """Of two passes over its picture."""
    text_to_image: NonNegativeFloat = 0.25
    """Of its text against its picture."""
    both: NonNegativeFloat = 0.25
    """Printed as a weight of text to image a second time; it is of both against both."""

    @model_validator(mode="after")
    def _something_to_train_on(self) -> Self:
        if not any((self.text, self.image, self.text_to_image, self.both)):
            raise ValueError("all four weights are 0; raise one of them")
        return self


class MmsrecPretrain(LoopParams):
    """Item contrast (paper section 3.3); the paper's catalogue is WebVid, ten million videos.

    An epoch is judged by finding the pictures of held-out items by their texts.
    """

    optimizer: Literal["adam", "adamw"] = "adamw"
    learning_rate: PositiveFloat = 5e-5
    weight_decay: NonNegativeFloat = 0.01
    schedule: ScheduleParams = Field(
        default_factory=lambda: ExponentialRate(name="exponential", factor=0.9)
    )
    epochs: PositiveInt = 15
    patience: PositiveInt = 15
    metric: Metric = "recall@10"
    batch_size: PositiveInt = 6000
    """Items. Published are 48,000, which the released code spreads over 8 GPUs and does not
    gather: 6,000 are told apart."""
    max_grad_norm: PositiveFloat = 1.0
    contrast: MmsrecContrast = MmsrecContrast()
    held_out_share: ProperShare = 0.05
    """Of the items that have text and picture: they are not trained on, and judge an epoch."""


class MmsrecFinetune(UserTrainingParams):
    """Masked item prediction (paper section 3.4) over prefixes of what users did."""

    optimizer: Literal["adam", "adamw"] = "adamw"
    weight_decay: NonNegativeFloat = 0.01
    epochs: PositiveInt = 500
    patience: PositiveInt = 10
    metric: Metric = "recall@10"
    batch_size: PositiveInt = 1024
    """Prefixes, whose last items are predicted; those masked before come in addition. Published
    are 8,192, over 8 GPUs."""
    max_grad_norm: PositiveFloat = 1.0
    loss: NextItemLossParams = Field(default_factory=lambda: FullLoss(name="full"))
    """Which items compete with the one that is predicted."""
    modality: Literal["both", "text", "image"] = "both"
    """`text` is the paper's 'w/o V', `image` its 'w/o T'; a run needs no other."""
    positions: Literal["fresh", "pretrained"] = "fresh"
    """Of a pre-training, which knows the first alone, positions are not taken (released code)."""
    mask_probability: Probability = 0.2
    """Chance of an item before the last to be predicted; the last always is."""
    mask_share: Share = 0.8
    """Of those that are predicted before the last, how many are masked."""
    random_share: Share = 0.1
    """How many are replaced by any item; the others stay as they are."""
    prefix_share: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Of all prefixes, drawn anew for each epoch: a shorter epoch where histories are long."""

    @model_validator(mode="after")
    def _shares_are_shares(self) -> Self:
        if self.mask_share + self.random_share > 1:
            raise ValueError(
                f"mask_share ({self.mask_share}) and random_share ({self.random_share}) are "
                "shares of the same items: they add up to 1 at most"
            )
        return self


class MmsrecParams(SystemParams):
    """MMSRec: self-supervised multi-modal sequential recommendation."""

    name: Literal["mmsrec"]
    architecture: MmsrecArchitecture
    pretrain: MmsrecPretrain | None
    finetune: MmsrecFinetune

    def modalities(self, stage: Stage) -> tuple[Modality, ...]:
        """Both for the contrast, else those that are read."""
        modality = self.finetune.modality
        return ("text", "image") if stage == "pretrain" or modality == "both" else (modality,)

    def without_features(self, stage: Stage) -> str:
        """Pre-training contrasts the two; fine-tuning may read one."""
        return "" if stage == "pretrain" else "read the other alone (finetune.modality)"

    def trains_on(self, stage: Stage) -> Literal["users", "items"]:
        """Pre-training asks for no users."""
        return "items" if stage == "pretrain" else "users"

    def not_taken(self) -> tuple[str, ...]:
        """Positions, but where they are asked for."""
        return () if self.finetune.positions == "pretrained" else ("sequence_encoder.positions",)
