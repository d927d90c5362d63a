"""What the settings of every model have in common.

A model entry of `params.yaml` has four keys: `name`, `architecture`, `pretrain` and
`finetune`. They are separate so that DVC can tell them apart: a new learning rate of
fine-tuning does not touch pre-training.
"""

from __future__ import annotations

from typing import ClassVar

from mmrec.params.section import Section
from mmrec.params.training import Modality, TrainingParams


class NoSettings(Section):
    """A section in which there is nothing to set."""


class SystemParams(Section):
    """Settings of a model; subclasses say which, with the defaults of its paper."""

    has_vectors: ClassVar[bool] = True
    """It scores by inner products; without them there is no index to recommend from."""

    name: str
    architecture: Section
    pretrain: TrainingParams | None
    finetune: TrainingParams | None

    @property
    def modalities(self) -> tuple[Modality, ...]:
        """Features that a run of it must have."""
        return ()
