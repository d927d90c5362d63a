"""BERT4Rec from its settings."""

from __future__ import annotations

from mmrec.models.bert4rec.model import Bert4Rec
from mmrec.models.data import ModelData, TrainingRun
from mmrec.models.encoders import build_transformer
from mmrec.models.masked_item import MaskedBatches, MaskedItemObjective, masked_training
from mmrec.models.next_item_training import build_next_item_loss
from mmrec.params.model import Stage
from mmrec.params.models.bert4rec import Bert4RecParams
from mmrec.recommender import Training


def build_recommender(params: Bert4RecParams, data: ModelData, stage: Stage) -> Bert4Rec:
    """The model with fresh weights."""
    return Bert4Rec(
        build_transformer(params.architecture, direction="both"),
        num_items=data.num_items,
        embedding_dim=params.architecture.embedding_dim,
        max_sequence_length=params.architecture.max_sequence_length,
    )


def build_training(
    params: Bert4RecParams, recommender: Bert4Rec, data: ModelData, run: TrainingRun
) -> Training:
    """Training on masked items."""
    settings = params.finetune
    loss = build_next_item_loss(settings.loss, data.training_counts)
    return masked_training(
        MaskedItemObjective(recommender, loss),
        settings,
        data,
        run,
        lambda sequences, seed: MaskedBatches(
            sequences,
            mask=data.num_items,
            max_sequence_length=params.architecture.max_sequence_length,
            mask_probability=settings.mask_probability,
            last_only_share=settings.last_only_share,
            batch_size=settings.batch_size,
            seed=seed,
        ),
    )
