"""SASRec from its settings."""

from __future__ import annotations

from mmrec.models.data import ModelData, TrainingRun
from mmrec.models.encoders import build_transformer
from mmrec.models.next_item_training import next_item_objective, next_item_training
from mmrec.models.sasrec.model import Sasrec
from mmrec.params.model import Stage
from mmrec.params.models.sasrec import SasrecParams
from mmrec.recommender import Training


def build_recommender(params: SasrecParams, data: ModelData, stage: Stage) -> Sasrec:
    """The model with fresh weights."""
    architecture = params.architecture
    return Sasrec(
        build_transformer(architecture),
        num_items=data.num_items,
        embedding_dim=architecture.embedding_dim,
        max_sequence_length=architecture.max_sequence_length,
        temperature=architecture.temperature if architecture.score == "cosine" else None,
    )


def build_training(
    params: SasrecParams, recommender: Sasrec, data: ModelData, run: TrainingRun
) -> Training:
    """Training on the next item."""
    objective = next_item_objective(recommender, params.finetune, data.training_counts)
    return next_item_training(objective, params.finetune, data, run)
