"""Settings of PMMRec, as published but where a field says so."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Final, Literal, Self

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt, model_validator

from mmrec.params.attentive import AttentiveFusion, HistoryTransformer, check_heads
from mmrec.params.features import Level
from mmrec.params.model import Stage, SystemParams
from mmrec.params.section import Section
from mmrec.params.training import (
    Batching,
    InBatchSequencesLoss,
    Metric,
    Modality,
    NextItemLossParams,
    NextItemTrainingParams,
    SequenceArchitecture,
    Share,
    check_windows,
)
from mmrec.params.tuning import BLOCKS_NEEDED, Tune

Take = Literal["full", "items", "users", "text", "image"]
ClassToken = Literal["first_token", "mean"]

NOT_TAKEN: Final[Mapping[Take, tuple[str, ...]]] = {
    "full": (),
    "items": ("sequence_encoder",),
    "users": ("item_encoder",),
    "text": ("item_encoder.image", "item_encoder.fusion"),
    "image": ("item_encoder.text", "item_encoder.fusion"),
}
_OF_ITEMS: Final = ("embedding_dim", "tune", "text_cls", "image_cls", "fusion")
_OF_USERS: Final = ("embedding_dim", "encoder", "max_sequence_length")
_COMMON: Final[Mapping[Take, tuple[str, ...]]] = {
    "full": (*_OF_ITEMS, *_OF_USERS),
    "items": _OF_ITEMS,
    "users": _OF_USERS,
    "text": ("tune", "text_cls", *_OF_USERS),
    "image": ("tune", "image_cls", *_OF_USERS),
}
"""Settings of the architecture in which the parts that are taken must agree."""


class PmmrecLosses(Section):
    """Terms of pre-training (paper section 3.4) and their weights, all 1; 0 leaves one out."""

    dap_weight: PositiveFloat = 1.0
    """Dense autoregressive prediction of the next item, which is always there (`loss`)."""
    contrast_weight: NonNegativeFloat = 1.0
    """Of text and picture; where a run reads one of them alone there is none."""
    nid_weight: NonNegativeFloat = 1.0
    """Noised item detection; 0 is the paper's 'w/o NID'."""
    rcl_weight: NonNegativeFloat = 1.0
    """Robustness-aware contrast of sequences; 0 is the paper's 'w/o RCL'."""
    contrast: Literal["nicl", "icl", "vcl", "none"] = "nicl"
    """Equations 8, 7 ('only NCL' in Table VIII), 6 and the paper's 'w/o NACL'."""
    denominator: Literal["all_positives", "literal"] = "all_positives"
    """Of `nicl`. In equation 8 as printed (`literal`) the next item is above alone, so that the
    loss can be below 0."""
    temperature: PositiveFloat = 0.07
    """Of the contrast; the paper has none, which is 1."""
    shuffle_share: Share = 0.15
    replace_share: Share = 0.05
    """Of the items that are read. Rounded, halves upwards; two are shuffled at least where there
    are four, and one is replaced with its share as the chance where it rounds to none."""
    nid_relu: bool = False
    """True is equation 10 as printed but for its logarithm: ReLU before the softmax."""
    rcl: Literal["normalised", "raw"] = "normalised"
    """Cosines over `rcl_temperature`, or the inner products of equation 11."""
    rcl_temperature: PositiveFloat = 0.07

    @property
    def has_contrast(self) -> bool:
        """Text and picture are contrasted, where both are read."""
        return self.contrast != "none" and self.contrast_weight > 0

    @model_validator(mode="after")
    def _shares_are_shares(self) -> Self:
        if self.shuffle_share + self.replace_share > 1:
            raise ValueError(
                f"shuffle_share ({self.shuffle_share}) and replace_share ({self.replace_share}) "
                "are shares of the same items: they add up to 1 at most"
            )
        return self


class PmmrecFusion(AttentiveFusion):
    """Attention among the tokens of an item's text and picture."""

    readout: Literal["cls", "mean"] = "cls"
    """The state of a learned token among all but the class tokens (paper), or the mean state of all
    tokens (released code)."""


class PmmrecArchitecture(SequenceArchitecture):
    """Item encoder and user encoder; the same on a source and on a target."""

    embedding_dim: PositiveInt = 768
    tune: Tune = "top2"
    """Which of the blocks that the features' states enter (`below_last`) are trained with the rest:
    the top two as published. Features of vectors and of final states have no blocks: none."""
    text_cls: ClassToken = "first_token"
    """What stands for a whole text: its class token, as features with `special_tokens: true` have
    it first; of those without any, the mean of its tokens. A vector is both at once."""
    image_cls: ClassToken = "first_token"
    """The same of a picture. Grids (ResNet, Swin) have no class token: mean."""
    fusion: PmmrecFusion = Field(default_factory=PmmrecFusion)
    encoder: HistoryTransformer = Field(default_factory=HistoryTransformer)
    max_sequence_length: PositiveInt = 20

    @model_validator(mode="after")
    def _heads_share_the_width(self) -> Self:
        check_heads(self.embedding_dim, {"encoder": self.encoder, "fusion": self.fusion})
        return self


