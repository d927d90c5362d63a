"""A file of sequences in; batches, models and timed trainings out, by the code of the pipeline."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch

from benchmarks.step_clock import StepClock
from mmrec import schemas
from mmrec.data.clean import CleanResult, clean
from mmrec.data.images import RawImages
from mmrec.data.packing import write_image_parts
from mmrec.data.sequences import Sequences
from mmrec.data.sources.sequences import SequencesSource
from mmrec.data.split import training_part
from mmrec.features.table import FeatureTable
from mmrec.models.build import build_objective, build_recommender
from mmrec.models.recommender import Objective
from mmrec.params.baselines import Gru4RecParams, SasrecParams
from mmrec.params.datasets import CleanParams
from mmrec.params.models import Mp4srParams
from mmrec.params.training import TrainingParams
from mmrec.training.batches import EpochBatches, TrainingBatches
from mmrec.training.trainer import train

IdModelParams = SasrecParams | Gru4RecParams
METRIC = "recall@10"


def read(file: Path, settings: CleanParams) -> CleanResult:
    """Raw file to clean tables, as the stages do it, without writing tables between."""
    with tempfile.TemporaryDirectory() as folder:
        write_image_parts([], Path(folder))
        raw = SequencesSource(file).read()
        return clean(
            raw.items,
            raw.interactions,
            schemas.IMAGE_LINKS.empty_table(),
            RawImages(Path(folder)),
            skipped=raw.skipped,
            **settings.model_dump(),
        )


def make_batches(params: IdModelParams | Mp4srParams, sequences: Sequences) -> TrainingBatches:
    """Batches of the training part."""
    return TrainingBatches(
        training_part(sequences),
        batching=params.finetune.batching,
        max_sequence_length=params.architecture.max_sequence_length,
        window_overlap=params.finetune.window_overlap,
        batch_size=params.finetune.batch_size,
        seed=1,
    )


def no_feature(num_items: int) -> FeatureTable:
    """Features of a catalogue of which nothing is known."""
    return FeatureTable(torch.zeros(0, 0), torch.zeros(num_items + 1, dtype=torch.int64))


def build(params: IdModelParams, num_items: int) -> Objective:
    """The model with fresh weights, and its loss; `num_items` counts the padding."""
    torch.manual_seed(1)
    counts = torch.zeros(num_items)
    recommender = build_recommender(
        params,
        num_items=num_items,
        text=no_feature(num_items),
        image=no_feature(num_items),
        training_counts=counts,
        stage="finetune",
    )
    return build_objective(params, recommender, training_counts=counts, stage="finetune")


class Clock:
    """Batches for the trainer that note when an epoch starts, and when its validation would."""

    def __init__(self, batches: TrainingBatches, between: Callable[[], None]) -> None:
        self._batches, self._between = batches, between
        self.seconds: list[float] = []

    @property
    def digest(self) -> str:
        """Of the batches."""
        return self._batches.digest

    def epoch(self, epoch: int) -> EpochBatches:
        """The batches, from now on timed."""
        self._started = time.perf_counter()
        return self._batches.epoch(epoch)

    def stop(self) -> dict[str, float]:
        """End of the epoch; stands in for its validation, which is timed apart."""
        self.seconds.append(time.perf_counter() - self._started)
        self._between()
        return {METRIC: 0.0}


def timed_epochs(
    params: IdModelParams,
    objective: Objective,
    batches: TrainingBatches,
    epochs: int,
    *,
    between: Callable[[], None],
) -> list[float]:
    """Seconds of each epoch by the trainer of the pipeline, without `between` and checkpoints."""
    clock = Clock(batches, between)
    train_timed(objective, clock, clock.stop, params.finetune, epochs)
    return clock.seconds


def train_timed(
    objective: Objective,
    batches: Clock | StepClock,
    validate: Callable[[], dict[str, float]],
    settings: TrainingParams,
    epochs: int,
) -> None:
    """Train by the trainer of the pipeline, in a folder that is gone afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        train(
            objective,
            batches,
            validate,
            epochs=epochs,
            patience=epochs,
            metric=METRIC,
            optimizer=settings,
            max_grad_norm=settings.max_grad_norm,
            seed=1,
            stage="finetune",
            settings={},
            checkpoint_dir=Path(folder, "checkpoints"),
            history_path=Path(folder, "history.csv"),
        )
