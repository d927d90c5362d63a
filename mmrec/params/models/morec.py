"""Settings of MoRec heads on frozen features."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt, model_validator

from mmrec.params.content import ContentArchitecture, ContentParams
from mmrec.params.next_item import NextItemFinetune
from mmrec.params.training import BinaryLoss, NextItemLossParams, Probability


class MorecArchitecture(ContentArchitecture):
    """MoRec's head and user encoder (released code), on features that are not trained.

    `modality: text` and `image` are MoRec's two forms. `both` is called MoRec++ in the tables of
    PMMRec and MMSR, which say nowhere how it joins the two: `fusion` is a decision of this project.
    """

    embedding_dim: PositiveInt = 512
    feedforward_dim: PositiveInt = 2048
    max_sequence_length: PositiveInt = 20
    dropout: Probability = 0.1
    attention_dropout: Probability = 0.1
    fusion: Literal["sum", "concat"] = "sum"
    """How the two become one: their sum, or a dense map of one beside the other."""

    @model_validator(mode="after")
    def _two_to_join(self) -> Self:
        if self.fusion == "concat" and self.modality != "both":
            raise ValueError(
                f"fusion 'concat' joins two features, modality '{self.modality}' is one; "
                "set modality: both, or fusion: sum"
            )
        return self


class MorecFinetune(NextItemFinetune):
    """Binary cross-entropy with one negative per position, as published.

    The rate and the decay are those of the published head; its patience and number of epochs
    belong to training the whole text or image encoder, and are left as in the other models here.
    """

    loss: NextItemLossParams = Field(default_factory=lambda: BinaryLoss(name="bce"))
    optimizer: Literal["adam", "adamw"] = "adamw"
    learning_rate: PositiveFloat = 1e-4
    weight_decay: NonNegativeFloat = 0.01


class MorecParams(ContentParams):
    """A MoRec head on frozen features: text or image in place of an ID, or both.

    MoRec itself trains the whole text or image encoder, and this is not a run of it: call it
    "MoRec head on frozen features" in tables.
    """

    name: Literal["morec"]
    architecture: MorecArchitecture
    finetune: MorecFinetune
