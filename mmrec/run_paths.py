"""Where the files of trainings lie, relative to the folder `data`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class PretrainingPaths:
    """Files of one pre-training; those of `none` come with the project."""

    data: Path
    name: str

    @property
    def pretrained(self) -> Path:
        """Folder of the model that runs start from, or of the note that there is none."""
        return self.data / "pretrainings" / self.name

    @property
    def history(self) -> Path:
        """Losses and validation metrics by epoch, which git keeps."""
        return self.data / "pretraining_histories" / f"{self.name}.csv"


@dataclass(frozen=True)
class RunPaths:
    """Files of one run: texts that git keeps, models, what evaluation gives; a folder each."""

    data: Path
    name: str

    @property
    def evaluated(self) -> Path:
        """Folder of ranks and retrieval vectors."""
        return self.data / "evaluated" / self.name

    @property
    def finetuned(self) -> Path:
        """Folder of the model that is evaluated."""
        return self.data / "models" / self.name / "finetuned"

    @property
    def finetune_history(self) -> Path:
        """Losses and validation metrics by epoch of fine-tuning."""
        return self.data / "runs" / self.name / "finetune_history.csv"

    @property
    def ranks(self) -> Path:
        """Rank of every user's held-out item."""
        return self.evaluated / "ranks.parquet"

    @property
    def item_vectors(self) -> Path:
        """Retrieval vectors of all items."""
        return self.evaluated / "items.parquet"

    @property
    def user_vectors(self) -> Path:
        """Query vectors of all users."""
        return self.evaluated / "users.parquet"

    @property
    def all_metrics(self) -> Path:
        """Metrics at every cut-off, of every group of users."""
        return self.evaluated / "all_metrics.json"

    @property
    def metrics(self) -> Path:
        """The few metrics that runs are compared by, for `dvc metrics` and `dvc exp show`."""
        return self.data / "runs" / self.name / "metrics.json"


def validation_of(run: RunPaths) -> Path:
    """Validation metrics of the epoch that a run keeps, for `dvc exp show`; no property, as below.

    They are there without an evaluation: settings can be compared, and no test is looked at.
    """
    return run.data / "runs" / run.name / "validation.json"


def lists_of(run: RunPaths) -> Path:
    """Best items of every user, of the ranking; no property, as below."""
    return run.evaluated / "lists.parquet"


def cold_ranks_of(run: RunPaths) -> Path:
    """Rank of the item of every cold position of a run, where these are asked for.

    No property of `RunPaths`: every stage depends on all of these, and would run again.
    """
    return run.evaluated / "cold_ranks.parquet"


def knockouts_of(run: RunPaths) -> Path:
    """What `python -m mmrec.knockouts` found of a run, which git keeps; no property, as above."""
    return run.data / "runs" / run.name / "knockouts.json"


def searches_of(run: RunPaths) -> Path:
    """Folder of what `mmrec tune` found of a run, a file for each search, which git keeps."""
    return run.data / "runs" / run.name / "searches"


def search_of(run: RunPaths, search: str) -> Path:
    """What one of them found."""
    return searches_of(run) / f"{search}.json"
