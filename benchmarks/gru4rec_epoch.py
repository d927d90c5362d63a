"""An epoch of GRU4Rec: `python -m benchmarks.gru4rec_epoch <sequences file> [--epochs 3]`.

From a file with a line `user item item …` per user, by the code of the pipeline: read, clean,
train, rank every user's validation item. The last line is a JSON object with what was measured.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path

import torch

from benchmarks.peers.probe import peak_mib
from mmrec import schemas
from mmrec.data.clean import clean
from mmrec.data.fetch import write_image_parts
from mmrec.data.images import RawImages
from mmrec.data.sequences import Sequences
from mmrec.data.sources.sequences import SequencesSource
from mmrec.data.split import hold_out_validation, training_part
from mmrec.evaluation.evaluator import validation_metrics
from mmrec.features.table import FeatureTable
from mmrec.models.build import build_objective, build_recommender
from mmrec.models.recommender import SequenceRecommender
from mmrec.params.baselines import Gru4RecArchitecture, Gru4RecFinetune, Gru4RecParams
from mmrec.training.batches import EpochBatches, TrainingBatches
from mmrec.training.trainer import train

PARAMS = Gru4RecParams(
    name="gru4rec",
    architecture=Gru4RecArchitecture(),
    pretrain=None,
    finetune=Gru4RecFinetune(),
)
METRIC = "recall@10"


class Clock:
    """Batches for the trainer that note when each epoch starts, and when its validation does."""

    def __init__(self, batches: TrainingBatches) -> None:
        self._batches = batches
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
        return {METRIC: 0.0}


def read(file: Path) -> Sequences:
    """Raw file to sequences, as the stages do it, without writing tables between."""
    with tempfile.TemporaryDirectory() as folder:
        write_image_parts([], Path(folder))
        raw = SequencesSource(file).read()
        result = clean(
            raw.items,
            raw.interactions,
            schemas.IMAGE_LINKS.empty_table(),
            RawImages(Path(folder)),
            skipped=raw.skipped,
            text_fields=[],
            max_sentences=0,
            max_images=0,
            min_rating=None,
            user_core=0,
            item_core=1,
            duplicates="keep_all",
            cold_threshold=10,
            max_failed_share=0.0,
        )
    return Sequences.from_table(result.sequences)


def make_batches(params: Gru4RecParams, sequences: Sequences) -> TrainingBatches:
    """Batches of the training part, with the model's default settings."""
    return TrainingBatches(
        training_part(sequences),
        batching=params.finetune.batching,
        max_sequence_length=params.architecture.max_sequence_length,
        window_overlap=params.finetune.window_overlap,
        batch_size=params.finetune.batch_size,
        seed=1,
    )


def build(params: Gru4RecParams, num_items: int) -> SequenceRecommender:
    """The model with fresh weights, over items without content."""
    nothing = FeatureTable(torch.zeros(0, 0), torch.zeros(num_items + 1, dtype=torch.int64))
    torch.manual_seed(1)
    return build_recommender(
        params,
        num_items=num_items,
        text=nothing,
        image=nothing,
        training_counts=torch.zeros(num_items),
        stage="finetune",
    )


def fit(
    params: Gru4RecParams, recommender: SequenceRecommender, batches: TrainingBatches, epochs: int
) -> list[float]:
    """Seconds of each epoch, by the trainer of the pipeline; checkpoints are not in them."""
    clock, settings = Clock(batches), params.finetune
    with tempfile.TemporaryDirectory() as folder:
        train(
            build_objective(params, recommender, stage="finetune"),
            clock,
            clock.stop,
            epochs=epochs,
            patience=epochs,
            metric=METRIC,
            learning_rate=settings.learning_rate,
            weight_decay=settings.weight_decay,
            max_grad_norm=settings.max_grad_norm,
            seed=1,
            stage="finetune",
            settings={},
            checkpoint_dir=Path(folder, "checkpoints"),
            history_path=Path(folder, "history.csv"),
        )
    return clock.seconds


def measure(params: Gru4RecParams, file: Path, epochs: int) -> dict[str, object]:
    """Train and rank on the CPU with the threads that torch is set to."""
    imported, started = peak_mib(), time.perf_counter()
    sequences = read(file)
    batches = make_batches(params, sequences)
    next(iter(batches.epoch(1)))
    first_batch_s, first_batch_mib = time.perf_counter() - started, peak_mib() - imported
    recommender = build(params, num_items=int(sequences.items.max()) + 1)
    seconds = fit(params, recommender, batches, epochs)
    held_out, started = hold_out_validation(sequences), time.perf_counter()
    metrics = validation_metrics(
        recommender,
        held_out,
        max_sequence_length=params.architecture.max_sequence_length,
        mask_history=False,
        cutoffs=[5, 10, 20],
    )
    return {
        "system": "mmrec",
        "model": params.name,
        "seconds_per_epoch": seconds,
        "targets": batches.num_targets,
        "ranking_users_per_s": held_out.histories.num_rows / (time.perf_counter() - started),
        "peak_rss_mib": peak_mib(),
        "import_rss_mib": imported,
        "raw_to_first_batch_s": first_batch_s,
        "raw_to_first_batch_mib": first_batch_mib,
        "floor_seconds": None,
        "validation": metrics,
        "versions": {"torch": torch.__version__},
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sequences", type=Path)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    print(json.dumps(measure(PARAMS, chosen.sequences, chosen.epochs)))
