"""MMSRec from its settings and features."""

from __future__ import annotations

import torch
from torch import Tensor

from mmrec.models.data import ModelData, TrainingRun
from mmrec.models.item_training import item_training
from mmrec.models.items.features import features_of
from mmrec.models.masked_item import MaskedItemObjective, masked_training
from mmrec.models.mmsrec.batches import Corruption, MaskedPrefixes
from mmrec.models.mmsrec.items import NORM_EPS, ModalityEncoder
from mmrec.models.mmsrec.model import Mmsrec
from mmrec.models.mmsrec.pretraining import ItemContrast
from mmrec.models.next_item_training import build_next_item_loss
from mmrec.nn.sequence_encoder import SequenceEncoder
from mmrec.params.model import Stage
from mmrec.params.models.mmsrec import MmsrecFinetune, MmsrecParams, MmsrecPretrain
from mmrec.recommender import Training
from mmrec.seeds import derive_seed


def build_recommender(params: MmsrecParams, data: ModelData, stage: Stage) -> Mmsrec:
    """The model with fresh weights.

    Raises:
        ValueError: The run has not the features that are read, or those of other items.
    """
    architecture = params.architecture
    width = architecture.embedding_dim
    item_encoder = ModalityEncoder(
        features_of(data, params.modalities(stage), params.name),
        num_items=data.num_items,
        embedding_dim=width,
        missing=architecture.missing,
    )
    sequence_encoder = SequenceEncoder(
        embedding_dim=width,
        num_layers=architecture.num_layers,
        num_heads=architecture.num_heads,
        feedforward_dim=architecture.feedforward_dim,
        dropout=architecture.dropout,
        attention_dropout=architecture.attention_dropout,
        input_dropout=architecture.input_dropout,
        max_sequence_length=architecture.max_sequence_length,
        direction="both",
        norm_eps=NORM_EPS,
    )
    return Mmsrec(
        item_encoder,
        sequence_encoder,
        max_sequence_length=architecture.max_sequence_length,
        temperature=architecture.temperature,
        anchor="end" if architecture.pad_to == "N" else "longest",
        item_anchor="start" if architecture.item_tower_position == "first" else "none",
        item_head=architecture.item_head,
    )


def build_training(
    params: MmsrecParams, recommender: Mmsrec, data: ModelData, run: TrainingRun
) -> Training:
    """Item contrast, or masked item prediction.

    Raises:
        DataError: Too few items have both features, or nobody has two items.
    """
    if run.stage == "finetune":
        return _finetuning(params, recommender, data, run)
    assert params.pretrain is not None
    return _pretraining(params.pretrain, recommender, run)


def _pretraining(settings: MmsrecPretrain, recommender: Mmsrec, run: TrainingRun) -> Training:
    objective = ItemContrast(recommender, settings.contrast.model_dump())
    complete = recommender.item_encoder.present.all(dim=1).nonzero().squeeze(1).cpu()
    held_out, trained = _draw(complete, settings.held_out_share, run)
    return item_training(
        objective,
        settings,
        run,
        items=trained,
        held_out=held_out,
        encode=objective.text_and_image,
        num_left_out=recommender.num_items - 1 - len(complete),
    )


def _draw(items: Tensor, share: float, run: TrainingRun) -> tuple[Tensor, Tensor]:
    """A share of the items, at least two, and the others; by the run's seed."""
    seed = derive_seed(run.seed, run.stage, "held-out items")
    order = torch.randperm(len(items), generator=torch.Generator().manual_seed(seed))
    count = max(2, round(len(items) * share))
    return items[order[:count].sort().values], items[order[count:].sort().values]


def _finetuning(
    params: MmsrecParams, recommender: Mmsrec, data: ModelData, run: TrainingRun
) -> Training:
    settings = params.finetune
    loss = build_next_item_loss(settings.loss, data.training_counts)
    return masked_training(
        MaskedItemObjective(recommender, loss),
        settings,
        data,
        run,
        lambda sequences, seed: MaskedPrefixes(
            sequences,
            _corruption(settings, data.num_items),
            max_sequence_length=params.architecture.max_sequence_length,
            prefix_share=settings.prefix_share,
            batch_size=settings.batch_size,
            seed=seed,
        ),
    )


def _corruption(settings: MmsrecFinetune, num_items: int) -> Corruption:
    return Corruption(
        num_items=num_items,
        probability=settings.mask_probability,
        mask_share=settings.mask_share,
        random_share=settings.random_share,
    )
