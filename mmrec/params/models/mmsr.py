"""Settings of MMSR, as published but where a field says so."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt, model_validator

from mmrec.params.attentive import AttentiveFusion, HistoryTransformer, check_heads
from mmrec.params.features import Level
from mmrec.params.model import Stage, SystemParams
from mmrec.params.optimizer import LinearRate, ScheduleParams
from mmrec.params.section import FROM_LIST, Section
from mmrec.params.training import (
    Batching,
    BinaryLoss,
    Metric,
    Modality,
    NextItemLossParams,
    NextItemTrainingParams,
    Probability,
    SequenceArchitecture,
    check_windows,
)
from mmrec.params.tuning import BLOCKS_NEEDED, Tune


class CoarseFusion(Section):
    """Of the mean tokens of both: a row of Table 3."""

    name: Literal["sum", "concat", "film", "gate"]
    """How the two become one vector."""
    dnn: bool = False
    """Three dense layers with ReLU behind it: the rows with a plus."""
    dropout: Probability = 0.1
    """Before each of them."""


class MergeAttentionFusion(AttentiveFusion):
    """A transformer over the tokens of both together."""

    name: Literal["merge_attention"]
    readout: Literal["mean", "cls"] = "mean"
    """The mean of all states (released code), or the state of a learned token."""


class CoAttentionFusion(AttentiveFusion):
    """Two transformers that attend to each other's tokens."""

    name: Literal["co_attention"]


FusionParams = Annotated[
    CoarseFusion | MergeAttentionFusion | CoAttentionFusion, Field(discriminator="name")
]


class SasrecEncoder(HistoryTransformer):
    """SASRec's transformer, as released: ReLU, no biases in its attention."""

    name: Literal["sasrec"]


class GruEncoder(Section):
    """GRURec: a recurrent unit without biases and without a layer behind it."""

    name: Literal["gru"]
    num_layers: PositiveInt = 4
    """2 in the released code."""
    dropout: Probability = 0.1
    """Of what enters it."""


class NextitnetEncoder(Section):
    """NextItNet's residual blocks without a layer behind them."""

    name: Literal["nextitnet"]
    dilations: Annotated[tuple[PositiveInt, ...], FROM_LIST, Field(min_length=1)] = (1, 4, 1, 4)
    """A residual block each; the released code's two times 1, 4."""


EncoderParams = Annotated[
    SasrecEncoder | GruEncoder | NextitnetEncoder, Field(discriminator="name")
]


class MmsrArchitecture(SequenceArchitecture):
    """Which encoders' tokens, which fusion, which sequence encoder."""

    modality: Literal["both", "text", "image", "joint", "ids"] = "both"
    """`text` and `image` are the paper's MMSR-T and MMSR-V, `ids` its IDSR, by an embedding of each
    item. `joint` reads one feature of text and picture together, which the run names as `text`."""
    embedding_dim: PositiveInt = 768
    tune: Tune = "top2"
    """Which of the blocks that the features' states enter (`below_last`) are trained with the rest:
    the top two as in the paper, the bottom ten of twelve as in its code, or all there are. With
    `below_last` as high as an encoder has blocks, `all` is full tuning but for the embeddings,
    which are frozen here. Features of vectors and of final states have no blocks: none."""
    image_projection: Literal["linear", "convolution"] = "linear"
    """A dense map of each token of a picture; or a convolution of 3 x 3 and ReLU, as for a ResNet
    under attention."""
    fusion: FusionParams = Field(
        default_factory=lambda: MergeAttentionFusion(name="merge_attention")
    )
    """Of text and picture; a single modality is the mean of its tokens."""
    encoder: EncoderParams = Field(default_factory=lambda: SasrecEncoder(name="sasrec"))
    """What reads the sequence."""
    max_sequence_length: PositiveInt = 20

    @model_validator(mode="after")
    def _heads_share_the_width(self) -> Self:
        parts = {
            "encoder": self.encoder,
            "fusion": self.fusion if self.modality == "both" else None,
        }
        check_heads(self.embedding_dim, parts)
        return self

    @property
    def modalities(self) -> tuple[Modality, ...]:
        """Features that are read, in order."""
        found: dict[str, tuple[Modality, ...]] = {
            "both": ("text", "image"),
            "text": ("text",),
            "image": ("image",),
            "joint": ("text",),
            "ids": (),
        }
        return found[self.modality]


class MmsrTraining(NextItemTrainingParams):
    """Every position of each user's latest window against one item that is not in it."""

    batching: Batching = "latest"
    loss: NextItemLossParams = Field(default_factory=lambda: BinaryLoss(name="bce"))
    optimizer: Literal["adam", "adamw"] = "adamw"
    learning_rate: PositiveFloat = 1e-4
    weight_decay: NonNegativeFloat = 0.1
    encoder_learning_rate: PositiveFloat | None = None
    """Of the blocks that are trained; that of the rest by default."""
    encoder_weight_decay: NonNegativeFloat = 0.0
    schedule: ScheduleParams = Field(
        default_factory=lambda: LinearRate(
            name="linear_to", factor=0.1, from_epoch=120, to_epoch=150
        )
    )
    """As in the paper; the released code has `step`, .1 after 120 epochs."""
    epochs: PositiveInt = 150
    patience: PositiveInt = 150
    metric: Metric = "recall@10"
    batch_size: PositiveInt = 1280
    """Targets: 64 users with 20 each. Published are 64, on each of 8 GPUs."""
    max_grad_norm: PositiveFloat | None = None


class MmsrParams(SystemParams):
    """MMSR: text and picture tokens of frozen or partly tuned encoders, fused, through a sequence.

    A pre-training is the same training on a source of which a run takes the whole model.
    """

    levels: ClassVar[tuple[Level, ...]] = ("vectors", "tokens")

    name: Literal["mmsr"]
    architecture: MmsrArchitecture
    pretrain: MmsrTraining | None
    finetune: MmsrTraining

    @model_validator(mode="after")
    def _windows_fit(self) -> Self:
        check_windows(self.architecture.max_sequence_length, self.pretrain, self.finetune)
        return self

    def modalities(self, stage: Stage) -> tuple[Modality, ...]:  # noqa: ARG002
        """Those of its arm."""
        return self.architecture.modalities

    def blocks_needed(self) -> int:
        """As many as are trained."""
        return BLOCKS_NEEDED[self.architecture.tune]

    def without_features(self, stage: Stage) -> str:  # noqa: ARG002
        """It reads one of the two where asked."""
        return "read the other alone (architecture.modality)"
