"""What the settings of models share that know items by their IDs alone."""

from __future__ import annotations

from typing import Self

from pydantic import PositiveInt, model_validator

from mmrec.params.model import SystemParams
from mmrec.params.training import NextItemTrainingParams, SequenceArchitecture, check_windows


class ItemIdFinetune(NextItemTrainingParams):
    """Cross-entropy, by default over the whole catalogue."""

    epochs: PositiveInt = 300
    patience: PositiveInt = 10


class ItemIdParams(SystemParams):
    """A model that knows items by their IDs alone; it has no pre-training."""

    architecture: SequenceArchitecture
    pretrain: None
    finetune: ItemIdFinetune

    @model_validator(mode="after")
    def _windows_fit(self) -> Self:
        check_windows(self.architecture.max_sequence_length, self.finetune)
        return self
