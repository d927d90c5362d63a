"""MMSR from its settings: which tokens, which fusion, which sequence encoder."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Final, TypedDict, assert_never

from torch import nn

from mmrec.features.levels import means_of_tokens, vectors_as_tokens
from mmrec.features.table import FeatureTable
from mmrec.features.token_table import TokenTable
from mmrec.models.data import Feature, ModelData, TrainingRun
from mmrec.models.encoders import HistoryEncoder
from mmrec.models.item_table import ItemTableModel
from mmrec.models.items.encoder import ItemEncoder
from mmrec.models.items.features import require_features
from mmrec.models.items.ids import IdEncoder
from mmrec.models.items.last_blocks import width_behind
from mmrec.models.items.pooled import PooledItemEncoder, SumOfFeatures
from mmrec.models.items.tokens import (
    FusionOfMeans,
    GridConvolution,
    ItemTokens,
    TokenItemEncoder,
    TokenMap,
)
from mmrec.models.next_item_training import next_item_objective, next_item_training
from mmrec.nn.co_attention import CoAttention
from mmrec.nn.convolutional_encoder import ConvolutionalEncoder
from mmrec.nn.fusion import Concatenation, Dnn, FiLM, Gate, Summation
from mmrec.nn.merge_attention import MergeAttention
from mmrec.nn.recurrent_encoder import RecurrentEncoder
from mmrec.nn.sequence_encoder import Anchor, SequenceEncoder
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
from mmrec.params.optimizer import ParameterGroup
from mmrec.params.training import Modality
from mmrec.recommender import Training

COARSE: Final[Mapping[str, Callable[[int], nn.Module]]] = {
    "sum": Summation,
    "concat": Concatenation,
    "film": FiLM,
    "gate": Gate,
}
NORM_EPS = 1e-6
"""Of the transformer over a history."""


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
    training = next_item_training(objective, settings, data, run)
    tokens = {
        modality: part
        for modality in params.modalities(run.stage)
        if isinstance(part := getattr(recommender.item_encoder, modality), ItemTokens)
    }
    tuned = tuple(
        f"item_encoder.{modality}.last_blocks" for modality, part in tokens.items() if part.is_tuned
    )
    training = replace(training, read=tuple(part.table.digest for part in tokens.values()))
    if not tuned:
        return training
    group = ParameterGroup(
        prefixes=tuned,
        learning_rate=settings.encoder_learning_rate,
        weight_decay=settings.encoder_weight_decay,
    )
    return replace(training, groups=(group,))


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
    tokens = {name: _tokens(feature) for name, feature in features.items()}
    require_features(tokens, data, params.name)
    streams = {name: _stream(architecture, features[name], tokens[name], name) for name in features}
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


def _tokens(feature: Feature) -> TokenTable:
    return vectors_as_tokens(feature.vectors) if feature.level == "vectors" else feature.tokens


def _stream(
    architecture: MmsrArchitecture, feature: Feature, tokens: TokenTable, modality: Modality
) -> ItemTokens:
    last_blocks, width = None, tokens.dim
    if feature.level == "tokens" and feature.has_last_blocks:
        last_blocks = feature.last_blocks()
        width = width_behind(last_blocks, tokens)
    elif architecture.tune != "none":
        raise ValueError(
            f"tune: found {architecture.tune}, but the {modality} feature has no blocks to train; "
            "name one of token states with below_last above 0, or set tune to none"
        )
    is_grid = modality == "image" and architecture.image_projection == "convolution"
    kind = GridConvolution if is_grid else TokenMap
    projection = kind(width, architecture.embedding_dim)
    return ItemTokens(tokens, projection, last_blocks, architecture.tune)


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
            transformer = SequenceEncoder(
                embedding_dim=width,
                num_layers=encoder.num_layers,
                num_heads=encoder.num_heads,
                feedforward_dim=encoder.feedforward_dim or 4 * width,
                dropout=encoder.dropout,
                attention_dropout=encoder.attention_dropout,
                max_sequence_length=architecture.max_sequence_length,
                activation="relu",
                norm_eps=NORM_EPS,
                attention_bias=False,
                initialisation="xavier_normal",
            )
            return transformer, "end" if encoder.positions == "from_end" else "start"
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
