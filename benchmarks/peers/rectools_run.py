"""One cut epoch of RecTools' SASRec, run in RecTools' environment: data in, a JSON line out.

Everything measured is RecTools' own: reading a table, its dataset, model, Lightning's trainer,
top-10 of every user. A row is a user, so a batch has as many users as have 1,024 targets. Its
feed-forward net is as wide as the embedding; a width of 256 cannot be set.
"""

from __future__ import annotations

import argparse
import logging
import os
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import pytorch_lightning as pl
import torch
from probe import WARM_UP, peak_mib, report, versions
from rectools import Columns
from rectools.dataset import Dataset
from rectools.models import SASRecModel

MAX_LENGTH, TARGETS_PER_BATCH = 50, 1024


class Clock(pl.Callback):  # type: ignore[misc]  # no types from another environment
    """When the first batch came, and how long those after the warm-up took.

    RecTools copies its trainer, and so this; the notes are shared by all copies.
    """

    notes: ClassVar[dict[str, float]] = {}

    def on_train_batch_start(self, *arguments: Any) -> None:
        """Note the first batch and the first after the warm-up."""
        number = arguments[-1]
        if number == 0:
            self.notes.update({"first batch": time.perf_counter(), "memory": peak_mib()})
        if number == WARM_UP:
            self.notes["started"] = time.perf_counter()

    def on_train_batch_end(self, *arguments: Any) -> None:
        """Note the last batch so far."""
        self.notes.update({"ended": time.perf_counter(), "batches": arguments[-1] + 1})


def write_tables(sequences: Path, folder: Path) -> tuple[int, int]:
    """Training part and test histories as CSV; users that train, and targets cut to 50 a user."""
    users = targets = 0
    with (
        sequences.open(encoding="utf-8") as lines,
        (folder / "train.csv").open("w", encoding="utf-8") as train,
        (folder / "seen.csv").open("w", encoding="utf-8") as seen,
    ):
        for file in (train, seen):
            file.write("user_id,item_id,datetime\n")
        for line in lines:
            user, *items = line.split()
            rows = [f"{user},{item},{place}\n" for place, item in enumerate(items)]
            train.writelines(rows[:-2])
            seen.writelines(rows[:-1])
            users += len(rows) > 3
            targets += min(max(len(rows) - 3, 0), MAX_LENGTH)
    return users, targets


def read_dataset(file: str) -> tuple[Dataset, Any]:
    """RecTools' dataset of a table, and its users."""
    table = pd.read_csv(file)
    table[Columns.Datetime] = pd.to_datetime(table[Columns.Datetime], unit="D")
    table[Columns.Weight] = 1.0
    return Dataset.construct(table), table[Columns.User].unique()


def sasrec(users_per_batch: int, num_batches: int) -> SASRecModel:
    """RecTools' model, whose training ends after so many batches."""

    def trainer() -> pl.Trainer:
        return pl.Trainer(
            max_epochs=1,
            accelerator="cpu",
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            callbacks=[Clock()],
            limit_train_batches=num_batches,
        )

    return SASRecModel(
        n_factors=64,
        n_blocks=2,
        n_heads=2,
        session_max_len=MAX_LENGTH,
        dropout_rate=0.5,
        lr=1e-3,
        loss="softmax",
        batch_size=users_per_batch,
        get_trainer_func=trainer,
        verbose=0,
    )


def main(arguments: argparse.Namespace) -> None:
    """Measure and report."""
    torch.set_num_threads(arguments.threads)
    pl.seed_everything(2020, verbose=False)
    users, targets = write_tables(arguments.sequences, Path.cwd())
    users_per_batch = max(1, round(users * TARGETS_PER_BATCH / targets))
    imported, started = peak_mib(), time.perf_counter()
    model = sasrec(users_per_batch, WARM_UP + arguments.batches)
    model.fit(read_dataset("train.csv")[0])
    wanted = WARM_UP + arguments.batches
    if Clock.notes["batches"] < wanted:
        raise ValueError(f"an epoch has {Clock.notes['batches']} batches, {wanted} are wanted")
    notes, timed_users = Clock.notes, arguments.batches * users_per_batch
    report(
        system="rectools",
        model="sasrec",
        seconds_per_epoch=[(notes["ended"] - notes["started"]) * users / timed_users],
        scaled_from_batches=arguments.batches,
        targets=targets,
        ranking_users_per_s=users_per_s(model),
        peak_rss_mib=peak_mib(),
        import_rss_mib=imported,
        raw_to_first_batch_s=notes["first batch"] - started,
        raw_to_first_batch_mib=notes["memory"] - imported,
        versions=versions("rectools", "torch", "numpy", "pytorch-lightning"),
    )


def users_per_s(model: Any) -> float:
    """Top-10 of every user after all but the last item."""
    seen, users = read_dataset("seen.csv")
    started = time.perf_counter()
    model.recommend(
        users=np.asarray(users),
        dataset=seen,
        k=10,
        filter_viewed=False,
        on_unsupported_targets="ignore",
    )
    return len(users) / (time.perf_counter() - started)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sequences", type=lambda text: Path(text).resolve())
    parser.add_argument("--batches", type=int, required=True)
    parser.add_argument("--threads", type=int, required=True)
    warnings.simplefilter("ignore")
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as work:
        os.chdir(work)
        main(chosen)
        os.chdir("/")
