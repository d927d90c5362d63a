"""What the settings of models share that have one training, on the next item."""

from __future__ import annotations

from typing import Self

from pydantic import PositiveInt, model_validator

from mmrec.params.model import SystemParams
from mmrec.params.training import NextItemTrainingParams, SequenceArchitecture, check_windows


class NextItemFinetune(NextItemTrainingParams):
    """Cross-entropy, by default over the whole catalogue."""

    epochs: PositiveInt = 300
    patience: PositiveInt = 10


class NextItemParams(SystemParams):
    """A model that is trained on the next item and has no pre-training.

    It reads no features, unless a class of its kind says so in `modalities`.
    """

    architecture: SequenceArchitecture
    pretrain: None
    finetune: NextItemFinetune

    @model_validator(mode="after")
    def _windows_fit(self) -> Self:
        check_windows(self.architecture.max_sequence_length, self.finetune)
        return self
