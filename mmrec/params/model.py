"""What the settings of every model have in common.

A model entry of `params.yaml` has four keys: `name`, `architecture`, `pretrain` and
`finetune`. They are separate so that DVC can tell them apart: a new learning rate of
fine-tuning does not touch pre-training.
"""

from __future__ import annotations

from mmrec.params.section import Section
from mmrec.params.training import Modality, TrainingParams


class NoSettings(Section):
    """A section in which there is nothing to set."""


class SystemParams(Section):
    """Settings of a model; subclasses say which, with the defaults of its paper."""

    name: str
    architecture: Section
    pretrain: TrainingParams | None
    finetune: TrainingParams | None

    @property
    def modalities(self) -> tuple[Modality, ...]:
        """Features that a run of it must have."""
        return ()

    @property
    def without_features(self) -> str:
        """How a run does without features that it would read; empty where it cannot."""
        return ""
