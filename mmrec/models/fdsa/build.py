"""FDSA from its settings."""

from __future__ import annotations

from functools import partial

from mmrec.models.data import ModelData, TrainingRun
from mmrec.models.encoders import build_transformer
from mmrec.models.fdsa.model import Fdsa, FieldAttention
from mmrec.models.items.features import features_of
from mmrec.models.items.pooled import PooledItemEncoder
from mmrec.models.next_item_training import next_item_objective, next_item_training
from mmrec.nn.mlp import Mlp
from mmrec.nn.transformer import TransformerLayers
from mmrec.params.model import Stage
from mmrec.params.models.fdsa import FdsaParams
from mmrec.recommender import Training


def build_recommender(params: FdsaParams, data: ModelData, stage: Stage) -> Fdsa:
    """The model with fresh weights.

    Raises:
        ValueError: The run has not the features that are read, or those of other items.
    """
    architecture = params.architecture
    width = architecture.embedding_dim
    item_encoder = PooledItemEncoder(
        features_of(data, params.modalities(stage), params.name),
        partial(Mlp, embedding_dim=width, dropout=architecture.feature_dropout),
        FieldAttention(width),
    )
    feature_layers = TransformerLayers(
        embedding_dim=width,
        num_layers=architecture.num_layers,
        num_heads=architecture.num_heads,
        feedforward_dim=architecture.feedforward_dim,
        dropout=architecture.dropout,
        attention_dropout=architecture.attention_dropout,
    )
    return Fdsa(
        item_encoder,
        build_transformer(architecture),
        feature_layers,
        num_items=data.num_items,
        embedding_dim=width,
        max_sequence_length=architecture.max_sequence_length,
    )


def build_training(
    params: FdsaParams, recommender: Fdsa, data: ModelData, run: TrainingRun
) -> Training:
    """Training on the next item."""
    objective = next_item_objective(recommender, params.finetune, data.training_counts)
    return next_item_training(objective, params.finetune, data, run)
