"""Settings of BERT4Rec, as published but where a field says so."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, PositiveInt, model_validator

from mmrec.params.model import SystemParams
from mmrec.params.training import (
    MaskedItemTrainingParams,
    Probability,
    Share,
    TransformerArchitecture,
)


class Bert4RecArchitecture(TransformerArchitecture):
    """A transformer that sees both ways, over item embeddings."""

    max_sequence_length: Annotated[int, Field(ge=2)] = 50
    """Items that are read; of a history one fewer, and the mask. 50 or 200, by dataset."""
    dropout: Probability = 0.2
    """.2 or .5, by dataset."""
    attention_dropout: Probability = 0.2


class Bert4RecFinetune(MaskedItemTrainingParams):
    """Training on masked items; the loop and Adam are those of all models here."""

    epochs: PositiveInt = 300
    patience: PositiveInt = 10
    mask_probability: Probability = 0.2
    """.2 or .6, by dataset."""
    last_only_share: Share = 0.5
    """As in RecBole; the authors have one such copy of a window to ten others, 1 / 11."""


class Bert4RecParams(SystemParams):
    """BERT4Rec, from item IDs alone."""

    name: Literal["bert4rec"]
    architecture: Bert4RecArchitecture
    pretrain: None
    finetune: Bert4RecFinetune

    @model_validator(mode="after")
    def _rows_fit(self) -> Self:
        length, batch_size = self.architecture.max_sequence_length, self.finetune.batch_size
        if batch_size < length:
            raise ValueError(
                f"batch_size ({batch_size} targets) cannot hold a row of max_sequence_length "
                f"({length}) items, all of which may be masked; raise it"
            )
        return self