class PmmrecTraining(NextItemTrainingParams):
    """Every position of each user's latest window among the items of the batch's sequences."""

    batching: Batching = "latest"
    optimizer: Literal["adam", "adamw"] = "adamw"
    learning_rate: PositiveFloat = 1e-4
    """As released; the paper has none."""
    weight_decay: NonNegativeFloat = 0.1
    encoder_learning_rate: PositiveFloat | None = None
    """Of the blocks that are trained; that of the rest by default."""
    encoder_weight_decay: NonNegativeFloat = 0.0
    epochs: PositiveInt = 100
    """Ended by `patience`, as in the paper; the released code trains 5."""
    patience: PositiveInt = 10
    metric: Metric = "recall@10"
    batch_size: PositiveInt = 1280
    """Targets: 64 users with 20 each. Published are 64, the code has 32, on each of 8 GPUs."""
    max_grad_norm: PositiveFloat | None = None


class PmmrecPretrain(PmmrecTraining):
    """All four losses, on a source."""

    loss: InBatchSequencesLoss = Field(
        default_factory=lambda: InBatchSequencesLoss(name="in_batch_sequences")
    )
    """DAP; its `correction` is of the released code alone."""
    losses: PmmrecLosses = PmmrecLosses()


class PmmrecFinetune(PmmrecTraining):
    """DAP alone, on a target, or from scratch."""

    loss: NextItemLossParams = Field(
        default_factory=lambda: InBatchSequencesLoss(name="in_batch_sequences")
    )
    """DAP; its `correction` is of the released code alone."""
    joint: PmmrecLosses | None = None
    """Set, all four losses are trained: the paper's Table III."""
    modality: Literal["both", "text", "image"] = "both"
    """`text` and `image` are the paper's PMMRec-T and PMMRec-V; a run needs no other."""
    modal_readout: Literal["mean", "cls"] = "mean"
    """What an item is by one modality: the mean of its tokens (released code), or its class token
    (paper), which a pre-training with contrast has trained and one without has not."""
    take: Take = "full"
    """What a run takes of the pre-training it starts from, the rest being fresh: `items` and
    `users` are the paper's item encoders and user encoder alone; `text` and `image` one encoder of
    content and the user encoder."""

    @model_validator(mode="after")
    def _joint_with_dap(self) -> Self:
        if self.joint is not None and self.loss.name != "in_batch_sequences":
            raise ValueError(
                f"joint: one of its terms is the loss in_batch_sequences, found {self.loss.name}; "
                "set loss to {name: in_batch_sequences}, or joint to null"
            )
        return self


class PmmrecParams(SystemParams):
    """PMMRec: multi-modal recommendation that is pre-trained to be taken to other shops."""

    levels: ClassVar[tuple[Level, ...]] = ("vectors", "tokens")

    name: Literal["pmmrec"]
    architecture: PmmrecArchitecture
    pretrain: PmmrecPretrain | None
    finetune: PmmrecFinetune

    @model_validator(mode="after")
    def _windows_fit(self) -> Self:
        check_windows(self.architecture.max_sequence_length, self.pretrain, self.finetune)
        return self

    def modalities(self, stage: Stage) -> tuple[Modality, ...]:
        """Both in pre-training, else those that are read."""
        modality = self.finetune.modality
        return ("text", "image") if stage == "pretrain" or modality == "both" else (modality,)

    def blocks_needed(self) -> int:
        """As many as are trained."""
        return BLOCKS_NEEDED[self.architecture.tune]

    def class_tokens(self, stage: Stage) -> tuple[Modality, ...]:
        """Those that stand for a whole content, or that the fusion leaves out."""
        settings = self.architecture
        by_first = {
            "text": settings.text_cls == "first_token",
            "image": settings.image_cls == "first_token",
        }
        if stage == "finetune" and not self._tells_class_tokens_apart():
            return ()
        return tuple(name for name in self.modalities(stage) if by_first[name])

    def _tells_class_tokens_apart(self) -> bool:
        """Whether fine-tuning does: a mean of all tokens asks for none."""
        finetune = self.finetune
        if finetune.modality != "both":
            return finetune.modal_readout == "cls"
        contrasts = finetune.joint is not None and finetune.joint.has_contrast
        return contrasts or self.architecture.fusion.readout == "cls"

    def without_features(self, stage: Stage) -> str:
        """Pre-training contrasts the two; fine-tuning may read one."""
        return "" if stage == "pretrain" else "read the other alone (finetune.modality)"

    def not_taken(self) -> tuple[str, ...]:
        """Modules that are fresh after a pre-training."""
        return NOT_TAKEN[self.finetune.take]

    def takes(self, other: SystemParams) -> str | None:
        """What is taken must be read, and be of the same architecture; all else may differ."""
        if not isinstance(other, PmmrecParams):
            return super().takes(other)
        take, modality = self.finetune.take, self.finetune.modality
        if {take, modality} == {"text", "image"}:
            return f"it takes {take} and reads {modality}; take what it reads (finetune.take)"
        for name in _COMMON[take]:
            own, others = getattr(self.architecture, name), getattr(other.architecture, name)
            if own != others:
                return f"they have different architectures ({name}); give both the same"
        return None
