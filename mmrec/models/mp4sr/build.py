"""MP4SR from its settings and features."""

from __future__ import annotations

from mmrec.data.split import warm_only, warm_only_held_out
from mmrec.features.table import FeatureTable
from mmrec.models.data import ModelData, TrainingRun
from mmrec.models.encoders import build_transformer
from mmrec.models.items.features import require_same_catalogue
from mmrec.models.mp4sr.items import MODALITIES, ItemEncoder, Modality
from mmrec.models.mp4sr.model import Mp4sr
from mmrec.models.mp4sr.pretraining import ContrastiveLosses, JointObjective, PretrainObjective
from mmrec.models.next_item_training import (
    Samples,
    build_next_item_loss,
    next_item_training,
)
from mmrec.models.own_ids import build_id_dropout, next_item_or_aligned
from mmrec.nn.pooling import RaggedFeatures
from mmrec.params.model import Stage
from mmrec.params.models.mp4sr import Mp4srArchitecture, Mp4srContrast, Mp4srParams
from mmrec.recommender import Objective, Training


def build_recommender(params: Mp4srParams, data: ModelData, stage: Stage) -> Mp4sr:
    """The model with fresh weights; pre-training has neither item IDs nor a choice of branches.

    Raises:
        ValueError: The run has not the features that are trained on, or those of other items.
    """
    architecture = params.architecture
    tables = {name: data.features[name].vectors for name in MODALITIES}
    scored = _scored_modalities(params, tables, stage)
    item_encoder = ItemEncoder(
        _ragged_features(tables, data.num_items),
        embedding_dim=architecture.embedding_dim,
        attention_dim=architecture.attention_dim,
        num_experts=architecture.num_experts,
        dropout=architecture.expert_dropout,
        pooling=architecture.pooling,
        shared=architecture.shared_adaptor,
    )
    use_id = stage == "finetune" and params.finetune.use_id
    dropped = params.finetune.id_dropout if use_id else None
    return Mp4sr(
        item_encoder,
        build_transformer(architecture),
        num_items=data.num_items,
        embedding_dim=architecture.embedding_dim,
        scored=scored,
        use_id=use_id,
        id_dropout=build_id_dropout(dropped, data.training_counts),
        similarity="cosine" if architecture.score == "cosine" else "dot",
        ranked_by="dot" if architecture.score == "dot" else "cosine",
        temperature=architecture.temperature,
        draws=architecture.expert_draws,
        max_sequence_length=architecture.max_sequence_length,
    )


def build_training(
    params: Mp4srParams, recommender: Mp4sr, data: ModelData, run: TrainingRun
) -> Training:
    """Contrastive pre-training, or fine-tuning on the next item, with the contrast or without."""
    architecture = params.architecture
    if run.stage == "finetune":
        objective = _finetuning(params, recommender, data)
        return next_item_training(objective, params.finetune, data, run)
    assert params.pretrain is not None
    samples = Samples.of(data)
    if params.pretrain.items == "warm":
        samples = Samples(
            warm_only(samples.sequences, data.is_cold),
            warm_only_held_out(samples.held_out, data.is_cold),
        )
    contrast = _contrast(architecture, params.pretrain.contrast)
    return next_item_training(
        PretrainObjective(recommender, contrast), params.pretrain, data, run, samples
    )


def _finetuning(params: Mp4srParams, recommender: Mp4sr, data: ModelData) -> Objective:
    settings = params.finetune
    if settings.joint is None:
        return next_item_or_aligned(
            recommender, recommender.ids_and_content, settings, data.training_counts
        )
    next_item = build_next_item_loss(settings.loss, data.training_counts)
    return JointObjective(recommender, next_item, _contrast(params.architecture, settings.joint))


def _scored_modalities(
    params: Mp4srParams, tables: dict[Modality, FeatureTable], stage: Stage
) -> tuple[Modality, ...]:
    """Modalities that are scored; refuses those that the run has no features for."""
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
    for name, table in tables.items():
        if table.dim:
            require_same_catalogue(name, table, num_items)
    return {
        name: RaggedFeatures(table.vectors, table.offsets)
        for name, table in tables.items()
        if table.dim
    }


def _contrast(architecture: Mp4srArchitecture, contrast: Mp4srContrast) -> ContrastiveLosses:
    return ContrastiveLosses(
        embedding_dim=architecture.embedding_dim,
        temperature=architecture.temperature,
        nip_weight=contrast.nip_weight,
        cmcl_weight=contrast.cmcl_weight,
        cmcl_denominator=contrast.cmcl_denominator,
        same_target_negatives=contrast.same_target_negatives,
        mixup=contrast.mixup,
        max_swap_probability=contrast.max_swap_probability,
        projections=contrast.projections,
        drop_probability=contrast.drop_probability,
        drop_schedule=contrast.drop_schedule,
    )
