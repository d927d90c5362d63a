"""Training on what comes next in sequences: the batches, the losses, and how an epoch is judged."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple, assert_never

from torch import Tensor

from mmrec.data.batches import TrainingBatches
from mmrec.data.sequences import Sequences
from mmrec.data.split import HeldOut, draw_held_out, hold_out_validation, training_part
from mmrec.device import choose_device
from mmrec.evaluation.evaluator import require_held_out, validation_metrics
from mmrec.evaluation.knowing_nothing import reference_metrics
from mmrec.models.binary_loss import BinaryCrossEntropy
from mmrec.models.data import ModelData, TrainingRun
from mmrec.models.in_batch_sequences import InBatchSequencesSoftmax
from mmrec.models.next_item import (
    FullSoftmax,
    InBatchSoftmax,
    NextItemLoss,
    NextItemModel,
    NextItemObjective,
    SampledSoftmax,
)
from mmrec.models.popularity_correction import corrected
from mmrec.models.weighed_softmax import WeighedSoftmax, log_counts
from mmrec.params.training import (
    BinaryLoss,
    FullLoss,
    InBatchLoss,
    InBatchSequencesLoss,
    NextItemLossParams,
    NextItemTrainingParams,
    SampledLoss,
    TrainingParams,
    UserTrainingParams,
)
from mmrec.recommender import Objective, Recommender, Training, Validation
from mmrec.seeds import derive_seed

VALIDATION_CUTOFFS = (5, 10, 20, 50)


class Samples(NamedTuple):
    """Sequences to train on, and what to validate on."""

    sequences: Sequences
    held_out: HeldOut

    @classmethod
    def of(cls, data: ModelData) -> Samples:
        """Everybody's training part and validation item."""
        return cls(training_part(data.sequences), hold_out_validation(data.sequences))


def next_item_training(
    objective: Objective,
    settings: TrainingParams,
    data: ModelData,
    run: TrainingRun,
    samples: Samples | None = None,
) -> Training:
    """Train an objective over sequences; an epoch is judged by the ranks of validation items.

    Args:
        objective: is moved to the chosen device.
        settings: of the training.
        data: of the run.
        run: of which the training is.
        samples: everybody's by default.

    Raises:
        DataError: there is nothing to train or nobody to validate on.
        ValueError: settings and data do not go together.
    """
    sequences, held_out = samples or Samples.of(data)
    require_held_out(held_out)  # and not when an epoch has been trained
    objective.to(choose_device())
    recommender = objective.recommender
    batches = TrainingBatches(
        sequences.to(choose_device()),
        batching=settings.batching,
        max_sequence_length=recommender.max_sequence_length,
        window_overlap=settings.window_overlap,
        batch_size=settings.batch_size,
        seed=derive_seed(run.seed, run.stage),
    )
    loss = objective.loss if isinstance(objective, NextItemObjective) else None
    validation = next_item_validation(recommender, loss, held_out, settings, data, run)
    return Training(objective, batches, validation)


def next_item_validation(
    recommender: Recommender,
    loss: NextItemLoss | None,
    held_out: HeldOut,
    settings: UserTrainingParams,
    data: ModelData,
    run: TrainingRun,
) -> Validation:
    """How an epoch is judged: by the ranks of held-out items, or of a sample of them.

    Where the training's whole loss is a softmax over the catalogue, or an estimate of it, that of
    the held-out items is told with the metrics.
    """
    seed = derive_seed(run.seed, run.stage, "validation")
    validated = draw_held_out(held_out, settings.validation_users, seed=seed)
    metric, mask_history = settings.metric, run.mask_history
    references = reference_metrics(
        validated, data.training_counts, metric, mask_history=mask_history
    )
    power, counts = settings.popularity_power, data.training_counts
    log_weights = loss.log_weights() if loss else None
    if log_weights is not None and power:  # which ranks items, and is in no loss
        log_weights = log_weights.cpu() - power * log_counts(counts)
    metrics = partial(
        validation_metrics,
        corrected(recommender, counts, power=power),
        validated,
        mask_history=mask_history,
        cutoffs=_cutoffs(metric),
        log_weights=log_weights,
    )
    return Validation(metrics, references, validated.digest)


def next_item_objective(
    recommender: NextItemModel, settings: NextItemTrainingParams, training_counts: Tensor
) -> NextItemObjective:
    """The recommender, trained on its own scores."""
    return NextItemObjective(recommender, build_next_item_loss(settings.loss, training_counts))


def build_next_item_loss(params: NextItemLossParams, training_counts: Tensor) -> NextItemLoss:
    """The loss that predicts the next item of a catalogue with these training counts, [N]."""
    match params:
        case FullLoss(candidates="all", candidate_power=0):
            return FullSoftmax()
        case FullLoss():
            return WeighedSoftmax(
                training_counts, candidates=params.candidates, power=params.candidate_power
            )
        case SampledLoss():
            return SampledSoftmax(
                training_counts,
                num_negatives=params.num_negatives,
                draw=params.draw,
                correction=params.correction,
            )
        case InBatchLoss():
            return InBatchSoftmax(training_counts, correction=params.correction)
        case InBatchSequencesLoss():
            return InBatchSequencesSoftmax(training_counts, correction=params.correction)
        case BinaryLoss():
            return BinaryCrossEntropy(num_items=len(training_counts))
        case _:
            assert_never(params)


def _cutoffs(metric: str) -> list[int]:
    chosen = metric.partition("@")[2]
    return sorted({*VALIDATION_CUTOFFS, *([int(chosen)] if chosen else [])})
