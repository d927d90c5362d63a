"""Model params in, recommender and objective out: the one door from params to models.

Imports happen inside the cases, so that only what is chosen is loaded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, assert_never

from torch import Tensor

from mmrec.models.build_losses import build_contrast, build_next_item_loss
from mmrec.models.recommender import NextItemModel, Objective, SequenceRecommender
from mmrec.params.baselines import (
    Gru4RecArchitecture,
    Gru4RecParams,
    PopularityParams,
    SasrecArchitecture,
    SasrecParams,
)
from mmrec.params.models import ModelParams, Mp4srArchitecture, Mp4srParams

if TYPE_CHECKING:
    from mmrec.features.table import FeatureTable
    from mmrec.models.baselines.gru4rec import Gru4Rec
    from mmrec.models.mp4sr import Mp4sr
    from mmrec.models.mp4sr_items import Modality
    from mmrec.nn.pooling import RaggedFeatures
    from mmrec.nn.sequence_encoder import SequenceEncoder

TrainingStage = Literal["pretrain", "finetune"]


def build_recommender(
    params: ModelParams,
    *,
    num_items: int,
    text: FeatureTable,
    image: FeatureTable,
    training_counts: Tensor,
    stage: TrainingStage,
) -> SequenceRecommender:
    """Build the recommender of a stage with fresh weights.

    Args:
        params: A model's settings.
        num_items: N, padding included.
        text: Text features; width 0 where the run has none.
        image: Image features; width 0 where the run has none.
        training_counts: Training interactions of each item, [N].
        stage: Pre-training has neither item IDs nor a choice of branches.
    """
    match params:
        case Mp4srParams():
            return _build_mp4sr(params, num_items, {"text": text, "image": image}, stage)
        case SasrecParams():
            from mmrec.models.baselines.sasrec import Sasrec

            encoder = _build_sequence_encoder(params.architecture)
            return Sasrec(
                encoder, num_items=num_items, embedding_dim=params.architecture.embedding_dim
            )
        case Gru4RecParams():
            return _build_gru4rec(params.architecture, num_items)
        case PopularityParams():
            from mmrec.models.baselines.popularity import Popularity

            return Popularity(training_counts)
        case _:
            assert_never(params)


def build_objective(
    params: ModelParams,
    recommender: SequenceRecommender,
    *,
    training_counts: Tensor,
    stage: TrainingStage,
) -> Objective:
    """Join a recommender with the losses of a stage.

    Args:
        params: The model's settings.
        recommender: The model, as built for this stage.
        training_counts: Training interactions of each item, [N], for losses that draw items.
        stage: Which of the model's two trainings.

    Raises:
        ValueError: The model has no such training.
    """
    from mmrec.models.next_item import NextItemObjective

    match params:
        case Mp4srParams():
            return _build_mp4sr_objective(params, recommender, training_counts, stage)
        case SasrecParams() | Gru4RecParams():
            if stage == "pretrain":
                raise _no_training(params, stage)
            assert isinstance(recommender, NextItemModel)
            loss = build_next_item_loss(params.finetune.loss, training_counts)
            return NextItemObjective(recommender, loss)
        case PopularityParams():
            raise _no_training(params, stage)
        case _:
            assert_never(params)


def _no_training(params: ModelParams, stage: TrainingStage) -> ValueError:
    return ValueError(f"model {params.name} has nothing to {stage}; skip the stage for it")


def _build_sequence_encoder(
    architecture: Mp4srArchitecture | SasrecArchitecture,
) -> SequenceEncoder:
    from mmrec.nn.sequence_encoder import SequenceEncoder

    return SequenceEncoder(
        embedding_dim=architecture.embedding_dim,
        num_layers=architecture.num_layers,
        num_heads=architecture.num_heads,
        feedforward_dim=architecture.feedforward_dim,
        dropout=architecture.dropout,
        attention_dropout=architecture.attention_dropout,
        max_sequence_length=architecture.max_sequence_length,
    )


def _build_gru4rec(architecture: Gru4RecArchitecture, num_items: int) -> Gru4Rec:
    from mmrec.models.baselines.gru4rec import Gru4Rec
    from mmrec.nn.recurrent_encoder import RecurrentEncoder

    encoder = RecurrentEncoder(
        embedding_dim=architecture.embedding_dim,
        hidden_dim=architecture.hidden_dim,
        num_layers=architecture.num_layers,
        dropout=architecture.dropout,
    )
    return Gru4Rec(encoder, num_items=num_items, embedding_dim=architecture.embedding_dim)


def _build_mp4sr(
    params: Mp4srParams, num_items: int, tables: dict[Modality, FeatureTable], stage: TrainingStage
) -> Mp4sr:
    from mmrec.models.mp4sr import Mp4sr
    from mmrec.models.mp4sr_items import ItemEncoder

    architecture = params.architecture
    scored = _scored_modalities(params, tables, stage)
    item_encoder = ItemEncoder(
        _ragged_features(tables, num_items),
        embedding_dim=architecture.embedding_dim,
        attention_dim=architecture.attention_dim,
        num_experts=architecture.num_experts,
        dropout=architecture.expert_dropout,
        pooling=architecture.pooling,
        shared=architecture.shared_adaptor,
    )
    return Mp4sr(
        item_encoder,
        _build_sequence_encoder(architecture),
        num_items=num_items,
        embedding_dim=architecture.embedding_dim,
        scored=scored,
        use_id=stage == "finetune" and params.finetune.use_id,
        similarity=architecture.score,
        temperature=architecture.temperature,
    )


def _scored_modalities(
    params: Mp4srParams, tables: dict[Modality, FeatureTable], stage: TrainingStage
) -> tuple[Modality, ...]:
    """Modalities that are scored; refuses those that the run has no features for."""
    from mmrec.models.mp4sr_items import MODALITIES

    branches = "both" if stage == "pretrain" else params.finetune.score_branches
    scored = MODALITIES if branches == "both" else (branches,)
    contrasts = stage == "pretrain" or params.finetune.joint is not None
    absent = [name for name in MODALITIES if tables[name].dim == 0]
    if contrasts and absent:
        raise ValueError(
            "mp4sr's pre-training losses need text and image features, the run has "
            f"{absent[0]}: none; name a feature, or train without these losses "
            "(pretrain: null, finetune.joint: null)"
        )
    wanting = [name for name in scored if name in absent]
    if wanting:
        present = [name for name in MODALITIES if name not in absent]
        advice = (
            f"set finetune.score_branches: {present[0]}"
            if present
            else "name a text or image feature"
        )
        raise ValueError(
            f"mp4sr scores with {' and '.join(scored)} features, "
            f"the run has {wanting[0]}: none; {advice}"
        )
    return scored


def _ragged_features(
    tables: dict[Modality, FeatureTable], num_items: int
) -> dict[Modality, RaggedFeatures]:
    from mmrec.nn.pooling import RaggedFeatures

    for name, table in tables.items():
        if table.dim and table.num_items != num_items:
            raise ValueError(
                f"{name} features are of {table.num_items} items, the catalogue has "
                f"{num_items} (padding included); load them for this catalogue"
            )
    return {
        name: RaggedFeatures(table.vectors, table.offsets)
        for name, table in tables.items()
        if table.dim
    }


def _build_mp4sr_objective(
    params: Mp4srParams,
    recommender: SequenceRecommender,
    training_counts: Tensor,
    stage: TrainingStage,
) -> Objective:
    from mmrec.models.mp4sr import Mp4sr
    from mmrec.models.mp4sr_pretraining import JointObjective, PretrainObjective
    from mmrec.models.next_item import NextItemObjective

    assert isinstance(recommender, Mp4sr)
    if stage == "pretrain":
        if params.pretrain is None:
            raise _no_training(params, stage)
        return PretrainObjective(
            recommender, build_contrast(params.architecture, params.pretrain.contrast)
        )
    loss = build_next_item_loss(params.finetune.loss, training_counts)
    if params.finetune.joint is not None:
        return JointObjective(
            recommender, loss, build_contrast(params.architecture, params.finetune.joint)
        )
    return NextItemObjective(recommender, loss)
