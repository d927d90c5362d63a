"""MMSR from its settings: which tokens, which fusion, which sequence encoder."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Final, TypedDict, assert_never

from torch import nn

from mmrec.features.levels import means_of_tokens
from mmrec.features.table import FeatureTable
from mmrec.models.data import Feature, ModelData, TrainingRun
from mmrec.models.encoders import HistoryEncoder, anchor_of, build_history_transformer
from mmrec.models.item_table import ItemTableModel
from mmrec.models.items.encoder import ItemEncoder
from mmrec.models.items.features import require_features
from mmrec.models.items.ids import IdEncoder
from mmrec.models.items.pooled import PooledItemEncoder, SumOfFeatures
from mmrec.models.items.streams import token_stream, tokens_of, with_last_blocks
from mmrec.models.items.tokens import FusionOfMeans, GridConvolution, TokenItemEncoder, TokenMap
from mmrec.models.next_item_training import next_item_objective, next_item_training
from mmrec.nn.co_attention import CoAttention
from mmrec.nn.convolutional_encoder import ConvolutionalEncoder
from mmrec.nn.fusion import Concatenation, Dnn, FiLM, Gate, Summation
from mmrec.nn.merge_attention import MergeAttention
from mmrec.nn.recurrent_encoder import RecurrentEncoder
from mmrec.nn.sequence_encoder import Anchor
from mmrec.nn.transformer import initialise
from mmrec.params.model import Stage
from mmrec.params.models.mmsr import (
    CoarseFusion,
    CoAttentionFusion,
    GruEncoder,
    MergeAttentionFusion,
    MmsrArchitecture,
    MmsrParams,
    NextitnetEncoder,
    SasrecEncoder,
)
from mmrec.params.training import Modality
from mmrec.recommender import Training

COARSE: Final[Mapping[str, Callable[[int], nn.Module]]] = {
    "sum": Summation,
    "concat": Concatenation,
    "film": FiLM,
    "gate": Gate,
}


def build_recommender(params: MmsrParams, data: ModelData, stage: Stage) -> ItemTableModel:
    """The model with fresh weights, but for the encoders' last blocks.

    Raises:
        ValueError: The run has not the features that are read, or those of other items.
        DataError: The blocks that are to be trained are not there.
    """
    architecture = params.architecture
    encoder, anchor = _sequence_encoder(architecture)
    return ItemTableModel(
        _item_encoder(params, data, stage),
        encoder,
        num_items=data.num_items,
        max_sequence_length=architecture.max_sequence_length,
        anchor=anchor,
    )


def build_training(
    params: MmsrParams, recommender: ItemTableModel, data: ModelData, run: TrainingRun
) -> Training:
    """Training on the next item, the encoders' blocks with a rate and a decay of their own."""
    settings = params.pretrain if run.stage == "pretrain" else params.finetune
    assert settings is not None
    objective = next_item_objective(recommender, settings, data.training_counts)
    return with_last_blocks(
        next_item_training(objective, settings, data, run),
        recommender.item_encoder,
        learning_rate=settings.encoder_learning_rate,
        weight_decay=settings.encoder_weight_decay,
    )


def _item_encoder(params: MmsrParams, data: ModelData, stage: Stage) -> ItemEncoder:
    architecture = params.architecture
    if architecture.modality == "ids":
        return IdEncoder(data.num_items, architecture.embedding_dim)
    features = {name: data.features[name] for name in params.modalities(stage)}
    if _only_means_are_read(architecture, features):
        tables = {name: _means(feature) for name, feature in features.items()}
        require_features(tables, data, params.name)
        head = partial(_dense, embedding_dim=architecture.embedding_dim)
        return PooledItemEncoder(tables, head, _fusion_of_vectors(architecture))
    tokens = {name: tokens_of(feature) for name, feature in features.items()}
    require_features(tokens, data, params.name)
    streams = {
        name: token_stream(
            feature,
            tokens[name],
            name,
            embedding_dim=architecture.embedding_dim,
            tune=architecture.tune,
            projection=_projection(architecture, name),
        )
        for name, feature in features.items()
    }
    return TokenItemEncoder(streams, _fusion_of_tokens(architecture))


