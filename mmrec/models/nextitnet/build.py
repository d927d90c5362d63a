"""NextItNet from its settings."""

from __future__ import annotations

from mmrec.models.data import ModelData, TrainingRun
from mmrec.models.next_item_training import next_item_objective, next_item_training
from mmrec.models.nextitnet.model import Nextitnet
from mmrec.nn.convolutional_encoder import ConvolutionalEncoder
from mmrec.params.model import Stage
from mmrec.params.models.nextitnet import NextitnetParams
from mmrec.recommender import Training


def build_recommender(params: NextitnetParams, data: ModelData, stage: Stage) -> Nextitnet:
    """The model with fresh weights."""
    architecture = params.architecture
    encoder = ConvolutionalEncoder(
        embedding_dim=architecture.embedding_dim, dilations=architecture.dilations
    )
    return Nextitnet(
        encoder,
        num_items=data.num_items,
        embedding_dim=architecture.embedding_dim,
        max_sequence_length=architecture.max_sequence_length,
        tied=architecture.tied,
    )


def build_training(
    params: NextitnetParams, recommender: Nextitnet, data: ModelData, run: TrainingRun
) -> Training:
    """Training on the next item."""
    objective = next_item_objective(recommender, params.finetune, data.training_counts)
    return next_item_training(objective, params.finetune, data, run)
