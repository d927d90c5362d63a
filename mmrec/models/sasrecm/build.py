"""SASRecM from its settings: SASRec whose items are their ID and their features, added up."""

from __future__ import annotations

from functools import partial

import torch

from mmrec.models.data import ModelData, TrainingRun
from mmrec.models.encoders import build_transformer
from mmrec.models.item_table import ItemTableModel
from mmrec.models.items.features import features_of
from mmrec.models.items.pooled import PooledItemEncoder, SumOfFeatures
from mmrec.models.next_item_training import next_item_training
from mmrec.models.own_ids import build_id_dropout, next_item_or_aligned
from mmrec.nn.mlp import Mlp
from mmrec.params.model import Stage
from mmrec.params.models.sasrecm import SasrecmParams
from mmrec.recommender import Training


def build_recommender(params: SasrecmParams, data: ModelData, stage: Stage) -> ItemTableModel:
    """The model with fresh weights.

    Raises:
        ValueError: The run has not the features that are read, or those of other items.
    """
    architecture = params.architecture
    width = architecture.embedding_dim
    item_encoder = PooledItemEncoder(
        features_of(data, params.modalities(stage), params.name),
        partial(Mlp, embedding_dim=width, dropout=architecture.feature_dropout),
        SumOfFeatures(),
    )
    return ItemTableModel(
        item_encoder,
        build_transformer(architecture),
        num_items=data.num_items,
        max_sequence_length=architecture.max_sequence_length,
        item_ids=torch.empty(data.num_items, width).normal_(std=0.02),
        id_dropout=build_id_dropout(params.finetune.id_dropout, data.training_counts),
    )


def build_training(
    params: SasrecmParams, recommender: ItemTableModel, data: ModelData, run: TrainingRun
) -> Training:
    """Training on the next item."""
    objective = next_item_or_aligned(
        recommender, recommender.ids_and_content, params.finetune, data.training_counts
    )
    return next_item_training(objective, params.finetune, data, run)
