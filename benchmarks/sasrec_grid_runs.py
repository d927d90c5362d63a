"""A point of a grid over SASRec's settings in; what its training and ranking gave out."""

from __future__ import annotations

import csv
import tempfile
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from itertools import product
from pathlib import Path
from random import Random
from typing import Any

from benchmarks.sequence_runs import read
from mmrec.data.clean import write_clean
from mmrec.data.split import hold_out_test
from mmrec.dataset_paths import DatasetPaths
from mmrec.evaluation.evaluator import rank_held_out
from mmrec.evaluation.metrics import summarize
from mmrec.io import DataError
from mmrec.models.data import ModelData, TrainingRun, load_model_data
from mmrec.params.datasets import DatasetParams
from mmrec.params.models.sasrec import SasrecParams
from mmrec.params.sources import SequencesSourceParams
from mmrec.recommender import Recommender
from mmrec.training.fit import fit
from mmrec.training.trainer import DivergenceError

METRIC = "ndcg@10"
"""What the best epoch and the best point are chosen by, on validation targets."""
SHOWN = ("ndcg@10", "recall@10", "recall@20")
WIDTHS, LAYERS, DROPOUTS = (64, 128, 256), (1, 2), (0.2, 0.5, 0.7)
LOSSES = ("full", "sampled")
TEMPERATURES = (0.05, 0.07, 0.1)
"""Of cosines, which are tried with two layers and a softmax over all items."""
IN_MINUTES = (128, 2, 0.5, "full", 0.1, 3e-3)
"""Half as wide as the widest, at three times the rate: for minutes on a CPU of two cores."""
GRID_SEED, TEST_SEEDS = 2020, (2021, 2022, 2023)
"""Seeds of the test are not those that points were chosen with."""


@dataclass(frozen=True)
class Budget:
    """What every training may take at most; `patience` are epochs without a better one."""

    epochs: int
    patience: int
    batch_size: int
    mask_history: bool
    """Of validation."""


@dataclass(frozen=True)
class Point:
    """A dataset and SASRec's settings; two heads, and a feed-forward net four times as wide."""

    dataset: str
    embedding_dim: int
    num_layers: int
    dropout: float
    loss: str
    temperature: float | None = None
    """Of cosines; None scores by inner products."""
    learning_rate: float = 1e-3
    seed: int = GRID_SEED

    def params(self, budget: Budget) -> SasrecParams:
        """As an entry of `models`."""
        return SasrecParams.model_validate(
            {
                "name": "sasrec",
                "architecture": {
                    "embedding_dim": self.embedding_dim,
                    "feedforward_dim": 4 * self.embedding_dim,
                    "num_layers": self.num_layers,
                    "num_heads": 2,
                    "dropout": self.dropout,
                    "attention_dropout": self.dropout,
                    **(
                        {"score": "cosine", "temperature": self.temperature}
                        if self.temperature
                        else {}
                    ),
                },
                "pretrain": None,
                "finetune": {
                    "loss": {"name": self.loss},
                    "metric": METRIC,
                    "learning_rate": self.learning_rate,
                    "epochs": budget.epochs,
                    "patience": budget.patience,
                    "batch_size": budget.batch_size,
                },
            }
        )


def grid(datasets: list[str]) -> list[Point]:
    """Every point, the datasets in turn, in an order drawn once.

    Where time is up before the end, those that were tried are a random sample.
    """
    products: list[tuple[Any, ...]] = [
        *product(WIDTHS, LAYERS, DROPOUTS, LOSSES),
        (64, 2, 0.5, "bce"),
    ]
    cosines = [*product(WIDTHS, (2,), DROPOUTS[:2], ("full",), TEMPERATURES), IN_MINUTES]
    for settings in (products, cosines):
        Random(0).shuffle(settings)
    return [Point(dataset, *each) for each in (*products, *cosines) for dataset in datasets]


def default_of(dataset: str) -> Point:
    """The point of the defaults."""
    return Point(dataset, 64, 2, 0.5, "full")


def write_dataset(files: Path, settings: DatasetParams, folder: Path) -> dict[str, int]:
    """Clean a file of sequences as the pipeline does; returns how much it has.

    Args:
        files: folder of the sequence files.
        settings: of the dataset.
        folder: of the clean tables.
    """
    assert isinstance(settings.source, SequencesSourceParams)
    found = read(files / settings.source.file, settings.clean)
    write_clean(found, DatasetPaths(folder))
    lengths = found.sequences["items"].combine_chunks().flatten()
    return {
        "users": found.users.num_rows,
        "items": found.items.num_rows,
        "interactions": len(lengths),
    }


@cache
def data_of(folder: Path) -> ModelData:
    """A dataset of `write_dataset`, read once a process."""
    return load_model_data(DatasetPaths(folder), text="none", image="none")


def validated(task: tuple[Point, Budget, Path]) -> dict[str, Any]:
    """Train a point; its validation in the best epoch, and what it cost. No test item is read."""
    point, budget, folder = task
    try:
        _, found = trained(point, budget, folder)
    except (DivergenceError, DataError) as error:  # out of memory is among the latter
        return {**asdict(point), "failed": str(error)}
    return {**asdict(point), **found}


def tested(task: tuple[Point, Budget, Path]) -> dict[str, Any]:
    """Train a point and rank the test, with what was seen among the candidates and without.

    Without it also on the targets alone that have been trained on.
    """
    point, budget, folder = task
    recommender, found = trained(point, budget, folder)
    data = data_of(folder / point.dataset)
    held_out = hold_out_test(data.sequences)
    competing, left_out = (
        rank_held_out(recommender, held_out, mask_history=masked).ranks for masked in (False, True)
    )
    ranks = {
        "competing": competing,
        "left out": left_out,
        "left out, targets seen in training": left_out[data.training_counts[held_out.targets] > 0],
    }
    test = {name: summarize(each.numpy(), SHOWN) for name, each in ranks.items()}
    return {**asdict(point), **found, "test": test}


def trained(point: Point, budget: Budget, folder: Path) -> tuple[Recommender, dict[str, Any]]:
    """A point's model, its validation in the best epoch, and what it cost."""
    data, started = data_of(folder / point.dataset), time.perf_counter()
    with tempfile.TemporaryDirectory(dir=folder) as work:
        history = Path(work, "history.csv")
        recommender, record = fit(
            point.params(budget),
            data,
            TrainingRun("finetune", point.seed, budget.mask_history),
            weights=None,
            checkpoint_dir=Path(work, "checkpoints"),
            history_path=history,
        )
        seconds = time.perf_counter() - started
        best = _epoch(history, record)
    return recommender, {
        "validation": {name: float(best[name]) for name in SHOWN},
        "best_epoch": record["best_epoch"],
        "epochs": record["epochs"],
        "seconds": round(seconds, 1),
    }


def _epoch(history: Path, record: Mapping[str, object]) -> dict[str, str]:
    with history.open(encoding="utf-8", newline="") as file:
        return next(
            row for row in csv.DictReader(file) if int(row["epoch"]) == record["best_epoch"]
        )
