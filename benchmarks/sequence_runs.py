"""A file of sequences in; batches, models and timed trainings out, by the code of the pipeline."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import torch

from benchmarks.step_clock import StepClock
from mmrec import schemas
from mmrec.data.batches import EpochOfBatches, TrainingBatches
from mmrec.data.clean import CleanResult, clean
from mmrec.data.images import RawImages
from mmrec.data.packing import write_image_parts
from mmrec.data.sequences import Sequences
from mmrec.data.sources.sequences import SequencesSource
from mmrec.data.split import training_part
from mmrec.features.table import FeatureTable
from mmrec.models.data import Feature, ModelData
from mmrec.models.next_item import NextItemModel
from mmrec.models.next_item_training import next_item_objective
from mmrec.models.registry import system_of
from mmrec.params.datasets import CleanParams
from mmrec.params.models.gru4rec import Gru4RecParams
from mmrec.params.models.mp4sr import Mp4srParams
from mmrec.params.models.sasrec import SasrecParams
from mmrec.params.training import TrainingParams
from mmrec.recommender import Objective
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
            settings,
            skipped=raw.skipped,
            has_users=raw.has_users,
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


def catalogue(num_items: int, text: FeatureTable | None = None) -> ModelData:
    """A catalogue of which at most the text is known; `num_items` counts the padding."""
    nothing = FeatureTable(torch.zeros(0, 0), torch.zeros(num_items + 1, dtype=torch.int64))
    return ModelData(
        items=pa.table({"item_id": pa.nulls(num_items - 1, pa.string())}),
        sequences=Sequences.from_lists([]),
        features={"text": Feature(lambda: text or nothing), "image": Feature(lambda: nothing)},
        training_counts=torch.zeros(num_items, dtype=torch.int64),
        is_cold=torch.zeros(num_items, dtype=torch.bool),
    )


def build(params: IdModelParams | Mp4srParams, data: ModelData) -> Objective:
    """The model with fresh weights, and its loss over next items."""
    torch.manual_seed(1)
    recommender = system_of(params).build_recommender(params, data, "finetune")
    assert isinstance(recommender, NextItemModel)
    return next_item_objective(recommender, params.finetune, data.training_counts)


class Clock:
    """Batches for the trainer that note when an epoch starts, and when its validation would."""

    def __init__(self, batches: TrainingBatches, between: Callable[[], None]) -> None:
        self._batches, self._between = batches, between
        self.seconds: list[float] = []

    @property
    def digest(self) -> str:
        """Of the batches."""
        return self._batches.digest

    def epoch(self, epoch: int) -> EpochOfBatches:
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
    loop = settings.model_copy(update={"epochs": epochs, "patience": epochs, "metric": METRIC})
    with tempfile.TemporaryDirectory() as folder:
        train(
            objective,
            batches,
            validate,
            loop,
            seed=1,
            stage="finetune",
            settings={},
            checkpoint_dir=Path(folder, "checkpoints"),
            history_path=Path(folder, "history.csv"),
        )
