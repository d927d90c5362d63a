"""What the settings of every model have in common, and what they say of each other.

A model entry of `params.yaml` has four keys: `name`, `architecture`, `pretrain` and
`finetune`. They are separate so that DVC can tell them apart: a new learning rate of
fine-tuning does not touch pre-training.
"""

from __future__ import annotations

from typing import ClassVar, Literal, TypeAlias

from mmrec.params.features import Level
from mmrec.params.section import Section
from mmrec.params.training import LoopParams, Modality

Stage: TypeAlias = Literal["pretrain", "finetune"]
"""The two trainings that a model can have."""


TrainsOn: TypeAlias = Literal["users", "items"]
"""What a training's samples are made of: of sequences of users, or of items alone."""


class NoSettings(Section):
    """A section in which there is nothing to set."""


class SystemParams(Section):
    """A model of `params.yaml`; a training that it does not have is null."""

    levels: ClassVar[tuple[Level, ...]] = ("vectors",)
    """What it can read of features."""

    name: str
    """Which model it is."""
    architecture: Section
    """Its parts and their widths."""
    pretrain: LoopParams | None
    """Its pre-training; `null` for none."""
    finetune: LoopParams | None
    """Its training on the dataset of a run; `null` where there is nothing to train."""

    @property
    def has_vectors(self) -> bool:
        """It scores by inner products; without them there is no index to recommend from."""
        return True

    @property
    def reads_words(self) -> bool:
        """It reads the words of items as its text, and no extractor's feature."""
        return False

    def training(self, stage: Stage) -> LoopParams | None:
        """Settings of one of its trainings."""
        return self.pretrain if stage == "pretrain" else self.finetune

    def described(self, stage: Stage) -> dict[str, object]:
        """All that a stage's result depends on: what the other is set to does not change it."""
        return self.model_dump(mode="json", include={"name", "architecture", stage})

    def trains_on(self, stage: Stage) -> TrainsOn:  # noqa: ARG002
        """What a stage's samples are made of; a dataset without users has none of users."""
        return "users"

    def takes(self, other: SystemParams) -> str | None:
        """Why this model cannot start from a pre-training of `other`; None where it can.

        By default it can where both are of the same kind and have the same architecture. A model
        that takes a part of another's weights says so itself.
        """
        if self.name != other.name:
            return f"that is a {other.name}, this a {self.name}; take one of a {self.name}"
        if self.architecture != other.architecture:
            return "they have different architectures; give both the same"
        return None

    def not_taken(self) -> tuple[str, ...]:
        """Prefixes of the parameters that a run does not take from its pre-training."""
        return ()

    def modalities(self, stage: Stage) -> tuple[Modality, ...]:  # noqa: ARG002
        """Features that must be there to train a stage; none by default."""
        return ()

    def blocks_needed(self) -> int:
        """Blocks that the features must keep below their last states, to be trained; 0 for none."""
        return 0

    def class_tokens(self, stage: Stage) -> tuple[Modality, ...]:  # noqa: ARG002
        """Features that must have a class token first of each content; none by default."""
        return ()

    def without_features(self, stage: Stage) -> str:  # noqa: ARG002
        """How a stage does without features that it would read; empty where it cannot."""
        return ""