def _only_means_are_read(
    architecture: MmsrArchitecture, features: Mapping[Modality, Feature]
) -> bool:
    """A dense map of a mean is the mean of dense maps: then items are as cheap as vectors are."""
    by_means = len(features) == 1 or isinstance(architecture.fusion, CoarseFusion)
    frozen = architecture.tune == "none" and not any(
        one.level == "tokens" and one.has_last_blocks for one in features.values()
    )
    return by_means and frozen and architecture.image_projection == "linear"


def _means(feature: Feature) -> FeatureTable:
    return feature.vectors if feature.level == "vectors" else means_of_tokens(feature.tokens)


def _projection(
    architecture: MmsrArchitecture, modality: Modality
) -> type[TokenMap] | type[GridConvolution]:
    is_grid = modality == "image" and architecture.image_projection == "convolution"
    return GridConvolution if is_grid else TokenMap


def _dense(width: int, embedding_dim: int) -> nn.Module:
    head = nn.Linear(width, embedding_dim)
    initialise(head, "xavier_normal")
    return head


def _fusion_of_vectors(architecture: MmsrArchitecture) -> nn.Module:
    """[n, M, D] -> [n, D]."""
    fusion, width = architecture.fusion, architecture.embedding_dim
    if len(architecture.modalities) == 1:
        return SumOfFeatures()
    assert isinstance(fusion, CoarseFusion)
    coarse = COARSE[fusion.name](width)
    return nn.Sequential(coarse, Dnn(width, fusion.dropout)) if fusion.dnn else coarse


def _fusion_of_tokens(architecture: MmsrArchitecture) -> nn.Module:
    """Tokens of n items, a modality after the other -> [n, D]."""
    fusion, width = architecture.fusion, architecture.embedding_dim
    num_modalities = len(architecture.modalities)
    if num_modalities == 1 or isinstance(fusion, CoarseFusion):
        return FusionOfMeans(
            _fusion_of_vectors(architecture), num_modalities=num_modalities, embedding_dim=width
        )
    settings: _Attentive = {
        "embedding_dim": width,
        "num_layers": fusion.num_layers,
        "num_heads": fusion.num_heads,
        "feedforward_dim": fusion.feedforward_dim or 4 * width,
        "dropout": fusion.dropout,
        "attention_dropout": fusion.attention_dropout,
    }
    match fusion:
        case MergeAttentionFusion():
            return MergeAttention(**settings, readout=fusion.readout)
        case CoAttentionFusion():
            return CoAttention(**settings)
        case _:
            assert_never(fusion)


class _Attentive(TypedDict):
    embedding_dim: int
    num_layers: int
    num_heads: int
    feedforward_dim: int
    dropout: float
    attention_dropout: float


def _sequence_encoder(architecture: MmsrArchitecture) -> tuple[HistoryEncoder, Anchor]:
    """What reads a history, and where it counts positions from, if it does."""
    encoder, width = architecture.encoder, architecture.embedding_dim
    match encoder:
        case SasrecEncoder():
            transformer = build_history_transformer(
                encoder,
                embedding_dim=width,
                max_sequence_length=architecture.max_sequence_length,
            )
            return transformer, anchor_of(encoder)
        case GruEncoder():
            recurrent = RecurrentEncoder(
                embedding_dim=width,
                hidden_dim=width,
                num_layers=encoder.num_layers,
                dropout=encoder.dropout,
                output="none",
            )
            return recurrent, "none"
        case NextitnetEncoder():
            return ConvolutionalEncoder(embedding_dim=width, dilations=encoder.dilations), "none"
        case _:
            assert_never(encoder)
