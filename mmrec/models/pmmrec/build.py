"""PMMRec from its settings: which tokens make an item, what is trained."""

from __future__ import annotations

from collections.abc import Mapping

from torch import nn

from mmrec.models.data import ModelData, TrainingRun
from mmrec.models.encoders import anchor_of, build_history_transformer
from mmrec.models.in_batch_sequences import InBatchSequencesSoftmax
from mmrec.models.items.features import require_features
from mmrec.models.items.pooled import SumOfFeatures
from mmrec.models.items.streams import token_stream, tokens_of, with_last_blocks
from mmrec.models.items.tokens import FusionOfMeans, ItemTokens
from mmrec.models.next_item_training import next_item_objective, next_item_training
from mmrec.models.pmmrec.items import PmmrecItemEncoder, Tokens
from mmrec.models.pmmrec.model import Pmmrec
from mmrec.models.pmmrec.pretraining import PmmrecObjective
from mmrec.nn.merge_attention import MergeAttention
from mmrec.params.model import Stage
from mmrec.params.models.pmmrec import (
    ClassToken,
    PmmrecArchitecture,
    PmmrecLosses,
    PmmrecParams,
)
from mmrec.params.training import InBatchSequencesLoss, Modality
from mmrec.recommender import Objective, Training


def build_recommender(params: PmmrecParams, data: ModelData, stage: Stage) -> Pmmrec:
    """The model with fresh weights, but for the encoders' last blocks.

    Raises:
        ValueError: the run has not the features that are read, or those of other items.
        DataError: the blocks that are to be trained are not there.
    """
    architecture = params.architecture
    modalities = params.modalities(stage)
    return Pmmrec(
        PmmrecItemEncoder(
            _streams(architecture, data, modalities, params.name),
            _fusion(architecture, modalities),
            fused=_fused(params, modalities),
            contrasted={name: _class_tokens(architecture)[name] for name in modalities},
        ),
        build_history_transformer(
            architecture.encoder,
            embedding_dim=architecture.embedding_dim,
            max_sequence_length=architecture.max_sequence_length,
        ),
        num_items=data.num_items,
        max_sequence_length=architecture.max_sequence_length,
        anchor=anchor_of(architecture.encoder),
    )


def build_training(
    params: PmmrecParams, recommender: Pmmrec, data: ModelData, run: TrainingRun
) -> Training:
    """Pre-training on all losses, or fine-tuning on DAP, with the others or without.

    The encoders' blocks have a rate and a decay of their own.
    """
    settings = params.pretrain if run.stage == "pretrain" else params.finetune
    assert settings is not None
    return with_last_blocks(
        next_item_training(_objective(params, recommender, data, run.stage), settings, data, run),
        recommender.item_encoder,
        learning_rate=settings.encoder_learning_rate,
        weight_decay=settings.encoder_weight_decay,
    )


def _objective(
    params: PmmrecParams, recommender: Pmmrec, data: ModelData, stage: Stage
) -> Objective:
    finetune, pretrain = params.finetune, params.pretrain
    if stage == "pretrain":
        assert pretrain is not None
        return _all_losses(params, recommender, data, pretrain.loss, pretrain.losses)
    if finetune.joint is None:
        return next_item_objective(recommender, finetune, data.training_counts)
    assert isinstance(finetune.loss, InBatchSequencesLoss)  # or the settings are refused
    return _all_losses(params, recommender, data, finetune.loss, finetune.joint)


def _all_losses(
    params: PmmrecParams,
    recommender: Pmmrec,
    data: ModelData,
    loss: InBatchSequencesLoss,
    losses: PmmrecLosses,
) -> PmmrecObjective:
    return PmmrecObjective(
        recommender,
        InBatchSequencesSoftmax(data.training_counts, correction=loss.correction),
        embedding_dim=params.architecture.embedding_dim,
        dap_weight=losses.dap_weight,
        contrast=losses.contrast,
        contrast_weight=losses.contrast_weight,
        denominator=losses.denominator,
        temperature=losses.temperature,
        nid_weight=losses.nid_weight,
        nid_relu=losses.nid_relu,
        rcl_weight=losses.rcl_weight,
        rcl=losses.rcl,
        rcl_temperature=losses.rcl_temperature,
        shuffle_share=losses.shuffle_share,
        replace_share=losses.replace_share,
    )


def _streams(
    architecture: PmmrecArchitecture,
    data: ModelData,
    modalities: tuple[Modality, ...],
    model: str,
) -> dict[Modality, ItemTokens]:
    features = {name: data.features[name] for name in modalities}
    tokens = {name: tokens_of(feature) for name, feature in features.items()}
    require_features(tokens, data, model)
    return {
        name: token_stream(
            feature,
            tokens[name],
            name,
            embedding_dim=architecture.embedding_dim,
            tune=architecture.tune,
        )
        for name, feature in features.items()
    }


def _class_tokens(architecture: PmmrecArchitecture) -> Mapping[Modality, Tokens]:
    """What stands for a content as a whole."""
    kinds: Mapping[ClassToken, Tokens] = {"first_token": "class", "mean": "all"}
    return {"text": kinds[architecture.text_cls], "image": kinds[architecture.image_cls]}


def _fused(params: PmmrecParams, modalities: tuple[Modality, ...]) -> dict[Modality, Tokens]:
    """Which tokens an item is made of."""
    classes = _class_tokens(params.architecture)
    if len(modalities) == 1:
        whole = params.finetune.modal_readout == "cls"
        return {name: classes[name] if whole else "all" for name in modalities}
    only_others = params.architecture.fusion.readout == "cls"
    return {
        name: "others" if only_others and classes[name] == "class" else "all" for name in modalities
    }


def _fusion(architecture: PmmrecArchitecture, modalities: tuple[Modality, ...]) -> nn.Module:
    """Tokens of n items, a modality after the other -> [n, D]."""
    width, fusion = architecture.embedding_dim, architecture.fusion
    if len(modalities) == 1:
        return FusionOfMeans(SumOfFeatures(), num_modalities=1, embedding_dim=width)
    return MergeAttention(
        embedding_dim=width,
        num_layers=fusion.num_layers,
        num_heads=fusion.num_heads,
        feedforward_dim=fusion.feedforward_dim or 4 * width,
        dropout=fusion.dropout,
        attention_dropout=fusion.attention_dropout,
        readout=fusion.readout,
    )
