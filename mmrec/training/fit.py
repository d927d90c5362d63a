"""One training of a run: settings, data and initial weights in, recommender out."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch

from mmrec.data.sequences import Sequences
from mmrec.data.split import (
    HeldOut,
    draw_held_out,
    hold_out_validation,
    training_part,
    warm_only,
    warm_only_held_out,
)
from mmrec.device import choose_device, compile_if_asked
from mmrec.evaluation.evaluator import require_held_out, validation_metrics
from mmrec.models.build import build_objective
from mmrec.models.loading import TrainedWeights, check_items, load_pretrained
from mmrec.models.recommender import SequenceRecommender
from mmrec.params.models import ModelParams, Mp4srPretrain
from mmrec.params.training import TrainingParams
from mmrec.training.batches import TrainingBatches
from mmrec.training.digest import code_digest, held_out_digest
from mmrec.training.history import write_history
from mmrec.training.run_data import RunData, Stage, build_for, max_sequence_length
from mmrec.training.seeds import derive_seed
from mmrec.training.trainer import train
from mmrec.training.validation import (
    VALIDATION_PROTOCOL,
    reference_metrics,
    tell_references,
    warn_if_nothing_learned,
)

VALIDATION_CUTOFFS = (5, 10, 20, 50)

logger = logging.getLogger(__name__)


def fit(
    params: ModelParams,
    data: RunData,
    *,
    stage: Stage,
    seed: int,
    mask_history: bool,
    weights: TrainedWeights | None,
    checkpoint_dir: Path,
    history_path: Path,
) -> tuple[SequenceRecommender | None, dict[str, object]]:
    """Train one stage of a model; returns the recommender and a record of how it went.

    A model without this stage gives no recommender and an empty history.

    Args:
        params: the model's settings.
        data: of the run.
        stage: which of the model's two trainings.
        seed: of the run; initial weights, order and dropout derive from it and the stage.
        mask_history: in validation, what a user has seen is no candidate.
        weights: pre-trained weights to start from, or None.
        checkpoint_dir: work in progress, outside the outputs of a stage.
        history_path: CSV to write after every epoch.

    Raises:
        ValueError: settings and data do not go together, or training diverges.
        DataError: there is nothing to train or to validate on, or the weights are of other items.
    """
    settings = params.pretrain if stage == "pretrain" else params.finetune
    # Of this stage only: what the other is set to neither changes nor invalidates it.
    described = params.model_dump(mode="json", include={"name", "architecture", stage})
    record: dict[str, object] = {"model": described, "trained": settings is not None}
    if settings is None:
        write_history([], history_path)
        return None, record
    torch.manual_seed(derive_seed(seed, stage, "initial weights"))
    recommender = build_for(params, data, stage)
    if weights is not None:
        _start_from(recommender, weights, data)
    device = choose_device()
    objective = build_objective(
        params, recommender, training_counts=data.training_counts, stage=stage
    ).to(device)
    compile_if_asked(objective)
    sequences, held_out = _samples(data, settings)
    require_held_out(held_out)  # and not when an epoch has been trained
    validated = draw_held_out(
        held_out, settings.validation_users, seed=derive_seed(seed, stage, "validation")
    )
    references = reference_metrics(
        validated, data.training_counts, settings.metric, mask_history=mask_history
    )
    tell_references(references, settings.metric, stage)
    length = max_sequence_length(params)
    validate = _validator(recommender, validated, settings, length, mask_history=mask_history)
    result = train(
        objective,
        _batches(sequences.to(device), settings, length, derive_seed(seed, stage)),
        lambda: {**validate(), **references},
        epochs=settings.epochs,
        patience=settings.patience,
        metric=settings.metric,
        learning_rate=settings.learning_rate,
        weight_decay=settings.weight_decay,
        max_grad_norm=settings.max_grad_norm,
        seed=seed,
        stage=stage,
        settings={
            "model": described,
            "code": code_digest(stage, described),
            "validated": held_out_digest(validated),
            "mask_history": mask_history,
            # Half precision on an accelerator: such a training is not continued elsewhere.
            "device": device.type,
        },
        checkpoint_dir=checkpoint_dir,
        history_path=history_path,
    )
    if result.best_metric is not None:
        warn_if_nothing_learned(result.best_metric, references, settings.metric, stage)
    record |= {
        VALIDATION_PROTOCOL: mask_history,
        "best_epoch": result.best_epoch,
        "epochs": result.epochs_run,
        f"validation {settings.metric}": result.best_metric,
    }
    return recommender, record


def _start_from(recommender: SequenceRecommender, weights: TrainedWeights, data: RunData) -> None:
    check_items(recommender, weights, data.items["item_id"])
    report = load_pretrained(recommender, weights.tensors)
    logger.info(
        "pre-trained parameters: %d loaded; fresh: %s; unused: %s",
        len(report.loaded),
        _names(report.fresh),
        _names(report.unused),
    )


def _batches(
    sequences: Sequences, settings: TrainingParams, length: int, seed: int
) -> TrainingBatches:
    return TrainingBatches(
        sequences,
        batching=settings.batching,
        max_sequence_length=length,
        window_overlap=settings.window_overlap,
        batch_size=settings.batch_size,
        seed=seed,
    )


def _samples(data: RunData, settings: TrainingParams) -> tuple[Sequences, HeldOut]:
    sequences, held_out = training_part(data.sequences), hold_out_validation(data.sequences)
    if isinstance(settings, Mp4srPretrain) and settings.items == "warm":
        return warm_only(sequences, data.is_cold), warm_only_held_out(held_out, data.is_cold)
    return sequences, held_out


def _validator(
    recommender: SequenceRecommender,
    held_out: HeldOut,
    settings: TrainingParams,
    length: int,
    *,
    mask_history: bool,
) -> Callable[[], dict[str, float]]:
    chosen = settings.metric.partition("@")[2]
    return partial(
        validation_metrics,
        recommender,
        held_out,
        max_sequence_length=length,
        mask_history=mask_history,
        cutoffs=sorted({*VALIDATION_CUTOFFS, *([int(chosen)] if chosen else [])}),
    )


def _names(names: list[str]) -> str:
    return ", ".join(names) or "none"
