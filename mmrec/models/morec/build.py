"""MoRec heads on frozen features from their settings: items by content alone, through SASRec."""

from __future__ import annotations

from functools import partial
from typing import assert_never

from torch import nn

from mmrec.models.data import ModelData, TrainingRun
from mmrec.models.encoders import build_transformer
from mmrec.models.item_table import ItemTableModel
from mmrec.models.items.features import features_of
from mmrec.models.items.pooled import PooledItemEncoder, SumOfFeatures
from mmrec.models.morec.items import ConcatenatedFeatures, MorecHead
from mmrec.models.next_item_training import next_item_objective, next_item_training
from mmrec.params.model import Stage
from mmrec.params.models.morec import MorecArchitecture, MorecParams
from mmrec.recommender import Training


def build_recommender(params: MorecParams, data: ModelData, stage: Stage) -> ItemTableModel:
    """The model with fresh weights.

    Raises:
        ValueError: The run has not the features that are read, or those of other items.
    """
    architecture = params.architecture
    tables = features_of(data, params.modalities(stage), params.name)
    item_encoder = PooledItemEncoder(
        tables,
        partial(MorecHead, embedding_dim=architecture.embedding_dim),
        _fusion(architecture, len(tables)),
    )
    return ItemTableModel(
        item_encoder,
        build_transformer(architecture),
        num_items=data.num_items,
        max_sequence_length=architecture.max_sequence_length,
    )


def build_training(
    params: MorecParams, recommender: ItemTableModel, data: ModelData, run: TrainingRun
) -> Training:
    """Training on the next item."""
    objective = next_item_objective(recommender, params.finetune, data.training_counts)
    return next_item_training(objective, params.finetune, data, run)


def _fusion(architecture: MorecArchitecture, num_features: int) -> nn.Module:
    match architecture.fusion:
        case "sum":
            return SumOfFeatures()
        case "concat":
            return ConcatenatedFeatures(num_features, architecture.embedding_dim)
        case _:
            assert_never(architecture.fusion)
