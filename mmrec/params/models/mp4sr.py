"""Settings of MP4SR, as published but where a field says so."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import NonNegativeFloat, PositiveFloat, PositiveInt, model_validator

from mmrec.params.model import Stage, SystemParams
from mmrec.params.own_ids import OwnIdsTrainingParams
from mmrec.params.section import Section
from mmrec.params.training import (
    Batching,
    Modality,
    Probability,
    TrainingParams,
    TransformerArchitecture,
    check_windows,
)


class Mp4srContrast(Section):
    """Losses and augmentations of MP4SR's pre-training (paper sections 3.3 and 3.4)."""

    nip_weight: NonNegativeFloat = 1.0
    """0 is the paper's 'w/o NIP'."""
    cmcl_weight: NonNegativeFloat = 0.01
    """Lambda; 0 is the paper's 'w/o CMCL'."""
    cmcl_denominator: Literal["gca", "literal", "inter_only", "released"] = "gca"
    """`gca`: inter-view and intra-view negatives, as the loss that the paper cites; `literal`:
    equation 9 as printed, which has the inter-view ones twice; `released`: the authors' code, in
    which both directions have the inter-view pairs of the first."""
    same_target_negatives: Literal["dropped", "zero_logit", "kept"] = "dropped"
    """What rows with the same target are to each other. They are negatives (`kept`) in the paper,
    which punishes the right answer; `zero_logit` is the released code."""
    mixup: bool = True
    """False is the paper's 'w/o C-Mixup'."""
    max_swap_probability: Probability = 0.5
    """Of places where text and picture are exchanged: drawn up to this for each batch."""
    projections: bool | Literal["identity"] = True
    """`identity` is the paper's 'w/o Proj': all losses, of the states as they are. False is that of
    the released code: each stream predicts its own modality alone, and there is one CMCL."""
    drop_probability: Probability = 0.2
    """Chance of an item of a history to be left out."""
    drop_schedule: Literal["fixed", "uniform"] = "fixed"
    """`uniform` draws the probability from [0, drop_probability) per batch (released code)."""

    @model_validator(mode="after")
    def _something_to_train_on(self) -> Self:
        if self.nip_weight == 0 and self.cmcl_weight == 0:
            raise ValueError("nip_weight and cmcl_weight are both 0; raise one of them")
        return self


class Mp4srArchitecture(TransformerArchitecture):
    """MP4SR's encoder M2SE (paper section 3.3) and its score."""

    attention_dim: PositiveInt = 64
    """Width of the attention that pools the rows of a feature."""
    num_experts: PositiveInt = 8
    """Of the mixture that adapts features."""
    dropout: Probability = 0.2
    attention_dropout: Probability = 0.2
    expert_dropout: Probability = 0.2
    """Of what an expert gives, before its norm."""
    expert_draws: Literal["item", "place"] = "item"
    """What draws `expert_dropout` in a step: each item once, or each place of a history by itself
    (released code; the paper does not say), and the candidates once more."""
    pooling: Literal["attention", "attention_frozen_unmasked", "mean"] = "attention"
    """`attention_frozen_unmasked` is what the released code computes."""
    shared_adaptor: bool = False
    """True is the paper's 'Shared': one pooling and one mixture of experts for both."""
    temperature: PositiveFloat = 0.07
    score: Literal["cosine", "dot", "dot_then_cosine"] = "cosine"
    """`cosine` over the temperature is the released code, `dot` equation 12 as printed;
    `dot_then_cosine` is trained by that and ranks by cosines (paper section 4.1.2)."""


class Mp4srPretrain(TrainingParams):
    """Self-supervised pre-training; early stopping is on the ID-free score.

    The released code stops early and keeps the best, as here; the paper trains 300 epochs
    (`patience: 300`, `keep: last`).
    """

    epochs: PositiveInt = 300
    patience: PositiveInt = 20
    batching: Batching = "prefix"
    contrast: Mp4srContrast = Mp4srContrast()
    """Its losses and augmentations."""
    items: Literal["all", "warm"] = "all"
    """`warm` pre-trains without cold items: the paper's cold-start protocol."""


class Mp4srFinetune(OwnIdsTrainingParams):
    """Supervised next-item training, by default over the whole catalogue.

    The paper searches learning_rate in {1e-4, 5e-4, 1e-3}, batch_size in {256, 512, 1024} and
    weight_decay in {1e-4, 5e-4, 1e-3} for each dataset, and trains on prefixes. The default
    `batching: dense` has the same loss for users within `max_sequence_length`, sooner; with `joint`
    take `prefix`, so that contrasts have samples of many users and not of one sequence.
    """

    epochs: PositiveInt = 300
    patience: PositiveInt = 10
    weight_decay: NonNegativeFloat = 1e-4
    use_id: bool = True
    """False leaves ID embeddings out: the paper's cold-start protocol."""
    score_branches: Literal["both", "text", "image"] = "both"
    """`text` and `image` are the paper's MP4SR-T and MP4SR-V."""
    joint: Mp4srContrast | None = None
    """Set, the pre-training losses are added to fine-tuning: the paper's 'E2E'."""

    @model_validator(mode="after")
    def _there_are_ids(self) -> Self:
        for name in ("id_dropout", "alignment"):
            if getattr(self, name) and not self.use_id:
                raise ValueError(
                    f"{name} is about the IDs of items, which use_id: false leaves out; "
                    f"set use_id: true, or {name}: null"
                )
        if self.alignment and self.joint:
            raise ValueError(
                "alignment and joint are both set; there is no training with both, so leave one out"
            )
        return self


class Mp4srParams(SystemParams):
    """MP4SR: multimodal pre-training for sequential recommendation."""

    name: Literal["mp4sr"]
    architecture: Mp4srArchitecture
    pretrain: Mp4srPretrain | None
    finetune: Mp4srFinetune

    @model_validator(mode="after")
    def _windows_fit(self) -> Self:
        check_windows(self.architecture.max_sequence_length, self.pretrain, self.finetune)
        return self

    def modalities(self, stage: Stage) -> tuple[Modality, ...]:
        """Both for contrast, else those that are scored."""
        branches = self.finetune.score_branches
        if stage == "pretrain" or self.finetune.joint or branches == "both":
            return ("text", "image")
        return (branches,)

    def without_features(self, stage: Stage) -> str:
        """Pre-training contrasts the two; fine-tuning may score one."""
        if stage == "pretrain":
            return ""
        return "train and score without them (finetune.joint: null, finetune.score_branches)"
