"""One training of a run: settings, data and initial weights in, recommender out."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import torch

from mmrec.device import choose_device, compile_if_asked
from mmrec.models.data import ModelData, TrainingRun
from mmrec.models.loading import TrainedWeights, check_items, load_pretrained
from mmrec.models.registry import System, TrainedSystem, system_of
from mmrec.params.models.registry import ModelParams
from mmrec.recommender import Recommender, Training
from mmrec.seeds import derive_seed
from mmrec.training.digest import code_digest
from mmrec.training.trainer import train
from mmrec.training.validation import (
    VALIDATION_PROTOCOL,
    tell_references,
    warn_if_nothing_learned,
)

logger = logging.getLogger(__name__)


def _nobody(_: Mapping[str, float]) -> None:
    pass


def fit(
    params: ModelParams,
    data: ModelData,
    run: TrainingRun,
    *,
    weights: TrainedWeights | None,
    checkpoint_dir: Path,
    history_path: Path,
    watch: Callable[[Mapping[str, float]], None] = _nobody,
) -> tuple[Recommender, dict[str, object]]:
    """Train one stage of a model; returns the recommender and a record of how it went.

    Args:
        params: the model's settings.
        data: of the run.
        run: which stage of which run, one that the model has; all randomness derives from its seed.
        weights: pre-trained weights to start from, or None.
        checkpoint_dir: work in progress, outside the outputs of a stage.
        history_path: CSV to write after every epoch.
        watch: is told the validation metrics of each epoch; what it raises ends the training.

    Raises:
        ValueError: settings and data do not go together, or training diverges.
        DataError: there is nothing to train or to validate on, or the weights are of other items.
    """
    stage, settings = run.stage, params.training(run.stage)
    assert settings is not None
    system = system_of(params)
    assert isinstance(system, TrainedSystem)
    recommender = _initial(system, params, data, run, weights)
    training = system.build_training(params, recommender, data, run)
    compile_if_asked(training.objective)
    references = training.validation.references
    tell_references(references, settings.metric, stage)
    described = params.described(stage)

    def validate() -> dict[str, float]:
        metrics = training.validation.metrics()
        watch(metrics)
        return {**metrics, **references}

    result = train(
        training.objective,
        training.batches,
        validate,
        settings,
        seed=run.seed,
        stage=stage,
        settings=_decisive(described, training, run),
        checkpoint_dir=checkpoint_dir,
        history_path=history_path,
        groups=training.groups,
    )
    warn_if_nothing_learned(result.kept_metric, references, settings.metric, stage)
    return recommender, {
        "model": described,
        "trained": True,
        VALIDATION_PROTOCOL: run.mask_history,
        "best_epoch": result.best_epoch,
        "kept_epoch": result.kept_epoch,
        "epochs": result.epochs_run,
        f"validation {settings.metric}": result.kept_metric,
        **training.counts,
    }


def _initial(
    system: System,
    params: ModelParams,
    data: ModelData,
    run: TrainingRun,
    weights: TrainedWeights | None,
) -> Recommender:
    """The recommender with fresh weights, or those it shares with what it starts from."""
    torch.manual_seed(derive_seed(run.seed, run.stage, "initial weights"))
    recommender = system.build_recommender(params, data, run.stage)
    if weights is not None:
        _start_from(recommender, weights, data, not_taken=params.not_taken())
    return recommender


def _decisive(
    described: dict[str, object], training: Training, run: TrainingRun
) -> dict[str, object]:
    """What decides the result besides the loop, the batches and the tensors of the objective."""
    return {
        "model": described,
        "code": code_digest(run.stage, described),
        "validated": training.validation.digest,
        "mask_history": run.mask_history,
        "read": [*training.read],
        # Half precision on an accelerator: such a training is not continued elsewhere.
        "device": choose_device().type,
    }


def _start_from(
    recommender: Recommender, weights: TrainedWeights, data: ModelData, *, not_taken: Sequence[str]
) -> None:
    taken = weights.without(not_taken)
    check_items(recommender, taken, data.items["item_id"])
    report = load_pretrained(recommender, taken.tensors)
    logger.info(
        "pre-trained parameters: %d loaded; fresh: %s; unused: %s",
        len(report.loaded),
        _names(report.fresh),
        _names(sorted({*report.unused, *weights.tensors.keys() - taken.tensors.keys()})),
    )


def _names(names: list[str]) -> str:
    return ", ".join(names) or "none"
