"""GRU4Rec from its settings."""

from __future__ import annotations

from mmrec.models.data import ModelData, TrainingRun
from mmrec.models.gru4rec.model import Gru4Rec
from mmrec.models.next_item_training import next_item_objective, next_item_training
from mmrec.nn.recurrent_encoder import RecurrentEncoder
from mmrec.params.model import Stage
from mmrec.params.models.gru4rec import Gru4RecParams
from mmrec.recommender import Training


def build_recommender(params: Gru4RecParams, data: ModelData, stage: Stage) -> Gru4Rec:
    """The model with fresh weights."""
    architecture = params.architecture
    encoder = RecurrentEncoder(
        embedding_dim=architecture.embedding_dim,
        hidden_dim=architecture.hidden_dim,
        num_layers=architecture.num_layers,
        dropout=architecture.dropout,
    )
    return Gru4Rec(
        encoder,
        num_items=data.num_items,
        embedding_dim=architecture.embedding_dim,
        max_sequence_length=architecture.max_sequence_length,
    )


def build_training(
    params: Gru4RecParams, recommender: Gru4Rec, data: ModelData, run: TrainingRun
) -> Training:
    """Training on the next item."""
    objective = next_item_objective(recommender, params.finetune, data.training_counts)
    return next_item_training(objective, params.finetune, data, run)
