"""Settings of the baselines: models that see neither text nor pictures."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import PositiveInt, model_validator

from mmrec.params.model_section import ModelSection
from mmrec.params.section import Section
from mmrec.params.training import (
    NextItemTrainingParams,
    Probability,
    TransformerArchitecture,
    check_windows,
)


class SasrecArchitecture(TransformerArchitecture):
    """SASRec as in RecBole: post-norm, over item embeddings."""

    dropout: Probability = 0.5
    attention_dropout: Probability = 0.5


class Gru4RecArchitecture(Section):
    """GRU4Rec as in RecBole: over item embeddings, a dense layer back to their width."""

    embedding_dim: PositiveInt = 64
    hidden_dim: PositiveInt = 64
    num_layers: PositiveInt = 1
    dropout: Probability = 0.3
    """Of the item embeddings that enter the recurrent unit."""
    max_sequence_length: PositiveInt = 50
    """Latest items of a history that are read; the unit itself has no limit."""


class ItemIdFinetune(NextItemTrainingParams):
    """Cross-entropy, by default over the whole catalogue."""

    epochs: PositiveInt = 300
    patience: PositiveInt = 10


class ItemIdParams(ModelSection):
    """A model that knows items by their IDs alone."""

    architecture: SasrecArchitecture | Gru4RecArchitecture
    pretrain: None
    finetune: ItemIdFinetune

    @model_validator(mode="after")
    def _windows_fit(self) -> Self:
        check_windows(self.architecture.max_sequence_length, self.finetune)
        return self


class SasrecParams(ItemIdParams):
    """SASRec, from item IDs alone."""

    name: Literal["sasrec"]
    architecture: SasrecArchitecture


class Gru4RecParams(ItemIdParams):
    """GRU4Rec, from item IDs alone."""

    name: Literal["gru4rec"]
    architecture: Gru4RecArchitecture


class NoSettings(Section):
    """A section in which there is nothing to set."""


class PopularityParams(ModelSection):
    """Items by their number of training interactions."""

    name: Literal["popularity"]
    architecture: NoSettings
    pretrain: None
    finetune: None
